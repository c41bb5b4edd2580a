"""Composes one folder as the code expects it: the commit's files, the data and the parameters laid out in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import BuiltParameters, CodeTree, FetchedData
from repro_tui.support.cache import walk
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import place_in_tree
from repro_tui.support.text import show


def compose(
    code: CodeTree | None, data: tuple[FetchedData, ...], parameters: BuiltParameters, context: Context
) -> Path | None:
    """The composed folder, in the cache; None where there is nothing to lay out.

    Files are hard links to the cache's own (the sandbox mounts the tree read-only), or copies where the settings ask
    for no isolation. Every file is readable by all, every folder can be entered by all.
    """
    overlays = list(_overlays(code, data, parameters))
    if code is None and not overlays:
        return None
    copied = context.settings.isolation == "none"
    placed = [part for name, source in overlays for part in (name, source.name, _identity(source))]
    key = digest_text("copy" if copied else "link", code.commit if code else "", *placed)

    def build(folder: Path) -> None:
        if code:
            _lay_code(Path(code.folder), folder, copied, context)
        before: dict[Path, os.stat_result] = {}
        for name, source in overlays:
            context.cancel.check()
            before.setdefault(source, source.stat())
            _place(source, folder, name, copied)
        context.cache.hashes.linked(before.items())
        _open(folder)

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


def _identity(source: Path) -> str:
    """An object of the cache lies at its own digest, and a parameter file in a folder of that name."""
    return "/".join(source.parts[-3:])


def _lay_code(code: Path, folder: Path, copied: bool, context: Context) -> None:
    for name, entry in walk(code):
        context.cancel.check()
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.is_symlink():
            target.symlink_to(os.readlink(entry.path))  # noqa: PTH115
        else:
            _put(Path(entry.path), target, copied)


def _place(source: Path, folder: Path, name: str, copied: bool) -> None:
    """Puts a file at its place, over what the commit has there; never outside of the folder through a link."""
    target = folder / name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Inconclusive(
            f"{show(name, 200)} cannot be laid out: a file of the commit is in its way", "correct its path"
        ) from error
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise Inconclusive(f"{show(name, 200)} leaves the code tree through a link", "correct its path")
    if target.is_dir() and not target.is_symlink():
        raise Inconclusive(f"{show(name, 200)} is a folder in the commit, and a file in the record", "correct its path")
    target.unlink(missing_ok=True)
    _put(source, target, copied)


def _put(source: Path, target: Path, copied: bool) -> None:
    if not copied:
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError:  # another file system, or too many links
            copied = True
    if copied:
        shutil.copyfile(source, target)
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def _open(folder: Path) -> None:
    for place, _, _ in os.walk(folder):
        Path(place).chmod(0o755)
