"""The program's own folders (XDG), and paths that must not leave a root."""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from repro_tui.model.errors import Refused
from repro_tui.support.regular import open_regular
from repro_tui.support.text import quote

ABSOLUTE = ".absolute"  # the folder of a composed tree for data that the code expects at an absolute path
REMEDY = "set REPRO_TUI_CACHE and REPRO_TUI_AUDITS to writable folders"


def import_root() -> Path:
    """The folder that this package is imported from: the PYTHONPATH of our own child processes."""
    return Path(__file__).parents[2]


def _home() -> Path:
    try:
        if os.environ.get("HOME") != "":  # an empty one would be the root folder
            return Path.home()
    except RuntimeError:
        pass
    raise Refused(f"HOME is not set: set HOME, or {REMEDY.removeprefix('set ')}")


def cache_root() -> Path:
    """The cache's folder: REPRO_TUI_CACHE, else XDG_CACHE_HOME/repro-tui, else ~/.cache/repro-tui."""
    return _configured("REPRO_TUI_CACHE", "XDG_CACHE_HOME", ".cache")


def audits_root() -> Path:
    """The folder of the audits: REPRO_TUI_AUDITS, else XDG_STATE_HOME/repro-tui/audits."""
    folder = os.environ.get("REPRO_TUI_AUDITS")
    return Path(folder).absolute() if folder else _configured("", "XDG_STATE_HOME", ".local/state") / "audits"


def config_root() -> Path:
    """The folder of the user's configuration: REPRO_TUI_CONFIG, else XDG_CONFIG_HOME/repro-tui, else
    ~/.config/repro-tui."""
    return _configured("REPRO_TUI_CONFIG", "XDG_CONFIG_HOME", ".config")


def _configured(own: str, xdg: str, default: str) -> Path:
    folder = os.environ.get(own) if own else None
    if folder:
        return Path(folder).absolute()
    base = os.environ.get(xdg)
    root = Path(base) if base and Path(base).is_absolute() else _home() / default
    return root / "repro-tui"


def make_private(folder: Path) -> Path:
    """Creates a folder that only this user can enter. Raises Refused if it cannot be created or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Refused(f"{folder} cannot be created ({error.strerror}): {REMEDY}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(f"{folder} is not writable: {REMEDY}")
    return folder


def check_own(folder: Path, variable: str) -> Path:
    """The folder, if nobody else can change what is in it.

    What is planted there would run as part of a deployment. Raises Refused where the folder belongs to another user, or
    where others may write to it or may replace it.
    """
    status, elsewhere = folder.stat(), f"set {variable} to a folder of your own"
    if status.st_uid != os.geteuid():
        raise Refused(f"{folder} belongs to another user (uid {status.st_uid}): {elsewhere}")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        who = "every user of this machine" if status.st_mode & stat.S_IWOTH else "the group of the folder"
        remedy = f"run chmod go-w {shlex.quote(str(folder))}, and repro-tui cache prune --all if you do not trust them"
        raise Refused(f"{who} can write to {folder}: {remedy}, or {elsewhere}")
    for parent in folder.resolve().parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise Refused(f"every user of this machine can replace {folder}, because {parent} is writable: {elsewhere}")
    return folder


def read_text(path: Path, most: int = 4 << 20) -> str:
    """The first `most` bytes of a text file; "" if it cannot be read."""
    try:
        with open_regular(path) as stream:
            return stream.read(most).decode("utf-8", "replace")
    except OSError:
        return ""


def real_path(path: Path) -> Path:
    """The absolute path with its links followed, as far as it exists; a loop of links is no error, but stays as it is.

    `Path.resolve` raises RuntimeError for a loop in Python 3.12 and older.
    """
    return Path(os.path.realpath(path))


def is_inside(relative: str) -> bool:
    """Whether a recorded relative path stays below its root: not absolute, no `..`, no NUL, not empty."""
    path = PurePosixPath(relative)
    return bool(relative) and "\0" not in relative and not path.is_absolute() and ".." not in path.parts


def place_in_tree(path: str, subdirectory: str = ".") -> str:
    """The path of data in a composed tree: below the code's folder, or in a folder of its own for absolute paths."""
    if path.startswith("/"):
        return str(PurePosixPath(ABSOLUTE) / path.lstrip("/"))
    return str(PurePosixPath(subdirectory) / path)


def resolve_inside(root: Path, relative: str) -> Path:
    """The real path of `relative` below `root`, with links followed.

    Raises ValueError if it leaves the root, or is a pipe, a socket or a device.
    """
    if not is_inside(relative):
        raise ValueError(f"{quote(relative)} leaves its folder")
    resolved, top = real_path(root / relative), real_path(root)
    if not resolved.is_relative_to(top):
        raise ValueError(f"{quote(relative)} leaves {root} through a link")
    if os.path.islink(resolved):  # noqa: PTH114 - never raises
        raise ValueError(f"{quote(relative)} is a loop of links")
    if resolved.exists() and not (resolved.is_file() or resolved.is_dir()):
        raise ValueError(f"{quote(relative)} is neither a file nor a folder")  # reading a pipe would never end
    return resolved


def beside_record(base: str, name: str) -> Path:
    """The file that a record names by `file:NAME`: below its folder `base`, or anywhere where the call named it.

    A record file cannot hold an absolute path. Raises ValueError if a relative one leaves the folder.
    """
    return Path(name) if name.startswith("/") else resolve_inside(Path(base), name)


def data_rows(folder: Path, place: Sequence[str]) -> Path:
    """Where an audit's folder keeps the differing cells of the data file with this finding's path."""
    name = hashlib.sha256("\0".join(place).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return folder / "data" / name


def line_diff(folder: Path, area: str, place: Sequence[str]) -> Path:
    """Where an audit's folder keeps the whole line diff of the file with this finding's path, if its report does not.

    Its lines are those of a unified diff without the names of the files, safe to show.
    """
    name = hashlib.sha256("\0".join((area, *place)).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return folder / "diffs" / f"{name}.diff"
