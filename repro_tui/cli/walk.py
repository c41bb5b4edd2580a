"""Records a walk through an audit's screens, in a real pseudo-terminal: an asciinema cast, and an SVG that plays it.

Every key is followed by the text that it must bring to the screen, and by a pause. The times in the cast are those
pauses, and not those of the machine that recorded it, so that the same audit makes the same walk.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby
from pathlib import Path
from termios import TIOCSWINSZ
from typing import Final

from rich.cells import split_graphemes

WIDTH, HEIGHT = 100, 30
QUIET_S, PATIENCE_S = 0.5, 60.0
TITLE = "repro-tui: what moved between prod and staging, and why"
WALK: Final = (  # what is pressed, what is on the screen then, and for how many seconds it is looked at
    ("", "decision values flip", 4.0),
    ("7", "Cause", 4.0),
    ("3", "Parameters", 3.0),
    ("2", "numpy", 2.5),
    ("\x1b[B", "2 of", 2.0),
    ("6", "requirements.txt", 2.5),
    ("\x1b[B", "2 of 2", 2.5),
    ("4", "credit.json", 3.0),
    ("5", "cells over tolerance", 3.0),
    ("\t", "cells over tolerance", 1.0),
    ("\x1b[B", "cells over tolerance", 1.0),
    ("\r", "probability", 4.0),
)
CELL_W, CELL_H, MARGIN = 8.4, 17, 12
NO_BREAK = "\u00a0"  # viewers draw several blanks as one
LEFT_OUT = ("SSH_TTY", "SSH_CONNECTION", "NO_COLOR", "COLORFGBG", "REPRO_TUI_CONFIG")
FOREGROUND, BACKGROUND = "#e0e0e0", "#121212"
_SEQUENCE = re.compile(r"\x1b(?:\[([0-9;:?<>=$!]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[^\[\]])")


@dataclass(frozen=True, slots=True)
class FilmLook:
    """How a cell looks: colours as #rrggbb ("" for the terminal's own), and attributes by their codes in SGR."""

    foreground: str = ""
    background: str = ""
    attributes: frozenset[str] = frozenset()

    def turned(self) -> FilmLook:
        """The look with its colours as they are seen: reversed ones are traded."""
        if "7" not in self.attributes:
            return self
        return FilmLook(self.background or BACKGROUND, self.foreground or FOREGROUND, self.attributes)

    def style(self) -> str:
        """The classes of the SVG's style sheet."""
        return " ".join(name for code, name in STYLES.items() if code in self.attributes)


FilmCell = tuple[str, FilmLook]
BLANK: FilmCell = (" ", FilmLook())
STYLES = {"1": "b", "2": "d", "3": "i", "4": "u"}
ENDS = {"22": "12", "23": "3", "24": "4", "27": "7"}


