"""The predictions' area: rows are paired, columns compared, and what is over tolerance is judged against noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.alignment import Alignment, align
from repro_tui.compare.columns import columns_of
from repro_tui.compare.database import Database
from repro_tui.compare.differences import Differences
from repro_tui.compare.feeding import feed
from repro_tui.compare.kinds import kind_of, profile
from repro_tui.compare.noise import (
    FEWEST,
    Distances,
    RunColumn,
    is_deterministic,
    judge,
    judge_recorded,
    measure,
)
from repro_tui.compare.own_noise import by_chance, mark
from repro_tui.model.errors import Inconclusive
from repro_tui.model.finding import AreaStatus, Finding
from repro_tui.model.predictions import SAME_VERDICTS, Column, Noise, PredictionsArea, Rows, Verdict, worst
from repro_tui.model.record import ColumnRule, Validation
from repro_tui.model.request import Settings
from repro_tui.model.run import Run
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.text import show


def compare_predictions(
    a: Sequence[Run],
    b: Sequence[Run],
    validation: Validation,
    settings: Settings,
    folder: Path,
    context: Context,
    *,
    recorded: bool = False,
) -> PredictionsArea:
    """Compares the first run of each side cell by cell, and all runs where that is over tolerance.

    Writes differences.parquet to `folder`. Runs that failed, or rows that do not belong together, are not comparable.
    `recorded`: A is one table that was recorded, which no run can repeat.
    """
    failed = next((run for run in (*a, *b) if run.status != "succeeded"), None)
    if failed or not a or not b:
        return PredictionsArea("unknown", "not-comparable", what=failed.what if failed else "a side has no runs")
    database = Database(context.cache.temporary(), settings.memory_limit)
    try:
        with closing(database):
            return _Comparison(a, b, validation, settings, folder, database, context, recorded).area()
    finally:
        remove_tree(database.scratch)


@dataclass(frozen=True, slots=True)
class _Comparison:
    a: Sequence[Run]
    b: Sequence[Run]
    validation: Validation
    settings: Settings
    folder: Path
    database: Database
    context: Context
    recorded: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        return self.settings.key or self.validation.key

    def area(self) -> PredictionsArea:
        deterministic = (self.recorded or is_deterministic(self.a), is_deterministic(self.b))
        alignment = align(Path(self.a[0].predictions), Path(self.b[0].predictions), self.key, self.database)
        told = deterministic if len(self.b) > 1 else (None, None)
        noise = Noise(len(self.b), None if self.recorded else told[0], told[1])
        untouched = self._identical() and not alignment.problem
        area = self._untouched(alignment) if untouched else self._compared(alignment)
        if alignment.problem:
            return replace(area, noise=noise, what=alignment.problem, do=alignment.do)
        if all(deterministic):
            area = replace(area, columns=tuple(_still(column) for column in area.columns))
        if area.verdict != "drift" or all(deterministic):
            return replace(area, noise=replace(noise, sentence=_quiet(noise, self.recorded)))
        return self._judged(area, (deterministic[0], deterministic[1]))

    def _identical(self) -> bool:
        return len({run.output_sha256 for run in (*self.a, *self.b)}) == 1

    # -- cells --------------------------------------------------------------------------------------------------

    def _untouched(self, alignment: Alignment) -> PredictionsArea:
        """All bytes are the same: nothing needs to be read but the columns' names and types."""
        Differences(self.folder / "differences.parquet", self.key).close()
        schema = pq.read_schema(alignment.a)
        kinds = self._kinds(alignment.a, schema)
        columns = tuple(
            Column(
                name=show(field.name, 200),
                kind=kinds[field.name][0],
                kind_why=kinds[field.name][1],
                inferred=bool(kinds[field.name][1]),
                verdict="identical",
                equal=alignment.rows.matched,
                type_a=str(field.type),
                type_b=str(field.type),
                rule="the outputs are the same bytes",
            )
            for field in schema
            if field.name not in self.key
        )
        return _area(columns, alignment.rows, self.key, 0, (), "the outputs are the same bytes")

    def _kinds(self, a: Path, schema: pa.Schema) -> dict[str, tuple[str, str]]:
        """Every column's kind, and why it was inferred, by a sample of A."""
        told = profile(a, a, schema.names)
        declared = self.validation.columns
        return {f.name: kind_of(f.name, f.type, told[f.name], declared.get(f.name, ColumnRule())) for f in schema}

    def _compared(self, alignment: Alignment) -> PredictionsArea:
        found = columns_of(alignment, self.validation, self.settings, self.key)
        differences = Differences(self.folder / "differences.parquet", self.key, found.names)
        try:
            if alignment.comparable:
                feed(found.compared, alignment, differences, self.context.cancel)
        finally:
            differences.close()
        columns = tuple(_clean(column) for column in self._beside_truth(tuple(found.results()), alignment))
        area = _area(columns, alignment.rows, self.key, differences.count, differences.worst(), "")
        if alignment.problem:
            return replace(area, status="unknown", verdict="not-comparable")
        if differences.left_out:
            return replace(area, do=f"{differences.left_out:,} further differing cells were not kept")
        return area

    def _beside_truth(self, columns: tuple[Column, ...], alignment: Alignment) -> Iterable[Column]:
        """The columns, with what the truth says of them where the record names it."""
        if self.validation.truth is None or not alignment.comparable:
            return columns
        from repro_tui.compare.truth import with_truth

        return with_truth(columns, alignment, self.folder / "inputs.parquet", self.validation.truth)

    # -- noise --------------------------------------------------------------------------------------------------

    def _judged(self, area: PredictionsArea, deterministic: tuple[bool, bool]) -> PredictionsArea:
        measured = self._measured(area)
        try:
            distances = measure(self.a, self.b, self.key, list(measured.values()), self.database)
        except Inconclusive as error:
            return replace(area, status="unknown", verdict="not-comparable", what=error.what, do=error.do)
        if self.recorded:
            found, noise = judge_recorded(distances, len(self.b), deterministic[1])
        else:
            found, noise = judge(distances, deterministic, self.settings.repeat is not None)
        verdict: Verdict = found  # type: ignore[assignment]
        judged = (replace(c, verdict=verdict) if c.verdict == "drift" else c for c in area.columns)
        columns = tuple(replace(c, noise_abs=_within(distances, measured, c)) for c in judged)
        if noise.runs >= FEWEST:
            mark(self.folder / "differences.parquet", distances.beyond)
            columns = tuple(replace(c, beyond_noise=_beyond(distances, measured, c)) for c in columns)
            noise = replace(noise, by_chance=by_chance(len(self.a), len(self.b)))
        again = _area(columns, area.rows, area.key, area.differences, area.worst, "")
        if verdict == "undecided":
            again = replace(again, what=noise.sentence, do="repeat with more runs: --repeat 20, or fix what is random")
        return replace(again, noise=noise)

    def _measured(self, area: PredictionsArea) -> dict[str, RunColumn]:
        """The columns that all runs are measured by, by the name that they have in the report."""
        names = {show(name, 200): name for name in pq.read_schema(self.a[0].predictions).names}
        return {
            column.name: RunColumn(names[column.name], column.kind == "label", column.atol or 0.0, column.rtol or 0.0)
            for column in area.columns
            if column.verdict != "not-comparable" and not column.members
        }


