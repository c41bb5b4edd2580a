"""Files as items: those of the code in which two trees differ, and those of the data."""

from __future__ import annotations

from dataclasses import replace

from repro_tui.explain.factors import CODE, items_of
from repro_tui.explain.inside.base import Inside
from repro_tui.model.workspace import CodeTree, FetchedData, FetchedFile, Workspace
from repro_tui.rebuild.hybrid import Parts, differing_files, mixed_code
from repro_tui.support.context import Context

SHORT = 12


def inside_code(a: CodeTree, b: CodeTree, without: frozenset[str], where: str = "") -> Inside:
    """The files in which two trees differ, except `without`: those that are parameters or data.

    `where` names the trees for people, where they are not simply those of A and B.
    """

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        return replace(base, tree=mixed_code(a, b, from_b, context))

    return Inside(
        CODE,
        differing_files(a, b, without),
        parts,
        sides=lambda name: (_blob(a, name), _blob(b, name)),
        path=lambda name: ("files", name),
        where=where,
    )


def _blob(tree: CodeTree, name: str) -> str | None:
    file = tree.files.get(name)
    return file.blob[:SHORT] if file else None


def inside_data(factor: str, a: Workspace, b: Workspace) -> Inside:
    """The files in which the data of a factor (`MODEL` or `DATA`) differ.

    A data item that only one side has is present in a hybrid where one of its files is.
    """
    of_a, of_b = ({item.path: item for item in items_of(side, factor)} for side in (a, b))
    files = {
        f"{path}/{name}" if name else path: (path, name)
        for path in sorted(of_a.keys() | of_b.keys())
        for name in sorted(_files(of_a, path).keys() | _files(of_b, path).keys())
        if _digest(of_a, path, name) != _digest(of_b, path, name)
    }

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        files_of_b = {files[item] for item in from_b}
        paths = sorted(of_a.keys() | of_b.keys())
        mixed = [_mixed(of_a.get(path), of_b.get(path), path, files_of_b) for path in paths]
        rest = [item for item in base.data if item.path not in of_a and item.path not in of_b]
        return replace(base, data=(*rest, *(item for item in mixed if item is not None)))

    return Inside(
        factor,
        tuple(files),
        parts,
        sides=lambda item: (_digest(of_a, *files[item]), _digest(of_b, *files[item])),
        path=lambda item: ("files", item),
    )


def both_files(factor: str, a: Workspace, b: Workspace, item: str) -> tuple[str, str, FetchedFile, FetchedFile] | None:
    """The data file that `inside_data` calls `item`: its data item's path, its name in that item, A's file and B's.

    None where only one side has it.
    """
    of_b = {data.path: data.files for data in items_of(b, factor)}
    for data in items_of(a, factor):
        for name, file in data.files.items():
            file_of_b = of_b.get(data.path, {}).get(name)
            if file_of_b and item == (f"{data.path}/{name}" if name else data.path):
                return data.path, name, file, file_of_b
    return None


def _files(items: dict[str, FetchedData], path: str) -> dict[str, FetchedFile]:
    return items[path].files if path in items else {}


def _digest(items: dict[str, FetchedData], path: str, name: str) -> str | None:
    file = _files(items, path).get(name)
    return file.sha256[:SHORT] if file else None


def _mixed(a: FetchedData | None, b: FetchedData | None, path: str, from_b: set[tuple[str, str]]) -> FetchedData | None:
    of_a, of_b = (item.files if item else {} for item in (a, b))
    files = {
        name: file
        for name in sorted(of_a.keys() | of_b.keys())
        if (file := (of_b if (path, name) in from_b else of_a).get(name)) is not None
    }
    data = a or b
    return replace(data, files=files) if data and files else None
