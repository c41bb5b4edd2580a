"""Parameters and data inside a package of the commit that is installed: the wheel is built with them.

A project that is installed as a wheel is imported from there, together with the data files of the package. Where
recorded values, fetched data or a hybrid replace such a file, placing it in the working folder would change nothing
that the package reads. So the wheel is built from the commit's files with these in their place. A file counts as the
package's where the wheel has a file of that name, or, up to 64 MiB, has the folder that it lies in.

Example: `src/credit/conf.yaml` counts where the wheel has `credit/conf.yaml`, or anything else in `credit/`.
"""

from __future__ import annotations

import filecmp
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, CodeTree, FetchedData
from repro_tui.rebuild.environments.venv import is_of_commit, wheel_of
from repro_tui.rebuild.tree import compose
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import place_in_tree

LARGE = 64 << 20


def packaged_code(
    code: CodeTree | None,
    environment: BuiltEnvironment,
    data: tuple[FetchedData, ...],
    parameters: BuiltParameters,
    context: Context,
) -> CodeTree | None:
    """The code that the projects of `environment` are built from: the commit's, with what replaces files of packages.

    `code` itself where nothing does. Raises Inconclusive where something cannot be placed.
    """
    if code is None or not environment.projects:
        return code
    packages = _Packages(code, environment)
    chosen = tuple(
        replace(item, files=files)
        for item in data
        if (
            files := {
                name: file for name, file in item.files.items() if packages.has(_place(item, name, code), file.file)
            }
        )
    )
    own = _own_parameters(parameters, packages)
    if not chosen and not own.overlay and not own.files and not own.absent:
        return code
    folder = compose(code, chosen, own, context)
    return replace(code, folder=str(folder), commit=digest_text("packaged", Path(str(folder)).name))


def _place(item: FetchedData, name: str, code: CodeTree) -> str:
    return str(PurePosixPath(place_in_tree(item.path, code.subdirectory)) / name)


def _own_parameters(parameters: BuiltParameters, packages: _Packages) -> BuiltParameters:
    """The parameters without the files that no package has."""
    overlay = parameters.overlay if packages.has(parameters.overlay, parameters.file) else ""
    files = {name: file for name, file in parameters.files.items() if packages.has(file.overlay, file.file)}
    absent = frozenset(place for place in parameters.absent if packages.has(place, ""))
    return replace(parameters, overlay=overlay, files=files, absent=absent)


class _Packages:
    """The files of the wheels that were built of a commit."""

    def __init__(self, code: CodeTree, environment: BuiltEnvironment) -> None:
        self.code = code
        root = PurePosixPath(code.subdirectory)
        self.roots = [_joined(root, folder) for folder in environment.projects]
        self.names: set[str] = set()
        self.folders: set[str] = set()
        for name in _wheel_files(environment):
            self.names.add(PurePosixPath(name).name)
            self.folders |= {str(folder) for folder in PurePosixPath(name).parents} - {"."}

    def has(self, place: str, file: str) -> bool:
        """Whether a package has a file at that place of the tree, and `file` ("": none) differs from the commit's."""
        path = PurePosixPath(place)
        if not place or not any(path.is_relative_to(root) for root in self.roots):
            return False
        if path.name not in self.names and not self._belongs_in(path, file):
            return False
        committed = Path(self.code.folder) / place
        return not (file and committed.is_file() and filecmp.cmp(file, committed, shallow=False))

    def _belongs_in(self, path: PurePosixPath, file: str) -> bool:
        """Whether a wheel has the folder of a file that it does not have itself.

        A large file is left to the working folder: a wheel without it fails visibly where it reads it.
        """
        folders = (str(PurePosixPath(*path.parent.parts[start:])) for start in range(len(path.parent.parts)))
        is_small = not file or Path(file).stat().st_size <= LARGE
        return is_small and any(folder in self.folders for folder in folders)


def _joined(root: PurePosixPath, folder: str) -> PurePosixPath:
    """The folder of a project in the tree; it may lie beside that of the code (`../lib`)."""
    parts: list[str] = []
    for part in (*root.parts, *PurePosixPath(folder).parts):
        if part == ".." and parts:
            parts.pop()
        elif part != "..":
            parts.append(part)
    return PurePosixPath(*parts)


def _wheel_files(environment: BuiltEnvironment) -> Iterator[str]:
    for pin in environment.pins:
        wheel = wheel_of(pin)
        if wheel is not None and is_of_commit(pin) and wheel.is_file():
            with zipfile.ZipFile(wheel) as archive:
                yield from (name for name in archive.namelist() if not name.partition("/")[0].endswith(".dist-info"))
