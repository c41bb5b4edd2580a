"""Converts untrusted tables to Parquet, in a child process; the result is cached by the content of the file."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from repro_tui.formats.child import python_child
from repro_tui.formats.table_child import TOO_LARGE
from repro_tui.model.errors import Inconclusive
from repro_tui.model.run import Run
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.space import remedy
from repro_tui.support.text import show

CHILD_MEMORY = 4 << 30
CHILD_TIMEOUT_S = 1800.0
FORMAT_VERSION = "5"
SMALLER = "use a smaller table, or Parquet"
CORRECT = "correct the file: it must be valid CSV, Parquet, JSON Lines, Arrow or .npy"
KILLED = (-signal.SIGKILL, -signal.SIGABRT)  # by the kernel for want of memory; by a library whose allocation failed


@dataclass(frozen=True, slots=True)
class ReadTable:
    """A normalised table: its number of rows, its format, and notes on how it was read."""

    rows: int
    form: str
    notes: tuple[str, ...] = ()


def normalise_file(path: Path, target: Path, context: Context) -> int:
    """Writes a table in any known format as Parquet to `target`; returns its number of rows. Raises Inconclusive."""
    return normalise(path, context.cache.hashes.digests(path).sha256, target, context).rows


def recorded_run(path: Path, target: Path, context: Context) -> Run:
    """Existing predictions as the one run of their side. Raises Inconclusive if they are not a table."""
    digest = context.cache.hashes.digests(path).sha256
    table = normalise(path, digest, target, context)
    return Run(
        1,
        "succeeded",
        0.0,
        predictions=str(target),
        output_sha256=digest,
        output_format=table.form,
        rows=table.rows,
        notes=table.notes,
    )


def normalise(raw: Path, digest: str, target: Path, context: Context, columns: tuple[str, ...] = ()) -> ReadTable:
    """Writes the table in `raw`, whose sha256 is `digest`, as Parquet to `target`.

    `columns` are the recorded names of the columns of a CSV without a header line. It comes from the cache if the same
    bytes were read before. Raises Inconclusive.
    """

    def build(folder: Path) -> None:
        details = _read_in_child(raw, folder / "table.parquet", columns, context)
        (folder / "info.json").write_text(json.dumps(details), "ascii")

    key = digest_text(digest, FORMAT_VERSION, *columns)
    folder, _ = context.cache.folder("tables", key, build, context.cancel)
    info = json.loads((folder / "info.json").read_text("ascii"))
    _copy(folder / "table.parquet", target)
    return ReadTable(int(info["rows"]), str(info["format"]), tuple(info["notes"]))


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o600)


def _read_in_child(raw: Path, out: Path, columns: tuple[str, ...], context: Context) -> dict[str, object]:
    """Converts the table in a child process that may use 4 GiB and half an hour, and may crash. Raises Inconclusive."""
    done = python_child(
        "repro_tui.formats.table_child",
        [raw, out, *columns],
        cache=context.cache,
        cancel=context.cancel,
        memory=CHILD_MEMORY,
        timeout_s=CHILD_TIMEOUT_S,
    )
    last = done.text.strip().rpartition("\n")[2]
    if done.exit_code == 0:
        info: dict[str, object] = json.loads(last)
        return info
    if done.timed_out:
        raise Inconclusive("reading the table took more than half an hour", SMALLER)
    do = SMALLER if done.exit_code in (TOO_LARGE, *KILLED) else CORRECT
    if last.startswith("table: "):
        reason = show(last.removeprefix("table: "), 500)
        raise Inconclusive(reason, remedy(reason, do))
    raise Inconclusive(
        f"the table could not be read: its reader ended with exit status {done.exit_code} ({show(last, 200)})", do
    )
