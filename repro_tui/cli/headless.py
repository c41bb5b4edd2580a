"""Follows an audit without the interface: progress goes to standard error, reports go where they were requested."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, TextIO

import click

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.follow import follow_events, how_it_died
from repro_tui.audit.launch import stop
from repro_tui.cli.progress import Progress, progress_for
from repro_tui.model.errors import Cancelled, Inconclusive, PluginFailed, ReproError
from repro_tui.report.write import ATTEST, ReportTarget, write_report
from repro_tui.support.plugins import output_to_errors
from repro_tui.support.registry import is_third_party
from repro_tui.support.system_errors import system_reason, system_remedy
from repro_tui.support.text import show, show_lines

if TYPE_CHECKING:
    from repro_tui.model.report import Report


def run_headless(
    start: Callable[[], AuditFolder],
    references: tuple[str, str],
    targets: Sequence[ReportTarget],
    *,
    quiet: bool,
) -> int:
    """Starts an audit of the references and follows it; returns the exit status.

    Where there is no audit, because a plug-in or this program failed or the disk is full, the report is one of that.
    Raises Refused, Cancelled and click.ClickException.
    """
    try:
        with output_to_errors():
            folder = start()
    except PluginFailed as error:
        from repro_tui.audit.lost import unstarted_report

        return finish(unstarted_report(references, error), targets, quiet=quiet)
    except (OSError, Inconclusive) as error:
        from repro_tui.audit.lost import unstarted_report

        reason = error if isinstance(error, Inconclusive) else _reason(error)
        print(f"repro-tui: {show(str(reason))}", file=sys.stderr)
        _write_all(unstarted_report(references, reason), targets)
        return 3
    except Exception as error:
        if isinstance(error, ReproError | click.ClickException):
            raise
        return _end_unexpectedly(references, error, targets)
    return follow(folder, targets, quiet=quiet)


def _end_unexpectedly(references: tuple[str, str], error: Exception, targets: Sequence[ReportTarget]) -> int:
    """Reports a fault of this program, with its traceback: ending as Python does, with 1, would mean a difference."""
    from repro_tui.audit.lost import unstarted_report

    print("\n".join(show_lines("".join(traceback.format_exception(error)))), file=sys.stderr)
    reason = Inconclusive(
        f"the audit cannot be started: {type(error).__name__}: {show(str(error), 1000)}", "report this"
    )
    _write_all(unstarted_report(references, reason), targets)
    return 3


def _reason(error: OSError) -> Inconclusive:
    return Inconclusive(system_reason(error, "the audit cannot be started"), system_remedy(error))


def follow(folder: AuditFolder, targets: Sequence[ReportTarget], *, quiet: bool) -> int:
    """Waits for an audit, writes its reports, prints its summary, and returns the exit status.

    A signal stops the audit, whose engine removes what it started; but a lost terminal leaves the audit to its engine,
    and its files to a process of their own. The status is then 128 plus the signal's number. Where the engine ended
    without a report, the requested files have one of that.
    """
    terminals = [stream for stream in (sys.stdout, sys.stderr) if stream.isatty()]
    with _signals() as received:
        try:
            with progress_for(quiet) as progress:
                _wait(folder, progress, received)
        except (Cancelled, OSError) as error:
            number = received[0] if received else signal.SIGHUP
            if isinstance(error, OSError) and error.errno != errno.EIO:  # that is of a terminal that is gone
                raise
            if number == signal.SIGHUP:
                _leave(folder, targets, terminals)
            else:
                stop(folder, number)
            return 128 + number
    report = folder.report()
    if report is None:
        status = _explain_death(folder)
        if status == 3:
            from repro_tui.audit.lost import dead_report

            _write_all(dead_report(folder), targets)
        return status
    return finish(report, targets, quiet=quiet, folder=folder)


def _leave(folder: AuditFolder, targets: Sequence[ReportTarget], terminals: list[TextIO]) -> None:
    """Lets go of the terminals, which are gone, and starts a process that waits for the audit and writes its files."""
    for stream in terminals:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if not targets:
        return
    rest = {"folder": str(folder.path), "targets": [astuple(target) for target in targets]}
    subprocess.Popen(
        [sys.executable, "-P", "-m", "repro_tui.cli.detached", json.dumps(rest)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finish(report: Report, targets: Sequence[ReportTarget], *, quiet: bool, folder: AuditFolder | None = None) -> int:
    """Writes a report's formats and prints its summary; returns the report's exit status, or 3 where one failed.

    `folder` is that of the audit, which a signature is put into.

    The summary goes to standard output where no report was requested, and to standard error where one was. The formats
    of other packages are written first, so that ours say which of them failed.
    """
    failures = []
    keys, targets = _split(targets)
    for target in sorted(targets, key=lambda target: not is_third_party("repro_tui.reporters", target.reporter)):
        if reason := _write(report, target):
            print(f"repro-tui: {reason}", file=sys.stderr)
            failures.append(reason)
            report = replace(report, exit_status=3, warnings=(*report.warnings, reason))
    if keys and folder:
        from repro_tui.cli.attestation import sign

        if reason := sign(folder, keys[0]):
            print(f"repro-tui: {reason}", file=sys.stderr)
            failures.append(reason)
    stream = sys.stderr if targets else sys.stdout
    if not (quiet and targets) and not failures:
        for sentence in report.summary:
            print(f"- {show(sentence)}", file=stream)
        for number, note in enumerate(report.notes):
            print(f"{'' if number else 'Notes:' + chr(10)}- {show(note)}", file=stream)
    return 3 if failures else report.exit_status


def _split(targets: Sequence[ReportTarget]) -> tuple[list[str], list[ReportTarget]]:
    """The keys to sign with, and the formats to write."""
    return (
        [target.file for target in targets if target.option == ATTEST],
        [target for target in targets if target.option != ATTEST],
    )


def _write(report: Report, target: ReportTarget) -> str:
    """Writes one format; returns why that failed, or ""."""
    file = target.file
    try:
        write_report(report, target.reporter, file)
    except BrokenPipeError:
        raise
    except OSError as error:
        return f"{show(file)}: the report cannot be written: {error.strerror or error}: {system_remedy(error)}"
    except ReproError as error:
        return f"{show(file)}: the report cannot be written: {show(str(error), 1000)}"
    except Exception as error:  # noqa: BLE001 - whatever a reporter raises, the others are written, and the status is 3
        return f"{show(file)}: the report cannot be written: {type(error).__name__}: {show(str(error), 1000)}"
    return ""


def _write_all(report: Report, targets: Sequence[ReportTarget]) -> None:
    """Writes the requested formats of a report of what failed: an older file would be taken for this audit's."""
    for target in _split(targets)[1]:
        if reason := _write(report, target):
            print(f"repro-tui: {reason}", file=sys.stderr)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects the signals that would end the program, so that it ends between two steps and stops its engine."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # it is ignored below nohup
        numbers.append(signal.SIGHUP)
    before: dict[int, Callable[..., object] | int | None] = {n: signal.signal(n, note) for n in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(folder: AuditFolder, progress: Progress, received: list[int]) -> None:
    import_module("repro_tui.gate.status")  # what reading the report needs: now, while there is nothing else to do
    for events in follow_events(folder):
        progress.show_events(events)
        if received:
            raise Cancelled(received[0])


def _explain_death(folder: AuditFolder) -> int:
    """Prints at which step the engine ended without a report, and why as far as that is known."""
    message, remedy, status = how_it_died(folder)
    print(f"repro-tui: {message}", file=sys.stderr)
    print(f"repro-tui: {remedy}", file=sys.stderr)
    return status if status > 128 else 3
