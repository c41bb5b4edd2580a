"""What isolates a child process on this machine: bubblewrap, else Linux namespaces. Runs and builds share it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from repro_tui.model.errors import Refused
from repro_tui.model.request import Settings
from repro_tui.model.run import IsolationKind
from repro_tui.support import process

TEMPORARY_BYTES = 2 << 30
NOBODY = "65534"
HOST_NAME = "repro"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/etc/alternatives")
_ACCOUNTS = Path(__file__).with_name("accounts")  # the users of a sandbox: programs look up the name of their own
# Root outside owns these inside, whatever its name there, and could write to them.
_SETTINGS_OF_THE_KERNEL = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi")
# Makes the cache read-only inside the new mount namespace, and drops every capability before the run begins.
_SEAL = (
    'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && hostname "$1" && shift && '
    'exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"'
)


def bubblewrap(
    mounts: Iterable[tuple[str, str, bool]], *, network: bool = False, memory: int = TEMPORARY_BYTES
) -> list[str]:
    """The command prefix of a sandbox that sees the system's libraries and `mounts`.

    A mount is a source, a target, and whether it may be written to. All else is read-only but a /tmp and a /dev/shm of
    its own, which are in memory and have at most `memory` bytes each, and never more than 2 GiB. Options for variables
    and the working folder may follow, then `--` and the command.
    """
    size = ["--size", str(min(memory, TEMPORARY_BYTES))]
    arguments = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    arguments += ["--uid", NOBODY, "--gid", NOBODY, "--hostname", HOST_NAME]
    if network:
        arguments += ["--share-net", "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"]
    for path in _SYSTEM:
        link = Path(path)
        arguments += ["--symlink", str(link.readlink()), path] if link.is_symlink() else ["--ro-bind-try", path, path]
    arguments += ["--proc", "/proc", "--dev", "/dev", *size, "--tmpfs", "/dev/shm", *size, "--tmpfs", "/tmp"]  # noqa: S108
    for name in ("passwd", "group"):
        arguments += ["--ro-bind", str(_ACCOUNTS / name), f"/etc/{name}"]
    for path in _SETTINGS_OF_THE_KERNEL:
        arguments += ["--ro-bind-try", path, path]
    for source, target, writable in mounts:
        arguments += ["--bind" if writable else "--ro-bind", source, target]
    return [*arguments, "--remount-ro", "/dev", "--remount-ro", "/"]  # /dev is in memory too, without a limit


def tied() -> list[str]:
    """The command prefix by which a child ends with this process, even if this process is killed."""
    return ["setpriv", "--pdeathsig", "KILL"]


def namespaces(sealed: Path, *, network: bool = False) -> list[str]:
    """The command prefix of a sandbox of Linux namespaces: no network, no other processes, and `sealed` read-only.

    The other files of this machine stay as readable and writable as they are for the user.
    """
    spaces = ["--user", "--map-root-user", "--mount", "--pid", "--ipc", "--uts", *([] if network else ["--net"])]
    seal = ["sh", "-c", _SEAL, "sh", str(sealed), HOST_NAME]
    return [*tied(), "unshare", *spaces, "--fork", "--kill-child", "--mount-proc", *seal]


def choose(settings: Settings) -> IsolationKind:
    """The isolation of a local run. Raises Refused if the requested one is not available on this machine."""
    if settings.isolation == "container":
        raise Refused(
            "--isolation container needs an image: use --isolation bubblewrap for a lock or requirements file"
        )
    if settings.isolation == "none":
        return "none"
    tools = {"bubblewrap": "bwrap", "namespace": "unshare"}
    candidates = list(tools) if settings.isolation == "auto" else [settings.isolation]
    for kind in candidates:
        if shutil.which(tools[kind]) and _works(kind):
            return kind  # type: ignore[return-value]
    raise Refused(
        f"no sandbox works on this machine ({', '.join(candidates)}): repro-tui doctor says what to install or allow; "
        "or use --isolation none"
    )


_working: set[str] = set()  # in this process: a kind that worked once keeps working, one that failed may be fixed later


def _works(kind: str) -> bool:
    from repro_tui.support.cancel import CancelToken

    if kind in _working:
        return True
    trials = {
        "bubblewrap": ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"],
        "namespace": ["unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "true"],
    }
    done = process.run(
        trials[kind], environment={"PATH": os.environ.get("PATH", os.defpath)}, cancel=CancelToken(), timeout_s=20
    )
    if done.exit_code == 0:
        _working.add(kind)
    return done.exit_code == 0
