"""Hybrids: runnable workspaces whose parts are taken from A or from B, laid out as each side's own would be.

Parameters are values: their place and their format belong to the code that reads them. Data that git tracks is data.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from repro_tui.formats.parameter_files import write
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, CodeTree, FetchedData, Workspace
from repro_tui.rebuild.parameters import dumps_typed
from repro_tui.rebuild.tree import compose
from repro_tui.rebuild.workspace import content_key
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.text import show


@dataclass(frozen=True, slots=True)
class Parts:
    """What a hybrid is made of. `code` also says where parameters are read, `predict` what is executed."""

    code: Workspace
    environment: BuiltEnvironment
    variables: Mapping[str, str]
    parameters: BuiltParameters
    data: tuple[FetchedData, ...]
    predict: Workspace
    tree: CodeTree | None = None


def hybrid(parts: Parts, context: Context) -> Workspace:
    """The workspace of these parts. Raises Inconclusive where they cannot be laid out together."""
    code = parts.tree or parts.code.code
    laid = None if parts.code.code_in_image else code
    parameters = _placed(parts, context)
    tree = compose(laid, parts.data, parameters, context)
    environment = replace(parts.environment, variables={**parts.environment.image_variables, **parts.variables})
    made = Workspace(
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
    return replace(made, key=content_key(made))


def recorded_variables(environment: BuiltEnvironment) -> dict[str, str]:
    """The variables that the record sets over the image's own."""
    own = environment.image_variables
    return {name: value for name, value in environment.variables.items() if own.get(name) != value}


# -- parameters -----------------------------------------------------------------------------------------------------


def place_of_parameters(workspace: Workspace) -> str:
    """The path in the code tree at which the code reads its parameters; "" where it is only handed a file."""
    built, code = workspace.parameters, workspace.code
    if built.overlay or not built.file or code is None or not Path(built.file).is_relative_to(code.folder):
        return built.overlay
    return str(PurePosixPath(Path(built.file).relative_to(code.folder)))


def _placed(parts: Parts, context: Context) -> BuiltParameters:
    """The values where this code reads them: the same bytes where the format is the same, else written anew."""
    chosen, place = parts.parameters, place_of_parameters(parts.code)
    if not place and not parts.code.parameters.file:
        return chosen if not chosen.overlay and not chosen.values else _handed_over(chosen, context)
    name = PurePosixPath(place or parts.code.parameters.file)
    if chosen.file and PurePosixPath(chosen.file).suffix == name.suffix:
        content = Path(chosen.file).read_bytes()
    else:
        content = write(chosen.values, name.suffix)
    return _kept(content, name.name, chosen, place, context)


def _handed_over(chosen: BuiltParameters, context: Context) -> BuiltParameters:
    return _kept(write(chosen.values, ".json"), "params.json", chosen, "", context)


def _kept(content: bytes, name: str, chosen: BuiltParameters, place: str, context: Context) -> BuiltParameters:
    key = digest_text("bytes", name, content.hex())

    def build(folder: Path) -> None:
        file = folder / name
        file.write_bytes(content)
        file.chmod(0o644)

    folder, _ = context.cache.folder("parameters", key, build, context.cancel)
    return BuiltParameters(chosen.values, str(folder / name), place)


# -- code -----------------------------------------------------------------------------------------------------------


def mixed_code(a: CodeTree, b: CodeTree, from_b: frozenset[str], context: Context) -> CodeTree:
    """A's tree with these files as B has them: changed, added, or gone. Links stay links."""
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
                told = show(name, 200)
                raise Inconclusive(f"{told} of one side does not fit into the tree of the other: {error}") from error

    folder, _ = context.cache.folder("code", key, build, context.cancel)
    return CodeTree(str(folder), a.git_dir, key, a.subdirectory, files, a.attributes)


def differing_files(a: CodeTree, b: CodeTree, without: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The paths at which two trees differ, in their order."""
    names = (a.files.keys() | b.files.keys()) - without
    return tuple(sorted(name for name in names if _identity(a, name) != _identity(b, name)))


def _identity(tree: CodeTree, name: str) -> tuple[str, str] | None:
    file = tree.files.get(name)
    return (file.mode, file.blob) if file else None


# -- what differs ---------------------------------------------------------------------------------------------------


def same_parameters(a: BuiltParameters, b: BuiltParameters) -> bool:
    """Whether the values are equal and of the same types."""
    return dumps_typed(a.values) == dumps_typed(b.values) and a.unknown == b.unknown
