"""The throw-away copy of the code tree that a predict step works in, and the list of what it wrote there.

The tree in the cache consists of hard links into the cache, so a step must never write to it. Each run gets a copy: by
reference where the file system can (btrfs, XFS), else byte by byte. Only files of more than `LARGE` bytes that would
have to be copied byte by byte are mounted read-only over an empty file instead, where the sandbox can mount; the run's
notes name them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from repro_tui.execute.steps.access import let_us_in
from repro_tui.execute.steps.places import tree_folder
from repro_tui.model.errors import Inconclusive
from repro_tui.model.run import Run, WrittenFile
from repro_tui.model.workspace import Workspace
from repro_tui.support.amounts import Amount, Pace, amount_in
from repro_tui.support.context import Context
from repro_tui.support.paths import real_path
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show
from repro_tui.support.walks import DEEPEST, check_depth, entries_of, folders_below, walk

LARGE = 64 << 20
MOST_FILES = 500_000  # files and folders that a run may write
TOO_DEEP = "what it wrote is not listed: its folders are nested too deeply"
LISTED = 100  # files that are listed by name; more are only counted
_FICLONE = 0x40049409  # ioctl: the target shares the blocks of the source until one of them is written to
_REMEDY = "check the free space, or record predict.writable = false if the step does not write there"
Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class WorkingCopy:
    """The working copy of one run: `folder` on this machine.

    `read_only` are the large files to mount over it: source on this machine, and path in the tree. `before` are the
    stamps of its files before the run.
    """

    folder: Path
    writable: bool = True
    read_only: tuple[tuple[str, str], ...] = ()
    before: dict[str, Stamp] = field(default_factory=dict)

    def changed(self) -> Iterator[tuple[str, os.stat_result]]:
        """The files that were written since: path in the tree, and status."""
        if self.writable:
            for name, status in scan(self.folder):
                if self.before.get(name) != _stamp(status):
                    yield name, status

    def listed(self, run: Run) -> Run:
        """The run with the list of what it wrote here, and with a note on files that it could not write to."""
        try:
            written = sorted((name, status.st_size) for name, status in self.changed())
        except Inconclusive:  # the run has failed for it
            return replace(run, notes=(*run.notes, TOO_DEEP))
        notes = [*run.notes]
        if self.read_only and self.writable:
            names = ", ".join(show(name, 200) for _, name in self.read_only[:5])
            more = f" and {len(self.read_only) - 5} more" if len(self.read_only) > 5 else ""
            notes.append(f"files above {size_text(LARGE)} are read-only in the working folder: {names}{more}")
        return replace(
            run,
            written=tuple(WrittenFile(show(name, 300), size) for name, size in written[:LISTED]),
            written_files=len(written),
            written_bytes=sum(size for _, size in written),
            notes=tuple(notes),
        )


def tree_mounts(workspace: Workspace, copy: WorkingCopy | None) -> Iterator[tuple[str, str, bool]]:
    """The mounts of a working copy: source, target, and whether the run may write to it."""
    if copy is not None:
        code = workspace.at("code")
        yield str(copy.folder), code, copy.writable
        yield from ((source, f"{code}/{name}", False) for source, name in copy.read_only)


def scan(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every entry below a folder that is not a folder, with its path and status. What cannot be entered is left out.

    Raises Inconclusive where folders are nested too deeply.
    """
    pending = [("", str(folder))]
    while pending:
        prefix, current = pending.pop()
        with suppress(OSError), entries_of(current, folder) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    check_depth(prefix.count("/") + 1, folder)
                    pending.append((f"{prefix}{entry.name}/", entry.path))
                else:
                    yield prefix + entry.name, status


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@dataclass(slots=True)
class Quota:
    """Watches that what a run writes stays within `limit` bytes and MOST_FILES files, all together.

    `elsewhere` measures what it wrote besides its output and its working copy. Measuring takes 5% of the time.
    """

    output: Path
    copy: WorkingCopy | None
    limit: int
    elsewhere: Callable[[], Amount] = Amount
    pace: Pace = field(default_factory=Pace)
    written: Amount = field(default_factory=Amount)
    too_deep: bool = False

    @property
    def exceeded(self) -> bool:
        """Whether a limit is exceeded, as of the last measurement."""
        return self.too_deep or self.written.size > self.limit or self.written.files > MOST_FILES

    def check(self, *, now: bool = False) -> bool:
        """Whether a limit is exceeded; cheap enough for every poll."""
        if not self.exceeded:
            self.pace.measure(self._measure, now=now)
        return self.exceeded

    def _measure(self) -> None:
        try:
            own = amount_in(self.output) + self.elsewhere()
            changed = [status.st_blocks * 512 for _, status in self.copy.changed()] if self.copy else []
        except Inconclusive:  # a way past the limit: what is written down there is not seen
            self.too_deep = True
        else:
            self.written = own + Amount(sum(changed), len(changed))

    @property
    def reason(self) -> tuple[str, str]:
        """The reason and the remedy for a run that was ended."""
        if self.too_deep:
            reason = f"predict made folders that are nested deeper than {DEEPEST} levels, and was stopped"
            return reason, "write to fewer nested folders, or with shorter paths"
        if self.written.size > self.limit:
            reason = f"predict wrote more than {size_text(self.limit)}, all files together, and was stopped"
            return reason, "raise limits.output in config.toml"
        reason = f"predict wrote more than {MOST_FILES:,} files and was stopped"
        return reason, "change the predict step so that it writes fewer files"


