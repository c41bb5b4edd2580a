"""Every error of the system has a remedy that fits its cause, wherever it is met."""

from __future__ import annotations

import ast
import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import repro_tui
from repro_tui.support.regular import read_regular
from repro_tui.support.space import ROOM
from repro_tui.support.system_errors import system_message, system_remedy

TOO_MANY = """
import resource
from repro_tui.support.system_errors import system_message
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
try:
    files = [open("/dev/null") for _ in range(32)]
except OSError as error:
    print(system_message(error))
"""


def looped(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    (folder / "loop").read_bytes()


def full(folder: Path) -> None:
    handle = os.open("/dev/full", os.O_WRONLY)
    try:
        os.write(handle, b"x")
    finally:
        os.close(handle)


def piped(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    read_regular(folder / "pipe")


def large(folder: Path) -> None:
    (folder / "large").write_bytes(b"12345")
    read_regular(folder / "large", most=4)


# What the system really answers, and what the remedy has to speak of.
REAL: list[tuple[Callable[[Path], object], int, str]] = [
    (lambda folder: (folder / "none").read_bytes(), errno.ENOENT, "correct the path"),
    (lambda folder: folder.read_bytes(), errno.EISDIR, "name a file"),
    (lambda folder: Path("/dev/null/x").read_bytes(), errno.ENOTDIR, "a part of it is a file"),
    (looped, errno.ELOOP, "leads back to itself"),
    (lambda folder: (folder / ("x" * 300)).read_bytes(), errno.ENAMETOOLONG, "shorter path"),
    (full, errno.ENOSPC, ROOM),
    (lambda folder: folder.mkdir(), errno.EEXIST, "move it away"),
    (lambda folder: Path("/proc").rmdir(), errno.EBUSY, "end the program that is using it"),
    (lambda folder: Path("/proc/none").touch(), errno.ENOENT, "correct the path"),
    (lambda folder: subprocess.run([str(folder / "program")], check=False), errno.ENOEXEC, "this machine's processor"),
    (piped, errno.EINVAL, "name a regular file"),
    (large, errno.EFBIG, "smaller file"),
]


@pytest.mark.parametrize(("fault", "number", "remedy"), REAL, ids=[f"{errno.errorcode[n]}-{d[:9]}" for _, n, d in REAL])
def test_a_real_error_names_its_place_and_its_remedy(
    fault: Callable[[Path], object], number: int, remedy: str, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF nothing")
    program.chmod(0o755)
    with pytest.raises(OSError, check=lambda error: error.errno == number) as caught:
        fault(tmp_path)
    assert remedy in system_message(caught.value)
    assert "\n" not in system_message(caught.value)
    assert not caught.value.filename or str(caught.value.filename)[:100] in system_message(caught.value)


def test_too_many_open_files_are_told_with_the_limit() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft > 16
    done = subprocess.run([sys.executable, "-c", TOO_MANY], capture_output=True, text=True, check=True)
    assert "/dev/null: Too many open files: raise the limit on open files (ulimit -n)" in done.stdout


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_number_has_a_remedy_and_a_place(number: int) -> None:
    message = system_message(OSError(number, os.strerror(number), "/x\x1b[2J\ny"))
    assert message.isprintable()
    assert message.startswith("/x\\u{1b}[2J")
    assert len(system_remedy(OSError(number, "x"))) > 10


def test_an_error_without_a_number_or_a_place_has_both_parts() -> None:
    assert system_message(OSError("odd"), "the audit").startswith("the audit: odd: check it")
    assert system_message(OSError(errno.EIO, "Input/output error", b"/\xff")).startswith("/")


# Reasons why something is unknown, which are no errors of an audit: nothing is lost for want of them.
REASONS = ("rebuild/declared/", "compare/projection.py")


def test_every_error_that_ends_a_side_has_a_remedy() -> None:
    root = Path(repro_tui.__file__).parent
    without = []
    for file in root.rglob("*.py"):
        name = file.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Inconclusive"
            if called and isinstance(node, ast.Call) and len(node.args) + len(node.keywords) == 1:
                starred = any(isinstance(argument, ast.Starred) for argument in node.args)
                without += [] if starred or name.startswith(REASONS) else [f"{name}:{node.lineno}"]
    assert not without, without
