"""The values of a guilty file as items: the paths of a document, or its arrays, at which the two sides differ.

Tables are compared key by key and lists of the same length element by element, others as a whole. The differing paths,
in order, are divided into at most 64 groups of neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from repro_tui.compare.columns.json_paths import path_words
from repro_tui.explain.inside.base import Inside
from repro_tui.explain.inside.rows import divided, with_content
from repro_tui.formats.value_files import Array, format_of
from repro_tui.model.workspace import FetchedFile
from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.context import Context
from repro_tui.support.regular import read_regular

Path = tuple[str | int, ...]
_ABSENT = object()


def inside_values(factor: str, path: str, name: str, a: FetchedFile, b: FetchedFile, guilty: Inside) -> Inside | None:
    """The paths at which two documents differ; None where a side is not a document of a known format.

    The file is `name` in the data item at `path`. `guilty` has the guilty files as its items: the other ones are B's.
    """
    form = format_of(PurePosixPath(name or path).suffix.lower())
    if form is None or max(a.size, b.size) > form.largest:
        return None
    try:
        document_a, document_b = (form.read(read_regular(file.file, most=form.largest)) for file in (a, b))
        differing = list(_differing(document_a, document_b, ()))
    except (OSError, ValueError, RecursionError):
        return None
    groups = {_group_name(paths): paths for paths in divided(differing)}
    file = f"{path}/{name}" if name else path

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        paths = [inner for item in groups if item in from_b for inner in groups[item]]
        content = form.write(_mixed(document_a, document_b, paths))
        return with_content(guilty.parts(base, frozenset(guilty.items), context), path, name, content, context)

    def sides(item: str) -> tuple[object, object]:
        if len(groups[item]) > 1:
            return None, None
        (only,) = groups[item]
        return _brief(_value(document_a, only)), _brief(_value(document_b, only))

    return Inside(factor, tuple(groups), parts, sides=sides, path=lambda item: ("files", file, item), where=file)


def _brief(value: object) -> object:
    """A value for a sentence: null as text, an array or a part of the document by its size; None where it is absent."""
    if value is _ABSENT:
        return None
    if isinstance(value, Array):
        return str(value)
    if isinstance(value, dict | list):
        return f"{'a table' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    return "null" if value is None else value


def _differing(a: object, b: object, above: Path) -> Iterator[Path]:
    """The paths, below `above`, at which two documents differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in dict.fromkeys((*a, *b)):
            yield from _differing(a.get(name, _ABSENT), b.get(name, _ABSENT), (*above, name))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (element_a, element_b) in enumerate(zip(a, b, strict=True)):
            yield from _differing(element_a, element_b, (*above, index))
    elif type(a) is not type(b) or (a != b if isinstance(a, Array) else repr(a) != repr(b)):
        yield above  # 1, 1.0 and true are three different values, and 0.0 and -0.0 are two


def _mixed(a: object, b: object, from_b: list[Path]) -> object:
    """A copy of A's document with these paths as in B: changed, added, or removed where B has no value."""
    document: Any = _copied(a)
    for path in from_b:
        value = _value(b, path)
        if not path:
            document = value
            continue
        parent = document
        for step in path[:-1]:
            parent = parent[step]
        if value is _ABSENT:
            del parent[path[-1]]
        else:
            parent[path[-1]] = _copied(value)
    return document


def _copied(value: object) -> object:
    """A copy of a document that shares its leaves."""
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _value(document: object, path: Path) -> object:
    inner: Any = document
    for step in path:
        if isinstance(inner, dict) and step not in inner:
            return _ABSENT
        inner = inner[step]
    return inner


def _group_name(paths: list[Path]) -> str:
    first, last = path_words(paths[0]), path_words(paths[-1])
    return first if len(paths) == 1 else f"{first} to {last}"
