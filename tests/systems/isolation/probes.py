"""What a hostile run tries: one list of probes for every isolation, and the predict step that makes them.

`python probes.py PHASE inputs output` runs each probe of a phase in a process of its own, and prints a line of JSON for
it. A probe returns what it reached, "" where it reached nothing; an OSError is a wall that held. Nothing here harms a
machine on which no wall holds: targets are planted by the scene, and settings are opened, not written.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Targets = dict[str, Any]
PROBE_S = 20
libc = ctypes.CDLL(None, use_errno=True)
LARGE = platform.machine() == "x86_64"  # the numbers of system calls: of x86_64, or of aarch64
ADD_KEY, KEYCTL, PTRACE, READ_MEMORY, MQ_OPEN = (248, 250, 101, 310, 240) if LARGE else (217, 219, 117, 270, 180)
BPF, PERF, USER_FAULTS, MOUNT, UNMOUNT = (321, 298, 323, 165, 166) if LARGE else (280, 241, 282, 40, 39)
HANDLE, IO_URING, CLONE3 = (303 if LARGE else 264), 425, 435
SESSION, USER, USER_SESSION = -3, -4, -5  # keyrings
KEYRINGS = {"session": SESSION, "user": USER, "user session": USER_SESSION}
SEARCH, READ_KEY, SET_PERMISSIONS, REVOKE = 10, 11, 5, 3
NEW_USER, NEW_MOUNTS = 0x10000000, 0x20000


@dataclass(frozen=True)
class Probe:
    """One probe: the row of the table that it belongs to, and whether it is made by the first run or by the next."""

    name: str
    row: str
    phase: str
    attempt: Callable[[Targets], str]


PROBES: list[Probe] = []


def probe(row: str, phase: str = "first") -> Callable[[Callable[[Targets], str]], Callable[[Targets], str]]:
    """Adds a probe to the list, under the function's name."""

    def add(attempt: Callable[[Targets], str]) -> Callable[[Targets], str]:
        PROBES.append(Probe(attempt.__name__, row, phase, attempt))
        return attempt

    return add


def reached(attempts: Iterable[tuple[str, Callable[[], object]]]) -> str:
    """The names of the attempts that met no wall; one that returns False or an empty value reached nothing."""
    through = []
    for name, attempt in attempts:
        with contextlib.suppress(OSError):
            if attempt() not in (False, "", b"", None):
                through.append(name)
    return ", ".join(through)


