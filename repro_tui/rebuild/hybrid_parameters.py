"""The parameters of a hybrid, where its code reads them.

Where both sides have one file, its name, format and path belong to the code that reads it: B's values with A's code are
written in the format of A's file, at the path of A's file; if the formats agree, B's bytes are used as they are.

Where one side has several files, the files are exchanged by their names: each is placed where the code's side would
have it, and one that the parameters' side has nowhere is removed. What is passed as {params} is a folder where the
code's side has several files, else the one file that it reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from repro_tui.formats.parameter_files import write
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import BuiltParameters, ParameterFile, Workspace, in_one_form
from repro_tui.rebuild.parameters import dumps_typed, store_file, store_files
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.regular import read_regular
from repro_tui.support.text import join_names, show


def same_parameters(a: BuiltParameters, b: BuiltParameters) -> bool:
    """Whether both sides' values are equal and have the same types."""
    left, right = in_one_form(a, b)
    return dumps_typed(left.values) == dumps_typed(right.values) and a.unknown == b.unknown


def parameter_places(workspace: Workspace) -> frozenset[str]:
    """The paths in the code tree from which the code reads its parameters; empty where it is passed a separate file.

    A file whose values are not known stays one of the code.
    """
    if workspace.parameters.unknown:
        return frozenset()
    if workspace.parameters.per_file:
        return frozenset(_in_tree(workspace, name) for name in workspace.parameters.files)
    return frozenset({_place(workspace)} - {""})


def _place(workspace: Workspace) -> str:
    """The path in the code tree of the one file of parameters; "" where the code is passed a separate file."""
    built, code = workspace.parameters, workspace.code
    if built.overlay or not built.file or code is None or not Path(built.file).is_relative_to(code.folder):
        return built.overlay
    return str(PurePosixPath(Path(built.file).relative_to(code.folder)))


def _in_tree(workspace: Workspace, name: str) -> str:
    return str(PurePosixPath(workspace.code.subdirectory if workspace.code else ".") / name)


def place_parameters(
    parameters: BuiltParameters, code: Workspace, absent: frozenset[str], context: Context
) -> BuiltParameters:
    """The parameters where the code of `code` reads them: the same bytes if the format agrees, or else rewritten.

    `absent` are places that are removed from the tree, unless these parameters have a file there. Raises Inconclusive
    where they cannot be placed there.
    """
    if (parameters.per_file or code.parameters.per_file) and not parameters.unknown:
        return _place_files(parameters, code, absent, context)
    path = _place(code)
    if not path and not code.parameters.file:
        whole = not parameters.overlay and not parameters.values
        return parameters if whole else _as_separate_file(parameters, context)
    name = PurePosixPath(path or code.parameters.file)
    return _store_file(_content(parameters.file, parameters.values, name), name.name, parameters, path, context)


def _content(file: str, values: object, name: PurePosixPath) -> bytes:
    """The bytes of a file where its format is that of `name`, else the values in that format."""
    if file and PurePosixPath(file).suffix == name.suffix:
        return read_regular(file)
    return write(values, name.suffix)


def _as_separate_file(parameters: BuiltParameters, context: Context) -> BuiltParameters:
    return _store_file(write(parameters.values, ".json"), "params.json", parameters, "", context)


def _store_file(
    content: bytes, name: str, parameters: BuiltParameters, overlay: str, context: Context
) -> BuiltParameters:
    file, _ = store_file(content, name, digest_text("bytes", name, content.hex()), context)
    return BuiltParameters(parameters.values, str(file), overlay)


def _place_files(
    parameters: BuiltParameters, code: Workspace, absent: frozenset[str], context: Context
) -> BuiltParameters:
    """The files of one side by their names, where the code of the other side has them."""
    if parameters.values and not (parameters.per_file or parameters.name):
        raise _not_exchangeable("a separate file", code.parameters.files)
    parameters = parameters.by_file
    contents = {
        name: _content(parameters.files[name].file if name in parameters.files else "", values, PurePosixPath(name))
        for name, values in parameters.values.items()
    }
    folder, _ = store_files(contents, context)
    files = {name: ParameterFile(str(folder / name), _in_tree(code, name)) for name in contents}
    passed = str(folder) if code.parameters.per_file else _passed(code, files)
    missing = absent - {file.overlay for file in files.values()}
    return BuiltParameters(parameters.values, passed, per_file=True, files=files, absent=missing)


def _passed(code: Workspace, files: dict[str, ParameterFile]) -> str:
    """The one file that code with one file of parameters is passed; "" where it is passed none."""
    own = code.parameters
    if not own.file or own.name in files:
        return files[own.name].file if own.file else ""
    raise _not_exchangeable(own.name or "a separate file", files)


def _not_exchangeable(name: str, files: Iterable[str]) -> Inconclusive:
    names = join_names([show(file, 120) for file in files])
    return Inconclusive(
        f"the parameters of one side are in {show(name, 120)}, and those of the other side in {names}: they cannot be "
        "exchanged",
        "record the parameters of both sides in files of the same names",
    )
