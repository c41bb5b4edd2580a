"""Turns the result of a predict step into a Run: its untrusted output is checked, hashed and normalised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from repro_tui.execute.steps.output import read_only_remedy, take_output, written_where
from repro_tui.execute.steps.working_copy import WorkingCopy
from repro_tui.formats.normalise import normalise
from repro_tui.model.errors import Inconclusive
from repro_tui.model.run import Isolation, Run, RunStatus
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_file
from repro_tui.support.regular import check_regular
from repro_tui.support.sizes import size_over, size_text
from repro_tui.support.text import plural
from repro_tui.support.tracebacks import error_in, telling_lines

TIMEOUT_REMEDY = "find out why it takes so long, or record a larger predict.timeout_s"
LAST_LINES = 3  # one line is not enough: standard output is often flushed after the error


def collect(
    *,
    number: int,
    workspace: Workspace,
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
    copy: WorkingCopy | None = None,
) -> Run:
    """The Run of a predict step that has ended.

    `copy` is its working copy, of which what it wrote is listed. `raw` is the path where its output should be,
    `exit_code` None if it did not end by itself, `seconds` its duration, `tail` the last lines of its log. A `status`
    other than succeeded, with `reason` and `do`, is the runner's own finding (timed out, out of memory) and outweighs
    the exit code. Raises Cancelled.
    """
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
    take_output(workspace, copy, raw)
    run = copy.listed(run) if copy else run
    if status != "succeeded":
        return run
    if exit_code != 0:
        do = read_only_remedy(workspace, tail) or f"see {log.name}: the predict step must exit with status 0"
        return _failed(run, "failed", _exit_reason(exit_code, tail), do)
    return _with_table(run, workspace, raw, context)


def _with_table(run: Run, workspace: Workspace, raw: Path, context: Context) -> Run:
    try:
        digest = _check_output(raw, context.settings.limits.output, written_where(workspace))
    except Inconclusive as error:
        return _failed(run, "no-output", error.what, error.do)
    target = context.folder / f"run-{run.number}.parquet"
    columns = () if workspace.predict.protocol else workspace.predict.columns
    try:
        table = normalise(raw, digest, target, context, columns)
    except Inconclusive as error:
        return _failed(run, "unreadable-output", error.what, error.do)
    return replace(
        run,
        predictions=str(target),
        output_sha256=digest,
        output_format=table.form,
        rows=table.rows,
        notes=(*run.notes, *table.notes),
    )


def timed_out_after(limit: float) -> tuple[str, str]:
    """The reason and the remedy for a predict step that was killed at its time limit, in seconds."""
    reason = f"predict did not finish within its time limit of {limit:g} s and was killed"
    return reason, TIMEOUT_REMEDY


def killed_for_memory(limit: int) -> tuple[str, str]:
    """The reason and the remedy for a run that the kernel killed for lack of memory; `limit` in bytes."""
    reason = f"a process of predict exceeded the memory limit of {size_text(limit)} and was killed"
    return reason, "raise the limit with --memory"


def end_step(step: Step, run: Run) -> None:
    """Describes a run in its step: its duration and rows, or why it failed."""
    step.how = f"{run.seconds:.2f} s, {plural(run.rows, 'row')}" if run.rows is not None else run.what
    step.failed = run.status != "succeeded"


def _failed(run: Run, status: RunStatus, reason: str, do: str) -> Run:
    return replace(run, status=status, what=reason, do=do)


def _exit_reason(exit_code: int | None, tail: tuple[str, ...]) -> str:
    if exit_code is not None and exit_code < 0:
        ending = f"predict was ended by signal {-exit_code}"
    else:
        ending = f"predict ended with exit status {exit_code}"
    return f"{ending}; {last_output(tail)}" if tail else f"{ending} without any output"


def last_output(tail: tuple[str, ...]) -> str:
    """What a program printed last: its error with the causes, or else its last lines; no carets and quoted source."""
    error = error_in(tail)
    if error is None:
        return f"its last output: {'; '.join((telling_lines(tail) or tail)[-LAST_LINES:])}"
    causes = f" (caused by {', caused by '.join(error.causes)})" if error.causes else ""
    return f"its error: {error.text}{causes}"


def _check_output(raw: Path, limit: int, do: str) -> str:
    """The sha256 of the output, which must be one regular file of at most `limit` bytes. Links are not followed.

    Raises Inconclusive with the remedy `do`.
    """
    try:
        status = check_regular(raw, links=False)
        if status.st_size <= limit:
            return digest_file(raw).sha256
    except FileNotFoundError as error:
        raise Inconclusive("predict exited with status 0, but wrote no output", do) from error
    except OSError as error:
        problem = f"the output cannot be read ({error.strerror}): it must be a readable file, not a link"
        raise Inconclusive(problem, do) from error
    size, most = size_over(status.st_size, limit)
    raise Inconclusive(f"the output has {size}, above the limit of {most}", "raise limits.output in config.toml")
