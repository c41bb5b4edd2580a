"""Reads the DVC files of a commit as data: the md5 that each path is tracked by."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from repro_tui.model.errors import Inconclusive
from repro_tui.support.regular import is_regular, read_regular
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show
from repro_tui.support.walks import walk

LARGEST = 16 << 20


@dataclass(frozen=True, slots=True)
class Origin:
    """Where imported data comes from: `path` at `commit` of a git repository, or (without one) a URL."""

    path: str
    repository: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Tracked:
    """A path that DVC tracks by md5; `inside` is the path within the tracked folder, `legacy`: written by DVC 2.

    `origin` is where `dvc import` or `dvc import-url` brought it from.
    """

    md5: str
    inside: str = ""
    legacy: bool = False
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class LockedStage:
    """A stage in a dvc.lock: its entry, and where the file is.

    `project` is the folder of the DVC project in the commit, `folder` that of the file in the project. `output` is the
    output that a reference names ("" for none).
    """

    name: str
    entry: Mapping[str, object]
    project: str = "."
    folder: str = "."
    output: str = ""


def find_tracked(tree: Path, path: str) -> Tracked:
    """The entry that tracks `path` in a commit's tree, or a folder above it. Raises Inconclusive."""
    requested = PurePosixPath(path)
    for candidate in (requested, *requested.parents):
        entry = _from_pointer(tree, candidate) or _from_locks(tree, candidate)
        if entry:
            inside = "" if candidate == requested else str(requested.relative_to(candidate))
            return replace(entry, inside=inside)
    raise Inconclusive(
        f"neither {show(path, 200)}.dvc nor a dvc.lock tracks {show(path, 200)} at that commit",
        "record its md5, or the right commit",
    )


def all_tracked(tree: Path) -> dict[str, Tracked]:
    """Every path that DVC tracks in a commit's tree and that is not in git, with its entry."""
    entries: dict[str, Tracked] = {}
    files = sorted(tree / name for name, entry in walk(tree) if entry.is_file())
    for pointer in files:
        if pointer.suffix == ".dvc" and ".dvc" not in pointer.relative_to(tree).parts[:-1]:
            _collect(tree, pointer.parent, _outs(_load(pointer)), entries)
    for lock in (file for file in files if file.name == "dvc.lock"):
        for stage in _stages(_load(lock)).values():
            _collect(tree, lock.parent, _outs(stage), entries)
    return entries


def _collect(tree: Path, folder: Path, outs: list[dict[str, object]], entries: dict[str, Tracked]) -> None:
    for out in outs:
        tracked, path = _tracked(out), folder / str(out.get("path"))
        if tracked and not os.path.exists(path):  # noqa: PTH110 - false where the path is too long
            entries[str(path.relative_to(tree))] = tracked


def stages_of(tree: Path) -> dict[str, dict[str, object]]:
    """The stages of the dvc.lock in a folder, by name."""
    return _stages(_load(tree / "dvc.lock"))


def defined_stage(tree: Path, name: str) -> dict[str, object]:
    """A stage's definition in the dvc.yaml of a folder, by its name in dvc.lock (`NAME@ITEM` for foreach or matrix)."""
    stages = _stages(_load(tree / "dvc.yaml"))
    whole = stages.get(name) or stages.get(name.partition("@")[0]) or {}
    repeated = whole.get("do")
    return repeated if isinstance(repeated, dict) else whole


def _stages(document: object) -> dict[str, dict[str, object]]:
    stages = document.get("stages") if isinstance(document, dict) else None
    items = stages.items() if isinstance(stages, dict) else ()
    return {str(name): stage for name, stage in items if isinstance(stage, dict)}


def _from_pointer(tree: Path, tracked: PurePosixPath) -> Tracked | None:
    if not tracked.name:
        return None
    document = _load(tree / f"{tracked}.dvc")
    for out in _outs(document):
        if str(out.get("path")) == tracked.name:
            entry = _tracked(out)
            return replace(entry, origin=_origin(document)) if entry else None
    return None


def _origin(document: object) -> Origin | None:
    """The source of an import: the only dependency of a `.dvc` file."""
    deps = document.get("deps") if isinstance(document, dict) else None
    if not isinstance(deps, list) or len(deps) != 1 or not isinstance(deps[0], dict):
        return None
    repository = deps[0].get("repo")
    repository = repository if isinstance(repository, dict) else {}
    commit = str(repository.get("rev_lock") or "").lower()
    return Origin(str(deps[0].get("path") or ""), str(repository.get("url") or ""), commit)


def _from_locks(tree: Path, tracked: PurePosixPath) -> Tracked | None:
    for folder in tracked.parents:
        for stage in _stages(_load(tree / folder / "dvc.lock")).values():
            for out in _outs(stage):
                if folder / str(out.get("path")) == tracked:
                    return _tracked(out)
    return None


def _outs(document: object) -> list[dict[str, object]]:
    outs = document.get("outs") if isinstance(document, dict) else None
    return [out for out in outs if isinstance(out, dict)] if isinstance(outs, list) else []


def _tracked(out: dict[str, object]) -> Tracked | None:
    md5 = out.get("md5")
    return Tracked(str(md5).lower(), legacy=out.get("hash") != "md5") if md5 else None


def _load(file: Path) -> object:
    """The content of a small YAML file, or None if it does not exist.

    Aliases are refused: they can expand exponentially, and DVC writes none. Raises Inconclusive.
    """
    if not is_regular(file):
        return None
    import yaml

    name = show(file.name, 200)
    if file.stat().st_size > LARGEST:
        raise Inconclusive(f"{name} is larger than {size_text(LARGEST)}", "record the md5 of the data instead")
    text = read_regular(file).decode("utf-8", "replace")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=loader)):
            raise Inconclusive(f"{name} has YAML aliases, which are not supported", "write out the values")
        document: object = yaml.load(text, Loader=loader)  # noqa: S506 - one of the safe loaders
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Inconclusive(f"{name} is not valid YAML", f"correct {name}") from error
    return document
