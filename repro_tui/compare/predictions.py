"""The predictions' area: rows are paired, columns compared, and what is over tolerance is judged against noise."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.choose import columns_of
from repro_tui.compare.columns.differences import Differences
from repro_tui.compare.columns.feeding import feed
from repro_tui.compare.columns.kinds import kind_of, profile
from repro_tui.compare.ignored_columns import column_names, ignored_columns, unused, without
from repro_tui.compare.noise.own import Bits, by_chance, mark
from repro_tui.compare.noise.verdict import (
    FEWEST,
    STILL,
    RunColumn,
    RunDistances,
    is_deterministic,
    judge,
    judge_columns,
    judge_recorded,
    measure,
)
from repro_tui.compare.rows.alignment import Alignment, align
from repro_tui.compare.rows.answered import unanswered
from repro_tui.compare.rows.database import Database
from repro_tui.compare.rows.unify import Unified, unify
from repro_tui.model.errors import Inconclusive
from repro_tui.model.finding import AreaStatus, Finding
from repro_tui.model.predictions import SAME_VERDICTS, VERDICTS, Column, Noise, PredictionsArea, Rows, Verdict, worst
from repro_tui.model.record import ColumnRule, Validation
from repro_tui.model.request import Settings
from repro_tui.model.run import Run
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.text import show

FILE = "differences.parquet"
DO_KEYS = "make the predict step write the key of each input row beside its answer, once"
DO_LESS = "leave out fewer: a verdict needs an output"
DO_ROWS = "find out why the predict step sometimes leaves rows out"


def compare_predictions(
    a: Sequence[Run],
    b: Sequence[Run],
    validation: Validation,
    settings: Settings,
    folder: Path,
    context: Context,
    *,
    recorded: bool = False,
    still: int = STILL,
) -> PredictionsArea:
    """Compares A's first run with every other run of both sides, and all by the noise rule where one is over tolerance.

    Writes the differing cells of B's first run, or of the first run that is over tolerance, to differences.parquet in
    `folder`; `compared` says which, where it is not B's first. Runs that failed, or rows that do not belong together,
    are not comparable. `recorded`: A is one table that was recorded, which no run can repeat. `still` is how many runs
    that never change are enough to say drift.
    """
    failed = next((run for run in (*a, *b) if run.status != "succeeded"), None)
    if failed or not a or not b:
        return PredictionsArea("unknown", "not-comparable", what=failed.what if failed else "a side has no runs")
    database = Database(context.cache.temporary(), settings.memory_limit)
    try:
        with closing(database):
            names = column_names((*a, *b))
            ignored = ignored_columns(names, validation, settings)
            idle = tuple(show(rule, 200) for rule in unused(names, validation, settings))
            a, b = (without(side, ignored, database.scratch) for side in (a, b))
            found = unify(a, b, settings.key or validation.key, database.scratch / "unified")
            area = _Comparison(
                found.a, found.b, validation, settings, folder, database, context, recorded, still
            ).area()
            left_out = tuple(show(name, 200) for name in ignored)
            if ignored and not area.columns:
                area = replace(area, what=f"all outputs but the key are left out: {', '.join(left_out)}", do=DO_LESS)
            return replace(_in_own_types(area, found), ignored=left_out, unused=idle)
    finally:
        remove_tree(database.scratch)


def _in_own_types(area: PredictionsArea, found: Unified) -> PredictionsArea:
    """The area with what was brought together told as it was: an output in other types is not the same bytes."""
    if not found.types:
        return area
    columns = tuple(found.with_original_types(column) for column in area.columns)
    again = _area(columns, area.rows, area.key, area.differences, area.worst, "")
    rule = again.rule if area.verdict == "identical" else area.rule
    keys = [f"{name} is {' in A and '.join(found.types[name])} in B" for name in area.key if name in found.types]
    return replace(
        area,
        columns=columns,
        verdict=max(area.verdict, again.verdict, "equal", key=VERDICTS.index),
        rule="; ".join(filter(None, (rule, f"the key {', '.join(keys)}" if keys else ""))),
        counts=again.counts,
        findings=again.findings,
    )


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
    still: int = STILL

    @property
    def key(self) -> tuple[str, ...]:
        return self.settings.key or self.validation.key

    def area(self) -> PredictionsArea:
        still = (self.recorded or is_deterministic(self.a), is_deterministic(self.b))
        noise = Noise(len(self.b), None if self.recorded or len(self.a) < 2 else still[0], _known(self.b, still[1]))
        shown = all(still) and len(self.b) >= self.still
        if problem := self._other_counts():
            area = self._pair(self.b[0], self.folder)
            return _not_comparable(area, noise, problem, DO_ROWS, shown=shown)
        if problem := self._unanswered():
            area = self._pair(self.b[0], self.folder)
            told = "; ".join(filter(None, (problem, area.what)))
            return _not_comparable(area, noise, told, DO_KEYS, shown=shown)
        area = self._worst_pair()
        if area.verdict == "not-comparable" and area.what:
            return _not_comparable(area, noise, area.what, area.do, shown=shown)
        if all(still):
            area = replace(area, columns=tuple(_still(column) for column in area.columns))
        if area.verdict != "drift":
            return replace(area, noise=replace(noise, sentence=_quiet(noise, self.recorded)))
        if all(still) or len(self.b) < 2:
            return self._unvarying(area, noise, all(still))
        return self._judged(area, (still[0], still[1]))

    def _unvarying(self, area: PredictionsArea, noise: Noise, still: bool) -> PredictionsArea:
        """Over the tolerance, with runs that do not vary: drift where there are enough of them."""
        if still and len(self.b) >= self.still:
            return replace(area, noise=replace(noise, sentence=_quiet(noise, self.recorded)))
        told = _quiet(noise, self.recorded)
        if still:
            told += f": too few to rule out outputs that switch between two values; {STILL} runs a side are needed"
        columns = tuple(replace(c, verdict="undecided") if c.verdict == "drift" else c for c in area.columns)
        again = _area(columns, area.rows, area.key, area.differences, area.worst, "")
        return replace(
            again,
            noise=replace(noise, sentence=told),
            what=told,
            do=f"run again with --repeat {STILL}",
            compared=area.compared,
        )

    # -- which runs ---------------------------------------------------------------------------------------------

    def _others(self) -> dict[str, tuple[str, Run]]:
        """The outputs that are not those of A's first run, each content once, with the run that wrote it in words."""
        named = [(letter, run) for letter, side in (("B", self.b), ("A", self.a)) for run in side]
        found: dict[str, tuple[str, Run]] = {}
        for letter, run in named:
            if run.output_sha256 != self.a[0].output_sha256:
                found.setdefault(run.output_sha256, (f"{letter}'s run {run.number}", run))
        return found

    def _other_counts(self) -> str:
        """The later runs that did not write as many rows as the first of their side, in words."""
        odd = []
        for letter, side in (("A", self.a), ("B", self.b)):
            counts = [pq.read_metadata(run.predictions).num_rows for run in side]
            odd += [
                f"{letter}'s run {run.number} wrote {count:,} rows, but its run {side[0].number} wrote {counts[0]:,}"
                for run, count in zip(side, counts, strict=True)
                if count != counts[0]
            ]
        return "; ".join([*odd[:3], *([f"and {len(odd) - 3} more"] if len(odd) > 3 else [])])

    def _unanswered(self) -> str:
        """What the first runs do not answer exactly once of the input rows, in words; "" where both answer all.

        Later runs are held to the keys of A's first when they are compared with it.
        """
        inputs = self.folder / "inputs.parquet"
        if not inputs.is_file():
            return ""
        a, b = self.a[0], self.b[0]
        same = a.output_sha256 == b.output_sha256
        found = [
            f"{side}: {problem}"
            for side, run in ((("A and B", a),) if same else (("A", a), ("B", b)))
            if (problem := unanswered(inputs, Path(run.predictions), self.key, self.database))
        ]
        return "; ".join(found)

    def _worst_pair(self) -> PredictionsArea:
        """A's first run against B's first, or against the run that is farthest from it: same is said of all or none."""
        others = self._others()
        others.pop(self.b[0].output_sha256, None)
        area = self._pair(self.b[0], self.folder)
        for words, run in others.values():
            if area.verdict not in SAME_VERDICTS:
                break
            folder = self.context.cache.temporary()
            folder.mkdir(parents=True)
            try:
                other = self._pair(run, folder)
                if VERDICTS.index(other.verdict) > VERDICTS.index(area.verdict):
                    shutil.move(folder / FILE, self.folder / FILE)
                    what = f"{words}: {other.what}" if other.what else ""
                    area = replace(other, what=what, compared=f"A's run {self.a[0].number} against {words}")
            finally:
                remove_tree(folder)
        return area

    def _pair(self, run: Run, folder: Path) -> PredictionsArea:
        """A's first run against another, cell by cell; differing cells go to the folder."""
        alignment = align(Path(self.a[0].predictions), Path(run.predictions), self.key, self.database)
        if run.output_sha256 == self.a[0].output_sha256 and not alignment.problem:
            for _ in () if alignment.ordered else alignment.pairs((), self.context.cancel.check):
                continue  # until it is known which rows have no key, or one that others have as well
            if not alignment.problem:
                return self._untouched(alignment, folder)
        area = self._compared(alignment, folder)
        return replace(area, what=alignment.problem, do=alignment.do) if alignment.problem else area

    # -- cells --------------------------------------------------------------------------------------------------

    def _untouched(self, alignment: Alignment, folder: Path) -> PredictionsArea:
        """All bytes are the same: nothing needs to be read but the columns' names and types."""
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

    def _compared(self, alignment: Alignment, folder: Path) -> PredictionsArea:
        found = columns_of(alignment, self.validation, self.settings, self.key)
        differences = Differences(folder / FILE, self.key, found.names)
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
        from repro_tui.compare.truth.which_side import with_truth

        return with_truth(columns, alignment, self.folder / "inputs.parquet", self.validation.truth)

    # -- noise --------------------------------------------------------------------------------------------------

    def _judged(self, area: PredictionsArea, deterministic: tuple[bool, bool]) -> PredictionsArea:
        wanted = self._wanted(area)
        try:
            measured = measure(self.a, self.b, self.key, list(wanted.values()), self.database)
        except Inconclusive as error:
            return replace(area, status="unknown", verdict="not-comparable", what=error.what, do=error.do)
        measured = measured.of(_in_question(measured, wanted, area.columns))
        if self.recorded:
            found, noise = judge_recorded(measured, len(self.b), deterministic[1])
        else:
            found, noise = judge(measured, deterministic, self.settings.repeat is not None)
        verdict: Verdict = found  # type: ignore[assignment]
        fixed = self.settings.repeat is not None
        each = judge_columns(measured, verdict, deterministic, fixed, self.recorded)
        verdicts = {name: each[column.name] for name, column in wanted.items() if column.name in each}
        judged = _with_members([_in_all_runs(c, verdicts, verdict) for c in area.columns])
        columns = tuple(replace(c, noise_abs=_within(measured, wanted, c)) for c in judged)
        if noise.runs >= FEWEST:
            beyond = measured.rows_beyond()
            mark(self.folder / FILE, beyond)
            columns = tuple(replace(c, beyond_noise=_beyond(beyond, wanted, c)) for c in columns)
            noise = replace(noise, by_chance=by_chance(len(self.a), len(self.b)))
        again = _area(columns, area.rows, area.key, area.differences, area.worst, "")
        if verdict == "drift":  # which was shown, and is not made undecided by another column
            again = replace(again, verdict=verdict, status="different")
        if verdict == "undecided":
            again = replace(again, what=noise.sentence, do="run again with --repeat 20, or fix what is random")
        return replace(again, noise=noise, compared=area.compared)

    def _wanted(self, area: PredictionsArea) -> dict[str, RunColumn]:
        """The columns that all runs are measured by, by the name that they have in the report."""
        names = {show(name, 200): name for name in pq.read_schema(self.a[0].predictions).names}
        return {
            column.name: RunColumn(names[column.name], column.kind, column.atol or 0.0, column.rtol or 0.0)
            for column in area.columns
            if column.verdict != "not-comparable" and not column.members
        }