def call(number: int, *arguments: object) -> int:
    """A system call by its number; raises OSError."""
    result = int(libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def called(function: Any, *arguments: object) -> int:
    """A function of the C library; raises OSError."""
    result = int(function(*arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def overwritten(path: str) -> bool:
    """Whether a file could be written to; it is appended to."""
    with open(path, "a") as stream:
        stream.write("changed")
    return True


def opened(path: str, mode: int = os.O_WRONLY) -> bool:
    """Whether a file could be opened; nothing is written."""
    os.close(os.open(path, mode))
    return True


def entries(*patterns: str) -> Iterator[str]:
    for pattern in patterns:
        yield from map(str, Path("/").glob(pattern.lstrip("/")))


# -- files ----------------------------------------------------------------------------------------------------------


@probe("files of yours: read, changed, added")
def files_of_the_user(targets: Targets) -> str:
    secret, folder = targets["secret"], os.path.dirname(targets["secret"])
    return reached(
        [
            ("read", lambda: targets["canary"] in open(secret).read()),
            ("changed", lambda: overwritten(secret)),
            ("added", lambda: overwritten(f"{folder}/added")),
            ("listed", lambda: os.listdir(folder)),
        ]
    )


@probe("files of yours: read, changed, added")
def files_through_processes(targets: Targets) -> str:
    links = entries("/proc/[0-9]*/root", "/proc/[0-9]*/cwd", "/proc/[0-9]*/fd/*")
    attempts = ((link, lambda link=link: opened(link + targets["secret"], os.O_RDONLY)) for link in links)
    return reached(attempts)


@probe("files of yours: read, changed, added")
def files_by_handle(targets: Targets) -> str:
    """Files of a mounted file system can be opened by their number, whatever is hidden in it."""
    handle = (ctypes.c_ubyte * 136)()
    ctypes.cast(handle, ctypes.POINTER(ctypes.c_uint))[0] = 128
    mount_id = ctypes.c_int()
    call(HANDLE, -100, targets["inside"].encode(), handle, ctypes.byref(mount_id), 0)
    folder = os.open(targets["inside"], os.O_RDONLY)
    return f"opened descriptor {call(HANDLE + 1, folder, handle, os.O_RDONLY)}"


@probe("your repository: a Git hook planted")
def hook_of_git(targets: Targets) -> str:
    return reached([("planted", lambda: overwritten(f"{targets['repository']}/.git/hooks/post-checkout"))])


@probe("the inputs and the environment: changed")
def inputs_changed(targets: Targets) -> str:
    added = f"{targets['environment']}/probe-{os.getpid()}"
    return reached(
        [
            ("inputs", lambda: opened(targets["inputs"])),
            ("inputs replaced", lambda: os.rename(targets["inputs"], targets["inputs"]) is None),
            ("environment", lambda: overwritten(added) and os.unlink(added) is None),
            ("system", lambda: overwritten("/usr/lib/probe") and os.unlink("/usr/lib/probe") is None),
        ]
    )


@probe("the audit's folder, and other audits")
def folders_of_audits(targets: Targets) -> str:
    audit, earlier = targets["audit"], targets["earlier audit"]
    return reached(
        [
            ("read", lambda: opened(f"{audit}/audit.json", os.O_RDONLY)),
            ("added", lambda: overwritten(f"{audit}/added")),
            ("earlier one read", lambda: opened(earlier, os.O_RDONLY)),
            ("earlier one changed", lambda: overwritten(earlier)),
        ]
    )


@probe("the caches: ours and those of tools")
def caches(targets: Targets) -> str:
    return reached(
        [
            ("ours read", lambda: opened(targets["cached"], os.O_RDONLY)),
            ("ours changed", lambda: overwritten(targets["cached"])),
            ("a tool's read", lambda: opened(targets["tool cache"], os.O_RDONLY)),
            ("a tool's changed", lambda: overwritten(targets["tool cache"])),
        ]
    )


# -- sockets --------------------------------------------------------------------------------------------------------


def spoken_to(address: str | tuple[str, int], family: int = socket.AF_UNIX) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as stream:
        stream.settimeout(5)
        stream.connect(address)
    return True


@probe("sockets in the file system, such as Docker's")
def sockets_in_files(targets: Targets) -> str:
    known = [("planted", targets["socket"]), ("Docker", "/var/run/docker.sock"), ("containerd", targets["containerd"])]
    places = entries("/run/*", "/run/*/*", "/tmp/*", "/tmp/.X11-unix/*", "/var/lib/*/*.sock")
    known += [(path, path) for path in places if stat.S_ISSOCK(os.lstat(path).st_mode)]
    return reached((name, lambda path=path: spoken_to(path)) for name, path in known)


@probe("abstract sockets")
def abstract_sockets(targets: Targets) -> str:
    return reached([("connected", lambda: spoken_to("\0" + targets["abstract"]))])


@probe("the network: TCP, UDP, IPv6, names")
def network_by_address(targets: Targets) -> str:
    def datagram(family: int, address: tuple[str, int]) -> bool:
        with socket.socket(family, socket.SOCK_DGRAM) as stream:
            stream.connect(address)
            return stream.send(b"probe") > 0

    return reached(
        [
            ("TCP", lambda: spoken_to(("127.0.0.1", targets["tcp"]), socket.AF_INET)),
            ("TCP by IPv6", lambda: spoken_to(("::1", targets["tcp6"]), socket.AF_INET6)),
            ("UDP to outside", lambda: datagram(socket.AF_INET, ("192.0.2.53", 53))),
        ]
    )


@probe("the network: TCP, UDP, IPv6, names")
def network_interfaces(targets: Targets) -> str:
    return ", ".join(name for _, name in socket.if_nameindex() if name != "lo" and not name.startswith(IDLE))


IDLE = ("tunl", "gre", "gretap", "erspan", "ip_vti", "ip6_vti", "sit", "ip6tnl", "ip6gre")  # every namespace has them


@probe("the network: TCP, UDP, IPv6, names")
def names_resolved(targets: Targets) -> str:
    with open("/etc/resolv.conf") as stream:
        servers = [line.split()[1] for line in stream if line.startswith("nameserver") and len(line.split()) > 1]

    def asked(server: str) -> bool:
        with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as stream:
            stream.connect((server, 53))
        return not server.startswith("127.")

    return reached((server, lambda server=server: asked(server)) for server in servers)


@probe("sockets below the network: raw, packets, ICMP")
def sockets_below(targets: Targets) -> str:
    def made(family: int, kind: int, protocol: int = 0) -> bool:
        socket.socket(family, kind, protocol).close()
        return True

    return reached(
        [
            ("ICMP", lambda: made(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)),
            ("packets", lambda: made(socket.AF_PACKET, socket.SOCK_RAW)),
            (
                "netfilter",
                lambda: made(socket.AF_NETLINK, socket.SOCK_RAW, 12) and targets["root"] and called_netfilter(),
            ),
        ]
    )


def called_netfilter() -> bool:
    """Whether this user may configure the machine's packet filter, which needs a capability in its namespace."""
    with open("/proc/self/status") as stream:
        effective = next(int(line.split()[1], 16) for line in stream if line.startswith("CapEff"))
    return bool(effective >> 12 & 1)


@probe("sockets to the hypervisor (vsock)")
def sockets_to_the_hypervisor(targets: Targets) -> str:
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
    return "made"


# -- processes ------------------------------------------------------------------------------------------------------


@probe("other processes: seen, signalled, traced, read")
def processes_seen(targets: Targets) -> str:
    canary = targets["process canary"].encode()

    def shown(path: str) -> bool:
        with open(path, "rb") as stream:
            return canary in stream.read(1 << 20)

    return reached((path, lambda path=path: shown(path)) for path in entries("/proc/[0-9]*/cmdline"))


@probe("other processes: seen, signalled, traced, read")
def processes_touched(targets: Targets) -> str:
    pid = targets["process"]

    def memory() -> bool:
        with open(f"/proc/{pid}/maps") as stream:
            address = int(stream.readline().partition("-")[0], 16)
        buffer = ctypes.create_string_buffer(16)
        local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 16)
        far = (ctypes.c_size_t * 2)(address, 16)
        number = [ctypes.c_ulong(value) for value in (1, 1, 0)]
        return call(READ_MEMORY, pid, local, number[0], far, number[1], number[2]) > 0

    return reached(
        [
            ("signalled", lambda: os.kill(pid, 0) is None),
            ("memory read", memory),
            ("traced", lambda: call(PTRACE, 0x4206, pid, 0, 0) == 0),
        ]
    )


@probe("the program's environment variables")
def variables_of_the_program(targets: Targets) -> str:
    def holds(path: str) -> bool:
        with open(path, "rb") as stream:
            return targets["canary"].encode() in stream.read(1 << 20)

    own = [("own", lambda: any(targets["canary"] in value for value in os.environ.values()))]
    return reached([*own, *((path, lambda path=path: holds(path)) for path in entries("/proc/[0-9]*/environ"))])


INHERITED: list[str] = []


@probe("the program's open files")
def open_files_of_the_program(targets: Targets) -> str:
    return ", ".join(INHERITED)


def inherited() -> list[str]:
    """What is open besides the three standard streams when the step starts."""
    links = []
    for number in range(3, 512):
        with contextlib.suppress(OSError):
            os.fstat(number)
            links.append(os.readlink(f"/proc/self/fd/{number}"))
    return links + (["standard input"] if os.read(0, 1) else [])


@probe("the terminal: opened, typed into")
def terminal(targets: Targets) -> str:
    def typed(number: int) -> bool:
        fcntl.ioctl(number, 0x5412, b"#")
        return True

    streams = [(f"stream {number}", lambda number=number: typed(number)) for number in range(3)]
    return reached([("opened", lambda: opened("/dev/tty", os.O_RDWR)), *streams])


@probe("core files")
def core_files(targets: Targets) -> str:
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    return "" if limits == (0, 0) else f"limits {limits}"


# -- the kernel -----------------------------------------------------------------------------------------------------


@probe("settings of the kernel: /proc/sys, /sys")
def settings_of_the_kernel(targets: Targets) -> str:
    named = (
        "kernel/core_pattern",
        "kernel/modprobe",
        "vm/overcommit_memory",
        "net/ipv4/ip_forward",
        "kernel/domainname",
    )
    paths = [f"/proc/sys/{name}" for name in named] + ["/proc/sysrq-trigger", "/proc/sys/fs/binfmt_misc/register"]
    paths += list(entries("/proc/irq/*/smp_affinity"))[:3]
    return reached((path, lambda path=path: opened(path)) for path in paths)


@probe("settings of the kernel: /proc/sys, /sys")
def settings_of_devices(targets: Targets) -> str:
    named = ("kernel/uevent_helper", "power/state", "kernel/mm/transparent_hugepage/enabled")
    groups = entries("/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/*/release_agent", "/sys/fs/cgroup/cgroup.procs")
    parameters = list(entries("/sys/module/*/parameters/*"))[:20]
    paths = [*(f"/sys/{name}" for name in named), *groups, *parameters]
    return reached((path, lambda path=path: opened(path)) for path in paths)


@probe("memory, log and keys of the kernel, devices")
def secrets_of_the_kernel(targets: Targets) -> str:
    def shown(path: str) -> bytes:
        with open(path, "rb") as stream:
            return stream.read(1 << 16)

    named = "kcore timer_list sched_debug slabinfo vmallocinfo pagetypeinfo kpagecount kpageflags kpagecgroup".split()
    paths = [*(f"/proc/{name}" for name in named), "/sys/kernel/debug/tracing/trace"]
    keys = [("keys", lambda: targets["key description"].encode() in shown("/proc/keys"))]
    return reached([*keys, *((path, lambda path=path: shown(path)) for path in paths)])


@probe("memory, log and keys of the kernel, devices")
def devices(targets: Targets) -> str:
    names = "kmsg mem kvm fuse loop-control vsock net/tun vda sda nvme0n1 btrfs-control uinput hwrng".split()
    return reached((name, lambda name=name: opened(f"/dev/{name}", os.O_RDWR)) for name in names)


@probe("memory, log and keys of the kernel, devices")
def devices_made(targets: Targets) -> str:
    path = f"/tmp/device-{os.getpid()}"
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 9))
    try:
        return "read" if opened(path, os.O_RDONLY) else ""
    finally:
        os.unlink(path)


