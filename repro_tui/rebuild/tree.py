"""Composes the folder that the code runs in: the commit's files, with the data and the parameters placed in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import BuiltParameters, CodeTree, FetchedData
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import place_in_tree, real_path
from repro_tui.support.text import show
from repro_tui.support.walks import folders_below, walk


def compose(
    code: CodeTree | None, data: tuple[FetchedData, ...], parameters: BuiltParameters, context: Context
) -> Path | None:
    """The composed folder, in the cache; None where there is nothing to place in it.

    Files are hard links into the cache, which is safe because the sandbox mounts the tree read-only; without isolation
    they are copies. Everyone can read every file and enter every folder, because the run may have another user. Raises
    Inconclusive where data does not fit into the tree.
    """
    overlays = list(_overlays(code, data, parameters))
    if code is None and not overlays:
        return None
    copy = context.settings.isolation == "none"
    placed = [part for name, source in overlays for part in (name, source.name, _identity(source))]
    absent = sorted(parameters.absent)
    key = digest_text(
        "copy" if copy else "link", Path(code.folder).name if code else "", *placed, *(f"-{name}" for name in absent)
    )

    def build(folder: Path) -> None:
        if code:
            _copy_code(Path(code.folder), folder, copy, context)
        status: dict[Path, os.stat_result] = {}
        for name, source in overlays:
            context.cancel.check()
            status.setdefault(source, source.stat())
            _place(source, folder, name, copy)
        for name in absent:
            (folder / name).unlink(missing_ok=True)
        context.cache.hashes.linked(status.items())
        _make_enterable(folder)

    return context.cache.folder("tree", key, build, context.cancel)[0]


def _overlays(
    code: CodeTree | None, data: tuple[FetchedData, ...], parameters: BuiltParameters
) -> Iterator[tuple[str, Path]]:
    subdirectory = code.subdirectory if code else "."
    for item in data:
        for name, file in item.files.items():
            yield str(PurePosixPath(place_in_tree(item.path, subdirectory)) / name), Path(file.file)
    if parameters.overlay:
        yield parameters.overlay, Path(parameters.file)
    yield from ((file.overlay, Path(file.file)) for file in parameters.files.values() if file.overlay)


def _identity(source: Path) -> str:
    """The end of a path in the cache, which contains the digest of the content: an object's own, or its folder's."""
    return "/".join(source.parts[-3:])


def _copy_code(code: Path, folder: Path, copy: bool, context: Context) -> None:
    for name, entry in walk(code):
        context.cancel.check()
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.is_symlink():
            target.symlink_to(os.readlink(entry.path))  # noqa: PTH115
        else:
            _link_or_copy(Path(entry.path), target, copy)


def _place(source: Path, folder: Path, name: str, copy: bool) -> None:
    """Places a file, replacing what the commit has there; never outside the folder by way of a link."""
    target = folder / name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Inconclusive(
            f"{show(name, 200)} cannot be placed: a file of the commit is in the way", "correct data.path in the record"
        ) from error
    if not real_path(target.parent).is_relative_to(real_path(folder)):
        raise Inconclusive(f"{show(name, 200)} leaves the code tree through a link", "correct data.path in the record")
    if target.is_dir() and not target.is_symlink():
        raise Inconclusive(
            f"{show(name, 200)} is a folder in the commit, but a file in the record", "correct data.path in the record"
        )
    target.unlink(missing_ok=True)
    _link_or_copy(source, target, copy)


def _link_or_copy(source: Path, target: Path, copy: bool) -> None:
    if not copy:
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError:  # another file system, or too many links
            copy = True
    if copy:
        shutil.copyfile(source, target)
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def _make_enterable(folder: Path) -> None:
    for subfolder in folders_below(folder):
        subfolder.chmod(0o755)
