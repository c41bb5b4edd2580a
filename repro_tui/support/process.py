"""Child processes: an explicit environment, a time limit, bounded output, and no orphans."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from repro_tui.model.errors import Inconclusive
from repro_tui.support.cancel import CancelToken
from repro_tui.support.lines import LineCutter

GRACE_S = 5.0
# Names the owner (support.owner) in the environment of our children, by which those of a dead one are found.
OWNER_VARIABLE = "REPRO_TUI_OWNER"


@dataclass(frozen=True, slots=True)
class Completed:
    """How a child ended. `exit_code` is negative for a signal; `output` has the last bytes of both streams."""

    exit_code: int
    output: bytes
    seconds: float
    timed_out: bool = False

    @property
    def text(self) -> str:
        """The output as text; bytes that are not UTF-8 are replaced."""
        return self.output.decode("utf-8", "replace")


def limited(memory: int) -> list[str]:
    """The command prefix that limits a program's address space (in bytes) and disables core dumps."""
    return ["prlimit", f"--as={memory}", "--core=0", "--"]


def tied() -> list[str]:
    """The command prefix by which a child ends with the thread that starts it, even if this process is killed.

    Empty on a machine without setpriv (util-linux), where the next start ends what a killed process left running.
    """
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "KILL", "--"] if program else []


def marked(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child of ours, with the name of its owner."""
    owner = os.environ.get(OWNER_VARIABLE)
    return {**environment, OWNER_VARIABLE: owner} if owner else dict(environment)


def _executable(program: str, environment: Mapping[str, str]) -> None:
    """Raises OSError if there is no such program: `tied` alone would only say so by an exit status."""
    if shutil.which(program, path=environment.get("PATH", os.defpath)) is None:
        number = errno.EACCES if os.path.exists(program) else errno.ENOENT  # noqa: PTH110
        raise OSError(number, os.strerror(number), program)


def query(
    arguments: Sequence[str], *, environment: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Runs a program that answers at once and ends, with its two outputs as text.

    Raises OSError if it cannot be started, and subprocess.TimeoutExpired.
    """
    _executable(arguments[0], environment)
    return subprocess.run(
        [*tied(), *arguments],
        env=marked(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
        start_new_session=True,
    )


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    cancel: CancelToken,
    folder: Path | None = None,
    timeout_s: float | None = None,
    keep: int = 1 << 20,
    on_line: Callable[[str], None] | None = None,
    stdin: IO[bytes] | None = None,
    stop: Callable[[], bool | None] | None = None,
) -> Completed:
    """Runs a child in its own session and waits for it. The child ends with this process, even if it is killed.

    Its standard output and error are read as one stream, of which the last `keep` bytes are kept; each line (cut at
    4 KiB) is passed to `on_line`. At the time limit, when `stop` is true (which also counts as timed out), or when
    cancelled, the whole process group receives TERM and after 5 seconds KILL. `stdin` is its standard input (None:
    empty). `stop` is called several times a second; an error that it raises ends the process too, and is raised. Raises
    Inconclusive if it cannot be started, and Cancelled.
    """
    began = time.monotonic()
    try:
        _executable(arguments[0], environment)
        child = subprocess.Popen(
            [*tied(), *arguments],
            env=marked(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise Inconclusive(
            f"{arguments[0]} could not be started: {error.strerror}",
            "check that it is installed, and that this machine has memory and processes left",
        ) from error
    return attend(child, began, cancel, timeout_s, keep, on_line, stop)


class Child(Protocol):
    """A process in its own group, whose standard output and error are one pipe; such as a Popen."""

    pid: int

    @property
    def stdout(self) -> IO[bytes] | None:
        """The read end of the pipe."""
        ...

    def poll(self) -> int | None:
        """Its exit status (negative: the signal that ended it), or None while it is running."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end, at most `timeout` seconds. Raises subprocess.TimeoutExpired."""
        ...


def attend(
    child: Child,
    began: float,
    cancel: CancelToken,
    timeout_s: float | None = None,
    keep: int = 1 << 20,
    on_line: Callable[[str], None] | None = None,
    stop: Callable[[], bool | None] | None = None,
) -> Completed:
    """Reads a child's output until it ends, or ends it: the second half of `run`, for a child started at `began`."""
    reader = _PipeReader(child, keep, on_line)
    try:
        timed_out = reader.until_end(began, timeout_s, cancel, stop)
    except BaseException:
        end_group(child)
        raise
    finally:
        reader.close()
    return Completed(child.wait(), reader.kept(), time.monotonic() - began, timed_out)


def end_group(child: Child, grace_s: float = GRACE_S) -> None:
    """Ends a child and its whole process group: TERM, then KILL after `grace_s` seconds."""
    _signal_group(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace_s)
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


class _PipeReader:
    """Reads a child's output and keeps only the last `keep` bytes of it (at most twice that in between)."""

    def __init__(self, child: Child, keep: int, on_line: Callable[[str], None] | None) -> None:
        assert child.stdout is not None
        self.child, self.keep = child, keep
        self.lines = LineCutter(on_line) if on_line is not None else None
        self.stream = child.stdout
        self.buffer = bytearray()
        os.set_blocking(self.stream.fileno(), False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.stream, selectors.EVENT_READ)
        self.open = True

    def until_end(
        self,
        began: float,
        timeout_s: float | None,
        cancel: CancelToken,
        stop: Callable[[], bool | None] | None = None,
    ) -> bool:
        """Reads until the child ends; returns whether it was ended at a limit. Raises Cancelled."""
        while self.child.poll() is None:
            if cancel.cancelled:
                end_group(self.child)
                cancel.check()
            late = timeout_s is not None and time.monotonic() - began > timeout_s
            if late or (stop is not None and stop()):
                end_group(self.child)
                self.drain()
                return True
            if self.open:
                if self.selector.select(0.1):
                    self.drain()
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.child.wait(0.05)
        self.drain()
        _signal_group(self.child.pid, signal.SIGKILL)
        return False

    def drain(self) -> None:
        for _ in range(64):
            try:
                chunk = os.read(self.stream.fileno(), 65536)
            except BlockingIOError:
                return
            if not chunk:
                if self.open:
                    self.selector.unregister(self.stream)
                    self.open = False
                return
            self._add(chunk)

    def _add(self, chunk: bytes) -> None:
        self.buffer += chunk
        if len(self.buffer) > 2 * self.keep:
            del self.buffer[: len(self.buffer) - self.keep]
        if self.lines is not None:
            self.lines.add(chunk)

    def kept(self) -> bytes:
        return bytes(self.buffer[-self.keep :]) if self.keep else b""

    def close(self) -> None:
        if self.lines is not None:
            self.lines.finish()
        self.selector.close()
        self.stream.close()
