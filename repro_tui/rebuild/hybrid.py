"""Builds hybrids: runnable workspaces in which each part is taken from A or from B.

The search for causes runs hybrids to see which part changes the predictions: A's code with B's data, for example. A
hybrid is arranged exactly as a side of its own would be, so that only its parts affect what it computes:

- parameters are values, and their file name, format and path belong to the code that reads them. B's values with A's
  code are written in the format of A's file, at the path of A's file; if the formats agree, B's bytes are used as they
  are;
- a data item that git tracks counts as data, not as code: it moves with the data;
- a project of the commit that is installed in the environment is code: it is built from the hybrid's own code;
- a hybrid of two code trees (`mixed_code`) takes whole files, never parts of them.

Trees, files and hybrids are cached by their content, so trying a combination again costs no copying.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from repro_tui.formats.parameter_files import write
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, CodeTree, FetchedData, Workspace
from repro_tui.rebuild.hybrid_environment import with_projects
from repro_tui.rebuild.parameters import dumps_typed, store_file
from repro_tui.rebuild.tree import compose
from repro_tui.rebuild.workspace import content_key
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.regular import read_regular
from repro_tui.support.text import show


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a hybrid, each from one of the two sides.

    `code` also determines where parameters are read from, and `predict` what is executed. `tree` replaces the code of
    `code` by a hybrid of both sides' files.
    """

    code: Workspace
    environment: BuiltEnvironment
    variables: Mapping[str, str]
    parameters: BuiltParameters
    data: tuple[FetchedData, ...]
    predict: Workspace
    tree: CodeTree | None = None


def hybrid(parts: Parts, context: Context) -> Workspace:
    """The runnable workspace of these parts. Raises Inconclusive where they do not fit into one tree."""
    code = parts.tree or parts.code.code
    composed_code = None if parts.code.code_in_image else code
    parameters = _place_parameters(parts, context)
    tree = compose(composed_code, parts.data, parameters, context)
    built = with_projects(parts.environment, parts.code.environment, code, context)
    environment = replace(built, variables={**parts.environment.image_variables, **parts.variables})
    workspace = Workspace(
        key="",
        name="hybrid",
        command=parts.predict.command,
        timeout_s=parts.predict.timeout_s,
        environment=environment,
        parameters=parameters,
        code=code,
        data=parts.data,
        tree=str(tree) if tree else "",
        subdirectory=code.subdirectory if code else ".",
        predict=parts.predict.predict,
        validation=parts.predict.validation,
        code_in_image=parts.code.code_in_image,
    )
    return replace(workspace, key=content_key(workspace))


def recorded_variables(environment: BuiltEnvironment) -> dict[str, str]:
    """The variables that the record sets, in addition to or instead of the image's own."""
    own = environment.image_variables
    return {name: value for name, value in environment.variables.items() if own.get(name) != value}


# -- parameters -----------------------------------------------------------------------------------------------------


def place_of_parameters(workspace: Workspace) -> str:
    """The path in the code tree from which the code reads its parameters; "" where it is passed a separate file."""
    built, code = workspace.parameters, workspace.code
    if built.overlay or not built.file or code is None or not Path(built.file).is_relative_to(code.folder):
        return built.overlay
    return str(PurePosixPath(Path(built.file).relative_to(code.folder)))


def _place_parameters(parts: Parts, context: Context) -> BuiltParameters:
    """The parameters where this code reads them: the same bytes if the format agrees, or else rewritten."""
    parameters, path = parts.parameters, place_of_parameters(parts.code)
    if not path and not parts.code.parameters.file:
        return (
            parameters if not parameters.overlay and not parameters.values else _as_separate_file(parameters, context)
        )
    name = PurePosixPath(path or parts.code.parameters.file)
    if parameters.file and PurePosixPath(parameters.file).suffix == name.suffix:
        content = read_regular(parameters.file)
    else:
        content = write(parameters.values, name.suffix)
    return _store_file(content, name.name, parameters, path, context)


def _as_separate_file(parameters: BuiltParameters, context: Context) -> BuiltParameters:
    return _store_file(write(parameters.values, ".json"), "params.json", parameters, "", context)


def _store_file(
    content: bytes, name: str, parameters: BuiltParameters, overlay: str, context: Context
) -> BuiltParameters:
    file, _ = store_file(content, name, digest_text("bytes", name, content.hex()), context)
    return BuiltParameters(parameters.values, str(file), overlay)


# -- code -----------------------------------------------------------------------------------------------------------


def mixed_code(a: CodeTree, b: CodeTree, from_b: frozenset[str], context: Context) -> CodeTree:
    """A's tree with the files `from_b` as in B: changed, added or removed. Symbolic links are kept as links.

    Raises Inconclusive where a path is a file on one side and a folder on the other.
    """
    files = {
        name: file
        for name in sorted(a.files.keys() | b.files.keys())
        if (file := (b if name in from_b else a).files.get(name)) is not None
    }
    key = digest_text("mixed code", *(f"{name} {file.mode} {file.blob}" for name, file in files.items()))

    def build(folder: Path) -> None:
        for name in files:
            context.cancel.check()
            source = Path((b if name in from_b else a).folder) / name
            target = folder / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(source, target, follow_symlinks=False)
            except OSError as error:
                file_name = show(name, 200)
                raise Inconclusive(
                    f"{file_name} of one side does not fit into the tree of the other: {error}",
                    "compare commits in which this path is a file on both sides",
                ) from error

    folder, _ = context.cache.folder("code", key, build, context.cancel)
    return CodeTree(str(folder), a.git_dir, key, a.subdirectory, files, a.attributes)


def differing_files(a: CodeTree, b: CodeTree, without: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The paths at which two trees differ in content or mode, sorted."""
    names = (a.files.keys() | b.files.keys()) - without
    return tuple(sorted(name for name in names if _identity(a, name) != _identity(b, name)))


def _identity(tree: CodeTree, name: str) -> tuple[str, str] | None:
    file = tree.files.get(name)
    return (file.mode, file.blob) if file else None


# -- what differs ---------------------------------------------------------------------------------------------------


def same_parameters(a: BuiltParameters, b: BuiltParameters) -> bool:
    """Whether both sides' values are equal and have the same types."""
    return dumps_typed(a.values) == dumps_typed(b.values) and a.unknown == b.unknown
