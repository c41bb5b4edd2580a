"""Classifies what is mounted into a container: data of the deployment, or something that must never be read.

A mounted model is data, and is hashed and copied. The Docker socket, credentials, a home folder or /etc are not: they
belong to the machine, and reading or copying them would put secrets into a record or an audit. Anything below a system
folder, a whole root such as /var, a user's home folder, and any path with a credentials folder in it is excluded by
name; sockets, devices and empty folders are excluded by looking at them.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from repro_tui.clients.docker_inspected import InspectedContainer, MountPoint
from repro_tui.support import grammar
from repro_tui.support.text import show

# Kernel, devices, sockets and secrets of the engine: excluded with everything below them.
_MACHINE = ("/proc", "/sys", "/dev", "/run", "/var/run", "/boot", "/var/lib/docker", "/var/lib/containerd")
# Excluded only as a whole: /srv belongs to the machine, /srv/models may be data.
_WHOLE = frozenset(
    "/ /home /root /etc /tmp /var /var/lib /usr /usr/local /opt /mnt /media /srv /lib /bin /sbin".split()
)
_SETTINGS = frozenset("hosts hostname resolv.conf localtime timezone passwd group shadow ssl pki machine-id".split())
_CREDENTIALS = frozenset(".ssh .aws .azure .docker .gnupg .kube .netrc .pgpass .config .git-credentials".split())


@dataclass(frozen=True, slots=True)
class Mounted:
    """One mount: its path in the container, its path on this machine, and why it is not data ("" where it is)."""

    target: str
    source: str
    why_not: str = ""
    warning: str = ""


def mounts_of(container: InspectedContainer) -> Iterator[Mounted]:
    """The mounts of a container, ordered by their paths in it; `container` is what the engine returns for inspect."""
    mounts = sorted(container.get("Mounts") or [], key=lambda mount: str(mount.get("Destination", "")))
    for mount in mounts:
        target, source = str(mount.get("Destination", "")), str(mount.get("Source", ""))
        why_not = _why_not(str(mount.get("Type", "")), source, target)
        yield Mounted(target, source, why_not, "" if why_not else _warning(mount, target, container))


def _why_not(kind: str, source: str, target: str) -> str:
    if kind not in ("bind", "volume"):
        return f"is a mount of type {show(kind, 40)}, which has no folder on this machine"
    if mistake := grammar.data_path(target):
        return mistake
    if kind == "bind" and (reason := _machines_own(PurePosixPath(source))):
        return reason
    if any(ord(character) < 32 for character in source) or not source.startswith("/"):
        return "is at a path on this machine that cannot be recorded"
    return _no_data_in(source)


def _machines_own(source: PurePosixPath) -> str:
    description = f"is {show(str(source), 200)} on this machine"
    if str(source) in _WHOLE or any(source.is_relative_to(place) for place in _MACHINE):
        return f"{description}, which is not model data"
    if (source.parent == PurePosixPath("/etc") and source.name in _SETTINGS) or source.is_relative_to("/etc/ssl"):
        return f"{description}, which holds system settings"
    if str(source) in _homes():
        return f"{description}, which is a whole home folder"
    if _CREDENTIALS & set(source.parts):
        return f"{description}, where credentials are kept"
    return ""


def _homes() -> set[str]:
    """The home folders of this machine's users; those of services, such as /srv/models, may well be data."""
    people = {user.pw_dir.rstrip("/") for user in pwd.getpwall() if user.pw_uid >= 1000 or user.pw_uid == 0}
    return people | {str(Path(os.path.expanduser("~")))}  # noqa: PTH111 - Path.home raises where there is none


def _no_data_in(source: str) -> str:
    """Why a path holds no data: a socket, a device, an empty folder. The rebuild reports an unreadable path."""
    try:
        path = Path(source)
        if path.is_socket() or path.is_block_device() or path.is_char_device() or path.is_fifo():
            return "is a socket or a device"
        if path.is_dir() and next(path.iterdir(), None) is None:
            return "is an empty folder"
    except OSError:
        return ""
    return ""


def _warning(mount: MountPoint, target: str, container: InspectedContainer) -> str:
    place = show(target, 200)
    working = PurePosixPath((container.get("Config") or {}).get("WorkingDir") or "/")
    if working.is_relative_to(target):
        return f"{place} is a mount that contains the working folder: the code comes from the mount, not from the image"
    if mount.get("RW"):
        return f"{place} is mounted writable: the deployment can change it, but in this audit it is read-only"
    return ""
