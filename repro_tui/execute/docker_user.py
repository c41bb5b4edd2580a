"""The user that a step runs as in a container: the image's own, or else the least privileged that can read its files.

An image that does not name a user runs as root in production. Here its step runs as nobody where everybody may read
the image's files, and otherwise as their owner, usually root: without any capability an owner only gains that it reads
its own files.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from repro_tui.model.inventory import Account, Inventory
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context
from repro_tui.support.text import plural, show

if TYPE_CHECKING:
    from docker import DockerClient

NOBODY = "65534:65534"
ROOT_USER = "0:0"
ROOT_NAMES = ("", "0", "root")
SCRATCH_HOME = "/tmp"  # noqa: S108  (each container has its own)
# Libraries that fail where neither their own folder nor the home can be written to.
_CACHES = {"NUMBA_CACHE_DIR": f"{SCRATCH_HOME}/numba", "MPLCONFIGDIR": f"{SCRATCH_HOME}/matplotlib"}
_DENIED = re.compile(r"(?i)permission denied")
_PATH = re.compile(r"(?<![\w/.])/[^\s'\":,;()\[\]<>]+")


@dataclass(frozen=True, slots=True)
class StepUser:
    """The user of a step: `user` as the engine takes it, with its numbers, and why it was chosen.

    `variables` are HOME, USER and what follows from them. `unread` are the image's closed files and folders that this
    user may not read, with mode and owner.
    """

    user: str
    uid: int
    gid: int
    why: str
    variables: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def denial(self, lines: tuple[str, ...], working_dir: str, inventory: Inventory) -> str:
        """What a "Permission denied" in the last lines of a log means: who ran, and the mode of the file.

        "" where there is no such line.
        """
        denied = next((line for line in lines if _DENIED.search(line)), None)
        if denied is None:
            return ""
        ran = f"it ran as {self.user} ({self.why})"
        for path in (*_PATH.findall(denied), *_relative(denied, working_dir)):
            for place in (path, *(folder for folder in inventory.closed if folder.endswith("/"))):
                if path.startswith(place) and place in inventory.closed:
                    return f"{ran}, and {show(place, 200)} has mode and owner {inventory.closed[place]} in the image"
        return ran


def _relative(line: str, working_dir: str) -> list[str]:
    quoted = re.findall(r"'([^'/][^']*)'", line)
    return [f"{working_dir.rstrip('/')}/{name}" for name in quoted]


def user_of(client: DockerClient, workspace: Workspace, context: Context) -> StepUser:
    """The user for the step of a workspace whose environment is an image."""
    return choose_user(workspace.environment.inventory, context.settings.user, lambda: remaps_users(client))


def choose_user(inventory: Inventory, requested: str, remaps: Callable[[], bool]) -> StepUser:
    """The user for the step of an image; `requested` is that of --user ("auto": it is chosen).

    `remaps` asks whether the engine maps root to an unprivileged user.
    """
    own = inventory.image.get("user", "")
    if requested != "auto":
        return _user(requested, "given by --user", inventory)
    if own.partition(":")[0] not in ROOT_NAMES:
        return _user(own, "the image's own user", inventory)
    nobody = _user(NOBODY, "nobody, because every user may read the image's files", inventory)
    if not nobody.unread:
        return nobody
    if remaps():
        return _user(ROOT_USER, "root, which the engine maps to an unprivileged user of this machine", inventory)
    return _owner(nobody.unread, inventory)


def _owner(closed: dict[str, str], inventory: Inventory) -> StepUser:
    """The first of root and the owners of closed files who may read all of them, else root."""
    first = next(iter(closed))
    example = f"{show(first, 200)} ({closed[first]})"
    owners = dict.fromkeys([ROOT_USER, *(marks.split()[1] for marks in closed.values())])
    for owner in owners:
        name = "root" if owner == ROOT_USER else "the owner"
        reason = f"{name} without any capability: nobody else may read {plural(len(closed), 'path')}, such as {example}"
        user = _user(owner, reason, inventory)
        if not user.unread:
            return user
    reason = f"root without any capability: no single user may read {plural(len(closed), 'path')}, such as {example}"
    return _user(ROOT_USER, reason, inventory)


def _user(text: str, why: str, inventory: Inventory) -> StepUser:
    account = _account(text, inventory.accounts)
    home = account.home if account.lived_in else SCRATCH_HOME
    variables = {"HOME": home, "USER": account.name} | ({} if home == SCRATCH_HOME else _CACHES)
    unread = {
        path: marks
        for path, marks in inventory.closed.items()
        if not _may_read(marks, account.uid, account.gid, is_folder=path.endswith("/"))
    }
    return StepUser(text, account.uid, account.gid, why, variables, unread)


def _account(text: str, accounts: tuple[Account, ...]) -> Account:
    """The account that the engine takes for `NAME|UID[:GROUP|GID]`; one that the image does not know has no home."""
    name, _, group = text.partition(":")
    known = next((account for account in accounts if name in (account.name, str(account.uid))), None)
    if known is None:
        number = int(name) if name.isdecimal() else 65534
        known = Account(name if not name.isdecimal() else f"user{name}", number, 0, SCRATCH_HOME)
    gid = int(group) if group.isdecimal() else known.gid
    return Account(known.name, known.uid, gid, known.home, known.lived_in)


def _may_read(marks: str, uid: int, gid: int, *, is_folder: bool) -> bool:
    """Whether a user without capabilities may read a file, or enter a folder, with this mode and owner."""
    mode, _, owner = marks.partition(" ")
    owner_uid, _, owner_gid = owner.partition(":")
    shift = 6 if uid == int(owner_uid) else 3 if gid == int(owner_gid) else 0
    return bool(int(mode, 8) >> shift & (1 if is_folder else 4))


def remaps_users(client: DockerClient) -> bool:
    """Whether the engine maps the users of containers to unprivileged users of this machine."""
    return any("name=userns" in option for option in client.info().get("SecurityOptions") or [])
