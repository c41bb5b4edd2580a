"""The boundary of untrusted text: whatever a widget shows is built here, cleaned and never read as markup.

A report's names, values and log lines come from the audited deployments. Textual reads a plain string as markup, and a
terminal obeys control characters, so no such text reaches a widget except through these functions.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter

from rich.cells import cell_len
from rich.text import Text
from textual.content import Content
from textual.dom import DOMNode

from repro_tui.report.words import ABSENT
from repro_tui.support.text import first_difference, shorten_middle, show, without_marks_at_start

LONGEST_DIFF = 400  # characters; longer values are marked as a whole
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?…?")
# Thai, Lao, Khmer, kana and Han have no spaces between words: each of their characters counts as a word.
SPACELESS = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
WORD = re.compile(rf"[{SPACELESS}]|[^\W{SPACELESS}]+|\W")
VERSION = re.compile(r"\d+(\.\w+)+([+-][\w.]+)*…?")
HASH = re.compile(r"[0-9a-f]{7,}…?[0-9a-f]{4,}")
PERCENT = re.compile(r"(?<=\d) %")
PROSE = 3  # spaces from which on a value counts as prose, which is cut at its end
Segments = list[tuple[str, bool]]  # pieces of a text, each with whether it changed


def safe(value: object, style: str = "", cap: int = 2000) -> Content:
    """A value as content: cleaned, capped, and never read as markup."""
    return Content.styled(show(value, cap), style) if style else Content(show(value, cap))


def joined(parts: Iterable[Content | str], between: str = "") -> Content:
    """Contents one after the other; the strings among them are text of this program."""
    return Content(between).join([part if isinstance(part, Content) else Content(part) for part in parts])


def notify(node: DOMNode, text: str, *, warn: bool = False, seconds: float = 3) -> None:
    """Shows a short message to the user for some seconds, cleaned and never read as markup."""
    node.app.notify(show(text, 400), severity="warning" if warn else "information", timeout=seconds, markup=False)


def lines(parts: Iterable[Content | str]) -> Content:
    """Contents below each other."""
    return joined(parts, "\n")


def wrapped(text: str, width: int) -> list[str]:
    """A cleaned text in lines of at most `width` characters; a percent sign stays with its number."""
    glued = PERCENT.sub("\u00a0%", text)
    return [line.replace("\u00a0%", " %") for line in textwrap.wrap(glued, width)]


def text_of(value: object, width: int, style: str = "") -> Text:
    """A value as one line of prose of at most `width` cells, cut at its end."""
    shown = ABSENT if value is None else show(value, max(width * 4, 80))
    return Text(shown if len(shown) <= width else shown[: max(1, width - 1)] + "…", style=style, no_wrap=True, end="")


def changed_segments(a: str, b: str) -> tuple[Segments, Segments]:
    """Both texts cut into segments, each with whether it changed.

    The segments of a side, put together, are its text. Two numbers are marked from the first digit that differs:
    "0.5241" and "0.5247" become [("0.524", False), ("1", True)] and [("0.524", False), ("7", True)]. Of two
    versions each part is compared with the part at its place: the 1 of 1.26.4 is not that of 2.1.3. Other texts are
    compared word by word (difflib, quadratic in the number of words); texts of more than LONGEST_DIFF characters are
    marked as a whole.
    """
    if len(a) > LONGEST_DIFF or len(b) > LONGEST_DIFF:
        return [(a, a != b)], [(b, a != b)]
    if NUMBER.fullmatch(a) and NUMBER.fullmatch(b):
        return _changed_from(a, b, first_difference(a, b))
    words_a, words_b = WORD.findall(a), WORD.findall(b)
    if VERSION.fullmatch(a) and VERSION.fullmatch(b):
        return _changed_places(words_a, words_b), _changed_places(words_b, words_a)
    left: Segments = []
    right: Segments = []
    for tag, a_from, a_to, b_from, b_to in difflib.SequenceMatcher(None, words_a, words_b, False).get_opcodes():
        left.append(("".join(words_a[a_from:a_to]), tag != "equal"))
        right.append(("".join(words_b[b_from:b_to]), tag != "equal"))
    return left, right


def _changed_places(parts: Sequence[str], counterparts: Sequence[str]) -> Segments:
    """The parts as segments: one changed where the other text has a different part, or none, at its place."""
    changed = [place >= len(counterparts) or part != counterparts[place] for place, part in enumerate(parts)]
    return [
        ("".join(part for part, _ in run), differs)
        for differs, run in groupby(zip(parts, changed, strict=True), key=itemgetter(1))
    ]


def _changed_from(a: str, b: str, same: int) -> tuple[Segments, Segments]:
    return [(a[:same], False), (a[same:], a != b)], [(b[:same], False), (b[same:], a != b)]


def shortened(text: str, width: int) -> str:
    """A value in at most `width` cells: hashes and names lose their middle, numbers and prose their end."""
    if len(text) <= width or width < 5:
        return text
    if NUMBER.fullmatch(text):
        return text[: width - 1] + "…"
    whole = text
    for head, tail in ((8, 4), (6, 0)):
        text = HASH.sub(lambda match, head=head, tail=tail: _ends(match.group(), head, tail), text)  # type: ignore[misc]
        if len(text) <= width:
            return text
    if text != whole or _is_prose(text):
        return text[: width - 1] + "…"
    return shorten_middle(text, width)


def _ends(digest: str, head: int, tail: int) -> str:
    return f"{digest[:head]}…{digest[len(digest) - tail :]}"


def marked(segments: Segments, style: str, base: str = "") -> Text:
    """Segments as a cell of a grid, the changed ones in `style`, the others in `base` (names of widgets/styles.py)."""
    cell = Text()
    for text, changed in segments:
        cell.append(text, style if changed else base)
    return cell


def marked_pair(a: str, b: str, width_a: int, width_b: int) -> tuple[Text, Text]:
    """Both values as cells of a grid, shortened around their first difference, with what changed marked."""
    segments_a, segments_b = changed_segments(*around_difference(a, b, max(5, width_a), max(5, width_b)))
    return marked(segments_a, "mark-a"), marked(segments_b, "mark-b")


def around_difference(a: str, b: str, width_a: int, width_b: int) -> tuple[str, str]:
    """Two different values in at most so many cells each, with their first difference in view.

    Values that still differ when they are shortened as usual are shortened so. Else what both begin with is left out:
    two texts that differ after 4,000 characters become "…e prefix that is new and…" and "…e prefix that is old and…".
    """
    width_a, width_b = (_characters(text, width) for text, width in ((a, width_a), (b, width_b)))
    short_a, short_b = shortened(a, width_a), shortened(b, width_b)
    if a == b or (short_a, short_b) == (a, b):
        return short_a, short_b
    first = first_difference(a, b)
    width = min(width_a, width_b)
    if short_a != short_b and (first < width - 2 or not _is_prose(a) or not _is_prose(b)):
        return short_a, short_b
    start = max(0, first - max(1, width // 3))
    return _window(a, start, width_a), _window(b, start, width_b)


def _characters(text: str, cells: int) -> int:
    """About how many characters of a text fit into so many cells: wide ones take two."""
    return cells if text.isascii() or not text else max(5, cells * len(text) // max(1, cell_len(text)))


def _is_prose(text: str) -> bool:
    return text.count(" ") >= PROSE


def _window(text: str, start: int, width: int) -> str:
    """The part of a text from a position on, with an ellipsis at each end that is cut."""
    shown = f"…{without_marks_at_start(text[start + 1 :])}" if start else text
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def highlighted(segments: Segments, style: str) -> Content:
    """Segments as content, the changed ones in `style` (a Textual style)."""
    return joined(Content.styled(text, style) if changed else Content(text) for text, changed in segments if text)