@probe("programs, counters and queues in the kernel (bpf, perf, userfaultfd)")
def programs_in_the_kernel(targets: Targets) -> str:
    counter = (ctypes.c_ubyte * 64)()
    ctypes.cast(counter, ctypes.POINTER(ctypes.c_uint))[0] = 1  # of software
    ctypes.cast(counter, ctypes.POINTER(ctypes.c_uint))[1] = 64
    ctypes.cast(counter, ctypes.POINTER(ctypes.c_ulong))[5] = 0b1100001
    table = (ctypes.c_uint * 32)(2, 4, 4, 1)
    return reached(
        [
            ("bpf", lambda: call(BPF, 0, table, 128)),
            ("perf", lambda: call(PERF, counter, 0, -1, -1, 0)),
            ("userfaultfd", lambda: call(USER_FAULTS, 1)),
        ]
    )


@probe("io_uring")
def queues_in_the_kernel(targets: Targets) -> str:
    return f"descriptor {call(IO_URING, 1, (ctypes.c_ubyte * 120)())}"


@probe("new privileges and namespaces, mounts")
def privileges(targets: Targets) -> str:
    with open("/proc/self/status") as stream:
        status = dict(line.split(":\t", 1) for line in stream.read().splitlines() if ":\t" in line)
    sets = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if status[name].strip("0")]
    gained = [] if status["NoNewPrivs"] == "1" else ["by a program with a set-user-ID bit"]
    root = [("as root", lambda: os.setresuid(0, 0, 0) is None)] if os.getuid() else []
    return ", ".join(filter(None, [*sets, *gained, reached(root)]))


