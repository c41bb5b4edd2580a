"""One line of text being typed: the text, the cursor, and the editing keys of a shell."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len

LAST_WORD = re.compile(r"[^\s/:#@.-]+[\s/:#@.-]*$")  # up to a blank or a mark that parts a reference


@dataclass(frozen=True, slots=True)
class TypedLine:
    """A text and the number of characters before the cursor."""

    text: str = ""
    cursor: int = 0

    @classmethod
    def at_end(cls, text: str) -> TypedLine:
        """A text with the cursor at its end."""
        return cls(text, len(text))

    def insert(self, text: str) -> TypedLine:
        """The line with a text at the cursor; what is no printable character (a pasted tab, an escape) is left out."""
        clean = "".join(character for character in text if character.isprintable())
        return TypedLine(self.text[: self.cursor] + clean + self.text[self.cursor :], self.cursor + len(clean))

    def edit(self, key: str) -> TypedLine | None:
        """The line after an editing key (as Textual names it); None where the key does not edit."""
        action = EDITING.get(key)
        return action(self) if action else None

    def visible(self, width: int) -> tuple[int, int]:
        """The part of the text to show in `width` cells, as its first and its last character: the cursor is in it."""
        first = 0
        while first < self.cursor and cell_len(self.text[first : self.cursor]) >= width:
            first += 1
        last = len(self.text)
        while last > self.cursor and cell_len(self.text[first:last]) > width:
            last -= 1
        return first, last

    def _moved(self, cursor: int) -> TypedLine:
        return TypedLine(self.text, max(0, min(cursor, len(self.text))))

    def _cut(self, start: int, end: int) -> TypedLine:
        start, end = max(0, start), min(end, len(self.text))
        return TypedLine(self.text[:start] + self.text[end:], start)

    def _word(self) -> int:
        """Where the word before the cursor begins."""
        match = LAST_WORD.search(self.text[: self.cursor])
        return match.start() if match else 0


EDITING: dict[str, Callable[[TypedLine], TypedLine]] = {
    "left": lambda line: line._moved(line.cursor - 1),
    "right": lambda line: line._moved(line.cursor + 1),
    "home": lambda line: line._moved(0),
    "ctrl+a": lambda line: line._moved(0),
    "end": lambda line: line._moved(len(line.text)),
    "ctrl+e": lambda line: line._moved(len(line.text)),
    "backspace": lambda line: line._cut(line.cursor - 1, line.cursor),
    "ctrl+h": lambda line: line._cut(line.cursor - 1, line.cursor),
    "delete": lambda line: line._cut(line.cursor, line.cursor + 1),
    "ctrl+d": lambda line: line._cut(line.cursor, line.cursor + 1),
    "ctrl+w": lambda line: line._cut(line._word(), line.cursor),
    "ctrl+u": lambda line: line._cut(0, line.cursor),
    "ctrl+k": lambda line: line._cut(line.cursor, len(line.text)),
}
