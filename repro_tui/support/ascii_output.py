"""Output for terminals whose encoding is not UTF-8: every character that is not ASCII, replaced by one that is.

The one place for it. Streams (standard output and error, and what Rich draws) get an error handler that writes "!=" for
"≠" and "..." for "…"; the interface's filter of drawn lines (tui/ascii_lines.py) uses the same table, but keeps every
character in its cell. A character of a value that the table does not know is written as an escape in streams, and as a
question mark on a screen: never as the letter that it resembles, or "café" and "cafe" would look the same.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path

# What each character is in a stream. On a screen a character has one cell, and CELLS where that is not its first one.
TEXT = {
    "…": "...",
    "≠": "!=",
    "≈": "~=",
    "≤": "<=",
    "≥": ">=",
    "⊆": "<=",
    "Δ": "d",
    "χ": "chi",
    "²": "^2",
    "×": "x",
    "·": ".",
    "•": "*",
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "›": ">",
    "▸": ">",
    "▾": "v",
    "▼": "v",
    "▲": "^",
    "✓": "ok",
    "✗": "x",
    "—": "--",
    "–": "-",
    "−": "-",
    "⣿": "#",
    "░": ".",
    "▒": ":",
    "▓": "#",
    "┃": "|",
    "┊": ":",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u00a0": " ",
}
CELLS = {"✓": "v", "→": ">", "←": "<", "≠": "#", "≤": "<", "≥": ">", "⊆": "<", "…": "~", "²": "2", "χ": "X", "—": "-"}
LOW, HIGH = "_.-=", "#"  # the blocks of an eighth to a half, and those above
HANDLER = "repro-tui-ascii"
UTF8 = re.compile(r"utf-?8", re.IGNORECASE)


def ascii_cell(character: str) -> str:
    """The one ASCII character that stands for a character on a screen; "?" for one that nothing is known of."""
    if character.isascii():
        return character
    code = ord(character)
    if 0x2500 <= code <= 0x257F and character not in TEXT:
        return _box(character)
    if 0x2581 <= code <= 0x2588:  # blocks from below, by their height
        return HIGH if code >= 0x2585 else LOW[code - 0x2581]
    if 0x2589 <= code <= 0x259F and character not in TEXT:
        return HIGH
    if 0x2800 <= code <= 0x28FF:  # dots of a scatter plot, by their number
        dots = (code - 0x2800).bit_count()
        return " .:*#"[min(4, (dots + 1) // 2)]
    return CELLS.get(character) or TEXT.get(character, "?")[0]


def _box(character: str) -> str:
    code = ord(character)
    if code in (0x2500, 0x2501, 0x2504, 0x2505, 0x2508, 0x2509, 0x254C, 0x254D, 0x2550, 0x2574, 0x2576, 0x2578, 0x257A):
        return "-"
    if code in (0x2502, 0x2503, 0x2506, 0x2507, 0x250A, 0x250B, 0x254E, 0x254F, 0x2551, 0x2575, 0x2577, 0x2579, 0x257B):
        return "|"
    return {0x2571: "/", 0x2572: "\\", 0x2573: "x"}.get(code, "+")


def ascii_text(text: str) -> str:
    """A text for a stream: the characters of this program in ASCII, any other as an escape, `\\u{e9}`."""
    return "".join(c if c.isascii() else _of_stream(c) for c in text)


def _of_stream(character: str) -> str:
    if character in TEXT:
        return TEXT[character]
    cell = ascii_cell(character)
    return cell if cell != "?" else f"\\u{{{ord(character):x}}}"


def is_utf8(encoding: str | None, variables: Mapping[str, str] | None = None) -> bool:
    """Whether a terminal shows UTF-8: its stream is encoded in it, and no variable of the locale says otherwise.

    Python itself encodes in UTF-8 in the locales C and POSIX, which says nothing of the terminal. Without any variable
    of the locale, as in many containers, the terminal counts as one of today.
    """
    if encoding is not None and not UTF8.search(encoding):
        return False
    variables = _variables_at_start() if variables is None else variables
    locale = next((variables[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if variables.get(name)), "")
    charset = locale.partition("@")[0].partition(".")[2]
    if charset or locale in ("C", "POSIX"):
        return bool(UTF8.fullmatch(charset))
    return True


def _variables_at_start() -> dict[str, str]:
    """The variables as the shell set them: in the locale C, Python sets LC_CTYPE to C.UTF-8 when it starts."""
    try:
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return dict(os.environ)
    fields = (entry.decode("utf-8", "replace").partition("=") for entry in entries)
    return {name: value for name, _, value in fields if name}


def encode_for_terminal() -> None:
    """Makes standard output and standard error write ASCII for what the locale's encoding does not have.

    Reports are not meant: they are UTF-8 in files and on standard output, whatever the locale.
    """
    codecs.register_error(HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, TextIOWrapper):
            continue
        if is_utf8(stream.encoding):
            stream.reconfigure(errors="backslashreplace")
        else:  # Python encodes in UTF-8 in the locale C, which has ASCII only
            stream.reconfigure(encoding="ascii" if UTF8.search(stream.encoding) else None, errors=HANDLER)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return ascii_text(error.object[error.start : error.end]), error.end
