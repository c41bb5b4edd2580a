"""Readers of untrusted bytes: forked from a prepared process, limited, and isolated from each other."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from io import FileIO
from pathlib import Path

import pytest

from repro_tui.formats import forked
from repro_tui.formats.child import python_child
from repro_tui.model.errors import Cancelled, Inconclusive
from repro_tui.support.cache import Cache
from repro_tui.support.cancel import CancelToken
from repro_tui.support.process import Completed
from tests.processes import BOUND_S, Process, children_of, process, wait_until, wait_until_gone

GIB = 1 << 30


def read(folder: Path, *arguments: str, cancel: CancelToken | None = None, timeout_s: float = BOUND_S) -> Completed:
    return python_child(
        "tests.formats.readers",
        arguments,
        cache=Cache(folder),
        cancel=cancel or CancelToken(),
        memory=4 * GIB,
        timeout_s=timeout_s,
    )


def forkers() -> list[Process]:
    """The forkers of this process: one, after the first request."""
    return [child for child in children_of(os.getpid()) if child.alive and _is_forker(child.pid)]


def _is_forker(pid: int) -> bool:
    try:
        folder = Path("/proc") / str(pid)
        parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        return parent == str(os.getpid()) and b"repro_tui.formats.forked" in (folder / "cmdline").read_bytes()
    except OSError:
        return False


def waiting(folder: Path) -> Process:
    """The reader that was told to wait, as soon as it waits."""
    place = folder / "reader"
    wait_until(lambda: place.is_file() and place.read_text() != "", "a reader that waits")
    return process(int(place.read_text()))


def test_a_reader_leaves_nothing_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "c4n4ry")
    assert read(tmp_path, "leave").exit_code == 0
    first, second = read(tmp_path, "look"), read(tmp_path, "look")
    names = ["HOME", "LC_ALL", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH", "PYTHONPATH"]
    assert first.text == f"{names} False ['0', '1', '2', '3'] True\n"  # 3 is the folder that it looks into
    assert second.text == first.text


def test_all_readers_are_forked_from_one_process(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda number: read(tmp_path, "end", str(number)), range(64)))
    assert [completed.exit_code for completed in done] == list(range(64))
    (forker,) = forkers()
    assert children_of(forker.pid) == []
    read(tmp_path, "end", "0")
    assert forkers() == [forker]


def test_what_a_reader_says_is_bounded_and_its_failure_told(tmp_path: Path) -> None:
    assert read(tmp_path, "say", str(1 << 20)).output == b"x" * ((1 << 16) - 1) + b"\n"
    failed = read(tmp_path, "fail")
    assert (failed.exit_code, failed.text.splitlines()[-1]) == (70, "ValueError: the table is no table")


def test_a_reader_is_ended_at_its_limit_and_when_cancelled(tmp_path: Path) -> None:
    read(tmp_path, "end", "0")
    limit = 1.0
    while not (tmp_path / "reader").is_file():  # a busy machine may take longer to get there
        done = read(tmp_path, "wait", str(tmp_path / "reader"), timeout_s=limit)
        assert done.timed_out
        limit *= 2
    assert not waiting(tmp_path).alive
    (tmp_path / "reader").unlink()
    cancel = CancelToken()
    watch = threading.Thread(target=lambda: (waiting(tmp_path), cancel.cancel()))
    watch.start()
    with pytest.raises(Cancelled):
        read(tmp_path, "wait", str(tmp_path / "reader"), cancel=cancel)
    watch.join()
    assert not waiting(tmp_path).alive


def test_a_reader_whose_forker_is_killed_is_lost_and_the_next_is_not(tmp_path: Path) -> None:
    read(tmp_path, "end", "0")
    (forker,) = forkers()
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(read, tmp_path, "wait", str(tmp_path / "reader"))
        reader = waiting(tmp_path)
        forker.send(signal.SIGKILL)
        assert lost.result(BOUND_S).exit_code == -signal.SIGKILL
    wait_until_gone([reader])
    assert read(tmp_path, "end", "7").exit_code == 7
    assert forkers() != [forker]


def no_forker() -> None:
    """Kills the forker; the next request starts a new one."""
    for forker in forkers():
        forker.send(signal.SIGKILL)
        wait_until_gone([forker])


def script(folder: Path, lines: str) -> str:
    """A shell script in place of Python."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return str(path)


def late(go: Path) -> str:
    """A Python that starts as soon as a file exists."""
    return f'while ! test -e {go}; do sleep 0.02; done; exec {sys.executable} "$@"'


def asking(folder: Path, python: str = sys.executable) -> subprocess.Popen[bytes]:
    """A program that starts a waiting reader, with this Python as its forker."""
    code = "import sys, pathlib; from tests.formats.test_child import read; here, sys.executable = sys.argv[1:]; "
    code += "read(pathlib.Path(here), 'wait', f'{here}/reader')"
    return subprocess.Popen([sys.executable, "-c", code, str(folder), python])


