"""Enters a sandbox and becomes its command: `python -I -S enter_child.py PLAN -- COMMAND…`; it imports nothing of ours.

PLAN is NAME=VALUE, repeated. Every plan gives the command a session keyring of its own. `filter` is the filter
of system calls, in hexadecimal; it is either opened as descriptor `descriptor` for bubblewrap, or put into force here.
With `box` (JSON), this process is the first one of new namespaces, and builds the box that the command sees: a root in
memory with only the mounts named, all read-only unless they are said to be writable.

Every run waits for this program twice, once for its probe: what only a box needs is imported there, which halves the
time of the others.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys

OLD, NEW = "/old", "/new"
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC, REMOUNT, BIND, RECURSIVE = 1, 2, 4, 8, 32, 4096, 16384
OPTIONS = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 1024, "nodiratime": 2048, "relatime": 1 << 21}
DETACH, NEW_USERS = 2, 0x10000000
JOIN_SESSION_KEYRING = 1
DIE_WITH_PARENT, SET_FILTER, DROP_BOUND, NO_NEW_PRIVILEGES = 1, 22, 24, 38  # prctl
INTERFACE_FLAGS, UP = 0x8914, 1  # SIOCSIFFLAGS
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {"fd": "/proc/self/fd", "core": "/proc/kcore", "ptmx": "pts/ptmx"} | {
    name: f"/proc/self/fd/{number}" for number, name in enumerate(("stdin", "stdout", "stderr"))
}

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, step: str) -> None:
    """Raises OSError, which names the step, where a call of the system failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{step}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mounts, binds or remounts; raises OSError."""
    places = [os.fsencode(place) or None for place in (source, target, kind)]
    check(libc.mount(*places, ctypes.c_ulong(flags), os.fsencode(data) or None), f"mount {target.removeprefix(NEW)}")


def fresh_keyring(number: int) -> None:
    """Joins an empty session keyring; a kernel without keyrings, or one that denies them to us, has none to hide."""
    result = libc.syscall(number, JOIN_SESSION_KEYRING, None)
    if ctypes.get_errno() not in (errno.ENOSYS, errno.EPERM, errno.EACCES):
        check(result, "a session keyring")


# -- the box --------------------------------------------------------------------------------------------------------


class Box:
    """The root that the command sees, built at NEW while the machine's own is at OLD."""

    def __init__(self, plan: dict) -> None:  # type: ignore[type-arg]
        self.plan = plan
        self.sources = [(os.path.realpath(source), *rest) for source, *rest in plan["mounts"]]

    def build(self) -> None:
        """Builds the root, makes it this process's own, and lets go of the machine's."""
        mask = os.umask(0o022)
        mount("tmpfs", "/tmp", "tmpfs", NO_SUID | NO_DEVICES, "mode=755,size=16m")
        os.mkdir("/tmp/old")
        os.mkdir("/tmp/new")
        self.pivot("/tmp", "/tmp/old")
        mount(NEW, NEW, flags=BIND)
        for path, target in self.plan["links"].items():
            os.symlink(target, NEW + path)
        self.processes()
        self.devices()
        self.memory("/tmp")
        for source, target, writable in self.sources:
            self.show(source, target, READ_ONLY * (not writable) | NO_SUID | NO_DEVICES)
        mount("", NEW, flags=REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES)
        os.chdir(NEW)
        self.pivot(".", ".")
        check(libc.umount2(b".", DETACH), "the machine's own root, in that of the preparation")
        os.chdir("/")
        os.umask(mask)

    def pivot(self, new: str, old: str) -> None:
        """Makes `new` the root, and leaves the old one at `old`."""
        check(libc.syscall(self.plan["pivot_root"], new.encode(), old.encode()), "pivot_root")
        os.chdir("/")

    def processes(self) -> None:
        """The process table, whose settings of the kernel are read-only, and without what tells of the machine."""
        self.show("/proc", "/proc", NO_SUID | NO_DEVICES | NO_EXEC)
        for path in filter(os.path.lexists, (NEW + path for path in self.plan["sealed"])):
            mount(path, path, flags=BIND | RECURSIVE)
            restrict(path, READ_ONLY | NO_SUID | NO_DEVICES | NO_EXEC)
        for path in self.plan["masked"]:
            mount(f"{OLD}/dev/null", NEW + path, flags=BIND)
            restrict(NEW + path, READ_ONLY | NO_SUID | NO_DEVICES)

    def devices(self) -> None:
        """The devices that are harmless, terminals of its own, and shared memory."""
        os.mkdir(f"{NEW}/dev")
        mount("tmpfs", f"{NEW}/dev", "tmpfs", NO_SUID | NO_DEVICES, "mode=755,size=1m")
        for name in DEVICES:
            self.show(f"/dev/{name}", f"/dev/{name}", NO_SUID)
        for name, target in LINKS.items():
            os.symlink(target, f"{NEW}/dev/{name}")
        os.mkdir(f"{NEW}/dev/pts")
        mount("devpts", f"{NEW}/dev/pts", "devpts", NO_SUID | NO_EXEC, "newinstance,ptmxmode=0666,mode=620")
        self.memory("/dev/shm")
        mount("", f"{NEW}/dev", flags=REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES)

    def memory(self, folder: str) -> None:
        """A folder in memory that everybody may write to."""
        os.mkdir(NEW + folder)
        size = f"size={self.plan['temporary']},mode=1777"
        mount("tmpfs", NEW + folder, "tmpfs", NO_SUID | NO_DEVICES, size)

    def show(self, source: str, target: str, flags: int) -> None:
        """Binds a file or folder of the machine with everything mounted beneath it, restricted in each mount."""
        if not os.path.exists(OLD + source):
            raise OSError(errno.ENOENT, f"{source} does not exist")
        source, target = OLD + source, NEW + target
        if os.path.isdir(source):
            os.makedirs(target, exist_ok=True)
        elif not os.path.lexists(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
        mount(source, target, flags=BIND | RECURSIVE)
        restrict(target, flags)


def restrict(target: str, flags: int) -> None:
    """Adds flags to a mount, and to all beneath it: those of a recursive bind keep their own otherwise."""
    with open(f"{OLD}/proc/self/mountinfo", "rb") as table:
        lines = [line.split(b" ") for line in table]
    for fields in lines:
        place = os.fsdecode(unescaped(fields[4]))
        if place == target or place.startswith(target + "/"):
            own = sum(OPTIONS.get(option, 0) for option in fields[5].decode().split(","))
            try:
                mount("", place, flags=REMOUNT | BIND | own | flags)
            except PermissionError as error:
                if (
                    error.errno != errno.EACCES or place == target
                ):  # what cannot be reached here cannot be inside either
                    raise


def unescaped(field: bytes) -> bytes:
    """A path of the table of mounts, in which a blank, a backslash and ends of lines are written as octal numbers."""
    first, *rest = field.split(b"\\")
    return first + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in rest)


