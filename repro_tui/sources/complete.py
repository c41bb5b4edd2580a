"""What can be typed for a reference: deployments, record files, revisions. Nothing is executed, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from repro_tui.model.errors import Refused
from repro_tui.sources.recordfile import ENDINGS, deployments_of, nearest_deployments, nearest_file
from repro_tui.support.paths import read_text

MOST = 2_000
LARGEST_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Completion:
    """A reference that can be taken, and what it is."""

    reference: str
    told: str


def completions(typed: str, here: Path) -> list[Completion]:
    """The references that contain what was typed, those that begin with it first."""
    found = {item.reference: item for item in _all(typed, here)}
    wanted = typed.lower()
    fitting = [item for item in found.values() if wanted in item.reference.lower()]
    return sorted(fitting, key=lambda item: not item.reference.lower().startswith(wanted))[:MOST]


def _all(typed: str, here: Path) -> Iterator[Completion]:
    for deployment in nearest_deployments(here):
        yield Completion(deployment.name, deployment.description)
    yield from _files(typed, here)
    for name, kind in revisions(here):
        yield Completion(f"git:{name}", kind)


def _files(typed: str, here: Path) -> Iterator[Completion]:
    """Record files beside what was typed, each with its deployments, and the folders to go on into."""
    folder_text = typed.rpartition("/")[0] + "/" if "/" in typed else ""
    folder = here / Path(folder_text).expanduser()
    nearest = nearest_file(here)
    if not folder.is_dir() or ":" in folder_text:
        return
    for path in islice(sorted(folder.iterdir()), MOST):
        if path.name.startswith("."):
            continue
        if path.is_dir() and typed:
            yield Completion(f"{folder_text}{path.name}/", "folder")
        elif path.suffix in ENDINGS and path != nearest and path.is_file() and path.stat().st_size <= LARGEST_FILE:
            for name, told in _deployments(path):
                yield Completion(f"{folder_text}{path.name}#{name}", told or "record file")


def _deployments(path: Path) -> list[tuple[str, str]]:
    try:
        return [(found.name, found.description) for found in deployments_of(path)]
    except Refused:
        return []


def revisions(here: Path) -> Iterator[tuple[str, str]]:
    """Branches and tags of the repository around `here`, read from its files: no git runs, so no hook can."""
    git = _git_folder(here)
    if git is None:
        return
    seen: set[str] = set()
    for kind, word in (("heads", "branch"), ("tags", "tag")):
        root = git / "refs" / kind
        loose = (
            (str(path.relative_to(root)) for path in sorted(root.rglob("*")) if path.is_file()) if root.is_dir() else ()
        )
        for name in islice((*loose, *_packed(git, kind)), MOST):
            if name not in seen:
                seen.add(name)
                yield name, word


def _packed(git: Path, kind: str) -> list[str]:
    prefix = f"refs/{kind}/"
    lines = (line.split(" ", 1) for line in read_text(git / "packed-refs").splitlines())
    return [words[1].removeprefix(prefix) for words in lines if len(words) == 2 and words[1].startswith(prefix)]


def _git_folder(here: Path) -> Path | None:
    """The folder that holds the refs: of a worktree, the repository's own."""
    for folder in (here.absolute(), *here.absolute().parents):
        git = folder / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            place = folder / read_text(git).partition("gitdir:")[2].strip()
            common = read_text(place / "commondir").strip()
            return (place / common).resolve() if common else place
    return None