def _in_question(measured: RunDistances, wanted: dict[str, RunColumn], columns: Sequence[Column]) -> set[str]:
    """The columns that are over their tolerance, in the runs that were compared cell by cell or in others: only these
    are judged. A column of which every run is within the tolerance of A's first is the same, however steadily it is
    shifted."""
    told = {column.name for column in columns if column.verdict == "drift"}
    told |= {member for column in columns if column.name in told for member in column.members}
    return {wanted[name].name for name in told if name in wanted} | {n for n, over in measured.over.items() if over}


def _in_all_runs(column: Column, verdicts: Mapping[str, str], whole: Verdict) -> Column:
    """A column with the verdict over all runs; the two that were compared cell by cell may agree by chance."""
    if column.verdict == "drift":
        return replace(column, verdict=verdicts.get(column.name, whole))  # type: ignore[arg-type]
    if column.name not in verdicts or column.verdict == "not-comparable" or column.members:
        return column
    told = "; ".join(filter(None, (column.note, "other runs differ by more than the tolerance")))
    return replace(column, verdict=verdicts[column.name], note=told)  # type: ignore[arg-type]


def _with_members(columns: Sequence[Column]) -> list[Column]:
    """The columns, vectors with the worst verdict of theirs."""
    verdicts = {column.name: column.verdict for column in columns}
    return [
        replace(column, verdict=worst(tuple(verdicts[name] for name in column.members if name in verdicts)))
        if column.members and column.verdict not in SAME_VERDICTS | {"not-comparable"}
        else column
        for column in columns
    ]


