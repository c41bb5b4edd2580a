"""The values of a guilty file as things that can be mixed: the paths, or arrays, at which the two sides differ."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path as FilePath
from pathlib import PurePosixPath
from typing import Any

from repro_tui.compare.columns.json_paths import path_words
from repro_tui.explain.inside.base import Inside
from repro_tui.explain.inside.rows import MOST_GROUPS, with_file
from repro_tui.formats.value_files import Array, format_of
from repro_tui.model.workspace import FetchedFile
from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.context import Context

Path = tuple[str | int, ...]
_ABSENT = object()


def inside_values(factor: str, path: str, name: str, a: FetchedFile, b: FetchedFile, whole: Inside) -> Inside | None:
    """The paths at which two documents differ, in at most 64 groups of neighbours; None where a side is none.

    Lists of one length are compared place by place, others as a whole. `whole` is the search over files that found
    this one guilty: the other guilty files stay as in B.
    """
    form = format_of(PurePosixPath(name or path).suffix.lower())
    if form is None or max(a.size, b.size) > form.largest:
        return None
    try:
        one, other = (form.read(FilePath(file.file).read_bytes()) for file in (a, b))
        differing = list(_differing(one, other, ()))
    except (OSError, ValueError, RecursionError):
        return None
    size = max(1, -(-len(differing) // MOST_GROUPS))
    groups = {_words(group): group for group in (differing[at : at + size] for at in range(0, len(differing), size))}
    item = f"{path}/{name}" if name else path

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        chosen = [place for group in groups if group in from_b for place in groups[group]]
        stored = context.cache.add_object(io.BytesIO(form.write(_mixed(one, other, chosen))), context.cancel)
        mixed = FetchedFile(str(stored.file), stored.size, stored.sha256, stored.md5)
        found = whole.parts(base, frozenset(whole.items), context)
        return with_file(found, path, name, mixed)

    def sides(group: str) -> tuple[Any, Any]:
        if len(groups[group]) > 1:
            return None, None
        found = [_value(side, groups[group][0]) for side in (one, other)]
        return tuple(None if value is _ABSENT else _brief(value) for value in found)  # type: ignore[return-value]

    return Inside(factor, tuple(groups), parts, sides=sides, path=lambda group: ("files", item, group), where=item)


def _brief(value: Any) -> Any:
    """A value for a sentence: null is a word, and a whole part of the document its size."""
    if isinstance(value, Array):
        return str(value)
    if isinstance(value, dict | list):
        return f"{'a table' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    return "null" if value is None else value


def _differing(a: Any, b: Any, above: Path) -> Iterator[Path]:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in dict.fromkeys((*a, *b)):
            yield from _differing(a.get(name, _ABSENT), b.get(name, _ABSENT), (*above, name))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for place, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _differing(one, other, (*above, place))
    elif type(a) is not type(b) or (a != b if isinstance(a, Array) else repr(a) != repr(b)):
        yield above  # 1, 1.0 and true are three values, and so are the two zeros


def _mixed(a: Any, b: Any, from_b: list[Path]) -> Any:
    """A's document with these paths as B has them, or without them where B has none."""
    found = _copied(a)
    for path in from_b:
        value = _value(b, path)
        if not path:
            found = value
            continue
        inside = found
        for part in path[:-1]:
            inside = inside[part]
        if value is _ABSENT:
            del inside[path[-1]]
        else:
            inside[path[-1]] = _copied(value)
    return found


def _copied(value: Any) -> Any:
    """A copy of a document that shares its leaves."""
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _value(document: Any, path: Path) -> Any:
    for part in path:
        if isinstance(document, dict) and part not in document:
            return _ABSENT
        document = document[part]
    return document


def _words(group: list[Path]) -> str:
    first, last = path_words(group[0]), path_words(group[-1])
    return first if len(group) == 1 else f"{first} to {last}"
