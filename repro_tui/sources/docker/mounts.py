"""What is mounted into a container: data that is outside of its image, and what is the machine's own and never read."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from repro_tui.support import grammar
from repro_tui.support.text import show

# Folders of the machine: kernel, devices, sockets, secrets of the engine.
_MACHINE = ("/proc", "/sys", "/dev", "/run", "/var/run", "/boot", "/var/lib/docker", "/var/lib/containerd")
# Whole roots: what is mounted so is the machine, and not a model.
_WHOLE = frozenset(
    "/ /home /root /etc /tmp /var /var/lib /usr /usr/local /opt /mnt /media /srv /lib /bin /sbin".split()
)
_SETTINGS = frozenset("hosts hostname resolv.conf localtime timezone passwd group shadow ssl pki machine-id".split())
_CREDENTIALS = frozenset(".ssh .aws .azure .docker .gnupg .kube .netrc .pgpass .config .git-credentials".split())


@dataclass(frozen=True, slots=True)
class Mounted:
    """One mount: where the container has it, where it lies on this machine, and why it is no data ("" where it is)."""

    target: str
    source: str
    why_not: str = ""
    warning: str = ""


def mounts_of(told: dict[str, Any]) -> Iterator[Mounted]:
    """The mounts of a container as the engine tells them, ordered by where they are."""
    mounts = sorted(told.get("Mounts") or [], key=lambda mount: str(mount.get("Destination", "")))
    for mount in mounts:
        target, source = str(mount.get("Destination", "")), str(mount.get("Source", ""))
        why_not = _why_not(str(mount.get("Type", "")), source, target)
        yield Mounted(target, source, why_not, "" if why_not else _warning(mount, target, told))


def _why_not(kind: str, source: str, target: str) -> str:
    if kind not in ("bind", "volume"):
        return f"is a mount of the kind {show(kind, 40)}, which lives in memory or elsewhere"
    if mistake := grammar.data_path(target):
        return mistake
    if kind == "bind" and (reason := _machines_own(PurePosixPath(source))):
        return reason
    if any(ord(character) < 32 for character in source) or not source.startswith("/"):
        return "lies at a path that cannot be recorded"
    return _nothing_in(source)


def _machines_own(source: PurePosixPath) -> str:
    told = f"is {show(str(source), 200)} of this machine"
    if str(source) in _WHOLE or any(source.is_relative_to(place) for place in _MACHINE):
        return f"{told}, and not data of a model"
    if (source.parent == PurePosixPath("/etc") and source.name in _SETTINGS) or source.is_relative_to("/etc/ssl"):
        return f"{told}: its settings"
    if str(source) in _homes():
        return f"{told}: a whole home folder"
    if _CREDENTIALS & set(source.parts):
        return f"{told}, where credentials are kept"
    return ""


def _homes() -> set[str]:
    """The home folders of this machine's users. Those of services, such as /srv/models, may well be data."""
    people = {user.pw_dir.rstrip("/") for user in pwd.getpwall() if user.pw_uid >= 1000 or user.pw_uid == 0}
    return people | {str(Path(os.path.expanduser("~")))}  # noqa: PTH111 - Path.home raises where there is none


def _nothing_in(source: str) -> str:
    """Sockets, devices and empty folders. What cannot be looked at is left for the rebuild to tell."""
    try:
        path = Path(source)
        if path.is_socket() or path.is_block_device() or path.is_char_device() or path.is_fifo():
            return "is a socket or a device"
        if path.is_dir() and next(path.iterdir(), None) is None:
            return "is an empty folder"
    except OSError:
        return ""
    return ""


def _warning(mount: dict[str, Any], target: str, told: dict[str, Any]) -> str:
    place = show(target, 200)
    working = PurePosixPath((told.get("Config") or {}).get("WorkingDir") or "/")
    if working.is_relative_to(target):
        return f"{place} is mounted, with the working folder in it: the code in it is the mount's, and not the image's"
    if mount.get("RW"):
        return f"{place} is mounted writable: what the deployment writes there changes it, and here it is read-only"
    return ""