# -- making one -----------------------------------------------------------------------------------------------------


def working_copy(
    workspace: Workspace, inputs: Path, folder: Path, context: Context, *, mounts: bool, shared: bool
) -> WorkingCopy | None:
    """Makes the working copy of the run whose folder is `folder`; None where it runs in the image's own folder.

    `mounts`: the sandbox can mount large files read-only. `shared`: the run has another user, who may write to all of
    it. Raises Inconclusive where the inputs or the output have no place in the tree, or there is no space; Cancelled.
    """
    if workspace.runs_in_image:
        return None
    predict = workspace.predict
    folder = tree_folder(workspace, folder)
    if folder == Path(workspace.tree):
        return WorkingCopy(folder, writable=False)
    maker = _Maker(folder, context, mounts, shared)
    try:
        folder.mkdir(mode=0o755)
        maker.copy_tree(workspace)
        maker.place(workspace, inputs)
        maker.open_up()
    except OSError as error:
        message = f"the working copy of the code could not be made: {show(str(error), 300)}"
        raise Inconclusive(message, _REMEDY) from error
    before = {name: _stamp(status) for name, status in scan(folder)}
    return WorkingCopy(folder, predict.writable, tuple(maker.read_only), before)


@dataclass(slots=True)
class _Maker:
    folder: Path
    context: Context
    mounts: bool
    shared: bool
    read_only: list[tuple[str, str]] = field(default_factory=list)
    clones: bool = True

    def copy_tree(self, workspace: Workspace) -> None:
        made: set[str] = set()
        for name, entry in walk(Path(workspace.tree)) if workspace.tree else ():
            self.context.cancel.check()
            parent, _, _ = name.rpartition("/")
            if parent not in made:
                made.add(parent)
                (self.folder / parent).mkdir(parents=True, exist_ok=True)
            if entry.is_symlink():
                (self.folder / name).symlink_to(os.readlink(entry.path))  # noqa: PTH115
            else:
                self.copy_file(entry.path, name)
        (self.folder / workspace.subdirectory).mkdir(parents=True, exist_ok=True)

    def copy_file(self, source: str, name: str) -> None:
        """Copies a file with its time and whether it is executable; a large one may only be noted as read-only."""
        with open(source, "rb") as original, open(f"{self.folder}/{name}", "xb") as copy:  # noqa: PTH123 - per file
            status = os.fstat(original.fileno())
            if not self.cloned(original, copy):
                if self.mounts and status.st_size > LARGE:
                    self.read_only.append((source, name))
                else:
                    shutil.copyfileobj(original, copy, 1 << 20)
            everybody = 0o777 if self.shared else 0o755
            os.fchmod(copy.fileno(), everybody if status.st_mode & 0o100 else everybody & 0o666)
            copy.flush()
            os.utime(copy.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))

    def cloned(self, original: BinaryIO, copy: BinaryIO) -> bool:
        """Whether the file system made a copy by reference; it is not tried again where it cannot."""
        if self.clones:
            try:
                fcntl.ioctl(copy.fileno(), _FICLONE, original.fileno())
            except OSError:
                self.clones = False
        return self.clones

    def place(self, workspace: Workspace, inputs: Path) -> None:
        """Lays the inputs at their place, and removes a stale output, so that it is never taken for the run's own."""
        predict, base = workspace.predict, PurePosixPath(workspace.subdirectory)
        if predict.inputs:
            name = str(base / predict.inputs)
            self._clear(name, "predict.inputs")
            self.copy_file(str(inputs), name)
        if predict.output_in_tree:
            self._clear(str(base / predict.output_in_tree), "predict.output")

    def _clear(self, name: str, where: str) -> None:
        target, shown = self.folder / name, show(name, 200)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise Inconclusive(f"{shown} has no place in the tree: a file is in the way", f"correct {where}") from error
        if not real_path(target.parent).is_relative_to(real_path(self.folder)):
            raise Inconclusive(f"{shown} leaves the code tree through a link", f"correct {where}")
        if target.is_dir() and not target.is_symlink():
            raise Inconclusive(f"{shown} is a folder in the tree, but {where} is a file", f"correct {where}")
        target.unlink(missing_ok=True)
        self.read_only = [pair for pair in self.read_only if pair[1] != name]

    def open_up(self) -> None:
        """Lets the run's user write to every folder, and this user remove what the run makes there."""
        for folder in folders_below(self.folder):
            folder.chmod(0o777 if self.shared else 0o755)
            if self.shared and os.geteuid():
                let_us_in(str(folder))
