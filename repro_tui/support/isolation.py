"""What isolates a child process on this machine: bubblewrap, else Linux namespaces. Runs and builds share it.

Both give the child the same view: the system's libraries and the mounts that are named, all read-only, a /tmp of its
own in memory, no network, no other process, and no system call that namespaces do not isolate.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from repro_tui.model.errors import Refused, ReproError
from repro_tui.model.request import Settings
from repro_tui.model.run import IsolationKind
from repro_tui.support import process
from repro_tui.support.self_probe import observed, probe_command, shortcomings
from repro_tui.support.syscalls import filter_program, number

TEMPORARY_BYTES = 2 << 30
NOBODY = "65534"
HOST_NAME = "repro"
INSTALL = "install bubblewrap (apt install bubblewrap; repro-tui doctor checks it)"
ALLOW = "allow unprivileged user namespaces, which sandboxes need (repro-tui doctor checks it)"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/etc/alternatives")
_ACCOUNTS = Path(__file__).with_name("accounts")  # the users of a sandbox: programs look up the name of their own
# Root outside owns these inside, whatever its name there, and could write to them.
_SETTINGS_OF_THE_KERNEL = (
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/proc/fs",
    "/proc/acpi",
    "/proc/scsi",
)
# They tell of the machine and of other users: keys, memory, devices.
_MASKED = tuple(
    f"/proc/{name}"
    for name in (
        *("keys", "key-users", "kcore", "kmsg", "timer_list", "sched_debug", "slabinfo", "vmallocinfo"),
        *("pagetypeinfo", "kpagecount", "kpageflags", "kpagecgroup"),
    )
)
_ENTER = Path(__file__).with_name("enter_child.py")
_FILTER = 9  # the descriptor that bubblewrap reads the filter from
Mounts = Iterable[tuple[str, str, bool]]


def sandboxed(
    kind: IsolationKind, mounts: Mounts, *, network: bool = False, memory: int = TEMPORARY_BYTES
) -> list[str]:
    """The command prefix of a sandbox that sees the system's libraries and `mounts`.

    A mount is a source, a target, and whether it may be written to. All else is read-only but a /tmp and a /dev/shm of
    its own, which are in memory and have at most `memory` bytes each, and never more than 2 GiB. The command that
    follows has an environment and a working folder of its own (`inside`).
    """
    return (_bubblewrap if kind == "bubblewrap" else _namespaces)(mounts, network, min(memory, TEMPORARY_BYTES))


def inside(environment: dict[str, str], folder: str, arguments: Iterable[str]) -> list[str]:
    """The command that runs `arguments` in a folder with exactly this environment."""
    variables = [f"{name}={value}" for name, value in environment.items()]
    return ["/usr/bin/env", "-i", "-C", folder, *variables, *arguments]


def masked() -> list[str]:
    """The files of the kernel that tell of the machine and of other users: what a run sees of them is empty."""
    return _present(_MASKED)


def with_fresh_keyring(**plan: str) -> list[str]:
    """The command prefix of a child with a session keyring of its own, so that no run reads what another left there.

    `plan` is what else support.enter_child does.
    """
    own = {"keyctl": number("keyctl"), **plan}
    return [sys.executable, "-I", "-S", str(_ENTER), *(f"{name}={value}" for name, value in own.items()), "--"]


def _bubblewrap(mounts: Mounts, network: bool, temporary: int) -> list[str]:
    arguments = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    arguments += ["--uid", NOBODY, "--gid", NOBODY, "--hostname", HOST_NAME, "--seccomp", str(_FILTER)]
    if network:
        arguments += ["--share-net"]
    arguments += ["--perms", "0755", "--dir", "/etc"]
    for path in _SYSTEM:
        link = Path(path)
        arguments += ["--symlink", str(link.readlink()), path] if link.is_symlink() else ["--ro-bind-try", path, path]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/dev/shm", "/tmp"):  # noqa: S108
        arguments += ["--perms", "1777", "--size", str(temporary), "--tmpfs", folder]
    arguments += ["--remount-ro", "/dev"]
    for path in _present(_SETTINGS_OF_THE_KERNEL):
        arguments += ["--ro-bind", path, path]
    for path in masked():
        arguments += ["--ro-bind", "/dev/null", path]
    for source, target, writable in [*_own_files(network), *mounts]:
        arguments += ["--bind" if writable else "--ro-bind", source, target]
    entered = with_fresh_keyring(filter=filter_program().hex(), descriptor=str(_FILTER))
    return [*entered, *arguments, "--remount-ro", "/", "--"]


def _namespaces(mounts: Mounts, network: bool, temporary: int) -> list[str]:
    spaces = ["--user", "--map-root-user", "--mount", "--pid", "--ipc", "--uts", "--cgroup"]
    links = {path: os.readlink(path) for path in _SYSTEM if Path(path).is_symlink()}  # noqa: PTH115 - as they are
    system = [(path, path, False) for path in _present(_SYSTEM) if path not in links]
    box = {
        "mounts": [*system, *_own_files(network), *mounts],
        "links": links,
        "sealed": _SETTINGS_OF_THE_KERNEL,
        "masked": masked(),
        "temporary": temporary,
        "host": HOST_NAME,
        "user": NOBODY,
        "loopback": not network,
        "pivot_root": number("pivot_root"),
    }
    entered = with_fresh_keyring(filter=filter_program().hex(), box=json.dumps(box))
    apart = [*spaces, *([] if network else ["--net"]), "--fork", "--kill-child", "--mount-proc"]
    return ["unshare", *apart, *entered]


def _own_files(network: bool) -> Mounts:
    for name in ("passwd", "group"):
        yield str(_ACCOUNTS / name), f"/etc/{name}", False
    if network:
        yield from ((path, path, False) for path in _present(["/etc/resolv.conf"]))


def _present(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if Path(path).exists()]


# -- which -----------------------------------------------------------------------------------------------------------


class NoSandbox(Refused):
    """No sandbox works on this machine: `reason` says why, and the message what a run may do about it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {sandbox_remedy()}, or use --isolation none")