@probe("new privileges and namespaces, mounts")
def namespaces(targets: Targets) -> str:
    def cloned() -> bool:
        arguments = (ctypes.c_ulong * 8)(NEW_USER, 0, 0, 0, signal.SIGCHLD)
        child = call(CLONE3, arguments, 64)
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        return True

    def entered(flag: int) -> bool:
        child = os.fork()
        if child == 0:
            os._exit(0 if libc.unshare(flag) == 0 else 1)
        return os.waitpid(child, 0)[1] == 0

    return reached(
        [
            ("of users", lambda: entered(NEW_USER)),
            ("of mounts", lambda: entered(NEW_MOUNTS)),
            ("by clone3", cloned),
        ]
    )


@probe("new privileges and namespaces, mounts")
def mounts(targets: Targets) -> str:
    folder = f"/tmp/mounted-{os.getpid()}"
    os.mkdir(folder)
    try:
        call(MOUNT, b"probe", folder.encode(), b"tmpfs", ctypes.c_ulong(0), None)
        call(UNMOUNT, folder.encode(), ctypes.c_ulong(2))
    finally:
        os.rmdir(folder)
    return "a file system mounted"


# -- between runs ---------------------------------------------------------------------------------------------------


def key_in(keyring: int, description: str) -> bytes:
    serial = call(KEYCTL, SEARCH, keyring, b"user", description.encode(), 0)
    return key_content(serial)


