"""Tables among the data that changed: which rows and columns differ, by the engine that compares predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.model.finding import Area, Finding
from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.model.record import Validation
from repro_tui.model.request import Tolerance
from repro_tui.model.run import Run
from repro_tui.model.workspace import FetchedFile, Workspace
from repro_tui.support.context import Context
from repro_tui.support.paths import data_rows
from repro_tui.support.text import show

ENDINGS = (".csv", ".parquet", ".jsonl", ".ndjson", ".arrow", ".feather", ".npy")
MOST_TABLES = 20
MOST_BYTES = 2 << 30
Place = tuple[str, ...]


def with_rows(area: Area, a: Workspace | None, b: Workspace | None, folder: Path, context: Context) -> Area:
    """The data's area, with the columns that differ below every table that changed.

    By the key of the validation inputs where both tables have it, else by position. Every differing cell is written
    below `folder`, at `support.paths.data_rows`.
    """
    if a is None or b is None:
        return area
    known = {finding.path for finding in _all(area.findings) if finding.change == "changed"}
    tables = [table for table in _tables(a, b) if table[0] in known][:MOST_TABLES]
    below = {place: _compared(place, one, other, a, folder, context) for place, one, other in tables}
    return replace(area, findings=tuple(_laid(finding, below) for finding in area.findings))


def _all(findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield finding
        yield from _all(finding.children)


def _laid(finding: Finding, below: dict[Place, tuple[Finding, ...]]) -> Finding:
    children = tuple(_laid(child, below) for child in finding.children)
    return replace(finding, children=children + below.get(finding.path, ()))


def _tables(a: Workspace, b: Workspace) -> Iterator[tuple[Place, FetchedFile, FetchedFile]]:
    """The files that both sides have, with other bytes, and that are tables by their name."""
    items = {item.path: item for item in b.data}
    for item in a.data:
        other = items.get(item.path)
        for name, file in item.files.items() if other else ():
            new = other.files.get(name) if other else None
            if new and new.sha256 != file.sha256 and (name or item.path).lower().endswith(ENDINGS):
                path = (show(item.path, 300), *([show(name, 300)] if name else []))
                yield path, file, new


def _compared(
    place: Place, a: FetchedFile, b: FetchedFile, workspace: Workspace, folder: Path, context: Context
) -> tuple[Finding, ...]:
    if max(a.size, b.size) > MOST_BYTES:
        return (Finding((*place, "rows"), "unknown", note=f"a table above {MOST_BYTES >> 30} GiB is not opened"),)
    target = data_rows(folder, place)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    sides = [target / f"{side}.parquet" for side in "ab"]
    try:
        runs = [_run(file, side, context) for side, file in zip(sides, (a, b), strict=True)]
        return tuple(_findings(place, _area(runs, workspace, target, context)))
    except Inconclusive as error:
        return (Finding((*place, "rows"), "unknown", note=f"not read as a table: {show(error.what, 300)}"),)
    finally:
        for side in sides:
            side.unlink(missing_ok=True)


def _run(file: FetchedFile, target: Path, context: Context) -> Run:
    from repro_tui.formats.normalise import recorded_run

    return recorded_run(Path(file.file), target, context)


def _area(runs: list[Run], workspace: Workspace, target: Path, context: Context) -> PredictionsArea:
    import pyarrow.parquet as pq

    from repro_tui.compare.noise.verdict import STILL
    from repro_tui.compare.predictions import compare_predictions

    wanted = context.settings.key or workspace.validation.key
    keyed = wanted and all(set(wanted) <= set(pq.read_schema(run.predictions).names) for run in runs)
    settings = replace(context.settings, tolerance=Tolerance(), column_tolerances={}, key=(), ignore=())
    validation = Validation(key=wanted if keyed else ())
    return compare_predictions([runs[0]] * STILL, [runs[1]] * STILL, validation, settings, target, context)


def _findings(place: Place, area: PredictionsArea) -> Iterator[Finding]:
    rows = area.rows
    if area.what or rows.a != rows.b:
        yield Finding((*place, "rows"), "changed", rows.a, rows.b, "notice", show(area.what, 300))
    for column in area.columns:
        if column.verdict == "not-comparable" and (column.note or not rows.matched):
            yield Finding((*place, column.name), "unknown", column.type_a, column.type_b, "notice", column.note)
        elif column.equal < rows.matched or column.type_a != column.type_b:
            how = f"by {', '.join(area.key)}" if area.key else "by position"
            yield Finding((*place, column.name), "changed", None, None, "notice", _told(column, rows.matched, how))


def _told(column: Column, rows: int, how: str) -> str:
    largest = f", by up to {column.max_abs:.4g}" if column.max_abs is not None else ""
    types = f"; {column.type_a} became {column.type_b}" if column.type_a != column.type_b else ""
    return f"{rows - column.equal:,} of {rows:,} rows differ ({how}){largest}{types}"
