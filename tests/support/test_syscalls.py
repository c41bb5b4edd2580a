"""The filter of system calls: its numbers, its program for each processor, and real calls under it."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import json
import platform
import struct
import sys
import uuid
from pathlib import Path

import pytest

from repro_tui.model.run import IsolationKind
from repro_tui.support import syscalls
from repro_tui.support.cancel import CancelToken
from repro_tui.support.isolation import failure, inside, sandboxed, with_fresh_keyring
from repro_tui.support.process import Completed, run
from tests.conftest import need

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOWED = 0
KINDS: tuple[IsolationKind, ...] = ("bubblewrap", "namespace")
BY_ARGUMENT = {"clone": (56, 220), "ioctl": (16, 29), "socket": (41, 198), "socketpair": (53, 199)}


def answer(program: bytes, number: int, architecture: int, *arguments: int) -> int:
    """What the filter answers to a call, as the kernel would work it out: an errno, or 0 where it is allowed."""
    content = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    place = accumulator = 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("<HBBI", program, place * 8)
        place += 1
        if code == 0x06:
            return ALLOWED if value == 0x7FFF0000 else value & 0xFFFF
        if code == 0x20:
            accumulator = struct.unpack_from("<I", content, value)[0]
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            place += if_true if holds else if_false


@pytest.fixture(params=list(ARCHITECTURES))
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(platform, "machine", lambda: request.param)
    return str(request.param)


def test_the_numbers_are_those_of_the_kernel(machine: str) -> None:
    """libseccomp has the kernel's own tables of every processor."""
    place = ctypes.util.find_library("seccomp")
    if place is None:
        pytest.skip("libseccomp is not installed")
    resolve = ctypes.CDLL(place).seccomp_syscall_resolve_name_arch
    tables = syscalls.DENIED | syscalls.UNKNOWN | BY_ARGUMENT
    numbers = {name: pair[list(ARCHITECTURES).index(machine)] for name, pair in tables.items()}
    known = {name: resolve(ctypes.c_uint32(ARCHITECTURES[machine]), name.encode()) for name in numbers}
    absent = {name for name, number in known.items() if number == -1}  # of a library older than the call
    assert {name: number for name, number in numbers.items() if name not in absent} == {
        name: number for name, number in known.items() if name not in absent
    }
    assert len(absent) < 5


def test_every_call_has_its_answer(machine: str) -> None:
    program, column, architecture = (
        syscalls.filter_program(),
        list(ARCHITECTURES).index(machine),
        ARCHITECTURES[machine],
    )
    expected = {pair[column]: errno.EPERM for pair in syscalls.DENIED.values()}
    expected |= {pair[column]: errno.ENOSYS for pair in syscalls.UNKNOWN.values()}
    expected |= {BY_ARGUMENT[name][column]: errno.EAFNOSUPPORT for name in ("socket", "socketpair")}  # of family 0
    answers = {number: answer(program, number, architecture) for number in range(600)}
    assert {number: code for number, code in answers.items() if code} == expected


def test_some_calls_are_denied_for_some_arguments(machine: str) -> None:
    program, column, architecture = (
        syscalls.filter_program(),
        list(ARCHITECTURES).index(machine),
        ARCHITECTURES[machine],
    )

    def answered(name: str, *arguments: int) -> int:
        return answer(program, BY_ARGUMENT[name][column], architecture, *arguments)

    thread = 0x3D0F00  # the flags of a thread
    assert answered("clone", thread) == answered("clone", 17) == ALLOWED
    assert {answered("clone", thread | flag) for flag in syscalls.NAMESPACE_FLAGS} == {errno.EPERM}
    assert answered("ioctl", 0, 0x5401) == ALLOWED
    typed = {answered("ioctl", 0, request | high) for request in (0x5412, 0x541C) for high in (0, 1 << 32)}
    assert typed == {errno.EPERM}
    allowed = {family for family in range(64) if answered("socket", family, 1) == ALLOWED}
    assert allowed == {1, 2, 10, 16}


def test_other_architectures_are_answered_as_unknown(machine: str) -> None:
    program = syscalls.filter_program()
    assert answer(program, 1, 0x40000003) == errno.ENOSYS  # of 32-bit programs
    if machine == "x86_64":
        assert answer(program, 0x40000001, ARCHITECTURES[machine]) == errno.ENOSYS  # of the ABI x32


def test_an_unknown_processor_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    assert syscalls.filter_program() == b""
    assert syscalls.number("keyctl") is None


