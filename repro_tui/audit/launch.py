"""Starts and stops the engine: a process in its own session, which outlives the view that started it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.redaction import hidden_request
from repro_tui.model.errors import Inconclusive
from repro_tui.model.request import Request
from repro_tui.support.control_groups.scope import own_scope
from repro_tui.support.paths import audits_root, make_private
from repro_tui.support.plain import dumps_exactly, to_plain, write_json
from repro_tui.support.redact import Redactor
from repro_tui.support.space import remedy
from repro_tui.support.text import show
from repro_tui.support.user_secrets import learn_accounts

START_S = 20.0
STOP_S = 30.0
LEAST_SPACE = 64 << 10  # bytes that an engine needs for its first lines


def start(request: Request) -> AuditFolder:
    """Creates the audit's folder and starts its engine. The request goes through a pipe: it may hold secret values.

    Raises Refused if the folder cannot be created, and Inconclusive if the engine is not up after START_S seconds.
    """
    path = make_private(audits_root()) / request.id
    path.mkdir(mode=0o700)
    key = os.urandom(32)
    redactor = Redactor(key)
    learn_accounts(redactor)
    hidden = hidden_request(request, redactor)
    write_json(path / "audit.json", redactor.scrub_all(to_plain(hidden)))
    with (path / "engine.log").open("wb") as log:
        engine = subprocess.Popen(
            [*own_scope(request.id), sys.executable, "-P", "-m", "repro_tui.audit.engine", str(path)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    assert engine.stdin is not None
    with contextlib.suppress(BrokenPipeError), engine.stdin:
        engine.stdin.write(key.hex().encode("ascii") + b"\n" + dumps_exactly(request).encode("ascii"))
    folder = AuditFolder(path)
    _wait_until_up(folder, engine)
    return folder


def _wait_until_up(folder: AuditFolder, engine: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while not folder.engine_alive() and folder.state() != "finished":
        if engine.poll() is not None or time.monotonic() > deadline:
            raise _not_started(folder.path)
        time.sleep(0.005)


def _not_started(path: Path) -> Inconclusive:
    """The error for an engine that did not come up. Its log may be empty where the disk is full."""
    is_full = shutil.disk_usage(path).free < LEAST_SPACE
    reason = "the audit's engine did not start" + (f": no space is left on the disk of {path}" if is_full else "")
    return Inconclusive(reason, remedy(reason, f"see {path / 'engine.log'}, and run the audit again"))


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