class FilmedTerminal:
    """The cells of a terminal, as far as the interface uses it: positions, colours, and nothing that scrolls."""

    def __init__(self) -> None:
        self.lines = [[BLANK] * WIDTH for _ in range(HEIGHT)]
        self.x = self.y = 0
        self.look = FilmLook()

    def write(self, text: str) -> None:
        """Changes the cells as a terminal does."""
        start = 0
        for sequence in _SEQUENCE.finditer(text):
            self._characters(text[start : sequence.start()])
            start = sequence.end()
            parameters, last = sequence[1] or "", sequence[2]
            plain = re.fullmatch("[0-9;]*", parameters) is not None
            numbers = [int(number or 0) for number in parameters.split(";")] if plain else []
            if last == "H" and numbers:
                self.y, self.x = max(1, numbers[0]) - 1, max(1, numbers[1] if len(numbers) > 1 else 1) - 1
            elif last == "C" and numbers:
                self.x += max(1, numbers[0])
            elif last == "G" and numbers:
                self.x = max(1, numbers[0]) - 1
            elif last == "X" and numbers:
                end = min(self.x + max(1, numbers[0]), WIDTH)
                self.lines[self.y][self.x : end] = [(" ", FilmLook("", self.look.background))] * (end - self.x)
            elif last == "m" and numbers:
                self._style(list(map(str, numbers)))
            elif last == "J" and numbers == [2]:
                self.lines = [[BLANK] * WIDTH for _ in range(HEIGHT)]
        self._characters(text[start:])

    def _style(self, codes: list[str]) -> None:
        while codes:
            code = codes.pop(0)
            if code in ("38", "48"):
                kind, *colour = codes[:4]
                if kind != "2":
                    raise ValueError(f"the walk is recorded in 24 bit colours, and this is not one: {codes}")
                del codes[:4]
                name = "#" + "".join(f"{int(part):02x}" for part in colour)
                look = self.look
                self.look = replace(look, foreground=name) if code == "38" else replace(look, background=name)
            elif code in ("0", "39", "49"):
                looks = {
                    "0": FilmLook(),
                    "39": replace(self.look, foreground=""),
                    "49": replace(self.look, background=""),
                }
                self.look = looks[code]
            elif code in ENDS:
                self.look = replace(self.look, attributes=self.look.attributes - set(ENDS[code]))
            else:
                self.look = replace(self.look, attributes=self.look.attributes | {code})

    def _characters(self, text: str) -> None:
        for line in re.split("(\r\n)", text):
            if line == "\r\n":
                self.x, self.y = 0, self.y + 1
                continue
            for start, end, width in split_graphemes(line)[0]:
                for column in range(self.x, min(self.x + width, WIDTH)):
                    self.lines[self.y][column] = (line[start:end] if column == self.x else "", self.look)
                self.x += width

    def text(self) -> str:
        """What is on the screen."""
        return "\n".join("".join(text for text, _ in line) for line in self.lines)