def _not_comparable(area: PredictionsArea, noise: Noise, what: str, do: str, *, shown: bool) -> PredictionsArea:
    """The area where rows are missing, strange or twice. What is seen in the others is kept; that a column is the same
    is not said, as it is not known of every row, and that it drifts only where runs were `shown` not to vary."""

    def open_one(column: Column) -> Verdict:
        if column.verdict in SAME_VERDICTS:
            return "not-comparable"
        return "undecided" if column.verdict == "drift" and not shown else column.verdict

    columns = tuple(replace(column, verdict=open_one(column)) for column in area.columns)
    again = _area(columns, area.rows, area.key, area.differences, area.worst, area.rule)
    return replace(
        again, status="unknown", verdict="not-comparable", noise=noise, what=what, do=do, compared=area.compared
    )


def _within(measured: RunDistances, wanted: dict[str, RunColumn], column: Column) -> float | None:
    return measured.largest_within[wanted[column.name].name] if column.name in wanted else None


def _beyond(beyond: dict[str, Bits], wanted: dict[str, RunColumn], column: Column) -> int | None:
    rows = beyond.get(wanted[column.name].name) if column.name in wanted else None
    return None if rows is None else rows.count


def _known(runs: Sequence[Run], still: bool) -> bool | None:
    return still if len(runs) > 1 else None


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
    return f"the outputs of {noisy} change from run to run, within the tolerance"


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
        what="; ".join(odd) if odd else "" if columns else "the outputs have no column other than the key",
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
