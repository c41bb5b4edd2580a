"""The predictions' area: rows are paired, columns compared, and what is over tolerance is judged against noise.

The idea: A's first run is compared with B's first run, cell by cell. "The same" is a claim about all runs, so where the
first runs agree, A's first run is compared with every other output as well, until one is over the tolerance; the area
then shows that run. What is over the tolerance is drift where no run varies (`RUNS_FOR_DRIFT` runs a side), and is
otherwise judged over all runs by the noise rule (`noise.verdict`).

Invariants: columns are never called the same if rows are missing, additional or duplicated, or if a run failed; a run
that wrote the same bytes as another is compared once; differences.parquet holds the differing cells of the pair that
the area shows. Cost: one pass over two files for each pair; outputs of the same bytes are not read at all.

Example: A's runs wrote x, x, x and B's runs x, x, y, where y is over the tolerance. The first runs are identical; A's
run 1 is then compared with B's run 3, which is over the tolerance. B's runs vary, and three runs a side are too few to
judge that: the verdict is undecided, and the area shows the cells of "A's run 1 against B's run 3".

`predictions_area` builds the area from columns, and applies to it what all runs show.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.choose import columns_of
from repro_tui.compare.columns.differences import Differences
from repro_tui.compare.columns.feeding import feed
from repro_tui.compare.columns.kinds import kind_of, profile
from repro_tui.compare.ignored_columns import column_names, ignored_columns, unused_rules, without_columns
from repro_tui.compare.noise.row_marks import mark_differences, rows_per_false_alarm
from repro_tui.compare.noise.verdict import (
    FEWEST,
    RUNS_FOR_DRIFT,
    RunColumn,
    judge,
    judge_columns,
    judge_recorded,
    measure,
)
from repro_tui.compare.predictions_area import (
    RepeatedRuns,
    area_of_columns,
    columns_over_tolerance,
    judged_area,
    not_comparable,
    undecided_without_noise,
    with_own_types,
    without_noise,
)
from repro_tui.compare.rows.alignment import Alignment, align
from repro_tui.compare.rows.answered import unanswered
from repro_tui.compare.rows.database import Database
from repro_tui.compare.rows.unify import unify
from repro_tui.model.errors import Inconclusive
from repro_tui.model.predictions import SAME_VERDICTS, VERDICTS, Column, PredictionsArea
from repro_tui.model.record import ColumnRule, Validation
from repro_tui.model.request import Settings
from repro_tui.model.run import Run
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.text import show

FILE = "differences.parquet"
SAME_BYTES = "the outputs are byte-identical"
DO_KEYS = "make the predict step write the key of each input row next to its answer, exactly once"
DO_COLUMNS = "leave out fewer columns: a verdict needs at least one output"
DO_ROWS = "find out why the predict step does not write the same number of rows in every run"


def compare_predictions(
    a: Sequence[Run],
    b: Sequence[Run],
    validation: Validation,
    settings: Settings,
    folder: Path,
    context: Context,
    *,
    recorded: bool = False,
    runs_for_drift: int = RUNS_FOR_DRIFT,
) -> PredictionsArea:
    """Compares A's first run with every other run of both sides, and all runs by the noise rule where one is over
    tolerance.

    Writes the differing cells of B's first run, or of the first run that is over tolerance, to differences.parquet in
    `folder`; the area's `compared` says which run it is, unless it is B's first. Where a run failed, or rows do not
    belong together, the area is not comparable.

    `recorded`: A is one recorded table, which no run can repeat. `runs_for_drift` is how many runs a side that never
    change are enough to call a difference drift.
    """
    failed = next((run for run in (*a, *b) if run.status != "succeeded"), None)
    if failed or not a or not b:
        return PredictionsArea("unknown", "not-comparable", what=failed.what if failed else "a side has no runs")
    database = Database(context.cache.temporary(), settings.memory_limit)
    try:
        with closing(database):
            names = column_names((*a, *b))
            ignored = ignored_columns(names, validation, settings)
            unused = tuple(show(rule, 200) for rule in unused_rules(names, validation, settings))
            a, b = (without_columns(side, ignored, database.scratch) for side in (a, b))
            unified = unify(a, b, settings.key or validation.key, database.scratch / "unified")
            area = _Comparison(
                unified.a, unified.b, validation, settings, folder, database, context, recorded, runs_for_drift
            ).area()
            left_out = tuple(show(name, 200) for name in ignored)
            if ignored and not area.columns:
                reason = f"all outputs but the key are left out: {', '.join(left_out)}"
                area = replace(area, what=reason, do=DO_COLUMNS)
            return replace(with_own_types(area, unified), ignored=left_out, unused=unused)
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
    runs_for_drift: int = RUNS_FOR_DRIFT

    @property
    def key(self) -> tuple[str, ...]:
        return self.settings.key or self.validation.key

    def area(self) -> PredictionsArea:
        runs = RepeatedRuns(self.a, self.b, self.recorded, self.runs_for_drift)
        if problem := self._row_counts_that_differ():
            return not_comparable(self._pair(self.b[0], self.folder), runs, problem, DO_ROWS)
        if problem := self._unanswered():
            area = self._pair(self.b[0], self.folder)
            return not_comparable(area, runs, "; ".join(filter(None, (problem, area.what))), DO_KEYS)
        area = self._worst_pair()
        if area.verdict == "not-comparable" and area.what:
            return not_comparable(area, runs, area.what, area.do)
        if runs.never_change:
            area = without_noise(area)
        if area.verdict != "drift" or runs.show_drift:
            return replace(area, noise=replace(runs.noise, sentence=runs.sentence))
        if runs.never_change or len(self.b) < 2:
            return undecided_without_noise(area, runs)
        return self._judged(area, runs)

    # -- which runs ---------------------------------------------------------------------------------------------

    def _outputs_that_differ(self) -> dict[str, tuple[str, Run]]:
        """The outputs that are not those of A's first run, by digest, each with the first run that wrote it."""
        named_runs = [(letter, run) for letter, side in (("B", self.b), ("A", self.a)) for run in side]
        outputs: dict[str, tuple[str, Run]] = {}
        for letter, run in named_runs:
            if run.output_sha256 != self.a[0].output_sha256:
                outputs.setdefault(run.output_sha256, (f"{letter}'s run {run.number}", run))
        return outputs

    def _row_counts_that_differ(self) -> str:
        """A sentence about the later runs that did not write as many rows as the first of their side; "" for none."""
        sentences = []
        for letter, side in (("A", self.a), ("B", self.b)):
            counts = [pq.read_metadata(run.predictions).num_rows for run in side]
            sentences += [
                f"{letter}'s run {run.number} wrote {count:,} rows, but its run {side[0].number} wrote {counts[0]:,}"
                for run, count in zip(side, counts, strict=True)
                if count != counts[0]
            ]
        more = [f"and {len(sentences) - 3} more"] if len(sentences) > 3 else []
        return "; ".join([*sentences[:3], *more])

    def _unanswered(self) -> str:
        """A sentence about input rows that the first runs do not answer exactly once; "" where both answer all.

        Later runs must have the keys of A's first run, which is checked when they are compared with it.
        """
        inputs = self.folder / "inputs.parquet"
        if not inputs.is_file():
            return ""
        a, b = self.a[0], self.b[0]
        outputs = [("A and B", a)] if a.output_sha256 == b.output_sha256 else [("A", a), ("B", b)]
        return "; ".join(
            f"{side}: {problem}"
            for side, run in outputs
            if (problem := unanswered(inputs, Path(run.predictions), self.key, self.database))
        )

    def _worst_pair(self) -> PredictionsArea:
        """A's first run against B's first; where these are the same, against the other outputs until one is not."""
        outputs = self._outputs_that_differ()
        outputs.pop(self.b[0].output_sha256, None)
        area = self._pair(self.b[0], self.folder)
        for run_name, run in outputs.values():
            if area.verdict not in SAME_VERDICTS:
                break
            folder = self.context.cache.temporary()
            folder.mkdir(parents=True)
            try:
                candidate = self._pair(run, folder)
                if VERDICTS.index(candidate.verdict) > VERDICTS.index(area.verdict):
                    shutil.move(folder / FILE, self.folder / FILE)
                    reason = f"{run_name}: {candidate.what}" if candidate.what else ""
                    compared = f"A's run {self.a[0].number} against {run_name}"
                    area = replace(candidate, what=reason, compared=compared)
            finally:
                remove_tree(folder)
        return area

    def _pair(self, run: Run, folder: Path) -> PredictionsArea:
        """A's first run against another, cell by cell; the differing cells go to the folder."""
        alignment = align(Path(self.a[0].predictions), Path(run.predictions), self.key, self.database)
        if run.output_sha256 == self.a[0].output_sha256 and not alignment.problem:
            for _ in () if alignment.ordered else alignment.pairs((), self.context.cancel.check):
                continue  # only then is it known which rows have no key, or a duplicate one
            if not alignment.problem:
                return self._same_bytes(alignment, folder)
        area = self._compared(alignment, folder)
        return replace(area, what=alignment.problem, do=alignment.do) if alignment.problem else area

    # -- cells --------------------------------------------------------------------------------------------------

    def _same_bytes(self, alignment: Alignment, folder: Path) -> PredictionsArea:
        """Nothing needs to be read but the names and types of the columns."""
        Differences(folder / FILE, self.key).close()
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
                rule=SAME_BYTES,
            )
            for field in schema
            if field.name not in self.key
        )
        return area_of_columns(columns, alignment.rows, self.key, 0, (), SAME_BYTES)

    def _kinds(self, a: Path, schema: pa.Schema) -> dict[str, tuple[str, str]]:
        """Every column's kind, and what it was inferred from, by a sample of A."""
        profiles = profile(a, a, schema.names)
        declared = self.validation.columns
        return {
            field.name: kind_of(field.name, field.type, profiles[field.name], declared.get(field.name, ColumnRule()))
            for field in schema
        }

    def _compared(self, alignment: Alignment, folder: Path) -> PredictionsArea:
        chosen = columns_of(alignment, self.validation, self.settings, self.key)
        differences = Differences(folder / FILE, self.key, chosen.names)
        try:
            if alignment.comparable:
                feed(chosen.compared, alignment, differences, self.context.cancel)
        finally:
            differences.close()
        columns = tuple(
            replace(column, name=show(column.name, 200))
            for column in self._with_truth(tuple(chosen.results()), alignment)
        )
        area = area_of_columns(columns, alignment.rows, self.key, differences.count, differences.worst())
        if alignment.problem:
            return replace(area, status="unknown", verdict="not-comparable")
        if differences.left_out:
            return replace(area, do=f"{differences.left_out:,} further differing cells were not kept")
        return area

    def _with_truth(self, columns: tuple[Column, ...], alignment: Alignment) -> Iterable[Column]:
        """The columns, with what the truth shows about them where the record names it."""
        if self.validation.truth is None or not alignment.comparable:
            return columns
        from repro_tui.compare.truth.which_side import with_truth

        return with_truth(columns, alignment, self.folder / "inputs.parquet", self.validation.truth)

    # -- noise --------------------------------------------------------------------------------------------------

    def _judged(self, area: PredictionsArea, runs: RepeatedRuns) -> PredictionsArea:
        """Measures and judges all runs; marks the differing cells from 5 runs a side on."""
        run_columns = self._run_columns(area)
        try:
            measured = measure(self.a, self.b, self.key, list(run_columns.values()), self.database)
        except Inconclusive as error:
            return replace(area, status="unknown", verdict="not-comparable", what=error.what, do=error.do)
        measured = measured.for_columns(columns_over_tolerance(measured, run_columns, area.columns))
        fixed = self.settings.repeat is not None
        if self.recorded:
            whole = judge_recorded(measured, runs.deterministic[1])
        else:
            whole = judge(measured, runs.deterministic, fixed=fixed)
        verdicts = judge_columns(measured, whole, runs.deterministic, fixed=fixed, recorded=self.recorded)
        exceeding = None
        if whole.noise.runs >= FEWEST:
            exceeding = measured.rows_exceeding_noise()
            mark_differences(self.folder / FILE, exceeding)
            chance = rows_per_false_alarm(len(self.a), len(self.b))
            whole = replace(whole, noise=replace(whole.noise, by_chance=chance))
        return judged_area(area, whole, verdicts, run_columns, measured.largest_step, exceeding)

    def _run_columns(self, area: PredictionsArea) -> dict[str, RunColumn]:
        """The columns to measure over all runs, by the names that they have in the report."""
        names = {show(name, 200): name for name in pq.read_schema(self.a[0].predictions).names}
        return {
            column.name: RunColumn(names[column.name], column.kind, column.atol or 0.0, column.rtol or 0.0)
            for column in area.columns
            if column.verdict != "not-comparable" and not column.members
        }