def _within(distances: Distances, measured: dict[str, RunColumn], column: Column) -> float | None:
    return distances.largest_within[measured[column.name].name] if column.name in measured else None


def _beyond(distances: Distances, measured: dict[str, RunColumn], column: Column) -> int | None:
    return distances.beyond[measured[column.name].name].count if column.name in measured else None


def _still(column: Column) -> Column:
    """A column of sides whose runs are the same bytes: its numbers have no noise."""
    return replace(column, noise_abs=0.0) if column.max_abs is not None else column


def _quiet(noise: Noise, recorded: bool) -> str:
    if (recorded or noise.deterministic_a) and noise.deterministic_b:
        return f"no nondeterminism seen in {noise.runs} runs"
    if noise.runs < 2:
        return "one run a side: whether the outputs change from run to run is not known"
    sides = (
        (("B", noise.deterministic_b),) if recorded else (("A", noise.deterministic_a), ("B", noise.deterministic_b))
    )
    noisy = " and ".join(side for side, still in sides if not still)
    return f"{noisy} changes from run to run, within the tolerance of what was compared"


def _clean(column: Column) -> Column:
    return replace(column, name=show(column.name, 200))


def _area(
    columns: tuple[Column, ...], rows: Rows, key: tuple[str, ...], differences: int, rows_worst: Any, rule: str
) -> PredictionsArea:
    verdict = worst(tuple(column.verdict for column in columns))
    status: AreaStatus = "same" if verdict in SAME_VERDICTS else "different" if verdict == "drift" else "unknown"
    counts: dict[str, int] = {}
    for column in columns:
        counts[column.verdict] = counts.get(column.verdict, 0) + 1
    odd = [f"{column.name}: {column.note}" for column in columns if column.verdict == "not-comparable" and column.note]
    decisive = next((column for column in columns if column.verdict == verdict), None)
    return PredictionsArea(
        status=status,
        verdict=verdict,
        rule=rule or (f"{decisive.name}: {decisive.rule}" if decisive and decisive.rule else ""),
        key=key,
        rows=rows,
        columns=columns,
        worst=rows_worst,
        counts=counts,
        findings=tuple(_finding(column) for column in columns if column.verdict != "identical"),
        differences=differences,
        what="; ".join(odd) if odd else "" if columns else "the outputs have no column beside the key",
    )


def _finding(column: Column) -> Finding:
    flips = f", {column.flips:,} flips" if column.flips else ""
    told = f"{column.verdict}: {column.different:,} different, {column.within_tolerance:,} within tolerance{flips}"
    told = "; ".join(filter(None, (told, column.note)))
    bad = column.verdict in ("drift", "not-comparable", "undecided")
    return Finding(
        (column.name,),
        "unknown" if column.verdict == "not-comparable" else "changed",
        column.type_a,
        column.type_b,
        "important" if bad else "info",
        column.note if column.verdict == "not-comparable" else told,
    )
