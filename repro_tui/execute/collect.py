"""From what a predict step left behind to a Run: its output is opened with care, hashed and normalised."""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.model.run import Isolation, Run, RunStatus
from repro_tui.support.child import python_child
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_file, digest_text
from repro_tui.support.space import remedy
from repro_tui.support.text import show

CHILD_MEMORY = 4 << 30
CHILD_TIMEOUT_S = 1800.0
FORMAT_VERSION = "1"
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
    what: str = "",
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
        what=what,
        do=do,
        isolation=isolation,
    )
    if status != "succeeded":
        return run
    if exit_code != 0:
        return _failed(run, "failed", _words(exit_code, tail), f"see {log.name}: the predict step has to exit with 0")
    try:
        digest = _check_output(raw, context.settings.limits.output)
    except Inconclusive as error:
        return _failed(run, "no-output", error.what, error.do)
    target = context.folder / f"run-{number}.parquet"
    try:
        rows, form = _normalised(raw, digest, target, context)
    except Inconclusive as error:
        return _failed(run, "unreadable-output", error.what, error.do)
    return replace(run, predictions=str(target), output_sha256=digest, output_format=form, rows=rows)


def normalise_file(path: Path, target: Path, context: Context) -> int:
    """Writes a table in any known format as Parquet to `target`; returns its rows. Raises Inconclusive."""
    return _normalised(path, context.cache.hashes.digests(path).sha256, target, context)[0]


def recorded_run(path: Path, target: Path, context: Context) -> Run:
    """Predictions that were recorded, as the one run of their side. Raises Inconclusive where they are no table."""
    digest = context.cache.hashes.digests(path).sha256
    rows, form = _normalised(path, digest, target, context)
    return Run(1, "succeeded", 0.0, predictions=str(target), output_sha256=digest, output_format=form, rows=rows)


def _failed(run: Run, status: RunStatus, what: str, do: str) -> Run:
    return replace(run, status=status, what=what, do=do)


def _words(exit_code: int | None, tail: tuple[str, ...]) -> str:
    if exit_code is not None and exit_code < 0:
        how = f"predict was ended by signal {-exit_code}"
    else:
        how = f"predict ended with exit status {exit_code}"
    return f"{how}; its last words: {'; '.join(tail[-LAST_WORDS:])}" if tail else f"{how}, and said nothing"


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


def _normalised(raw: Path, digest: str, target: Path, context: Context) -> tuple[int, str]:
    """The table as Parquet at `target`, from the cache where the same bytes were read before."""
    told: dict[str, str] = {}

    def build(folder: Path) -> None:
        told.update(_read_in_child(raw, folder / "table.parquet", context))
        (folder / "info.json").write_text(json.dumps(told), "ascii")

    key = digest_text(digest, FORMAT_VERSION)
    folder, _ = context.cache.folder("tables", key, build, context.cancel)
    info = json.loads((folder / "info.json").read_text("ascii"))
    _copy(folder / "table.parquet", target)
    return int(info["rows"]), str(info["format"])


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o600)


def _read_in_child(raw: Path, out: Path, context: Context) -> dict[str, str]:
    """Untrusted bytes are parsed in a process of their own, which may take 4 GiB and half an hour, and may crash."""
    done = python_child(
        "repro_tui.support.table_child",
        [str(raw), str(out)],
        cache=context.cache,
        cancel=context.cancel,
        memory=CHILD_MEMORY,
        timeout_s=CHILD_TIMEOUT_S,
    )
    last = done.text.strip().rpartition("\n")[2]
    if done.exit_code == 0:
        found: dict[str, str] = json.loads(last)
        return found
    do = "the output has to be CSV, Parquet, JSON Lines, Arrow or .npy"
    if done.timed_out:
        raise Inconclusive("reading the table took more than half an hour", do)
    if last.startswith("table: "):
        what = show(last.removeprefix("table: "), 500)
        raise Inconclusive(what, remedy(what, do))
    raise Inconclusive(f"the table could not be read: its reader ended with {done.exit_code} ({show(last, 200)})", do)
