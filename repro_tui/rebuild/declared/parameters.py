"""The declared parameters: the files of the commit that the record names, with the recorded values over them."""

from __future__ import annotations

from pathlib import PurePosixPath

from repro_tui.formats.parameter_files import FORMATS, parse
from repro_tui.model.declared import CommitTree
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltParameters
from repro_tui.rebuild.declared.files import DeclaredFiles
from repro_tui.support.text import join_names, show
from repro_tui.support.values import merge

IN_IMAGE = ("image", "dockerfile", "sif")


def parameter_files(record: Record, tree: CommitTree | None) -> set[str]:
    """The files of the commit that are compared as parameters."""
    root = PurePosixPath(record.code.subdirectory if record.code else ".")
    names = {str(root / name) for name in record.parameters.names}
    return names & tree.files.keys() if tree is not None else set()


def declared_parameters(record: Record, files: DeclaredFiles) -> BuiltParameters:
    """The parameters as the code would read them: the files of the commit with the recorded values."""
    recorded = record.parameters
    if not recorded.names:
        return BuiltParameters(recorded.values)
    if record.code is None and record.environment.kind in IN_IMAGE:
        several = len(recorded.names) > 1
        names = join_names([show(name, 200) for name in recorded.names])
        inside = f"{names} {'are' if several else 'is'} inside the image and {'were' if several else 'was'} not read"
        return BuiltParameters({}, unknown=inside)
    try:
        tables = {name: _table(name, files) for name in recorded.names}
    except Inconclusive as error:
        return BuiltParameters({}, unknown=error.what)
    if recorded.file is not None:
        return BuiltParameters(merge(tables[recorded.file], recorded.values), name=str(PurePosixPath(recorded.file)))
    return BuiltParameters(merge(dict(tables), recorded.values), per_file=True)


def _table(file: str, files: DeclaredFiles) -> dict[str, object]:
    suffix, name = PurePosixPath(file).suffix, show(file, 200)
    if suffix not in FORMATS:
        raise Inconclusive(f"the parameters file {name} is neither YAML, JSON nor TOML")
    return parse(files.read(file), suffix, name)
