"""Where this process can make control groups: folders of the cgroup file systems, below or beside its own group.

Version 1 has one hierarchy for each controller, and a group may have processes and groups below it. Version 2 has one
hierarchy, in which a group with controllers for the groups below it must not have processes itself. There, a place is
one of these, in this order: the root; our own group, if nobody else is in it (we then move to a group below it); or a
group above it that hands controllers on. A group with a limit of its own is never left: the limit is meant for us too.

An engine, which is not below us, makes the groups of its containers below one that it is told by its path from the top
of every hierarchy. Such a group is made at the top itself (`top_places`).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from repro_tui.support.process import query

CONTROLLERS = ("memory", "pids", "cpu")
OWN_LEAF = "repro-tui-engine"
_VERSIONS: dict[str, Literal[1, 2]] = {"cgroup": 1, "cgroup2": 2}
_BOUNDS = ("memory.max", "cpu.max")
# Joins the groups whose cgroup.procs are the first $1 arguments, and then becomes the rest of them.
_JOIN = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 > "$1" || exit 125; shift; n=$((n-1)); done; exec "$@"'


@dataclass(frozen=True, slots=True)
class GroupPlace:
    """A folder of a cgroup file system that groups can be made in, and the controllers that these would have."""

    folder: Path
    version: Literal[1, 2]
    controllers: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Mount:
    """A mounted cgroup file system: the group that is mounted, the folder where, and its options as the kernel has."""

    root: str
    top: Path
    version: Literal[1, 2]
    options: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Hierarchy:
    """A mounted cgroup file system: our own group in it, and the folder that it is mounted at."""

    own: Path
    top: Path
    version: Literal[1, 2]
    controllers: frozenset[str]


_places: dict[bool, tuple[GroupPlace, ...]] = {}  # of this process, at the top or not, once they were looked for
_looking = threading.Lock()
_TRIAL = "repro-tui-trial-"  # and the process that makes it


def group_places() -> tuple[GroupPlace, ...]:
    """The places in which a process can really be moved to a group: at most one for each controller."""
    return _looked_for(top=False)


def top_places() -> tuple[GroupPlace, ...]:
    """The tops of the hierarchies, if groups can be made there that limit memory, processes and cores; else none."""
    places = _looked_for(top=True)
    limited = {controller for place in places for controller in place.controllers}
    return places if limited == set(CONTROLLERS) else ()


def everywhere(name: str) -> list[Path]:
    """The folders that a group of this name at the top has in all hierarchies, also in those that limit nothing.

    An engine makes them there too.
    """
    return [mount.top / name for mount in _mounts()]


def _looked_for(*, top: bool) -> tuple[GroupPlace, ...]:
    with _looking:
        if top not in _places:
            _places[top] = tuple(_usable(top=top))
        return _places[top]


def joining(groups: list[Path]) -> list[str]:
    """The command prefix of a program that joins these groups before it begins; status 125 if it cannot."""
    return ["/bin/sh", "-c", _JOIN, "sh", str(len(groups)), *(str(group / "cgroup.procs") for group in groups)]


def _usable(*, top: bool) -> Iterator[GroupPlace]:
    missing = set(CONTROLLERS)
    for hierarchy in _hierarchies():
        if not hierarchy.controllers & missing:
            continue
        folder = hierarchy.top if top else hierarchy.own
        place = _in_version_1(hierarchy, folder) if hierarchy.version == 1 else _in_version_2(hierarchy, folder)
        useful = place.controllers & missing if place else frozenset()
        if place and useful and _works(place.folder):
            missing -= useful
            yield GroupPlace(place.folder, place.version, useful)


def _works(folder: Path) -> bool:
    """Whether a group can be made here, and a process moved to it: permissions alone do not tell."""
    _remove_trials(folder)
    trial = folder / f"{_TRIAL}{os.getpid()}-{uuid.uuid4().hex}"
    try:
        trial.mkdir()
    except OSError:
        return False
    try:
        done = query([*joining([trial]), "true"], environment={"PATH": os.defpath}, timeout_s=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        with contextlib.suppress(OSError):
            trial.rmdir()
    return done.returncode == 0


def _remove_trials(folder: Path) -> None:
    """Removes the groups of processes that were killed in their own trial; they are empty, and have no owner's list."""
    for path in folder.glob(f"{_TRIAL}*-*"):
        pid = path.name.removeprefix(_TRIAL).partition("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            with contextlib.suppress(OSError):
                path.rmdir()


# -- the hierarchies ------------------------------------------------------------------------------------------------


def _hierarchies() -> Iterator[_Hierarchy]:
    """The mounted cgroup file systems with our own group in each; those that only name groups are left out."""
    memberships = _read(Path("/proc/self/cgroup"))
    groups = dict(line.split(":", 2)[1:] for line in memberships.splitlines() if line.count(":") >= 2)
    for mount in _mounts():
        if mount.version == 2 and "" in groups:
            yield from _hierarchy(groups[""], mount, frozenset(CONTROLLERS))
        elif mount.version == 1:
            name = next((name for name in groups if name and set(name.split(",")) <= mount.options), "")
            controllers = frozenset(name.split(",")) & frozenset(CONTROLLERS)
            if controllers:
                yield from _hierarchy(groups[name], mount, controllers)


def _mounts() -> Iterator[_Mount]:
    for line in _read(Path("/proc/self/mountinfo")).splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = [*after.split(" ", 2), "", ""][:3]
        if kind in _VERSIONS:
            root, top = (_unescaped(word) for word in before.split()[3:5])
            yield _Mount(root, Path(top), _VERSIONS[kind], frozenset(options.split(",")))


def _hierarchy(group: str, mount: _Mount, controllers: frozenset[str]) -> Iterator[_Hierarchy]:
    """The hierarchy, unless our group is outside what is mounted."""
    below = os.path.relpath(group, mount.root)
    own = mount.top / below
    if ".." not in Path(below).parts and own.is_dir():
        yield _Hierarchy(own, mount.top, mount.version, controllers)


def _unescaped(word: str) -> str:
    """A field of mountinfo, in which blanks and backslashes are octal numbers."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        word = word.replace(code, character)
    return word


def _in_version_1(hierarchy: _Hierarchy, folder: Path) -> GroupPlace | None:
    return GroupPlace(folder, 1, hierarchy.controllers) if _is_writable(folder) else None


def _in_version_2(hierarchy: _Hierarchy, own: Path) -> GroupPlace | None:
    top = hierarchy.top
    if not set(CONTROLLERS) & set(_read(top / "cgroup.controllers").split()):
        return None  # version 1 has them
    if own == top and (_is_root(own) or not _read(own / "cgroup.procs")):
        return _handing_on(own)
    if _is_writable(own) and _is_alone(own):
        return _settled(own)
    folder = own
    while folder != top and not _has_bounds(folder):
        folder = folder.parent
        if _is_writable(folder) and (place := _handing_on(folder, enable=_is_root(folder))):
            return place
    return None


def _settled(own: Path) -> GroupPlace | None:
    """Moves this process to a group below its own, which can then hand its controllers on."""
    leaf = own / OWN_LEAF
    try:
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text(str(os.getpid()), "ascii")
    except OSError:
        return None
    return _handing_on(own)


def _handing_on(folder: Path, *, enable: bool = True) -> GroupPlace | None:
    control = folder / "cgroup.subtree_control"
    for controller in CONTROLLERS if enable else ():
        with contextlib.suppress(OSError):
            control.write_text(f"+{controller}", "ascii")
    controllers = _read(control).split()
    return GroupPlace(folder, 2, frozenset(CONTROLLERS) & frozenset(controllers)) if controllers else None


def _is_root(folder: Path) -> bool:
    """Whether it is the root of version 2, which alone has no type and may have processes beside its groups."""
    return not (folder / "cgroup.type").exists()


def _is_alone(folder: Path) -> bool:
    return _read(folder / "cgroup.procs").split() == [str(os.getpid())]


def _has_bounds(folder: Path) -> bool:
    return any(not _read(folder / name).startswith("max") for name in _BOUNDS if (folder / name).exists())


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK) and os.access(folder / "cgroup.procs", os.W_OK)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
