"""Changed tables in the data: which rows and columns differ, found by the engine that compares predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.model.finding import Area, Finding
from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.model.record import Validation
from repro_tui.model.request import Tolerance
from repro_tui.model.run import Run
from repro_tui.model.workspace import FetchedData, FetchedFile
from repro_tui.support.context import Context
from repro_tui.support.paths import data_rows
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show

ENDINGS = (".csv", ".parquet", ".jsonl", ".ndjson", ".arrow", ".feather", ".npy")
MOST_TABLES = 20
MOST_BYTES = 2 << 30
FindingPath = tuple[str, ...]


Items = Sequence[FetchedData]


def with_rows(area: Area, a: Items, b: Items, key: Sequence[str], folder: Path, context: Context) -> Area:
    """The data's area, with the columns that differ below each table that changed (the first 20 of them).

    Rows are matched by the `key` of the validation inputs where both tables have it, otherwise by position. The
    differing cells are written below `folder`, at `support.paths.data_rows`.
    """
    changed = {finding.path for finding in _descendants(area.findings) if finding.change == "changed"}
    tables = [table for table in _changed_tables(a, b) if table[0] in changed][:MOST_TABLES]
    columns = {path: _compared(path, file_a, file_b, key, folder, context) for path, file_a, file_b in tables}
    return replace(area, findings=tuple(_with_columns(finding, columns) for finding in area.findings))


def _descendants(findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield finding
        yield from _descendants(finding.children)


def _with_columns(finding: Finding, columns: Mapping[FindingPath, tuple[Finding, ...]]) -> Finding:
    children = tuple(_with_columns(child, columns) for child in finding.children)
    return replace(finding, children=children + columns.get(finding.path, ()))


def _changed_tables(a: Items, b: Items) -> Iterator[tuple[FindingPath, FetchedFile, FetchedFile]]:
    """The files that both sides have with different contents, and whose ending is that of a table."""
    items_b = {item.path: item for item in b}
    for item_a in a:
        item_b = items_b.get(item_a.path)
        for name, file_a in item_a.files.items() if item_b else ():
            file_b = item_b.files.get(name) if item_b else None
            is_table = (name or item_a.path).lower().endswith(ENDINGS)
            if file_b and file_b.sha256 != file_a.sha256 and is_table:
                yield (show(item_a.path, 300), *([show(name, 300)] if name else [])), file_a, file_b


def _compared(
    path: FindingPath, a: FetchedFile, b: FetchedFile, key: Sequence[str], folder: Path, context: Context
) -> tuple[Finding, ...]:
    if max(a.size, b.size) > MOST_BYTES:
        return (Finding((*path, "rows"), "unknown", note=f"not opened: a table of more than {size_text(MOST_BYTES)}"),)
    target = data_rows(folder, path)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    sides = [target / f"{side}.parquet" for side in "ab"]
    try:
        runs = [_run(file, side, context) for side, file in zip(sides, (a, b), strict=True)]
        return tuple(_findings(path, _area(runs, key, target, context)))
    except Inconclusive as error:
        return (Finding((*path, "rows"), "unknown", note=f"cannot be read as a table: {show(error.what, 300)}"),)
    finally:
        for side in sides:
            side.unlink(missing_ok=True)


def _run(file: FetchedFile, target: Path, context: Context) -> Run:
    from repro_tui.formats.normalise import recorded_run

    return recorded_run(Path(file.file), target, context)


def _area(runs: list[Run], recorded_key: Sequence[str], target: Path, context: Context) -> PredictionsArea:
    import pyarrow.parquet as pq

    from repro_tui.compare.noise.verdict import RUNS_FOR_DRIFT
    from repro_tui.compare.predictions import compare_predictions

    key = context.settings.key or tuple(recorded_key)
    keyed = key and all(set(key) <= set(pq.read_schema(run.predictions).names) for run in runs)
    settings = replace(context.settings, tolerance=Tolerance(), column_tolerances={}, key=(), ignore=())
    validation = Validation(key=key if keyed else ())
    # A table is never run again: as many equal runs as show drift.
    sides = [[run] * RUNS_FOR_DRIFT for run in runs]
    return compare_predictions(sides[0], sides[1], validation, settings, target, context)


def _findings(path: FindingPath, area: PredictionsArea) -> Iterator[Finding]:
    rows = area.rows
    if rows is None:
        yield Finding((*path, "rows"), "unknown", severity="notice", note=show(area.what, 300))
        return
    if area.what or rows.a != rows.b:
        yield Finding((*path, "rows"), "changed", rows.a, rows.b, "notice", show(area.what, 300))
    for column in area.columns:
        if column.verdict == "not-comparable" and (column.note or not rows.matched):
            yield Finding((*path, column.name), "unknown", column.type_a, column.type_b, "notice", column.note)
        elif column.equal < rows.matched or column.type_a != column.type_b:
            matching = f"by {', '.join(area.key)}" if area.key else "by position"
            note = _note(column, rows.matched, matching)
            yield Finding((*path, column.name), "changed", None, None, "notice", note)


def _note(column: Column, rows: int, matching: str) -> str:
    largest = f", by up to {column.max_abs:.4g}" if column.max_abs is not None else ""
    types = f"; {column.type_a} became {column.type_b}" if column.type_a != column.type_b else ""
    return f"{rows - column.equal:,} of {rows:,} rows differ ({matching}){largest}{types}"
