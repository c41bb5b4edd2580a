"""Follows an audit without the interface: progress goes to standard error, reports go where they were requested."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from types import FrameType
from typing import TextIO

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.follow import follow_events, how_it_died
from repro_tui.audit.launch import stop
from repro_tui.cli.progress import Progress, progress_for
from repro_tui.model.errors import Cancelled
from repro_tui.model.report import Report
from repro_tui.report.write import ReportTarget, write_report
from repro_tui.support.text import show


def follow(folder: AuditFolder, targets: Sequence[ReportTarget], *, quiet: bool, fail_on: str = "predictions") -> int:
    """Waits for an audit, writes its reports, prints its summary, and returns the exit status.

    A signal stops the audit, whose engine removes what it started; but a lost terminal leaves the audit to its engine,
    and its files to a process of their own. The status is then 128 plus the signal's number.
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
                _leave(folder, targets, fail_on, terminals)
            else:
                stop(folder, number)
            return 128 + number
    report = folder.report()
    if report is None:
        return _explain_death(folder)
    return finish(report, targets, quiet=quiet, fail_on=fail_on)


def _leave(folder: AuditFolder, targets: Sequence[ReportTarget], fail_on: str, terminals: list[TextIO]) -> None:
    """Lets go of the terminals, which are gone, and starts a process that waits for the audit and writes its files."""
    for stream in terminals:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if not targets:
        return
    rest = {"folder": str(folder.path), "targets": [astuple(target) for target in targets], "fail_on": fail_on}
    subprocess.Popen(
        [sys.executable, "-P", "-m", "repro_tui.cli.detached", json.dumps(rest)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finish(report: Report, targets: Sequence[ReportTarget], *, quiet: bool, fail_on: str = "predictions") -> int:
    """Writes a report's formats and prints its summary; returns the report's exit status, or 3 where a file failed.

    The summary goes to standard output where no report was requested, and to standard error where one was.
    """
    for target in targets:
        try:
            write_report(report, target.reporter, target.file, tuple(fail_on.split(",")))
        except BrokenPipeError:
            raise
        except OSError as error:
            print(
                f"repro-tui: {show(target.file)}: the report cannot be written: {error.strerror or error}",
                file=sys.stderr,
            )
            return 3
    stream = sys.stderr if targets else sys.stdout
    if not (quiet and targets):
        for sentence in report.summary:
            print(f"- {show(sentence)}", file=stream)
    return report.exit_status


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
