"""What is written to a terminal: only the cells that differ, and always what a full drawing would show."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.ansi import AnsiDecoder
from rich.cells import split_graphemes
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from repro_tui.tui.app import Auditor
from repro_tui.tui.painting import Painted
from tests.tui.driving import settle
from tests.tui.folders import finished
from tests.tui.heavy import CULPRIT, heavy, with_scripts
from tests.tui.test_terminal import Terminal, terminal

WIDTH, HEIGHT = 24, 3
KEY_BYTES, AREA_BYTES = 1_000, 12_000
SEQUENCE = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")
STYLES = [
    "",
    "bold red",
    "red on blue",
    "on blue",
    "reverse",
    "underline #123456",
    "dim on color(235)",
    "bold dim green",
]
ENDED = {"22": "12", "23": "3", "24": "4", "25": "5", "27": "7", "29": "9"}
TEXTS = ["a", "bc", "   ", "漢", "é", "e\u0301x", "👩\u200d🔬", "─", "مر", " "]
Seen = tuple[tuple[str, str], ...]
__all__ = ["terminal"]  # the fixture


class Emulator:
    """The cells that a terminal shows: its position, SGR, and characters that are one or two cells wide."""

    def __init__(self) -> None:
        self.cells: list[list[tuple[str, Seen]]] = [[(" ", ())] * WIDTH for _ in range(HEIGHT)]
        self.x = self.y = 0
        self.look: dict[str, str] = {}

    def write(self, text: str) -> None:
        start = 0
        for sequence in SEQUENCE.finditer(text):
            self._text(text[start : sequence.start()])
            start = sequence.end()
            numbers = sequence[1].split(";") if sequence[1] else ["0"]
            if sequence[2] == "H":
                self.y, self.x = int(numbers[0]) - 1, int(numbers[1]) - 1
            elif sequence[2] == "C":
                self.x += int(numbers[0]) or 1
            elif sequence[2] == "G":
                self.x = int(numbers[0]) - 1
            elif sequence[2] == "X":
                background = {name: value for name, value in self.look.items() if name == "48" and value != "49"}
                for x in range(self.x, self.x + int(numbers[0])):
                    self.cells[self.y][x] = (" ", tuple(background.items()))
            else:
                assert sequence[2] == "m"
                self._style(numbers)
        self._text(text[start:])

    def _style(self, numbers: list[str]) -> None:
        while numbers:
            code = numbers.pop(0)
            if code == "0":
                self.look = {}
            elif code in ("38", "48"):
                size = 2 if numbers[0] == "5" else 4
                self.look[code], numbers[:size] = ";".join(numbers[:size]), []
            elif code in ENDED:
                self.look = {name: value for name, value in self.look.items() if name not in ENDED[code]}
            elif 30 <= int(code) <= 37 or code == "39":
                self.look["38"] = code
            elif 40 <= int(code) <= 47 or code == "49":
                self.look["48"] = code
            else:
                self.look[code] = ""

    def _text(self, text: str) -> None:
        first, *following = text.split("\r\n")
        self._characters(first)
        for line in following:
            self.x, self.y = 0, self.y + 1
            self._characters(line)

    def _characters(self, text: str) -> None:
        for start, end, width in split_graphemes(text)[0]:
            for covered in range(self.x - 1, self.x + width + 1):
                self._blank_half(covered, self.x, width)
            look = {name: value for name, value in self.look.items() if value not in ("39", "49")}
            if text[start:end] == " " and not {"4", "7"} & set(look):
                look = {"48": look["48"]} if "48" in look else {}
            for offset in range(width):
                shown = "" if offset else text[start:end]
                self.cells[self.y][self.x + offset] = (shown, tuple(sorted(look.items())))
            self.x += width

    def _blank_half(self, x: int, start: int, width: int) -> None:
        """A wide character of which one cell is written over loses the other one."""
        line = self.cells[self.y]
        inside = range(start, start + width)
        if 0 <= x < WIDTH - 1 and line[x + 1][0] == "" and ((x in inside) != (x + 1 in inside)):
            for half in (x, x + 1):
                look = line[half][1]
                seen = look if {"4", "7"} & {name for name, _ in look} else tuple(p for p in look if p[0] == "48")
                line[half] = (" ", seen)


def strip(parts: Sequence[tuple[str, str]], width: int) -> Strip:
    segments = [Segment(text, Style.parse(style)) for text, style in parts]
    return Strip(segments).adjust_cell_length(width)


piece = st.tuples(st.sampled_from(TEXTS), st.sampled_from(STYLES))
pieces = st.lists(piece, max_size=6)
layouts = st.lists(pieces, min_size=HEIGHT, max_size=HEIGHT)


@given(
    st.lists(st.one_of(layouts, st.tuples(st.integers(0, HEIGHT - 1), st.integers(0, 8), pieces)), max_size=6),
    st.booleans(),
)
def test_what_stands_in_the_terminal_is_what_was_drawn(updates: list[object], erases: bool) -> None:
    """However many updates there were, the terminal shows what a terminal shows that was written to in full."""
    console = Console(color_system="256", width=WIDTH)
    painted, sparse, full = Painted(erases), Emulator(), Emulator()
    blank: list[Sequence[tuple[str, str]]] = [[]] * HEIGHT
    for update in (blank, *updates):
        made: LayoutUpdate | ChopsUpdate
        if isinstance(update, list):
            made = LayoutUpdate([[strip(parts, WIDTH)] for parts in update], Region(0, 0, WIDTH, HEIGHT))
        else:
            assert isinstance(update, tuple)
            y, x, parts = update
            chops = [{x: strip(parts, WIDTH - x)} if line == y else {} for line in range(HEIGHT)]
            made = ChopsUpdate(chops, [(y, x, WIDTH)], [[WIDTH]] * HEIGHT)
        sparse.write(painted.paint(made, console))
        full.write(made.render_segments(console).replace("\n", ""))
        assert sparse.cells == full.cells


def test_nothing_is_written_where_nothing_differs_until_the_screen_is_forgotten() -> None:
    console = Console(color_system="256", width=WIDTH)
    painted = Painted()
    update = LayoutUpdate([[strip([("text", "bold")], WIDTH)]] * HEIGHT, Region(0, 0, WIDTH, HEIGHT))
    first = painted.paint(update, console)
    assert painted.paint(update, console) == ""
    painted.forget()
    assert painted.paint(update, console) == first


def test_blanks_are_erased_where_the_terminals_description_says_that_it_keeps_the_background() -> None:
    script = "import sys; from repro_tui.tui.cell_writer import erases_with_background as e; print(e(sys.argv[1]))"
    for term, erases in (("xterm-256color", "True"), ("screen", "False"), ("no-such-terminal", "False")):
        command = [sys.executable, "-c", script, term]  # a process knows one terminal
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == erases


def test_cells_that_look_the_same_are_written_after_one_change_of_style() -> None:
    console = Console(color_system="256", width=WIDTH)
    painted = Painted(erases=True)
    parts = [[("a", "red"), ("b", "green"), (" " * 12, ""), ("c", "red"), ("d", "green")]] * HEIGHT
    written = painted.paint(LayoutUpdate([[strip(p, WIDTH)] for p in parts], Region(0, 0, WIDTH, HEIGHT)), console)
    assert len(re.findall(r"\x1b\[[0-9;]*m", written)) == 3  # red, green, and the terminal's own
    assert "\x1b[12X" in written


async def test_a_key_writes_little_at_80x24(tmp_path: Path) -> None:
    """Moving the cursor draws its two rows and the difference beside them; another area draws its cells once."""
    app = Auditor(heavy(tmp_path / "audit", CULPRIT))
    console = Console(color_system="256", width=80)
    painted = Painted(erases=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)

        async def written(key: str) -> int:
            await pilot.press(key)
            await settle(pilot)
            update = app.screen._compositor.render_full_update()
            return len(painted.paint(update, console).encode())

        painted.paint(app.screen._compositor.render_full_update(), console)
        for area in "234657":
            assert await written(area) <= AREA_BYTES, area
            if area in "2346":
                moved = [await written("down") for _ in range(8)]
                assert max(moved) <= KEY_BYTES, (area, moved)


def test_what_another_program_wrote_is_drawn_over(terminal: Terminal, tmp_path: Path) -> None:
    """A reload draws everything, also what has not changed since it was drawn; so does a resize."""
    folder = finished(tmp_path / "audit")
    terminal.start(f"{sys.executable} -m repro_tui show {folder.path}")
    terminal.until("58 of 400 decision values flip")
    terminal.keys("2")
    terminal.until("major release")
    tty = Path(terminal.tmux("display-message", "-p", "-t", "t", "#{pane_tty}").strip())
    for bring_back in (("send-keys", "-t", "t", "r"), ("resize-window", "-t", "t", "-x", "81", "-y", "24")):
        tty.write_text("\x1b[2;40HSYSTEM MAINTENANCE\x1b[20;9HSYSTEM MAINTENANCE")
        terminal.until("SYSTEM MAINTENANCE")
        terminal.tmux(*bring_back)
        terminal.until_not("SYSTEM MAINTENANCE")
        terminal.until("major release")


def settled_screen(terminal: Terminal) -> str:
    """The screen once it has been the same for a second: what was waited for may be drawn before the rest."""
    before, alike = "", 0
    while alike < 5:
        time.sleep(0.2)
        now = terminal.tmux("capture-pane", "-p", "-e", "-t", "t")
        before, alike = now, alike + 1 if now == before else 0
    return before


def looks(capture: str) -> list[list[tuple[str, tuple[object, ...]]]]:
    """The cells of a screen that tmux wrote, as they are seen: of a blank, only its background and its line are.

    Blanks at the end of a line are left out.
    """
    console = Console()
    lines = []
    for text in AnsiDecoder().decode(capture):
        cells = []
        for offset, character in enumerate(text.plain):
            style = text.get_style_at_offset(console, offset)
            colors = [c.get_truecolor() if c and not c.is_default else None for c in (style.bgcolor, style.color)]
            lined = (bool(style.underline), bool(style.reverse))
            rest = (colors[1], bool(style.bold), bool(style.dim), bool(style.italic))
            cells.append((character, (colors[0], *lined, *(() if character == " " and not any(lined) else rest))))
        while cells and cells[-1][0] == " " and cells[-1][1][1:] == (False, False):
            cells.pop()  # tmux writes blanks at the end of a line if they were written, and not if they were erased
        lines.append(cells)
    return lines


def test_only_what_is_seen_of_a_blank_counts() -> None:
    assert looks("\x1b[31;1ma \x1b[0mb") == looks("\x1b[31;1ma\x1b[0m \x1b[mb  ")
    assert looks("\x1b[31ma") != looks("a")
    assert looks("a\x1b[41m \x1b[0mb") != looks("a b")
    assert looks("a\x1b[4m \x1b[0mb") != looks("a b")


def test_the_screen_after_many_keys_is_that_of_a_full_drawing(terminal: Terminal, tmp_path: Path) -> None:
    """In a real terminal: texts of many scripts, dialogs over them, other areas; then everything is drawn once more.

    By the name that it is given here, erasing keeps the background, which is so in tmux.
    """
    folder = with_scripts(tmp_path / "audit")
    terminal.start(f"env TERM=xterm-256color {sys.executable} -m repro_tui show {folder.path}")
    terminal.until("58 of 400 decision values flip")
    walk = [("3", "5 changed"), ("Down", "2 of 5"), ("?", "Show the keys"), ("Escape", "2 of 5"), ("Down", "3 of 5")]
    walk += [("Enter", "finding 3"), ("Escape", "5 changed"), ("5", "cells over tolerance"), ("3", "5 changed")]
    for key, text in walk:
        terminal.keys(key)
        terminal.until(text)
    before = settled_screen(terminal)
    terminal.tmux("resize-window", "-t", "t", "-x", "100", "-y", "30")
    terminal.tmux("resize-window", "-t", "t", "-x", "80", "-y", "24")
    deadline = time.monotonic() + 60
    while looks(after := terminal.tmux("capture-pane", "-p", "-e", "-t", "t")) != looks(before):
        assert time.monotonic() < deadline, f"not this:\n{after}\nbut this:\n{before}"
        time.sleep(0.2)
