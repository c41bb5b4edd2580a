"""Finds many fixed strings in a text at once.

Idea: every needle has at least eight characters, so each place where it stands contains a window of five characters
that begins at a multiple of four. The windows of a text at these places are looked up in one set, which is faster than
a regular expression of all needles or a search for each; only needles with a window that is there are searched for.
Cost: a set lookup for each fourth character, whatever the number of needles.

Example: the needle `abcdefgh` has the windows `abcde`, `bcdef`, `cdefg` and `defgh`, at 0 to 3; in `--abcdefgh` the
window at 4 is `cdefg`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

STRIDE, WINDOW = 4, 5
SHORTEST = STRIDE + WINDOW - 1
SHORTEST_PART, LONGEST_PART = 6, 1000  # characters of a needle that a cut has left


class Needles:
    """A set of strings of at least SHORTEST characters, each with a label."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels
        self._by_window: dict[str, set[str]] = {}
        for needle in labels:
            for offset in range(STRIDE):
                self._by_window.setdefault(needle[offset : offset + WINDOW], set()).add(needle)

    @cached_property
    def _sorted(self) -> tuple[list[str], list[str]]:
        """The needles, and the needles reversed, each in order."""
        return sorted(self.labels), sorted(needle[::-1] for needle in self.labels)

    def begun_before(self, text: str, end: int) -> tuple[int, str] | None:
        """Where a needle begins of which only the start is there, because the text is cut at `end`; its label."""
        return self._part(text[max(0, end - LONGEST_PART) : end], self._sorted[0], reverse=False)

    def ended_after(self, text: str, start: int) -> tuple[int, str] | None:
        """How many characters after `start` the end of a needle has, whose beginning was cut off; its label."""
        return self._part(text[start : start + LONGEST_PART][::-1], self._sorted[1], reverse=True)

    def _part(self, text: str, needles: list[str], *, reverse: bool) -> tuple[int, str] | None:
        """The longest end of `text` that a needle begins with, as its length and the needle's label."""
        for length in range(len(text), SHORTEST_PART - 1, -1):
            part = text[-length:]
            place = bisect_left(needles, part)
            if place < len(needles) and needles[place].startswith(part):
                needle = needles[place]
                return length, self.labels[needle[::-1] if reverse else needle]
        return None

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where needles stand in a text: start, end and label, in no fixed order."""
        windows = self._by_window.keys() & {
            text[start : start + WINDOW] for start in range(0, len(text) - WINDOW + 1, STRIDE)
        }
        for needle in set().union(*(self._by_window[window] for window in windows)):
            start = text.find(needle)
            while start >= 0:
                yield start, start + len(needle), self.labels[needle]
                start = text.find(needle, start + 1)


def merged(places: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Places in order, with those that overlap as one; it has the label of the first and longest."""
    joined: list[tuple[int, int, str]] = []
    for start, end, label in sorted(places, key=lambda place: (place[0], -place[1])):
        if joined and start < joined[-1][1]:
            first, last, kept = joined[-1]
            joined[-1] = first, max(last, end), kept
        else:
            joined.append((start, end, label))
    return joined
