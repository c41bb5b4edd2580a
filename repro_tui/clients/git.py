"""Reads one git repository through our own bare clone in the cache; the user's repository is never changed."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from repro_tui.clients.git_attributes import conversions
from repro_tui.clients.git_process import GitProcess, GitResult
from repro_tui.clients.git_tree import BrokenClone, in_folder, parse_tree, read_blobs, write_tree
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.workspace import TreeFile
from repro_tui.support.cache import remove_tree
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.redact import strip_url
from repro_tui.support.text import show

T = TypeVar("T")
READ_LIMIT = 64 << 20
MOST_COMMITS = 200
MOST_ON_THE_WAY = 20_000
_FULL_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_URL = re.compile(r"(file|https|ssh)://[^\s]+")
_SCP = re.compile(r"([A-Za-z0-9_.-]+@)?[A-Za-z0-9_.-]+:[^:\s][^\s]*")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a log: full id, author's name, date (ISO 8601), first line of its message, id of its tree."""

    id: str
    author: str
    date: str
    subject: str
    tree: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """The commits that only `a` and only `b` have, newest first, at most MOST_COMMITS each; the counts are complete."""

    only_a: tuple[Commit, ...] = ()
    only_b: tuple[Commit, ...] = ()
    count_a: int = 0
    count_b: int = 0


