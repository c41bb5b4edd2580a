"""The system calls that a run or a build in a sandbox may not make, as a seccomp filter.

They reach what namespaces do not separate: keyrings, other processes' memory, the kernel's own programs and counters,
and sockets between virtual machines; or they would undo the namespaces. The filter is a list of what is denied, so
that a program meets nothing unusual otherwise: threads, processes, shared memory and local sockets are not touched.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterator
from typing import Any

# Denied with EPERM: the number on x86_64, and on aarch64.
DENIED = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setns": (308, 268),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
# Answered as unknown to the kernel, so that programs use the older call; a filter cannot see the flags of clone3.
UNKNOWN = {
    "clone3": (435, 435),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
}
_CLONE, _IOCTL, _SOCKET, _SOCKETPAIR = (56, 220), (16, 29), (41, 198), (53, 199)
NAMESPACE_FLAGS = tuple(1 << bit for bit in (17, 25, 26, 27, 28, 29, 30))  # CLONE_NEWNS … CLONE_NEWNET
TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX type into a terminal
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK: a network namespace holds what they reach

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column of the table, and AUDIT_ARCH
_X32 = 0x40000000  # the system calls of the x32 ABI have numbers from here on
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; the machines are little-endian


def number(name: str) -> int | None:
    """The number of a system call of the table on this machine; None where the table does not have this machine."""
    column, _ = _ARCHITECTURES.get(platform.machine(), (None, 0))
    return None if column is None else DENIED[name][column]


def filter_program() -> bytes:
    """The filter as a program for the kernel (an array of struct sock_filter); empty where it has no such machine.

    Calls of another architecture, such as those of 32-bit programs, are answered as unknown.
    """
    column, architecture = _ARCHITECTURES.get(platform.machine(), (None, 0))
    if column is None:
        return b""
    unknown = _answer(errno.ENOSYS)
    program = _load(_ARCHITECTURE) + _step(_EQUAL, architecture, 1, 0) + unknown + _load(_NUMBER)
    if column == 0:
        program += _step(_AT_LEAST, _X32, 0, 1) + unknown
    for calls, code in ((DENIED, errno.EPERM), (UNKNOWN, errno.ENOSYS)):
        for numbers in calls.values():
            program += _step(_EQUAL, numbers[column], 0, 1) + _answer(code)
    for numbers, block in _by_argument():
        program += _step(_EQUAL, numbers[column], 0, len(block) // 8) + block
    return program + _step(_RETURN, _ALLOW)


def _by_argument() -> Iterator[tuple[tuple[int, int], bytes]]:
    """The calls that are denied for some arguments only, each with the block that answers it."""
    allow, denied = _step(_RETURN, _ALLOW), _answer(errno.EPERM)
    yield _CLONE, _load(_ARGUMENTS) + _step(_ANY_BIT, sum(NAMESPACE_FLAGS), 0, 1) + denied + allow
    requests = b"".join(_step(_EQUAL, request, 0, 1) + denied for request in TERMINAL_INPUT)
    yield _IOCTL, _load(_ARGUMENTS + 8) + requests + allow
    families = b"".join(_step(_EQUAL, family, 0, 1) + allow for family in FAMILIES)
    for numbers in (_SOCKET, _SOCKETPAIR):
        yield numbers, _load(_ARGUMENTS) + families + _answer(errno.EAFNOSUPPORT)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _load(offset: int) -> bytes:
    return _step(_LOAD, offset)


def _answer(code: int) -> bytes:
    return _step(_RETURN, _ERROR | code)


def profile() -> dict[str, Any]:
    """The same filter as a profile for Apptainer, which answers every call that it denies with EPERM.

    A call that would be traced is answered as unknown, since nothing can trace it.
    """
    rules = [_rule(list(DENIED)), _rule(list(UNKNOWN), action="SCMP_ACT_TRACE")]
    rules += [_rule(["clone"], 0, "SCMP_CMP_MASKED_EQ", flag, flag) for flag in NAMESPACE_FLAGS]
    rules += [_rule(["ioctl"], 1, "SCMP_CMP_MASKED_EQ", 0xFFFFFFFF, request) for request in TERMINAL_INPUT]
    sockets, others = ["socket", "socketpair"], set(range(max(FAMILIES))) - set(FAMILIES)
    rules += [_rule(sockets, 0, "SCMP_CMP_EQ", family) for family in sorted(others)]
    rules.append(_rule(sockets, 0, "SCMP_CMP_GT", max(FAMILIES)))
    architectures = [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
    ]
    return {"defaultAction": "SCMP_ACT_ALLOW", "archMap": architectures, "syscalls": rules}


def _rule(
    names: list[str],
    index: int | None = None,
    comparison: str = "",
    value: int = 0,
    second: int = 0,
    action: str = "SCMP_ACT_ERRNO",
) -> dict[str, Any]:
    arguments = [] if index is None else [{"index": index, "value": value, "valueTwo": second, "op": comparison}]
    return {"names": names, "action": action, "args": arguments}
