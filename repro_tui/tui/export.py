"""Writing to a file what a screen shows: the finding, the table as it is filtered, or the whole report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro_tui.report.write import target_problem, write_report
from repro_tui.support.plain import write_atomically
from repro_tui.support.registry import names
from repro_tui.tui.editor import as_json
from repro_tui.tui.screens.modals import Ask, Choose, Prompt, Told

if TYPE_CHECKING:
    from pyarrow import RecordBatch

    from repro_tui.model.report import Report
    from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.widgets.safe import say

ENDINGS = {"json": "json", "markdown": "md", "html": "html", "junit": "xml"}
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be written: its name, its rows in their order as batches, and how many there are."""

    name: str
    batches: Callable[[], Iterator[RecordBatch]]
    count: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be written: how it is offered, the file's name, and what writes it."""

    title: str
    file: str
    write: Callable[[Path], None]


def choices(screen: AuditScreen) -> list[Choice]:
    """What can be written from a screen."""
    found: list[Choice] = []
    selected, table, report = screen.selected(), screen.table(), screen.store.report
    if selected is not None:
        found.append(
            Choice("what is under the cursor, JSON", "finding.json", lambda path: _text(path, as_json(selected)))
        )
    if table is not None:
        told = f"the table as it is shown, {table.count:,} rows"
        found.append(Choice(f"{told}, CSV", f"{table.name}.csv", lambda path: write_csv(table, path)))
        found.append(Choice(f"{told}, Parquet", f"{table.name}.parquet", lambda path: write_parquet(table, path)))
    if report is not None:
        found += [
            _whole(name, report, screen.store.folder.request().settings.fail_on)
            for name in names("repro_tui.reporters")
        ]
    return found


def _whole(name: str, report: Report, fail_on: tuple[str, ...]) -> Choice:
    file = f"report.{ENDINGS.get(name, name)}"
    return Choice(f"the whole report, {name}", file, lambda path: write_report(report, name, str(path), fail_on))


def ask_and_write(screen: AuditScreen) -> None:
    """Asks what, then where, then writes; a file that exists is asked about, a link is refused."""
    offered = {choice.title: choice for choice in choices(screen)}
    if not offered:
        say(screen, "there is nothing to write yet")
        return

    def chosen(title: str | None) -> None:
        if title is not None:
            choice = offered[title]
            name = f"{screen.store.id}-{choice.file}"
            screen.app.push_screen(Prompt("Write to", name), lambda path: _ready(screen, choice, path))

    screen.app.push_screen(Choose("Write", list(offered)), chosen)


def _ready(screen: AuditScreen, choice: Choice, typed: str | None) -> None:
    if not typed:
        return
    path = Path(typed).expanduser()
    problem = target_problem(str(path))
    if problem:
        screen.app.push_screen(Told("Not written", [problem]))
        return
    if not path.exists():
        _write(screen, choice, path)
        return
    answers = (("o", "write over it"), ("escape", "leave it"))
    screen.app.push_screen(
        Ask(f"{path} exists.", answers), lambda answer: _write(screen, choice, path) if answer == "o" else None
    )


def _write(screen: AuditScreen, choice: Choice, path: Path) -> None:
    def work() -> None:
        try:
            choice.write(path)
        except OSError as error:
            told = f"{path}: {error.strerror or error}"
            screen.app.call_from_thread(screen.app.push_screen, Told("Not written", [told]))
            return
        screen.app.call_from_thread(say, screen, f"written to {path}")

    screen.run_worker(work, thread=True, group="export")


def _text(path: Path, text: str) -> None:
    write_atomically(path.absolute(), text.encode("utf-8", "backslashreplace"), mode=0o644)


def write_parquet(table: Table, path: Path) -> None:
    """Writes a table with its types."""
    import pyarrow.parquet as pq

    _write_table(table, path, lambda target, schema: pq.ParquetWriter(target, schema, compression="zstd"), _as_it_is)


def write_csv(table: Table, path: Path) -> None:
    """Writes a table as text; a text that a spreadsheet would take for a formula gets an apostrophe before it."""
    from pyarrow import csv

    _write_table(table, path, csv.CSVWriter, harmless)


def _write_table(table: Table, path: Path, writer_of: Any, change: Callable[[RecordBatch], RecordBatch]) -> None:
    """Streams the batches to a temporary file, which takes the name only when it is whole."""
    batches = table.batches()
    first = next(batches, None)
    if first is None:
        raise OSError("the table has no rows")
    with tempfile.NamedTemporaryFile(dir=path.absolute().parent, prefix=".repro-tui-", delete=False) as stream:
        temporary = Path(stream.name)
    try:
        first = change(first)
        with writer_of(str(temporary), first.schema) as writer:
            writer.write_batch(first)
            for batch in batches:
                writer.write_batch(change(batch))
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _as_it_is(batch: RecordBatch) -> RecordBatch:
    return batch


def harmless(batch: RecordBatch) -> RecordBatch:
    """A batch whose texts begin no formula, and whose nested values are text; numbers stay numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for column in batch.columns:
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            column = pa.array([None if value is None else as_json(value) for value in column.to_pylist()], pa.string())
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            number = pc.match_substring_regex(column, r"^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|inf|nan)$")
            formula = pc.and_(pc.match_substring_regex(column, r"^[=+\-@\t\r]"), pc.invert(number))
            column = pc.if_else(pc.fill_null(formula, False), pc.binary_join_element_wise("'", column, ""), column)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
