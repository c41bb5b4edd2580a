"""Starts and stops the engine: a process in its own session, which outlives the view that started it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from repro_tui.audit.folder import MOST_EARLY_LOG, AuditFolder
from repro_tui.audit.redaction import hidden_request
from repro_tui.model.errors import Inconclusive
from repro_tui.model.request import Request
from repro_tui.support.control_groups.scope import own_scope
from repro_tui.support.paths import audits_root, make_private
from repro_tui.support.plain import dumps_exactly, to_plain, write_json
from repro_tui.support.redact import Redactor
from repro_tui.support.space import full_disk, remedy
from repro_tui.support.text import show
from repro_tui.support.user_secrets import learn_accounts

START_S = 20.0
STOP_S = 30.0


class WaitingEngine:
    """An engine that was started before its request is known: it imports what it needs, and then waits.

    It has done nothing and belongs to no audit until `begin`: if that never comes, it ends.
    """

    def __init__(self) -> None:
        self._log = os.memfd_create("engine.log")  # what it writes before it knows its folder
        name = f"{time.time_ns():x}-{os.urandom(3).hex()}"
        self.process = subprocess.Popen(
            [*own_scope(name), sys.executable, "-P", "-m", "repro_tui.audit.engine"],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
        self.begun = False

    def begin(self, request: Request) -> AuditFolder:
        """Creates the audit's folder and hands the request over, through a pipe: it may hold secret values.

        Raises Refused if the folder cannot be created, and Inconclusive if the engine is not up after START_S seconds.
        """
        path = make_private(audits_root()) / request.id
        path.mkdir(mode=0o700)
        key = os.urandom(32)
        redactor = Redactor(key)
        learn_accounts(redactor)
        hidden = hidden_request(request, redactor)
        write_json(path / "audit.json", redactor.scrub_all(to_plain(hidden)))
        (path / "engine.log").touch()
        assert self.process.stdin is not None
        self.begun = True
        with contextlib.suppress(BrokenPipeError), self.process.stdin as pipe:
            for part in (os.fsencode(path).hex(), key.hex(), dumps_exactly(request)):
                pipe.write(part.encode("ascii") + b"\n")
        folder = AuditFolder(path)
        if not _comes_up(folder, self.process):
            self._keep_log(path / "engine.log")
            raise _not_started(folder)
        return folder

    def _keep_log(self, file: Path) -> None:
        """Keeps what an engine wrote that did not get as far as its own log."""
        with contextlib.suppress(OSError), file.open("ab") as log:
            if not log.tell():
                log.write(os.pread(self._log, MOST_EARLY_LOG, 0))

    def close(self) -> None:
        """Ends an engine that has got no request."""
        os.close(self._log)
        if not self.begun:
            self.process.kill()
            with self.process:
                pass


@contextlib.contextmanager
def waiting_engine() -> Iterator[WaitingEngine]:
    """An engine that gets ready while an audit is planned in the block, and ends with it if it was not begun."""
    engine = WaitingEngine()
    try:
        yield engine
    finally:
        engine.close()


def start(request: Request) -> AuditFolder:
    """Creates the audit's folder and starts an engine for it; see WaitingEngine.begin."""
    with waiting_engine() as engine:
        return engine.begin(request)


def _comes_up(folder: AuditFolder, engine: subprocess.Popen[bytes]) -> bool:
    """Waits until the engine holds its folder, and returns whether it does."""
    deadline = time.monotonic() + START_S
    while not folder.engine_alive() and folder.state() != "finished":
        if engine.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _not_started(folder: AuditFolder) -> Inconclusive:
    """The error for an engine that did not come up. Its log may be empty, as where the disk is full."""
    reason = ": ".join(filter(None, ("the audit's engine did not start", full_disk(folder.path))))
    log = folder.engine_log
    again = f"see {show(str(log), 500)}, and run the audit again" if log else "run the audit again"
    return Inconclusive(reason, remedy(reason, again))


def stop(folder: AuditFolder, signal_number: int = signal.SIGINT) -> None:
    """Signals an audit's engine to stop and waits until it has; after STOP_S seconds it is killed.

    Raises Inconclusive if it is not a process that this user may signal.
    """
    deadline = time.monotonic() + STOP_S
    pid = folder.engine_pid()
    _send(folder, signal_number)
    while folder.engine_alive() or (pid is not None and _is_there(pid)):
        if time.monotonic() > deadline:
            if folder.engine_alive() and folder.engine_pid() is None:
                raise Inconclusive(
                    f"the engine of {show(str(folder.path), 300)} cannot be stopped from here",
                    "stop the audit as the user, and on the machine, that runs it",
                )
            _send(folder, signal.SIGKILL)
        time.sleep(0.02)


def _is_there(pid: int) -> bool:
    """Whether a process is running; a zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _send(folder: AuditFolder, signal_number: int) -> None:
    pid = folder.engine_pid()
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_number)