# -- the process ----------------------------------------------------------------------------------------------------


def loopback() -> None:
    """Switches on the loopback interface, as programs expect it."""
    import fcntl
    import socket
    import struct

    with socket.socket() as stream:
        fcntl.ioctl(stream, INTERFACE_FLAGS, struct.pack("16sH14x", b"lo", UP))


def become_nobody(user: str) -> None:
    """Enters user identities in which this process is `user`, and has no say over the mounts made before."""
    check(libc.unshare(NEW_USERS), "user identities")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} 0 1"), ("gid_map", f"{user} 0 1")):
        with open(f"/proc/self/{name}", "w") as stream:
            stream.write(text)


def give_up_privileges(program: bytes) -> None:
    """Gives up every privilege for good, and puts the filter into force."""

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]

    def prctl(option: int, *values: object) -> int:
        return int(libc.prctl(option, *values, *[ctypes.c_ulong(0)] * (4 - len(values))))

    for capability in range(64):
        if prctl(DROP_BOUND, ctypes.c_ulong(capability)):
            break
    check(prctl(NO_NEW_PRIVILEGES, ctypes.c_ulong(1)), "no new privileges")
    check(prctl(DIE_WITH_PARENT, ctypes.c_ulong(9)), "the bond to the parent")
    steps = Filter(len(program) // 8, program)
    check(prctl(SET_FILTER, ctypes.c_ulong(2), ctypes.byref(steps)), "the filter of system calls")


def attend(child: int) -> None:
    """As the first process: collects every process that ends, and ends as the command did."""
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def enter(plan: dict[str, str]) -> None:
    """Does what the plan says, up to the command."""
    program = bytes.fromhex(plan.get("filter", ""))
    fresh_keyring(int(plan["keyctl"]))
    if "descriptor" in plan:
        memory = os.memfd_create("filter", 0)
        os.write(memory, program)
        os.lseek(memory, 0, os.SEEK_SET)
        os.dup2(memory, int(plan["descriptor"]), inheritable=True)
        os.close(memory)
    if "box" in plan:
        import json
        import socket

        box = json.loads(plan["box"])
        if box["loopback"]:
            loopback()
        socket.sethostname(box["host"])
        Box(box).build()
        become_nobody(box["user"])
        give_up_privileges(program)
        if child := os.fork():
            attend(child)


def main() -> None:
    """Enters the sandbox and becomes the command; ends with 126 and the reason where that is not possible."""
    try:
        end = sys.argv.index("--")
        enter(dict(word.split("=", 1) for word in sys.argv[1:end]))
        command = sys.argv[end + 1 :]
        os.execvp(command[0], command)  # noqa: S606 - no shell
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        sys.stderr.write(f"the sandbox could not be entered: {error.strerror}{place}\n")
        sys.stderr.flush()
        os._exit(126)


main()