SEARCH = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(int(sys.argv[1]), 10, -3, b"user", sys.argv[2].encode(), 0), ctypes.get_errno())
"""


def test_a_child_has_a_session_keyring_of_its_own() -> None:
    """Shown without the filter, which would hide it: Apptainer's is only in force inside the container."""
    column = list(ARCHITECTURES).index(platform.machine())
    add_key, keyctl = (syscalls.DENIED[name][column] for name in ("add_key", "keyctl"))
    libc, name = ctypes.CDLL(None, use_errno=True), f"repro-tui-test-{uuid.uuid4()}"
    key = libc.syscall(add_key, b"user", name.encode(), b"secret", ctypes.c_size_t(6), -3)
    if key < 0:
        pytest.skip("this machine has no keyrings")
    search = [sys.executable, "-c", SEARCH, str(keyctl), name]
    try:
        outputs = [
            run([*prefix, *search], environment={}, cancel=CancelToken(), timeout_s=60).text.split()
            for prefix in ([], with_fresh_keyring())
        ]
    finally:
        libc.syscall(keyctl, 3, key)  # revokes it
    assert outputs == [[str(key), "0"], ["-1", str(errno.ENOKEY)]]


# -- in a sandbox ---------------------------------------------------------------------------------------------------


def run_python(kind: IsolationKind, program: str, *arguments: str) -> Completed:
    """Runs a program of Python in a sandbox with the interpreter of the tests."""
    need("bubblewrap", not failure(kind), failure(kind))
    roots = dict.fromkeys([sys.prefix, str(Path(sys.base_prefix).resolve())])
    mounts = [(root, root, False) for root in roots if not root.startswith("/usr")]
    command = [sys.executable, "-c", program, *arguments]
    started = [*sandboxed(kind, mounts), *inside({"PATH": "/usr/bin:/bin"}, "/tmp", command)]
    return run(started, environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, cancel=CancelToken(), timeout_s=120)


CALLS = """
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
answers = {}
for name, number in json.loads(sys.argv[1]).items():
    ctypes.set_errno(0)
    libc.syscall(number, -1, 0, 0, 0, 0, 0)
    answers[name] = ctypes.get_errno()
print(json.dumps(answers))
"""
WORK = """
import asyncio, ctypes, multiprocessing, os, signal, socket, sqlite3, subprocess, tempfile, threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import shared_memory

import numpy

def double(value):
    return 2 * value

assert list(ThreadPoolExecutor(4).map(double, range(9))) == list(range(0, 18, 2))
for method in ("fork", "spawn", "forkserver"):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        assert sum(pool.map(abs, range(9))) == 36, method
with multiprocessing.Manager() as manager:  # a server on a local socket
    shared = manager.dict(a=1)
    assert shared["a"] == 1
memory = shared_memory.SharedMemory(create=True, size=1 << 20)
memory.buf[0] = 7
memory.close(); memory.unlink()
numpy.linalg.svd(numpy.random.default_rng(1).normal(size=(200, 200)))
assert subprocess.run(["sh", "-c", "echo $$ | cat"], capture_output=True).stdout

async def echo(reader, writer):
    writer.write(await reader.readline()); await writer.drain(); writer.close()

async def talk():
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        server = await asyncio.start_server(echo, address, 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.write(b"hello\\n")
        assert await reader.readline() == b"hello\\n"
        writer.close(); server.close()

asyncio.run(talk())
near, far = socket.socketpair()
near.send(b"x"); assert far.recv(1) == b"x"
with tempfile.TemporaryDirectory() as folder:
    sqlite3.connect(folder + "/x.db").execute("create table t (a)")
main, _ = os.openpty()
child = os.fork()
if child == 0:
    os.abort()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGABRT
assert ctypes.CDLL(None).pthread_self
print("all of it works")
"""


@pytest.mark.parametrize("kind", KINDS)
def test_real_calls_are_denied(kind: IsolationKind) -> None:
    column = list(ARCHITECTURES).index(platform.machine())
    tables = ((syscalls.DENIED, errno.EPERM), (syscalls.UNKNOWN, errno.ENOSYS))
    numbers = {name: pair[column] for table, _ in tables for name, pair in table.items()}
    done = run_python(kind, CALLS, json.dumps(numbers))
    assert done.exit_code == 0, done.text
    assert json.loads(done.text) == {name: code for table, code in tables for name in table}


@pytest.mark.parametrize("kind", KINDS)
def test_what_programs_need_works(kind: IsolationKind) -> None:
    done = run_python(kind, WORK)
    assert done.text == "all of it works\n"
