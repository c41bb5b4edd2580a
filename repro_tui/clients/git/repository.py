"""Reads one git repository through our own bare clone in the cache; the user's repository is never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from repro_tui.clients.git.attributes import conversions
from repro_tui.clients.git.clone import FULL_ID, Clone
from repro_tui.clients.git.commits import COMMITTED, FORM, Commit, Log, parse_log, parse_moment
from repro_tui.clients.git.ids import check_ids, tree_ids
from repro_tui.clients.git.process import GitResult
from repro_tui.clients.git.tree import BrokenClone, RawTree, in_folder, parse_tree, read_blobs, write_tree
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import TreeFile
from repro_tui.support.cache import remove_tree
from repro_tui.support.cancel import CancelToken
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show

READ_LIMIT = 64 << 20
MOST_COMMITS = 200
ASKING_S = 30.0
MOST_ON_THE_WAY = 20_000


@dataclass(slots=True)
class Repository(Clone):
    """A repository's objects, read from its bare clone. Commits are given as 40 or 64 hex digits.

    `location` is an absolute path or a URL without user and password, which are in `access` (empty: there is only the
    clone, and nothing is fetched). Every method that reads raises Inconclusive if the commit or path does not exist,
    and Cancelled.
    """

    # -- commits and names --------------------------------------------------------------------------------------

    def still_has(self, commit: str) -> bool:
        """Whether a branch, a tag or any ref of the repository leads to the commit now.

        The clone keeps what the repository has lost. Raises Inconclusive where the repository cannot be read.
        """
        done = self.ask("ls-remote", "--quiet", "--", self.location, timeout_s=ASKING_S)
        if done.exit_code != 0:
            raise self._unreachable(done)
        tips = {line.split("\t")[0] for line in done.output.decode("ascii", "replace").splitlines()}
        if self._leads(tips, commit):
            return True
        for refspecs in (("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"), ("+refs/*:refs/*",)):
            self._refresh(*refspecs)
            if self._leads(tips, commit):
                return True
        return False

    def _leads(self, tips: set[str], commit: str) -> bool:
        """Whether one of these commits has `commit` in its history, as far as the clone has them."""
        listed = "".join(f"^{tip}\n" for tip in sorted(tips)).encode()
        done = self.run("rev-list", "--max-count=1", "--ignore-missing", "--stdin", commit, content=listed)
        return bool(tips) and done.exit_code == 0 and not done.output.strip()

    def resolve(self, name: str) -> str | None:
        """The full id of the commit that a branch, tag, short or full id names now; None if it is unknown."""
        if not name or name.startswith("-") or "\0" in name or len(name) > 1000:
            return None
        if FULL_ID.fullmatch(name) and self.has(name):
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

    def _resolve_after_all_refs(self, name: str) -> str | None:
        if not self.location:
            return None
        if FULL_ID.fullmatch(name):
            self._fetch_commit(name)
        else:
            self._refresh("+refs/*:refs/*")
        return self._resolve(name)

    # -- trees and blobs ----------------------------------------------------------------------------------------

    def files(self, commit: str, subdirectory: str = ".") -> dict[str, TreeFile]:
        """Every file of the commit below `subdirectory`, by its path in the repository (not in the folder).

        The commit and its trees are verified against their ids, once.
        """

        def read() -> dict[str, TreeFile]:
            self._verify(commit)
            done = self._git("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
            if done.exit_code != 0:
                raise BrokenClone(done.reason)
            return in_folder(parse_tree(done.output), subdirectory)

        return self._reading(commit, read)

    def _verify(self, commit: str) -> None:
        if commit in self._verified:
            return
        listing = self._git("ls-tree", "-r", "-d", "-z", "--full-tree", commit).output
        with self._process.started("cat-file", "--batch", git_dir=self.git_dir, stdin=True) as process:
            check_ids(process, commit, tree_ids(listing))
        self._verified.add(commit)

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
                f"{show(path, 200)} is larger than {size_text(limit)} at commit {commit[:12]}", "record a smaller file"
            )
        return self.read_files(commit, {path: known})[path]

    def read_files(self, commit: str, files: Mapping[str, TreeFile]) -> dict[str, bytes]:
        """The bytes of several files of the commit, by path; links and submodules are left out."""

        def read() -> dict[str, bytes]:
            with self._process.started("cat-file", "--batch", git_dir=self.git_dir, stdin=True) as process:
                return dict(read_blobs(process, files, self.context.cancel))

        try:
            return read() if files else {}
        except BrokenClone:
            return self._reading(commit, read)

    def write_file(self, commit: str, file: TreeFile, target: Path) -> None:
        """Writes one regular file of the commit to `target`, verified against its blob id, block by block."""

        def write() -> None:
            target.unlink(missing_ok=True)
            with self._process.started("cat-file", "--batch", git_dir=self.git_dir, stdin=True) as process:
                write_tree(process, {target.name: file}, target.parent, self.context.cancel)

        try:
            write()
        except BrokenClone:
            self._reading(commit, write)

    def write_blobs(self, commit: str, folder: Path, cancel: CancelToken) -> RawTree:
        """Writes every file of the commit into the empty `folder` as committed, verified against its blob id.

        Nothing is converted, filtered or executed; submodules are empty folders.
        """

        def write() -> RawTree:
            files = self.files(commit)
            for left in folder.iterdir():
                remove_tree(left)
            with self._process.started("cat-file", "--batch", git_dir=self.git_dir, stdin=True) as process:
                return write_tree(process, files, folder, cancel)

        return self._reading(commit, write)

    def attributes(self, commit: str) -> tuple[str, ...]:
        """The conversions that the commit's attributes ask of a checkout, one line each."""
        paths = [path for path in self.files(commit) if path.rpartition("/")[2] == ".gitattributes"]
        return tuple(line for path in paths for line in conversions(path, self.read(commit, path, limit=1 << 20)))

    def settings(self, commit: str, path: str) -> dict[str, str]:
        """A file of the commit in the format of git's configuration, read as data; includes are not followed."""
        done = self.run("config", "--no-includes", "-z", "--list", "--blob", f"{commit}:{path}")
        pairs = (entry.partition("\n") for entry in done.output.decode("utf-8", "replace").split("\0") if entry)
        return {name: value for name, _, value in pairs}

    # -- history ------------------------------------------------------------------------------------------------

    def log(self, a: str, b: str) -> Log | None:
        """The commits that only one of the two has; None if they share no history.

        Raises Inconclusive where the clone cannot be asked: it is gone or damaged, or has only one of the two.
        """
        if self.location:
            self.need(a)
            self.need(b)
        if not self._merge_base(a, b):
            return None
        count_a, count_b = self._counts(a, b)
        only_a, only_b = (self._commits(*way) if count else () for way, count in (((b, a), count_a), ((a, b), count_b)))
        return Log(only_a, only_b, count_a, count_b)

    def committed(self, commit: str) -> datetime:
        """When a commit was made, in UTC. Raises Inconclusive if the repository does not have it, or it has no time."""
        self.need(commit)
        moment = parse_moment(self._git("log", *COMMITTED, commit).output)
        if moment is None:
            raise Inconclusive(f"the commit {commit[:12]} has no valid date", "name another commit")
        return moment

    def way(self, a: str, b: str) -> tuple[tuple[Commit, ...], int]:
        """The path of commits from `a` to `b`, both included, and the number of its steps that lead back in history.

        Merges are followed along their first parent. Where `a` is not an ancestor of `b`, the path leads back to their
        merge base and forward from there. It is empty if the two share no history.
        """
        self.need(a)
        self.need(b)
        base = self._merge_base(a, b)
        if not base:
            return (), 0
        back = self._first_parents(base, a)
        return (*back, *self._log(base, "--max-count=1"), *reversed(self._first_parents(base, b))), len(back)

    def _merge_base(self, a: str, b: str) -> str:
        """The commit that both histories have; empty where they have none. Raises Inconclusive if it is not known."""
        done = self._git("merge-base", "--end-of-options", a, b)
        if done.exit_code == 1 and not done.errors:  # the answer "none"; an object that is missing ends with 1 as well
            return ""
        return self._answered(done).decode("ascii", "replace").strip()

    def _first_parents(self, base: str, tip: str) -> tuple[Commit, ...]:
        return self._log(f"{base}..{tip}", "--first-parent", f"--max-count={MOST_ON_THE_WAY}")

    def _commits(self, base: str, tip: str) -> tuple[Commit, ...]:
        return self._log(f"{base}..{tip}", f"--max-count={MOST_COMMITS}")

    def _log(self, revisions: str, *options: str) -> tuple[Commit, ...]:
        fixed = ("--no-mailmap", "--no-show-signature", FORM)
        return parse_log(self._answered(self._git("log", *fixed, *options, "--end-of-options", revisions)))

    def _counts(self, a: str, b: str) -> tuple[int, int]:
        """How many commits only `a` and only `b` have."""
        done = self._git("rev-list", "--count", "--left-right", "--end-of-options", f"{a}...{b}")
        count_a, count_b = self._answered(done).split()
        return int(count_a), int(count_b)

    def _answered(self, done: GitResult) -> bytes:
        """The answer of a git that read the clone. Raises Inconclusive where it failed: that is no empty answer."""
        if done.exit_code != 0:
            raise Inconclusive(f"the history of {self.name} cannot be read: {done.reason}", "run the audit again")
        return done.output
