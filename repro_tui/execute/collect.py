"""From what a predict step left behind to a Run: its output is opened with care, hashed and normalised."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

from repro_tui.formats.normalise import normalise
from repro_tui.model.errors import Inconclusive
from repro_tui.model.run import Isolation, Run, RunStatus
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_file

LAST_WORDS = 3  # one line is not enough: standard output is often flushed after the error


def collect(
    *,
    number: int,
    raw: Path,
    exit_code: int | None,
    seconds: float,
    log: Path,
    tail: tuple[str, ...],
    isolation: Isolation,
    context: Context,
    status: RunStatus = "succeeded",
    reason: str = "",
    do: str = "",
) -> Run:
    """The Run of a predict step that ended so. `raw` is where its output should be; `status` other than succeeded
    says that the runner knows better (timed out, out of memory)."""
    run = Run(
        number=number,
        status=status,
        seconds=round(seconds, 4),
        exit_code=exit_code,
        log=str(log),
        tail=tail,
        what=reason,
        do=do,
        isolation=isolation,
    )
    if status != "succeeded":
        return run
    if exit_code != 0:
        return _failed(
            run, "failed", _exit_reason(exit_code, tail), f"see {log.name}: the predict step has to exit with 0"
        )
    try:
        digest = _check_output(raw, context.settings.limits.output)
    except Inconclusive as error:
        return _failed(run, "no-output", error.what, error.do)
    target = context.folder / f"run-{number}.parquet"
    try:
        rows, form = normalise(raw, digest, target, context)
    except Inconclusive as error:
        return _failed(run, "unreadable-output", error.what, error.do)
    return replace(run, predictions=str(target), output_sha256=digest, output_format=form, rows=rows)


def _failed(run: Run, status: RunStatus, reason: str, do: str) -> Run:
    return replace(run, status=status, what=reason, do=do)


def _exit_reason(exit_code: int | None, tail: tuple[str, ...]) -> str:
    if exit_code is not None and exit_code < 0:
        ending = f"predict was ended by signal {-exit_code}"
    else:
        ending = f"predict ended with exit status {exit_code}"
    return f"{ending}; its last words: {'; '.join(tail[-LAST_WORDS:])}" if tail else f"{ending}, and said nothing"


def _check_output(raw: Path, limit: int) -> str:
    """The digest of the output, which must be one regular file within the limit. Links are never followed."""
    do = "the predict step has to write one file to {output} (or $REPRO_OUTPUT)"
    try:
        handle = os.open(raw, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise Inconclusive("predict exited with 0, but wrote no output", do) from error
    except OSError as error:
        raise Inconclusive(f"the output cannot be opened ({error.strerror}): a link is not followed", do) from error
    try:
        status = os.fstat(handle)
    finally:
        os.close(handle)
    if not stat.S_ISREG(status.st_mode):
        raise Inconclusive("the output is not a regular file", do)
    if status.st_size > limit:
        raise Inconclusive(f"the output has {status.st_size:,} bytes, above the limit of {limit:,}")
    return digest_file(raw).sha256
