"""The declared hashes of data: those of the record, of DVC's files in the commit, and of the commit's own files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from repro_tui.formats.dvc_files import find_tracked
from repro_tui.model.declared import CommitTree, DeclaredData
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import DataItem
from repro_tui.model.workspace import TreeFile
from repro_tui.rebuild.declared.files import LARGEST, REGULAR, DeclaredFiles
from repro_tui.support.hashes import digest_tree
from repro_tui.support.paths import is_inside
from repro_tui.support.redact import strip_url
from repro_tui.support.text import show

NO_HASH = "no hash was recorded"


def declared_data(item: DataItem, files: DeclaredFiles) -> DeclaredData:
    """The hashes by which an item is declared; where there is none, the reason."""
    source = strip_url(item.source) if "://" in item.source else item.source
    recorded = {"sha256": item.sha256, "md5": item.md5}
    digests = {algorithm: value.lower() for algorithm, value in recorded.items() if value}
    try:
        if item.source == "dvc" and "md5" not in digests:
            digests["md5"] = _of_dvc(item, files)
        elif item.source == "git":
            digests["git"] = _of_git(item, files)
    except (Inconclusive, OSError) as error:
        return DeclaredData(item.path, source, digests, "" if digests else show(str(error), 300))
    return DeclaredData(item.path, source, digests, "" if digests else NO_HASH)


def laid_over(items: Iterable[DataItem], tree: CommitTree | None) -> set[str]:
    """The files of a commit that are compared as data: those of items that are in git, or that an item replaces."""
    if tree is None:
        return set()
    paths: set[str] = set()
    for item in items:
        place = str(PurePosixPath(tree.subdirectory) / item.path)
        paths |= set(_below(tree, place)) if item.source == "git" else {place} & tree.files.keys()
    return paths


def _below(tree: CommitTree, place: str) -> dict[str, TreeFile]:
    """The files of the tree at or below a path, by their paths."""
    if place == ".":
        return tree.files
    return {path: file for path, file in tree.files.items() if path == place or path.startswith(place + "/")}


def _of_git(item: DataItem, files: DeclaredFiles) -> str:
    if files.tree is None:
        raise Inconclusive(files.why)
    place = str(PurePosixPath(files.tree.subdirectory) / item.path)
    below = _below(files.tree, place)
    if not is_inside(item.path) or not below:
        raise Inconclusive(f"it is not in commit {files.tree.commit[:12]}")
    if place in below:
        return below[place].blob
    return digest_tree((path.removeprefix(place), f"{file.mode} {file.blob}") for path, file in below.items())


def _of_dvc(item: DataItem, files: DeclaredFiles) -> str:
    """The md5 in the commit's DVC files, which are written to a folder of their own to be read from there."""
    if files.tree is None:
        raise Inconclusive(files.why)
    if not is_inside(item.path):
        raise Inconclusive("its path leaves the code tree")
    place = PurePosixPath(files.tree.subdirectory) / item.path
    pointers = {
        name: file
        for folder in (place, *place.parents)
        for name in (f"{folder}.dvc", str(folder / "dvc.lock"))
        if (file := files.tree.files.get(name)) and file.mode in REGULAR and file.size <= LARGEST
    }
    with files.context.cache.temporary_folder() as folder:
        for path, content in files.blobs(pointers).items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        tracked = find_tracked(Path(folder), str(place))
    return f"{tracked.md5} ({show(tracked.inside, 200)})" if tracked.inside else tracked.md5