def record(folder: Path, walk: Sequence[tuple[str, str, float]] = WALK) -> list[tuple[float, str]]:
    """Walks through the audit in `folder`: what was written for every key, with the seconds from the beginning."""
    terminal, other_end = pty.openpty()
    fcntl.ioctl(other_end, TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    ours = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    with subprocess.Popen(
        [sys.executable, "-m", "repro_tui", "show", str(folder)],
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        env={**ours, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"},
        start_new_session=True,
    ) as process:
        try:
            events, screen, clock = [], FilmedTerminal(), 0.5
            for key, wanted, pause in walk:
                os.write(terminal, key.encode())
                events.append((round(clock, 2), _written(terminal, screen, wanted)))
                clock += pause
            return [*events, (round(clock, 2), "")]
        finally:
            process.kill()  # nothing is lost: it only shows what is in the folder
            os.close(other_end)
            os.close(terminal)


def _written(terminal: int, screen: FilmedTerminal, wanted: str) -> str:
    """What is written until the text is on the screen, and then nothing more for a while."""
    began, parts = time.monotonic(), []
    while True:
        part = b""
        while select.select([terminal], [], [], QUIET_S)[0]:
            part += os.read(terminal, 1 << 16)
        parts.append(part.decode("utf-8"))
        screen.write(parts[-1])
        if wanted in screen.text():
            return "".join(parts)
        if time.monotonic() - began > PATIENCE_S:
            raise TimeoutError(f"{wanted!r} is not on the screen:\n{screen.text()}")


def as_cast(events: Sequence[tuple[float, str]]) -> str:
    """The events as an asciinema cast, version 2."""
    header = {"version": 2, "width": WIDTH, "height": HEIGHT, "title": TITLE, "env": {"TERM": "xterm-256color"}}
    return "".join(
        f"{json.dumps(line, ensure_ascii=False)}\n" for line in (header, *([at, "o", text] for at, text in events))
    )


def as_svg(events: Sequence[tuple[float, str]]) -> str:
    """The events as an SVG that plays them: all screens in a row, which CSS moves behind a window. There is no script.

    Lines that several screens have are drawn once. Who wants no motion sees the first screen.
    """
    screen, films = FilmedTerminal(), []
    for _, text in events[:-1]:
        screen.write(text)
        films.append(["".join(_drawn(line)) for line in screen.lines])
    lines = {line: f"l{number}" for number, line in enumerate(dict.fromkeys(line for film in films for line in film))}
    begin, end = events[0][0], events[-1][0]
    width, height = round(WIDTH * CELL_W + 2 * MARGIN), HEIGHT * CELL_H + 2 * MARGIN
    steps = [
        f"{100 * (at - begin) / (end - begin):.2f}% {{ transform: translateX({-number * width}px) }}"
        for number, (at, _) in enumerate(events[:-1])
    ]
    defined = "\n".join(f'<g id="{name}">{line}</g>' for line, name in lines.items())
    shown = "\n".join(
        f'<g transform="translate({number * width + MARGIN} {MARGIN})">'
        + "".join(f'<use href="#{lines[line]}" y="{y * CELL_H}"/>' for y, line in enumerate(film) if line)
        + "</g>"
        for number, film in enumerate(films)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">
<title>{escape(TITLE)}</title>
<style>
text {{ font: 14px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: {FOREGROUND} }}
.film {{ animation: play {end - begin:.1f}s steps(1, end) infinite }}
.b {{ font-weight: bold }} .d {{ opacity: 0.6 }} .i {{ font-style: italic }} .u {{ text-decoration: underline }}
@keyframes play {{
{chr(10).join(steps)}
}}
@media (prefers-reduced-motion: reduce) {{ .film {{ animation: none }} }}
</style>
<defs>
{defined}
</defs>
<rect width="{width}" height="{height}" rx="6" fill="{BACKGROUND}"/>
<svg width="{width}" height="{height}"><g class="film">
{shown}
</g></svg>
</svg>
"""


def _drawn(line: Sequence[FilmCell]) -> Iterator[str]:
    """The backgrounds and the texts of a line."""
    cells = [(text, look.turned()) for text, look in line]
    for (_, background), run in _runs(cells, lambda cell: ("", cell[1].background)):
        if background:
            left, width = run[0] * CELL_W, len(run) * CELL_W
            yield f'<rect x="{left:.1f}" width="{width:.1f}" height="{CELL_H}" fill="{background}"/>'
    for (style, colour), run in _runs(cells, lambda cell: (cell[1].style(), cell[1].foreground)):
        text = "".join(cells[x][0] for x in run)
        if not text.strip() and "u" not in style.split():
            continue
        start = run[0] + len(text) - len(text.lstrip()) if "u" not in style.split() else run[0]
        text = text.strip() if "u" not in style.split() else text
        size = sum(width for _, _, width in split_graphemes(text)[0])
        looks = f' class="{style}"' * bool(style) + f' style="fill:{colour}"' * bool(colour)
        place = f'x="{start * CELL_W:.1f}" y="13" textLength="{size * CELL_W:.1f}"'
        yield f"<text {place}{looks}>{escape(text).replace(' ', NO_BREAK)}</text>"


def _runs(
    cells: Sequence[FilmCell], of: Callable[[FilmCell], tuple[str, str]]
) -> Iterator[tuple[tuple[str, str], list[int]]]:
    """The columns of neighbours that are alike."""
    for alike, run in groupby(range(len(cells)), lambda x: of(cells[x])):
        yield alike, list(run)


def write_walk(folder: Path, docs: Path) -> None:
    """Records the walk through the audit in `folder`, and writes walk.cast and walk.svg to `docs`.

    Raises ValueError where the recording names this machine, its user or a folder of it.
    """
    events = record(folder)
    cast = as_cast(events)
    for name in (str(Path.home()), str(folder.parent), socket.gethostname(), getpass.getuser()):
        if len(name) > 2 and name != "root" and name in cast:
            raise ValueError(f"the recorded walk shows {name!r}")
    (docs / "walk.cast").write_text(cast, "utf-8")
    (docs / "walk.svg").write_text(as_svg(events), "utf-8")
