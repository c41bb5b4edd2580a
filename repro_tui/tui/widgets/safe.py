"""The boundary of untrusted text: what a widget shows is made here, cleaned and without markup."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from rich.text import Text
from textual.content import Content

from repro_tui.support.text import show

GLYPHS = {"same": "=", "changed": "≠", "added": "+", "removed": "-", "unknown": "?", "failed": "!"}
STATUS_GLYPHS = {"same": "=", "different": "≠", "unknown": "?"}
ABSENT = "—"
LONGEST_DIFF = 400


def safe(value: Any, style: str = "", cap: int = 2000) -> Content:
    """A value as content: cleaned, capped, and never read as markup."""
    return Content.styled(show(value, cap), style) if style else Content(show(value, cap))


def joined(parts: Iterable[Content | str], between: str = "") -> Content:
    """Contents one after the other; strings here are the program's own words."""
    return Content(between).join([part if isinstance(part, Content) else Content(part) for part in parts])


def lines(parts: Iterable[Content | str]) -> Content:
    """Contents under each other."""
    return joined(parts, "\n")


def text_of(value: Any, width: int, style: str = "") -> Text:
    """Prose as one line of at most `width` cells, cut at its end."""
    shown = ABSENT if value is None else show(value, max(width * 4, 80))
    return Text(shown if len(shown) <= width else shown[: max(1, width - 1)] + "…", style=style, no_wrap=True, end="")


def changed_segments(a: str, b: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both texts cut into segments, each with whether it is changed."""
    if len(a) > LONGEST_DIFF or len(b) > LONGEST_DIFF:
        return [(a, a != b)], [(b, a != b)]
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    if matcher.ratio() < 0.3:
        return [(a, True)], [(b, True)]
    one, other = [], []
    for tag, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        one.append((a[a_from:a_to], tag != "equal"))
        other.append((b[b_from:b_to], tag != "equal"))
    return one, other


def highlighted(segments: list[tuple[str, bool]], style: str) -> Content:
    """Segments with the changed ones in `style`."""
    return joined(Content.styled(text, style) if changed else Content(text) for text, changed in segments if text)
