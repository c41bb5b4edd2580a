"""Which files of an image only some users may read, and the users that an image knows.

A step runs as nobody where that reads what the step may need. What no step needs does not count: password files, keys
of the system, logs, caches of package managers and the shell settings of a new account.
"""

from __future__ import annotations

import re

from repro_tui.model.inventory import Account
from repro_tui.rebuild.environments.contents.image_files import ImageView
from repro_tui.support.left_out import left_out

MOST_CLOSED = 1_000
_NEW_ACCOUNT = r"\.(bashrc|bash_logout|profile|[ct]shrc|zshrc|wget-hsts|(ash|bash|python)_history)|\.cache/pip/.*"
_NOT_NEEDED = re.compile(
    r"etc/(sudoers(\.d/.*)?|security/opasswd|ssl/private/.*|ssh/ssh_host_[^/]*|cron[^/]*/.*)"
    r"|(usr/)?lib(exec)?/.*(dbus-daemon-launch-helper|ssh-keysign)|(dev|proc|sys|lost\+found)/.*"
    r"|etc/polkit-1/.*|var/(cache|lib)/(apt|ldconfig|dpkg|private|polkit-1|rhsm|systemd)/.*|var/spool/(cron|at)[^/]*/.*"
    r"|root/((anaconda|original)-[^/]*|buildinfo/.*)"
    rf"|(root|home/[^/]*)/({_NEW_ACCOUNT})"
)


def closed_files(view: ImageView) -> dict[str, str]:
    """The files that not everybody may read, and the folders around them that not everybody may enter.

    The paths are absolute, those of folders end with a slash; the values are mode and owner ("0600 0:0"). More than
    MOST_CLOSED are cut, but for one of each mode and owner.
    """
    marks, known = dict(view.restricted()), set(view.paths())
    folders = tuple(path for path in marks if path.endswith("/"))
    closed: dict[str, str] = {}
    for path in known:
        if (path in marks or path.startswith(folders)) and not _is_not_needed(path, known):
            around = [folder for folder in folders if path.startswith(folder)]
            closed |= {f"/{place}": marks[place] for place in (path, *around) if place in marks}
    return _bounded(dict(sorted(closed.items())))


def _is_not_needed(path: str, known: set[str]) -> bool:
    return bool(_NOT_NEEDED.fullmatch(path) or left_out(path, known.__contains__))


def _bounded(closed: dict[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    seen: set[tuple[str, bool]] = set()
    for path, marks in closed.items():
        kind = (marks, path.endswith("/"))
        if len(kept) < MOST_CLOSED or kind not in seen:
            kept[path] = marks
        seen.add(kind)
    return kept


def accounts_of(view: ImageView) -> tuple[Account, ...]:
    """The users in the image's passwd; lines that are not complete are left out, as the engine does."""
    text = (view.read("etc/passwd") or b"").decode("utf-8", "replace")
    accounts = []
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) >= 6 and fields[2].isdecimal() and fields[3].isdecimal():
            accounts.append(Account(fields[0], int(fields[2]), int(fields[3]), fields[5]))
    lived_in = _lived_in(view, {account.home for account in accounts})
    return tuple(
        Account(account.name, account.uid, account.gid, account.home, account.home in lived_in) for account in accounts
    )


def _lived_in(view: ImageView, homes: set[str]) -> set[str]:
    """The homes with files that a new account does not have; system folders that serve as a home do not count."""
    new = re.compile(_NEW_ACCOUNT)
    prefixes = {f"{home.strip('/')}/": home for home in homes if home == "/root" or _is_a_persons(home)}
    starts = tuple(prefixes)
    return {
        prefixes[start]
        for path in view.paths()
        if path.startswith(starts)
        for start in starts
        if path.startswith(start) and not new.fullmatch(path.removeprefix(start))
    }


def _is_a_persons(home: str) -> bool:
    system = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "tmp", "usr", "nonexistent")
    first = home.strip("/").partition("/")[0]
    return bool(first) and first not in system and not home.startswith(("/var/", "/usr/"))