@pytest.mark.parametrize("error_output", ["no module named pyarrow", ""])
def test_what_keeps_readers_from_being_forked_is_told(
    error_output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_forker()
    monkeypatch.setattr(sys, "executable", script(tmp_path, f"echo '{error_output}' >&2; exit 1"))
    with pytest.raises(Inconclusive, match=f"could not be started: {error_output or 'it ended without any output'}"):
        read(tmp_path, "end", "0")
    monkeypatch.undo()
    assert read(tmp_path, "end", "3").exit_code == 3


def test_a_reader_that_is_not_there_yet_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its request is pending: the reader is killed as soon as it is forked, since its caller is gone."""
    no_forker()
    go = tmp_path / "go"
    monkeypatch.setattr(sys, "executable", script(tmp_path, late(go)))
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        read(tmp_path, "wait", str(tmp_path / "reader"), cancel=cancel)
    go.touch()
    assert read(tmp_path, "end", "3").exit_code == 3  # it is asked after the other
    (forker,) = forkers()
    wait_until_gone(children_of(forker.pid))


def test_a_reader_that_is_not_there_in_time_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_forker()
    monkeypatch.setattr(sys, "executable", script(tmp_path, "exec sleep 600"))
    with pytest.raises(Inconclusive, match="it took longer than the time limit for reading"):
        read(tmp_path, "end", "0", timeout_s=0.5)
    for child in children_of(os.getpid()):
        if Path(f"/proc/{child.pid}/cmdline").read_bytes().startswith(b"sleep\x00600"):
            child.send(signal.SIGKILL)
            wait_until_gone([child])
    monkeypatch.undo()
    assert read(tmp_path, "end", "3").exit_code == 3


def test_readers_are_asked_with_a_thousand_open_files(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 4096:
        pytest.skip("no more than 4,096 files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    try:
        with ExitStack() as files:
            for _ in range(1_100):
                files.enter_context(Path(os.devnull).open("rb"))
            assert read(tmp_path, "end", "5").exit_code == 5
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_program_that_dies_while_it_asks_leaves_no_reader(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with asking(tmp_path, script(tmp_path, late(go))) as program:
        wait_until(lambda: children_of(program.pid), "a forker")
        (forker, *_) = children_of(program.pid)
        program.kill()
    go.touch()
    wait_until_gone([forker])
    place = tmp_path / "reader"
    if place.is_file():
        wait_until_gone([process(int(place.read_text()))])


def test_readers_end_with_the_program_that_asked(tmp_path: Path) -> None:
    with asking(tmp_path) as program:
        reader = waiting(tmp_path)
        program.kill()
    wait_until_gone([reader])


class Forking:
    """The forker's loop in this process, with requests sent over a socket as the program sends them."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.theirs = theirs
        self.before = signal.getsignal(signal.SIGCHLD), signal.set_wakeup_fd(-1)
        self.loop = forked._Forker(theirs)

    def ask(self, message: bytes, pipes: int = 2) -> tuple[FileIO, FileIO]:
        (output, output_end), (status_pipe, status_end) = os.pipe(), os.pipe()
        socket.send_fds(self.ours, [message], [output_end, status_end][:pipes])
        for end in (output_end, status_end):
            os.close(end)
        return FileIO(output), FileIO(status_pipe)

    def close(self) -> None:
        signal.set_wakeup_fd(self.before[1])
        signal.signal(signal.SIGCHLD, self.before[0])
        for end in (self.ours, self.theirs):
            end.close()


@pytest.fixture
def forking() -> Iterator[Forking]:
    harness = Forking()
    yield harness
    harness.close()


def question(*arguments: str) -> bytes:
    request = {"module": "tests.formats.readers", "arguments": arguments, "memory": 64 * GIB, "home": "/"}
    return json.dumps(request).encode()


def test_a_forker_tells_who_reads_and_how_it_ended(forking: Forking) -> None:
    output, status_pipe = forking.ask(question("end", "9"))
    with output, status_pipe:
        assert forking.loop.serve()
        (reader,) = forking.loop.readers
        while forking.loop.readers:
            forking.loop.serve()
        numbers = [forked.NUMBER.unpack(status_pipe.read(forked.NUMBER.size))[0] for _ in range(2)]
        assert numbers == [reader, 9]
        assert status_pipe.read(1) == output.read(1) == b""
    forking.ours.close()
    assert not forking.loop.serve()


def test_a_forker_kills_what_nobody_waits_for(forking: Forking, tmp_path: Path) -> None:
    for way in ("gone", "end"):
        output, status_pipe = forking.ask(question("wait", str(tmp_path / way)))
        forking.loop.serve()
        (reader,) = map(process, forking.loop.readers)
        output.close()
        status_pipe.close()
        if way == "end":
            forking.loop.kill_readers()
        while forking.loop.readers:
            forking.loop.serve()
        assert not reader.alive


def test_a_question_that_cannot_be_understood_costs_no_other(forking: Forking, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    for message, pipes in ((b"no JSON", 2), (question("end", "0"), 1)):
        output, status_pipe = forking.ask(message, pipes)
        with output, status_pipe:
            assert forking.loop.serve()
            assert status_pipe.read(1) == output.read(1) == b""
    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", none_left)
        output, status_pipe = forking.ask(question("end", "0"))
        with output, status_pipe:
            assert forking.loop.serve()
            assert (status_pipe.read(1), output.read(99)) == (b"", b"Resource temporarily unavailable")
    output, status_pipe = forking.ask(question("end", "0"))
    with output, status_pipe:
        forking.loop.serve()
        assert len(forking.loop.readers) == 1
        while forking.loop.readers:
            forking.loop.serve()
