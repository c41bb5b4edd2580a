"""The engine process: `python -m repro_tui.audit.engine`, with its folder and its request on standard input.

It is started while the audit is still being planned, and imports meanwhile what it needs before the first run. If it
gets no request, it ends. It writes only to the audit's folder and the cache; its standard output and error go to the
folder's engine.log.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import sys
from importlib import import_module
from pathlib import Path
from types import FrameType

from repro_tui.audit.folder import MOST_EARLY_LOG, AuditFolder, engine_lock
from repro_tui.audit.journal import Journal
from repro_tui.audit.lost import dead_report
from repro_tui.audit.pipeline import Audit, warm_up
from repro_tui.audit.redacted_output import redact_output
from repro_tui.audit.redaction import learn_records
from repro_tui.evidence.manifest import write_manifest
from repro_tui.execute.reap import hold_lease, reap
from repro_tui.model.errors import Cancelled, Inconclusive, ReproError
from repro_tui.model.event import Event
from repro_tui.model.report import Report
from repro_tui.model.request import Request
from repro_tui.support.cache import Cache
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.isolation import try_early
from repro_tui.support.paths import cache_root
from repro_tui.support.plain import from_plain, to_plain, write_json
from repro_tui.support.process import OWNER_VARIABLE
from repro_tui.support.redact import Redactor
from repro_tui.support.registry import names
from repro_tui.support.system_errors import system_message
from repro_tui.support.user_secrets import learn_accounts

# What nearly every audit needs before its first run; whatever is imported here is not waited for later.
_EARLY = (
    "repro_tui.rebuild.declared.side",
    "repro_tui.rebuild.workspace",
    "repro_tui.rebuild.environments.requirements",
    "repro_tui.compare.declared",
    "repro_tui.compare.environment",
    "repro_tui.compare.parameters",
    "repro_tui.compare.data_rows",
    "repro_tui.execute.choose",
    "repro_tui.execute.local",
    "repro_tui.formats.normalise",
    "repro_tui.gate.judge",
    "repro_tui.report.summary",
    "git.cmd",
)


def main() -> int:
    """Runs the audit that is requested on standard input; returns its exit status (0 if none is)."""
    os.umask(0o022)
    _get_ready()
    place, *rest = sys.stdin.buffer.read().split(b"\n", 2)
    if len(rest) < 2 or not rest[1].endswith(b"\n"):
        return 0  # planning ended without a request
    key, text = rest
    folder = Path(os.fsdecode(bytes.fromhex(place.decode("ascii"))))
    _write_to(folder / "engine.log")
    with engine_lock(folder):
        request = from_plain(Request, json.loads(text))
        redactor = Redactor(bytes.fromhex(key.decode("ascii")))
        learn_accounts(redactor)
        learn_records((request.a, request.b), redactor)
        redact_output(redactor)
        status = _audit(folder, request, redactor)
        _seal(folder)
        return status


def _seal(folder: Path) -> None:
    """Writes the manifest of the folder, to which nothing is written any more. A full disk leaves it without one."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    for handle in (1, 2):
        os.dup2(nowhere, handle)
    os.close(nowhere)
    with contextlib.suppress(OSError, Inconclusive):
        write_manifest(folder)


def _get_ready() -> None:
    """Imports what is needed before the first run, and then what is needed after it, until there is a request."""
    for name in _EARLY:
        with contextlib.suppress(ImportError):  # of git, where that is not installed: who needs it reports that
            import_module(name)
    names("repro_tui.sources")  # it reads what all installed packages register
    warm_up(until=lambda: bool(select.select([0], [], [], 0)[0]))


def _write_to(log: Path) -> None:
    """Standard output and error go to this file from now on; what was written before comes first."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with contextlib.suppress(OSError):  # of a pipe, which cannot be read back
        os.write(file, os.pread(1, MOST_EARLY_LOG, 0))
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)


def _audit(folder: Path, request: Request, redactor: Redactor) -> int:
    cancel = CancelToken()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: _stop(cancel, received, _))
    signal.signal(signal.SIGHUP, lambda *_: None)  # a lost terminal; SIG_IGN would be inherited by predict steps
    journal = Journal(folder / "journal.jsonl", redactor)
    try:
        journal.emit(
            Event(
                "audit",
                text=f"{request.b.name} against {request.a.name}"
                if request.verify
                else f"{request.a.name} against {request.b.name}",
                detail={"id": request.id},
            )
        )
        context = Context(
            cache=Cache(cache_root()),
            cancel=cancel,
            emit=journal.emit,
            settings=request.settings,
            here=Path(request.here or "/"),
            folder=folder,
            audit_id=request.id,
            redactor=redactor,
        )
        context.cache.notify = lambda text: journal.emit(Event("warning", text=text))
        report = _run(request, context, folder)
        write_json(folder / "report.json", redactor.scrub_all(to_plain(report)))
        journal.emit(Event("end", detail={"exit_status": report.exit_status, "verdict": report.verdict}))
        return report.exit_status
    except Exception as error:
        status = error.exit_status if isinstance(error, ReproError) else 3
        journal.emit(Event("end", text=_error_text(error), detail={"exit_status": status, "verdict": None}))
        if isinstance(error, Cancelled):
            return status
        with contextlib.suppress(OSError):  # the disk may be full: then whoever follows the audit reports its end
            write_json(folder / "report.json", dead_report(AuditFolder(folder)))
        raise
    finally:
        journal.close()


def _run(request: Request, context: Context, folder: Path) -> Report:
    os.environ[OWNER_VARIABLE] = context.cache.owner.name
    context.cache.owner.note(folder=folder)
    try_early(request.settings)
    reap(context)
    with hold_lease(context):
        if request.verify:
            from repro_tui.audit.verify import Verification

            return Verification(request, context, folder).run()
        return Audit(request, context, folder).run()


def _stop(cancel: CancelToken, number: int, frame: FrameType | None) -> None:
    cancel.cancel(number)


def _error_text(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        place = error.filename2 or error.filename or "the audit"
        return f"no space is left for {place}: free up space on the disk and run the audit again"
    if isinstance(error, OSError):
        return system_message(error, "the audit")
    return str(error) if isinstance(error, ReproError) else f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
