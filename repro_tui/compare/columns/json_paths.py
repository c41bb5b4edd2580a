"""JSON documents by their paths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from repro_tui.formats.documents import no_duplicates
from repro_tui.formats.tables_text import is_beyond

Path = tuple[str | int, ...]
Leaves = dict[Path, Any]
WHOLE = "the whole document"


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


def leaves_of(text: str | None) -> Leaves | None:
    """A document's values by path, where an empty table or list is a value; None where there is no document."""
    try:
        return None if text is None else dict(_walk(loads(text), ()))
    except (ValueError, RecursionError):
        return None


def loads(text: str) -> Any:
    """A document whose every value is one that Python can hold: raises ValueError for a key that stands twice, and for
    a number beyond what a float can be, or nearer to 0."""
    return json.loads(text, object_pairs_hook=no_duplicates, parse_float=_float)


def _float(text: str) -> float:
    if is_beyond(text):
        raise ValueError(f"{text} is beyond what a float can be")
    return float(text)


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _walk(item, (*path, key))
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield from _walk(item, (*path, place))
    else:
        yield path, value


def is_number(value: Any) -> bool:
    """Whether a value is a number: true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same_value(a: Any, b: Any) -> bool:
    """Whether two values are equal: numbers by their value, NaN as one; `1` is neither `"1"` nor `true`."""
    if is_number(a) and is_number(b):
        return bool(a == b or (a != a and b != b))
    return type(a) is type(b) and bool(a == b)


def near(a: Any, b: Any, atol: float, rtol: float) -> bool:
    """Whether two values are numbers, one of them with a fraction, that are within the tolerance of each other."""
    if not is_number(a) or not is_number(b) or (isinstance(a, int) and isinstance(b, int)):
        return False
    try:
        return bool(abs(b - a) <= atol + rtol * max(abs(a), abs(b)) < float("inf"))
    except OverflowError:
        return False


def path_words(path: Path, *, places: bool = True) -> str:
    """A path as people write it: items[0].price, or items[].price without the `places` in lists; a key that could be
    mistaken for a part of a path is quoted."""
    parts = [(f"[{part}]" if places else "[]") if isinstance(part, int) else _key(str(part)) for part in path]
    return "".join(parts).removeprefix(".") or WHOLE


def _key(key: str) -> str:
    return f".{key}" if key and not set(key) & set('.[]"') else f".{json.dumps(key)}"
