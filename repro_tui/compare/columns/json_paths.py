"""JSON documents as leaves by path: `{"a": [1, {"b": 2}]}` is `{("a", 0): 1, ("a", 1, "b"): 2}`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypeGuard

from repro_tui.formats.documents import no_duplicates
from repro_tui.formats.tables_text import is_beyond

Path = tuple[str | int, ...]
Leaves = dict[Path, object]
WHOLE = "the whole document"


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


def leaves_of(text: str | None) -> Leaves | None:
    """A document's values by path, an empty object or list counting as a value; None if the text is not a document."""
    try:
        return None if text is None else dict(_walk(loads(text), ()))
    except (ValueError, RecursionError):
        return None


def loads(text: str) -> object:
    """Parses a document without losing anything.

    Raises ValueError for invalid JSON, for a duplicate key, and for a number that a float cannot represent because it
    is too large or too close to 0.
    """
    return json.loads(text, object_pairs_hook=no_duplicates, parse_float=_float)


def _float(text: str) -> float:
    if is_beyond(text):
        raise ValueError(f"{text} is outside the range of a float")
    return float(text)


def _walk(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _walk(item, (*path, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index))
    else:
        yield path, value


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same_value(a: object, b: object) -> bool:
    """Whether two values are equal: numbers by value, NaN equal to NaN; `1` is neither `"1"` nor `true`."""
    if is_number(a) and is_number(b):
        return bool(a == b or (a != a and b != b))
    return type(a) is type(b) and bool(a == b)


def near(a: object, b: object, atol: float, rtol: float) -> bool:
    """Whether two values are numbers, at least one of them a float, within the tolerance of each other."""
    if not is_number(a) or not is_number(b) or (isinstance(a, int) and isinstance(b, int)):
        return False
    try:
        return bool(abs(b - a) <= atol + rtol * max(abs(a), abs(b)) < float("inf"))
    except OverflowError:
        return False


def path_words(path: Path, *, places: bool = True) -> str:
    """A path as people write it: items[0].price, or items[].price without the `places` in lists.

    A key that could be mistaken for part of a path is quoted.
    """
    parts = [(f"[{part}]" if places else "[]") if isinstance(part, int) else _key(str(part)) for part in path]
    return "".join(parts).removeprefix(".") or WHOLE


def _key(key: str) -> str:
    return f".{key}" if key and not set(key) & set('.[]"') else f".{json.dumps(key)}"