def key_content(serial: int) -> bytes:
    buffer = ctypes.create_string_buffer(256)
    size = call(KEYCTL, READ_KEY, serial, buffer, ctypes.c_ulong(256))
    return buffer.raw[:size]


def leave_key(keyring: int, description: str, content: bytes) -> int:
    return call(ADD_KEY, b"user", description.encode(), content, ctypes.c_ulong(len(content)), keyring)


@probe("keyrings: keys of yours read, keys left for another run")
def keys_of_the_user(targets: Targets) -> str:
    searched = [
        (name, lambda number=number: key_in(number, targets["key description"])) for name, number in KEYRINGS.items()
    ]
    return reached([*searched, *((str(key), lambda key=key: key_content(key)) for key in targets["keys"])])


@probe("keyrings: keys of yours read, keys left for another run", "next")
def keys_left(targets: Targets) -> str:
    return reached(
        (name, lambda number=number: key_in(number, f"{targets['left']}-{number}")) for name, number in KEYRINGS.items()
    )


def attached(key: int, size: int = 0, flags: int = 0) -> bytes:
    """The content of a segment of System V's shared memory, made first where flags say so."""
    libc.shmat.restype = ctypes.c_void_p
    segment = called(libc.shmget, key, ctypes.c_size_t(size), flags)
    address = libc.shmat(segment, None, 0)
    if flags:
        ctypes.memmove(address, b"left", 4)
    return ctypes.string_at(address, 4)


@probe("shared memory, semaphores, queues: System V, POSIX")
def memory_of_the_user(targets: Targets) -> str:
    return reached(
        [
            ("System V", lambda: attached(targets["shared memory"])),
            ("a queue of System V", lambda: called(libc.msgget, targets["shared memory"], 0) >= 0),
            ("a queue of POSIX", lambda: call(MQ_OPEN, targets["queue"].encode(), os.O_RDWR, 0, None)),
            ("/dev/shm", lambda: opened(f"/dev/shm/{targets['queue']}", os.O_RDWR)),
        ]
    )


