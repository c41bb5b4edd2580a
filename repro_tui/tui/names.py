"""Shortens a list of names to a width without making two of them the same.

A single name may be cut anywhere; of a list the part that tells its names apart has to stay. With 14 cells,
`feature_contribution_17` and `feature_contribution_18` become `feature…ion_17` and `feature…ion_18`, and never twice
`feature_contr…`.

Names that fit stay whole. The others are cut in the middle, all at the same place: the place that is tried first leaves
as much of the beginning as of the end, then the end gets more and more. Where they differ in neither, as in
`layer_encoder_07_attention_weight` and `layer_encoder_08_attention_weight`, a window around the first character that
tells a name from the others stays, with an ellipsis on both sides. What is alike even then (names that differ in more
places than there is room for) gets a number: `layer_e…#2`. From LEAST cells on, different names therefore never become
the same. Cost: linear in the characters of the names, times the width.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count

from rich.cells import cell_len, get_character_cell_size

from repro_tui.support.text import show

LEAST = 8  # cells from which on different names stay different
CUT = "…"
LONGEST = 2_000  # characters of a name that are looked at


def short_names(names: Sequence[str], width: int) -> list[str]:
    """The names, cleaned and each in at most `width` cells, in their order; different names remain different.

    The same name is shortened alike wherever it stands. Below LEAST cells the ends of long names are cut.
    """
    whole = {name: show(name, LONGEST) for name in dict.fromkeys(names)}
    if width < LEAST:
        return [head(whole[name], width) for name in names]
    long = {name: text for name, text in whole.items() if cell_len(text) > width}
    short = {name: text for name, text in whole.items() if name not in long}
    if long:
        short |= _cut_alike(long, set(short.values()), width)
    return [short[name] for name in names]


def _cut_alike(long: dict[str, str], taken: set[str], width: int) -> dict[str, str]:
    """The long names, cut at the place that leaves the most of them unlike each other and those that are `taken`."""
    room = width - 1
    best: dict[str, str] = {}
    alike: list[str] = list(long)
    for before in range((room + 1) // 2, 0, -1):
        cut = {name: f"{head(text, before)}{CUT}{tail(text, room - before)}" for name, text in long.items()}
        repeated = _repeated(cut, taken)
        if not best or len(repeated) < len(alike):
            best, alike = cut, repeated
        if not alike:
            return best
    windows = _windows({name: long[name] for name in alike}, width)
    best |= windows
    return _numbered(best, taken, _repeated(best, taken), width)


def _repeated(cut: dict[str, str], taken: set[str]) -> list[str]:
    """The names whose shortened text is not theirs alone."""
    counts = Counter(cut.values())
    return [name for name, text in cut.items() if counts[text] > 1 or text in taken]


def _windows(long: dict[str, str], width: int) -> dict[str, str]:
    """Each name as a beginning and a window that starts where it first differs from its neighbours in the alphabet.

    The neighbours share the longest beginnings with it, so that no other name has to be compared.
    """
    ordered = sorted(long.items(), key=lambda item: item[1])
    windows = {}
    for index, (name, text) in enumerate(ordered):
        near = [ordered[i][1] for i in (index - 1, index + 1) if 0 <= i < len(ordered)]
        start = max((_same_beginning(text, neighbour) for neighbour in near), default=0)
        windows[name] = _window(text, start, width)
    return windows


def _window(text: str, start: int, width: int) -> str:
    """A text's beginning, an ellipsis, and the word or number that a character is in; the whole end where it fits."""
    for _ in range(width // 4):
        start -= 1 if start and text[start - 1].isalnum() else 0
    beginning = head(text, min(max(1, (width - 2) // 3), cell_len(text[:start])))
    room = width - cell_len(beginning) - 1
    rest = text[max(start, len(beginning)) :]
    if cell_len(rest) <= room:
        return f"{beginning}{CUT}{tail(text, room)}"
    return f"{beginning}{CUT}{head(rest, room - 1)}{CUT}"


def _same_beginning(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _numbered(cut: dict[str, str], taken: set[str], alike: Iterable[str], width: int) -> dict[str, str]:
    """The texts of `alike` replaced by numbered ones that nothing else has."""
    numbered = dict(cut)
    used = taken | set(cut.values())
    numbers = count(1)
    for name in alike:
        for number in numbers:
            mark = f"{CUT}#{number}"
            text = f"{head(name if name.isprintable() else show(name, LONGEST), width - len(mark))}{mark}"
            if text not in used:
                break
        used.add(text)
        numbered[name] = text
    return numbered


def head(text: str, cells: int) -> str:
    """The beginning of a text, in at most this many cells."""
    used = 0
    for index, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > cells:
            return text[:index]
    return text


def tail(text: str, cells: int) -> str:
    """The end of a text, in at most this many cells."""
    used = 0
    for index in range(len(text) - 1, -1, -1):
        used += get_character_cell_size(text[index])
        if used > cells:
            return text[index + 1 :]
    return text


class ShortNames:
    """The shortened names of one list, for a table that asks for them row by row: worked out once for each width."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._by_width: dict[int, dict[str, str]] = {}

    def __call__(self, name: str, width: int) -> str:
        """A name in at most `width` cells; one that is not of the list is cut in its middle."""
        if width not in self._by_width:
            self._by_width[width] = dict(zip(self.names, short_names(self.names, width), strict=True))
        return self._by_width[width].get(name) or short_names([name], width)[0]