def choose(settings: Settings) -> IsolationKind:
    """The isolation of a local run. Raises Refused for one that no local run has, and NoSandbox."""
    if settings.isolation == "container":
        raise Refused(
            "--isolation container needs an image: use --isolation bubblewrap for a lock or requirements file"
        )
    if settings.isolation == "none":
        return "none"
    kinds: tuple[IsolationKind, ...] = ("bubblewrap", "namespace")
    candidates = kinds if settings.isolation == "auto" else (settings.isolation,)
    reasons = []
    for kind in candidates:
        reason = failure(kind)
        if not reason:
            return kind
        reasons.append(f"{kind}: {reason}")
    raise NoSandbox(f"no sandbox works on this machine ({'; '.join(reasons)})")


def sandbox_remedy() -> str:
    """What lets a sandbox work on this machine: another processor, bubblewrap, or the right to make namespaces."""
    if not filter_program():
        return "use a machine with an x86_64 or aarch64 processor"
    return INSTALL if shutil.which("bwrap") is None else ALLOW


_working: set[str] = set()  # in this process: a kind that worked once keeps working, one that failed may be fixed later
_trying = threading.Lock()  # so that whoever needs a kind waits for the trial that is under way


def try_early(settings: Settings) -> None:
    """Begins the trial of the sandbox that local runs will need, in a thread; `choose` then waits for its result."""
    if settings.isolation in ("auto", "bubblewrap", "namespace"):
        threading.Thread(target=_try, args=(settings,), name="sandbox", daemon=True).start()


def _try(settings: Settings) -> None:
    with contextlib.suppress(ReproError):  # whoever needs a sandbox is told
        choose(settings)


def failure(kind: IsolationKind) -> str:
    """Why a sandbox of this kind does not work on this machine, as a child in one sees it; "" if it does."""
    with _trying:
        if kind not in _working:
            if reason := _failure(kind):
                return reason
            _working.add(kind)
        return ""


def _failure(kind: IsolationKind) -> str:
    from repro_tui.support.cancel import CancelToken

    program = {"bubblewrap": "bwrap", "namespace": "unshare"}[kind]
    if shutil.which(program) is None:
        return f"{program} is not installed"
    if not filter_program():
        return f"system calls cannot be filtered on {platform.machine()}"
    with tempfile.NamedTemporaryFile(prefix="repro-tui-hidden-") as canary:
        command = [*sandboxed(kind, ()), *inside({"PATH": os.defpath}, "/", probe_command(canary.name))]
        variables = {"PATH": os.environ.get("PATH", os.defpath)}
        done = process.run(command, environment=variables, cancel=CancelToken(), timeout_s=20)
    if done.exit_code != 0:
        return done.text.strip().rpartition("\n")[2] or f"it ended with status {done.exit_code}"
    return ", ".join(shortcomings(observed(done.text), network=False))
