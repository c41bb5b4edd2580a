"""Completes a reference while it is typed: deployments, record files and revisions.

Only files are read: nothing is executed and nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from repro_tui.model.errors import Refused
from repro_tui.sources.recordfile import ENDINGS, deployments_of, nearest_deployments, nearest_file
from repro_tui.support.paths import read_text, real_path
from repro_tui.support.walks import walk

MOST = 2_000
LARGEST_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Completion:
    """A reference that can be chosen, and a short description of it."""

    reference: str
    told: str

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder to go into, and no reference yet."""
        return self.reference.endswith("/")


@dataclass(frozen=True, slots=True)
class CompletionSet:
    """All that can be completed while the typed text has the same folder in front (`folder`: "", or up to a slash).

    They are read once for a folder, which may take a while; choosing among them costs no file.
    """

    folder: str
    items: tuple[Completion, ...]

    def matching(self, typed: str) -> list[Completion]:
        """Those that contain what was typed (ignoring case); those that begin with it come first."""
        text = typed.lower()
        matches = [c for c in self.items if text in c.reference.lower() and (typed or not c.is_folder)]
        return sorted(matches, key=lambda item: not item.reference.lower().startswith(text))[:MOST]

    def beginning_with(self, typed: str) -> list[Completion]:
        """Those that begin with what was typed, exactly as it was typed: what Tab completes to, as in a shell."""
        return [c for c in self.items if c.reference.startswith(typed) and (typed or not c.is_folder)]

    def has(self, typed: str) -> bool:
        """Whether this very reference is among them."""
        return any(c.reference == typed and not c.is_folder for c in self.items)


def folder_typed(typed: str) -> str:
    """The folder in front of what was typed: "" or a text that ends with a slash."""
    return typed.rpartition("/")[0] + "/" if "/" in typed else ""


def read_completions(folder: str, here: Path) -> CompletionSet:
    """Everything that begins with a folder (see `folder_typed`), and whatever needs none. Reads files."""
    return CompletionSet(folder, tuple({item.reference: item for item in _all(folder, here)}.values()))


def completions(typed: str, here: Path) -> list[Completion]:
    """The references that contain what was typed (ignoring case); those that begin with it come first."""
    return read_completions(folder_typed(typed), here).matching(typed)


def shared_beginning(references: Sequence[str]) -> str:
    """The longest text that all of these begin with; "" of none."""
    first, last = min(references, default=""), max(references, default="")
    same = next((i for i, (x, y) in enumerate(zip(first, last, strict=False)) if x != y), min(len(first), len(last)))
    return first[:same]


def _all(folder_text: str, here: Path) -> Iterator[Completion]:
    for deployment in nearest_deployments(here):
        yield Completion(deployment.name, deployment.description)
    yield from _files(folder_text, here)
    for name, kind in revisions(here):
        yield Completion(f"git:{name}", kind)


def _files(folder_text: str, here: Path) -> Iterator[Completion]:
    """The deployments of the record files in the folder typed so far, and its subfolders."""
    folder = here / Path(folder_text).expanduser()
    nearest = nearest_file(here)
    if not folder.is_dir() or ":" in folder_text:
        return
    for path in islice(sorted(folder.iterdir()), MOST):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield Completion(f"{folder_text}{path.name}/", "folder")
        elif path.suffix in ENDINGS and path != nearest and path.is_file() and path.stat().st_size <= LARGEST_FILE:
            for name, description in _deployments(path):
                yield Completion(f"{folder_text}{path.name}#{name}", description or "record file")


def _deployments(path: Path) -> list[tuple[str, str]]:
    try:
        return [(deployment.name, deployment.description) for deployment in deployments_of(path)]
    except Refused:
        return []


def revisions(here: Path) -> Iterator[tuple[str, str]]:
    """The branches and tags of the repository that contains `here`, each with its type.

    They are read from the repository's files: git is not started, so no hook or filter of the repository can run.
    """
    git = _git_folder(here)
    if git is None:
        return
    seen: set[str] = set()
    for kind, label in (("heads", "branch"), ("tags", "tag")):
        root = git / "refs" / kind
        loose = sorted(name for name, entry in walk(root) if entry.is_file()) if root.is_dir() else ()
        for name in islice((*loose, *_packed(git, kind)), MOST):
            if name not in seen:
                seen.add(name)
                yield name, label


def _packed(git: Path, kind: str) -> list[str]:
    prefix = f"refs/{kind}/"
    lines = (line.split(" ", 1) for line in read_text(git / "packed-refs").splitlines())
    return [fields[1].removeprefix(prefix) for fields in lines if len(fields) == 2 and fields[1].startswith(prefix)]


def _git_folder(here: Path) -> Path | None:
    """The folder that holds the refs; for a linked worktree, that of the main repository."""
    for folder in (here.absolute(), *here.absolute().parents):
        git = folder / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            git_dir = folder / read_text(git).partition("gitdir:")[2].strip()
            common = read_text(git_dir / "commondir").strip()
            return real_path(git_dir / common) if common else git_dir
    return None
