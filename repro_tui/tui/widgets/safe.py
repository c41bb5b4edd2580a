"""The boundary of untrusted text: what a widget shows is made here, cleaned and without markup."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from rich.text import Text
from textual.content import Content
from textual.dom import DOMNode

from repro_tui.support.text import shorten_middle, show

GLYPHS = {"same": "=", "changed": "≠", "added": "+", "removed": "-", "unknown": "?", "failed": "!"}
STATUS_GLYPHS = {"same": "=", "different": "≠", "unknown": "?", "not-recorded": "·"}
ABSENT = "—"
LONGEST_DIFF = 400
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?…?")
WORD = re.compile(r"\w+|\W")
HASH = re.compile(r"[0-9a-f]{7,}…?[0-9a-f]{4,}")
PROSE = 3  # spaces from which on a value is read from its beginning


def safe(value: Any, style: str = "", cap: int = 2000) -> Content:
    """A value as content: cleaned, capped, and never read as markup."""
    return Content.styled(show(value, cap), style) if style else Content(show(value, cap))


def joined(parts: Iterable[Content | str], between: str = "") -> Content:
    """Contents one after the other; strings here are the program's own words."""
    return Content(between).join([part if isinstance(part, Content) else Content(part) for part in parts])


def say(node: DOMNode, text: str, *, warn: bool = False, seconds: float = 3) -> None:
    """A short word to the user, cleaned, and never read as markup."""
    node.app.notify(show(text, 400), severity="warning" if warn else "information", timeout=seconds, markup=False)


def lines(parts: Iterable[Content | str]) -> Content:
    """Contents under each other."""
    return joined(parts, "\n")


def text_of(value: Any, width: int, style: str = "") -> Text:
    """Prose as one line of at most `width` cells, cut at its end."""
    shown = ABSENT if value is None else show(value, max(width * 4, 80))
    return Text(shown if len(shown) <= width else shown[: max(1, width - 1)] + "…", style=style, no_wrap=True, end="")


Segments = list[tuple[str, bool]]


def changed_segments(a: str, b: str) -> tuple[Segments, Segments]:
    """Both texts cut into segments, each with whether it is changed: whole words, and the digits from the first that
    differs."""
    if len(a) > LONGEST_DIFF or len(b) > LONGEST_DIFF:
        return [(a, a != b)], [(b, a != b)]
    if NUMBER.fullmatch(a) and NUMBER.fullmatch(b):
        same = next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        return _after(a, b, same)
    words_a, words_b = WORD.findall(a), WORD.findall(b)
    one: Segments = []
    other: Segments = []
    for tag, a_from, a_to, b_from, b_to in difflib.SequenceMatcher(None, words_a, words_b, False).get_opcodes():
        one.append(("".join(words_a[a_from:a_to]), tag != "equal"))
        other.append(("".join(words_b[b_from:b_to]), tag != "equal"))
    return one, other


def _after(a: str, b: str, same: int) -> tuple[Segments, Segments]:
    return [(a[:same], False), (a[same:], a != b)], [(b[:same], False), (b[same:], a != b)]


def shortened(text: str, width: int) -> str:
    """A value of at most `width` cells: hashes lose their middle, numbers and prose their end, names their middle."""
    if len(text) <= width or width < 5:
        return text
    if NUMBER.fullmatch(text):
        return text[: width - 1] + "…"
    whole = text
    for head, tail in ((8, 4), (6, 0)):
        text = HASH.sub(lambda match, head=head, tail=tail: _ends(match.group(), head, tail), text)  # type: ignore[misc]
        if len(text) <= width:
            return text
    if text != whole or text.count(" ") >= PROSE:
        return text[: width - 1] + "…"
    return shorten_middle(text, width)


def _ends(digest: str, head: int, tail: int) -> str:
    return f"{digest[:head]}…{digest[len(digest) - tail :]}"


def marked(segments: list[tuple[str, bool]], style: str) -> Text:
    """Segments as one cell of a table, the changed ones in `style`."""
    found = Text()
    for text, changed in segments:
        found.append(text, style if changed else "")
    return found


def highlighted(segments: list[tuple[str, bool]], style: str) -> Content:
    """Segments with the changed ones in `style`."""
    return joined(Content.styled(text, style) if changed else Content(text) for text, changed in segments if text)
