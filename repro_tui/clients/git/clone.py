"""Our own bare clone of one git repository in the cache: how it is made, kept up to date, and made anew if damaged."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

from repro_tui.clients.git.access import Access
from repro_tui.clients.git.location import (
    check_location,
    clone_folder,
    is_shallow,
    show_location,
    without_credentials,
)
from repro_tui.clients.git.process import GitProcess, GitResult
from repro_tui.clients.git.reasons import missing_commit, remedy
from repro_tui.clients.git.tree import BrokenClone
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.text import quote

T = TypeVar("T")
FULL_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_UNBORN = "refs/unborn"  # the clone's HEAD where the repository's is a branch without a commit


@dataclass(slots=True)
class Clone:
    """The bare clone of the repository at `location`, which is an absolute path or a URL without user and password.

    These are in `access`. Where `location` is empty, there is only the clone, and nothing is fetched.
    """

    git_dir: Path
    location: str
    context: Context
    access: Access = field(default_factory=Access)
    _fresh: bool = False
    _remade: bool = False
    _there: set[str] = field(default_factory=set)  # commits known to be in the clone, which never prunes any
    _verified: set[str] = field(default_factory=set)  # commits whose trees have been compared with their ids
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def open(cls, location: str, context: Context, access: Access | None = None) -> Self:
        """Opens the repository at a path or URL; clones it into the cache if there is no clone yet.

        `access` is how it may be asked, where that is not only the user and password of its URL. Raises Refused where
        `location` is neither a path nor a URL, Inconclusive if it cannot be cloned, Cancelled.
        """
        place, own = without_credentials(check_location(location))
        for secret in (own.password, "" if own.password else own.user):
            context.redactor.learn(secret)
        repository = cls(clone_folder(place, context), place, context, access or own)
        with context.cache.lock(f"git-{repository.git_dir.stem}", context.cancel):
            if not (repository.git_dir / "HEAD").is_file():
                repository._clone()
            elif repository.shallow and not is_shallow(place):
                repository._replace()  # its missing history can be had now
        return repository

    @classmethod
    def cloned(cls, git_dir: Path, context: Context) -> Self:
        """An existing clone, for reading only."""
        return cls(git_dir, "", context)

    @property
    def name(self) -> str:
        """The location, safe to show: no user, no password."""
        return show_location(self.location) if self.location else str(self.git_dir)

    @property
    def shallow(self) -> bool:
        """Whether the clone lacks history, because the repository that it was made from does."""
        return (self.git_dir / "shallow").is_file()

    def has(self, commit: str) -> bool:
        """Whether the clone already has that commit; nothing is fetched."""
        return bool(FULL_ID.fullmatch(commit)) and self._resolve(commit) is not None

    def need(self, commit: str) -> None:
        """Ensures that the clone has the commit, and fetches it if it is absent."""
        if not FULL_ID.fullmatch(commit):
            raise Refused(f"{quote(commit, 80)} is not a full commit id of 40 or 64 hex digits")
        if commit in self._there:
            return
        if not self.has(commit):
            if self.location:
                self._fetch_commit(commit)
            if not self.has(commit):
                note, action = missing_commit(self.location)
                raise Inconclusive(f"commit {commit} is not in the repository {self.name}{note}", action)
        self._there.add(commit)

    def run(self, *arguments: str, content: bytes = b"", variables: dict[str, str] | None = None) -> GitResult:
        """Runs git in the clone."""
        return self._process.run(*arguments, git_dir=self.git_dir, content=content, variables=variables)

    def ask(self, *arguments: str, content: bytes = b"", timeout_s: float = 60.0) -> GitResult:
        """Runs git with what the repository may be asked with."""
        return self._process.run(*arguments, access=self.access, content=content, timeout_s=timeout_s)

    def _resolve(self, name: str) -> str | None:
        done = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return done.output.decode("ascii").strip() if done.exit_code == 0 else None

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
            self._replace()

    def _replace(self) -> None:
        self._remade = True
        self._there.clear()
        self._verified.clear()
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
                access=self.access,
            )
            if done.exit_code != 0:
                raise self._unreachable(done)
            # What the clone was made from is the user's own business: it is not kept.
            self._process.run("config", "--remove-section", "remote.origin", git_dir=temporary)
            self.git_dir.parent.mkdir(parents=True, exist_ok=True)
            remove_tree(self.git_dir)  # only now: it may have what a repository that cannot be reached has lost
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
        """Updates the clone's refs and its HEAD: deleted refs are pruned, objects never are.

        A git that was killed leaves a lock, with which nothing moves any more: such a clone is made anew. Raises
        Inconclusive where something was not updated, for a name would stand for what it stood for earlier.
        """
        with self._lock:
            done = self._fetch_refs(*refspecs)
            if done.exit_code != 0 and not self._remade:
                self._remake()
                done = self._fetch_refs(*refspecs)
            if done.exit_code != 0:
                raise self._unreachable(done)

    def _fetch_refs(self, *refspecs: str) -> GitResult:
        """Updates the clone's refs and HEAD. Returns the result of the last git, which is the one that failed."""
        done = self._fetch("--prune", *refspecs)
        if done.exit_code != 0:
            return done
        done = self._process.run("ls-remote", "--quiet", "--", self.location, "HEAD", access=self.access)
        if done.exit_code != 0:
            return done
        advertised = dict(line.split("\t")[::-1] for line in done.output.decode("utf-8", "replace").splitlines())
        commit = advertised.get("HEAD", "")
        if commit and not self.has(commit):
            self._fetch(commit)
        move = ("update-ref", "--no-deref", "HEAD", commit) if commit else ("symbolic-ref", "HEAD", _UNBORN)
        with self.context.cache.lock(f"git-{self.git_dir.stem}", self.context.cancel):
            return self._git(*move)

    def _fetch(self, *arguments: str) -> GitResult:
        options = [part for part in arguments if part.startswith("--")]
        refspecs = [part for part in arguments if not part.startswith("--")]
        with self.context.cache.lock(f"git-{self.git_dir.stem}", self.context.cancel):
            return self._process.run(
                "fetch",
                *(
                    "--quiet",
                    "--no-tags",
                    "--no-write-fetch-head",
                    "--force",
                    "--update-head-ok",
                    "--update-shallow",
                    *options,
                ),
                *("--", self.location, *refspecs),
                git_dir=self.git_dir,
                access=self.access,
            )

    def _unreachable(self, done: GitResult) -> Inconclusive:
        return Inconclusive(
            f"the repository {self.name} cannot be read: {self.context.redactor.scrub(done.reason)}",
            remedy(done.errors, self.location),
        )
