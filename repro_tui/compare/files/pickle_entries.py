"""The sets and the tables of a pickle: elements in order, and entries by names that keep different keys apart."""

from __future__ import annotations

from repro_tui.compare.files.pickle_nodes import ObjectNode, number_of
from repro_tui.compare.typed import type_name

LARGE = 1_000  # bits of an integer that is not written as a name
LONGEST_TUPLE = 10


class SetItems(list[object]):
    """The elements of a set."""


class FrozenSetItems(list[object]):
    """The elements of a frozenset."""


def enter(table: dict[object, object], items: list[object]) -> None:
    """Enters keys and values. A key that cannot be written as a name has a numbered one, and is compared as a value.

    A value that a later one of the same key replaces stays beside it: making it may have had an effect.
    """
    for key, value in zip(items[::2], items[1::2], strict=True):
        name = _name(key)
        if name in table:
            table[f"[replaced {len(table)}]"] = (key, table[name])
        if name is None:
            table[f"[{type_name(key)} {len(table)}]"] = (key, value)  # no name of an entry looks like it
        else:
            table[name] = value


def _name(key: object) -> str | None:
    """The name of an entry: text as it is, any other key so that it cannot be one; None where that is not possible."""
    if isinstance(key, str):
        return key if key[:1] != "[" else f"[{key!r}]"
    if isinstance(key, tuple):
        is_short = len(key) <= LONGEST_TUPLE and all(isinstance(item, str | int | float | None) for item in key)
        return f"[{key!r}]" if is_short and all(_name(item) is not None for item in key) else None
    if isinstance(key, ObjectNode):
        return number_of(key)
    if isinstance(key, int | float | bytes | None):
        is_written = key == key and not (isinstance(key, int) and key.bit_length() >= LARGE)
        return f"[{key!r}]" if is_written else None
    return None