@dataclass(slots=True)
class Repository:
    """A repository's objects, read from its bare clone. Commits are given as 40 or 64 hex digits.

    `location` is an absolute path or a URL (empty: there is only the clone, and nothing is fetched). Every method that
    reads raises Inconclusive if the commit or path does not exist, and Cancelled.
    """

    git_dir: Path
    location: str
    context: Context
    _fresh: bool = False
    _remade: bool = False
    _there: set[str] = field(default_factory=set)  # commits known to be in the clone, which never prunes any
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def open(cls, location: str, context: Context) -> Repository:
        """Opens the repository at a path or URL; clones it into the cache if there is no clone yet.

        Raises Refused where `location` is neither a path nor a URL, Inconclusive if it cannot be cloned, Cancelled.
        """
        place = check_location(location)
        repository = cls(clone_folder(place, context), place, context)
        with context.cache.lock(f"git-{repository.git_dir.stem}", context.cancel):
            if not (repository.git_dir / "HEAD").is_file():
                repository._clone()
        return repository

    @classmethod
    def cloned(cls, git_dir: Path, context: Context) -> Repository:
        """An existing clone, for reading only."""
        return cls(git_dir, "", context)

    @property
    def name(self) -> str:
        """The location, safe to show: no user, no password."""
        return show_location(self.location) if self.location else str(self.git_dir)

    # -- commits and names --------------------------------------------------------------------------------------

    def has(self, commit: str) -> bool:
        """Whether the clone already has that commit; nothing is fetched."""
        return bool(_FULL_ID.fullmatch(commit)) and self._resolve(commit) is not None

    def need(self, commit: str) -> None:
        """Ensures that the clone has the commit, and fetches it if it is absent."""
        if not _FULL_ID.fullmatch(commit):
            raise Refused(f"{show(commit, 80)!r} is not a full commit id of 40 or 64 hex digits")
        if commit in self._there:
            return
        if not self.has(commit):
            if self.location:
                self._fetch_commit(commit)
            if not self.has(commit):
                raise Inconclusive(
                    f"commit {commit} is not in the repository {self.name}",
                    "push or fetch the commit into that repository, or record the repository that has it",
                )
        self._there.add(commit)

    def resolve(self, name: str) -> str | None:
        """The full id of the commit that a branch, tag, short or full id names now; None if it is unknown."""
        if not name or name.startswith("-") or "\0" in name or len(name) > 1000:
            return None
        if _FULL_ID.fullmatch(name) and self.has(name):
            return name
        if self.location and not self._fresh:
            self._refresh("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            self._fresh = True
        return self._resolve(name) or self._resolve_after_all_refs(name)

    def resolve_experiment(self, name: str) -> str | None:
        """The commit of a DVC experiment by name (`refs/exps/…/NAME`); None if none or several have that name."""
        if not self.location or not name or name.startswith("-"):
            return None
        self._refresh("+refs/*:refs/*")
        done = self._git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
        lines = [line.split(" ", 1) for line in done.output.decode("utf-8", "replace").splitlines()]
        commits = {commit for commit, ref in lines if ref.rpartition("/")[2] == name}
        return commits.pop() if len(commits) == 1 else None

    def _resolve(self, name: str) -> str | None:
        done = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return done.output.decode("ascii").strip() if done.exit_code == 0 else None

    def _resolve_after_all_refs(self, name: str) -> str | None:
        if not self.location:
            return None
        if _FULL_ID.fullmatch(name):
            self._fetch_commit(name)
        else:
            self._refresh("+refs/*:refs/*")
        return self._resolve(name)

    # -- trees and blobs ----------------------------------------------------------------------------------------

    def files(self, commit: str, subdirectory: str = ".") -> dict[str, TreeFile]:
        """Every file of the commit below `subdirectory`, by its path in the repository (not in the folder)."""

        def read() -> dict[str, TreeFile]:
            done = self._git("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
            if done.exit_code != 0:
                raise BrokenClone(done.reason)
            return in_folder(parse_tree(done.output), subdirectory)

        return self._reading(commit, read)

    def read(self, commit: str, path: str, limit: int = READ_LIMIT) -> bytes:
        """The bytes of one file of the commit, at most `limit`."""
        known = self.files(commit, path).get(path)
        if known is None or known.mode not in ("100644", "100755"):
            raise Inconclusive(
                f"{show(path, 200)} is not a file at commit {commit[:12]} of {self.name}",
                "record a path that is in the commit's tree",
            )
        if known.size > limit:
            raise Inconclusive(
                f"{show(path, 200)} is larger than {limit:,} bytes at commit {commit[:12]}", "record a smaller file"
            )

        def read() -> bytes:
            done = self._git("cat-file", "blob", known.blob)
            if done.exit_code != 0:
                raise BrokenClone(done.reason)
            return done.output

        return self._reading(commit, read)

    def blobs(self, commit: str, files: Mapping[str, TreeFile]) -> dict[str, bytes]:
        """The bytes of files of the commit by their paths, as `files` lists them, read in one go."""

        def read() -> dict[str, bytes]:
            with self._process.started("cat-file", "--batch", git_dir=self.git_dir, stdin=True) as process:
                return read_blobs(process, files)

        try:
            return read() if files else {}
        except BrokenClone:
            return self._reading(commit, read)

    def write_out(self, commit: str, folder: Path, cancel: CancelToken) -> tuple[str, ...]:
        """Writes every file of the commit into the empty `folder`, verified against its blob id; returns warnings.

        Nothing is converted, filtered or executed. A submodule or a Git LFS pointer raises Inconclusive.
        """
        files = self.files(commit)

        def write() -> tuple[str, ...]:
            for left in folder.iterdir():
                remove_tree(left)
            with self._process.started("cat-file", "--batch", git_dir=self.git_dir, stdin=True) as process:
                return write_tree(process, files, folder, cancel)

        return self._reading(commit, write)

    def attributes(self, commit: str) -> tuple[str, ...]:
        """The conversions that a checkout would apply and `write_out` does not, one line each."""
        converted: list[str] = []
        for path in self.files(commit):
            if path.rpartition("/")[2] == ".gitattributes":
                converted += conversions(path, self.read(commit, path, limit=1 << 20))
        return tuple(converted)

    # -- history ------------------------------------------------------------------------------------------------

    def log(self, a: str, b: str) -> Log | None:
        """The commits that only one of the two has; None if they share no history."""
        if self.location:
            self.need(a)
            self.need(b)
        if self._git("merge-base", "--end-of-options", a, b).exit_code != 0:
            return None
        count_a, count_b = self._counts(a, b)
        only_a, only_b = (self._commits(*way) if count else () for way, count in (((b, a), count_a), ((a, b), count_b)))
        return Log(only_a, only_b, count_a, count_b)

    def way(self, a: str, b: str) -> tuple[tuple[Commit, ...], int]:
        """The path of commits from `a` to `b`, both included, and the number of its steps that lead back in history.

        Merges are followed along their first parent. Where `a` is not an ancestor of `b`, the path leads back to their
        merge base and forward from there. It is empty if the two share no history.
        """
        self.need(a)
        self.need(b)
        base = self._git("merge-base", "--end-of-options", a, b).output.decode("ascii", "replace").strip()
        if not base:
            return (), 0
        back = self._first_parents(base, a)
        return (*back, *self._log(base, "--max-count=1"), *reversed(self._first_parents(base, b))), len(back)

    def _first_parents(self, base: str, tip: str) -> tuple[Commit, ...]:
        return self._log(f"{base}..{tip}", "--first-parent", f"--max-count={MOST_ON_THE_WAY}")

    def _commits(self, base: str, tip: str) -> tuple[Commit, ...]:
        return self._log(f"{base}..{tip}", f"--max-count={MOST_COMMITS}")

    def _log(self, revisions: str, *options: str) -> tuple[Commit, ...]:
        form = "--format=%H%x00%an%x00%aI%x00%s%x00%T%x00"
        fixed = ("--no-mailmap", "--no-show-signature", form)
        done = self._git("log", *fixed, *options, "--end-of-options", revisions)
        fields = done.output.decode("utf-8", "replace").split("\0")
        return tuple(
            Commit(commit.strip(), show(author, 100), date, show(subject, 200), tree)
            for commit, author, date, subject, tree in zip(*(fields[n::5] for n in range(5)), strict=False)
        )

    def _counts(self, a: str, b: str) -> tuple[int, int]:
        """How many commits only `a` and only `b` have."""
        done = self._git("rev-list", "--count", "--left-right", "--end-of-options", f"{a}...{b}")
        counts = done.output.split()
        return (int(counts[0]), int(counts[1])) if done.exit_code == 0 and len(counts) == 2 else (0, 0)

    # -- the clone ----------------------------------------------------------------------------------------------

    @property
    def _process(self) -> GitProcess:
        return GitProcess(self.context.cache.root / "git", self.context.cancel)

    def _git(self, *arguments: str) -> GitResult:
        return self._process.run(*arguments, git_dir=self.git_dir)

    def _reading(self, commit: str, operation: Callable[[], T]) -> T:
        """Reads from the clone; a clone that turns out to be damaged is cloned again, once."""
        self.need(commit)
        try:
            return operation()
        except BrokenClone as error:
            if not self.location or self._remade:
                raise Inconclusive(
                    f"commit {commit[:12]} of {self.name} cannot be read: {error}", "run git fsck in that repository"
                ) from error
        self._remake()
        self.need(commit)
        return self._reading(commit, operation)

    def _remake(self) -> None:
        with self._lock, self.context.cache.lock(f"git-{self.git_dir.stem}", self.context.cancel):
            self._remade = True
            self._there.clear()
            remove_tree(self.git_dir)
            self._clone()

    def _clone(self) -> None:
        temporary = self.context.cache.temporary()
        try:
            done = self._process.run(
                "clone",
                "--quiet",
                "--bare",
                "--no-local",
                "--template=",
                "--",
                self.location,
                str(temporary),
                remote=True,
            )
            if done.exit_code != 0:
                raise self._unreachable(done)
            # The URL may hold a password: it is not kept.
            self._process.run("config", "--remove-section", "remote.origin", git_dir=temporary)
            self.git_dir.parent.mkdir(parents=True, exist_ok=True)
            temporary.rename(self.git_dir)
        finally:
            remove_tree(temporary)

    def _fetch_commit(self, commit: str) -> None:
        """Fetches the commit by its id (which any protocol-2 server allows), else all refs, else into a fresh clone."""
        with self._lock:
            if self._fetch(commit).exit_code == 0 and self.has(commit):
                return
            last = self._fetch("--prune", "+refs/*:refs/*")
            if self.has(commit):
                return
            if last.exit_code != 0 and not self._remade:
                self._remake()
                self._fetch(commit)

    def _refresh(self, *refspecs: str) -> None:
        """Updates the clone's refs: deleted refs are pruned, objects never are."""
        with self._lock:
            done = self._fetch("--prune", *refspecs)
            if done.exit_code != 0 and not self._remade:
                self._remake()
                done = self._fetch("--prune", *refspecs)
            if done.exit_code != 0:
                raise self._unreachable(done)
            head = self._process.run("ls-remote", "--quiet", "--", self.location, "HEAD", remote=True).output.split()
            if head and _FULL_ID.fullmatch(commit := head[0].decode("ascii", "replace")):
                if not self.has(commit):
                    self._fetch(commit)
                self._git("update-ref", "--no-deref", "HEAD", commit)

    def _fetch(self, *arguments: str) -> GitResult:
        options = [part for part in arguments if part.startswith("--")]
        refspecs = [part for part in arguments if not part.startswith("--")]
        with self.context.cache.lock(f"git-{self.git_dir.stem}", self.context.cancel):
            return self._process.run(
                "fetch",
                *("--quiet", "--no-tags", "--no-write-fetch-head", "--force", "--update-head-ok", *options),
                *("--", self.location, *refspecs),
                git_dir=self.git_dir,
                remote=True,
            )

    def _unreachable(self, done: GitResult) -> Inconclusive:
        return Inconclusive(
            f"the repository {self.name} cannot be read: {self.context.redactor.scrub(done.reason)}",
            "check that it exists, that you may read it, and that git can reach it without asking for a password",
        )


def check_location(location: str) -> str:
    """The absolute path of a repository, or its URL.

    Raises Refused where `location` is neither, and Inconclusive if the path does not exist.
    """
    shown = show(show_location(location), 200)
    if not location or location.startswith("-") or "::" in location or any(ord(c) < 32 for c in location):
        raise Refused(f"repository {shown!r} is neither a path nor a URL that git may use (https, ssh or file)")
    if "://" in location:
        if not _URL.fullmatch(location):
            raise Refused(f"repository {shown}: only https, ssh and file URLs are supported")
        return location
    path = Path(location)
    if path.exists():
        return str(path.absolute())
    if _SCP.fullmatch(location):
        return location
    raise Inconclusive(f"the repository {shown} does not exist", "record the path or URL of a git repository")


def clone_folder(location: str, context: Context) -> Path:
    """The folder of a repository's bare clone, whether it exists or not; nothing is read."""
    remote = "://" in location or (_SCP.fullmatch(location) and not Path(location).exists())
    return context.cache.root / "git" / f"{digest_text(location if remote else str(Path(location).absolute()))}.git"


def show_location(location: str) -> str:
    """A repository's path or URL without user and password."""
    if "://" in location:
        return strip_url(location)
    return location.rpartition("@")[2] if _SCP.fullmatch(location) else location