@probe("shared memory, semaphores, queues: System V, POSIX", "next")
def memory_left(targets: Targets) -> str:
    return reached(
        [
            ("System V", lambda: attached(targets["left memory"])),
            ("semaphores", lambda: called(libc.semget, targets["left memory"], 1, 0) >= 0),
            ("a queue of System V", lambda: called(libc.msgget, targets["left memory"], 0) >= 0),
            ("a queue of POSIX", lambda: call(MQ_OPEN, targets["left"].encode(), os.O_RDWR, 0, None)),
            ("/dev/shm", lambda: opened(f"/dev/shm/{targets['left']}", os.O_RDONLY)),
        ]
    )


PLACES = ("/tmp", "/var/tmp", "/run", "/dev", "/dev/mqueue", "/run/lock", "/var/lock", "/home", "/root", "/mnt", "/srv")


@probe("files and processes left for another run", "next")
def files_left(targets: Targets) -> str:
    paths = [f"{folder}/{targets['left']}" for folder in (*PLACES, targets["environment"])]
    return reached((path, lambda path=path: opened(path, os.O_RDONLY)) for path in paths)


@probe("files and processes left for another run", "next")
def processes_left(targets: Targets) -> str:
    return reached([("a socket answered", lambda: spoken_to("\0" + targets["left"]))])


def leave(targets: Targets) -> None:
    """Leaves for the next run whatever can be left: files, keys, shared memory, and a process out of any session."""
    name = targets["left"]
    made = os.O_CREAT | os.O_RDWR
    things = [(folder, lambda folder=folder: overwritten(f"{folder}/{name}")) for folder in (*PLACES, "/dev/shm")]
    things.append(("environment", lambda: overwritten(f"{targets['environment']}/{name}")))
    things += [
        (keyring, lambda number=number: leave_key(number, f"{name}-{number}", b"left") > 0)
        for keyring, number in KEYRINGS.items()
    ]
    things += [
        ("memory", lambda: attached(targets["left memory"], 4096, 0o1666)),
        ("semaphores", lambda: called(libc.semget, targets["left memory"], 1, 0o1666)),
        ("messages", lambda: called(libc.msgget, targets["left memory"], 0o1666)),
        ("queue", lambda: call(MQ_OPEN, name.encode(), made, 0o666, None)),
    ]
    reached(things)
    leave_process(targets)


def leave_process(targets: Targets) -> None:
    """A process in a session of its own, whose parent has ended; it listens on an abstract socket."""
    if child := os.fork():
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    quiet = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(quiet, number)
    with contextlib.suppress(OSError):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("\0" + targets["left"])
        listener.listen()
        listener.set_inheritable(True)
    subprocess.run(["sleep", targets["sleep"]], close_fds=False, check=False)
    os._exit(0)


# -- the step -------------------------------------------------------------------------------------------------------


def observe(item: Probe, targets: Targets) -> dict[str, str]:
    """The result of one probe, made in a process of its own: what it reached, or the wall that it met."""
    near, far = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(near)
        signal.alarm(PROBE_S)
        result = {"name": item.name, "reached": "", "wall": ""}
        try:
            result["reached"] = item.attempt(targets)[:1000]
        except OSError as error:
            result["wall"] = errno.errorcode.get(error.errno or 0, str(error))
        except Exception as error:  # noqa: BLE001 - a probe that is broken is a result, which fails the test
            result["broken"] = repr(error)[:1000]
        os.write(far, json.dumps(result).encode())
        os._exit(0)
    os.close(far)
    with os.fdopen(near, "rb") as stream:
        content = stream.read()
    _, status = os.waitpid(child, 0)
    return json.loads(content) if content else {"name": item.name, "reached": "", "wall": f"ended with {status}"}


def main() -> None:
    phase, inputs, output = sys.argv[1:4]
    INHERITED.extend(inherited())
    targets = json.loads(Path("targets.json").read_text())
    targets |= {"inputs": inputs, "inside": os.path.dirname(inputs), "environment": os.path.dirname(sys.executable)}
    for item in PROBES:
        if item.phase == phase:
            sys.stdout.write(f"PROBE {json.dumps(observe(item, targets))}\n")
    if phase == "first":
        leave(targets)
    Path(output).write_text("id,v\n1,2\n")


if __name__ == "__main__":
    main()
