"""Builds the predictions' area from compared columns, and applies to it what all runs show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from repro_tui.compare.noise.row_marks import RowSet
from repro_tui.compare.noise.verdict import Judgement, RunColumn, RunDistances, is_deterministic
from repro_tui.compare.rows.unify import Unified
from repro_tui.model.finding import AreaStatus, Finding
from repro_tui.model.predictions import (
    SAME_VERDICTS,
    VERDICTS,
    Column,
    Noise,
    PredictionsArea,
    Rows,
    Verdict,
    WorstRow,
    worst,
)
from repro_tui.model.run import Run
from repro_tui.support.text import plural


def area_of_columns(
    columns: tuple[Column, ...],
    rows: Rows | None,
    key: tuple[str, ...],
    differences: int,
    worst_rows: tuple[WorstRow, ...],
    rule: str = "",
) -> PredictionsArea:
    """The area of these columns: its verdict is the worst of theirs.

    `differences` is the number of differing cells, `worst_rows` the rows that moved most; `rule` says what decided ("":
    the rule of the first column with the verdict).
    """
    verdict = worst(tuple(column.verdict for column in columns))
    status: AreaStatus = "same" if verdict in SAME_VERDICTS else "different" if verdict == "drift" else "unknown"
    counts: dict[str, int] = {}
    for column in columns:
        counts[column.verdict] = counts.get(column.verdict, 0) + 1
    reasons = [
        f"{column.name}: {column.note}" for column in columns if column.verdict == "not-comparable" and column.note
    ]
    decisive = next((column for column in columns if column.verdict == verdict), None)
    return PredictionsArea(
        status=status,
        verdict=verdict,
        rule=rule or (f"{decisive.name}: {decisive.rule}" if decisive and decisive.rule else ""),
        key=key,
        rows=rows,
        columns=columns,
        worst=worst_rows,
        counts=counts,
        findings=tuple(_finding(column) for column in columns if column.verdict != "identical"),
        differences=differences,
        what="; ".join(reasons) if reasons else "" if columns else "the outputs have no column other than the key",
    )


def with_columns(area: PredictionsArea, columns: tuple[Column, ...], rule: str = "") -> PredictionsArea:
    """The area of the same rows with other columns; its noise, reason and remedy are those of the columns alone."""
    return area_of_columns(columns, area.rows, area.key, area.differences, area.worst, rule)


def _finding(column: Column) -> Finding:
    flips = f", {plural(column.flips, 'flip')}" if column.flips else ""
    summary = f"{column.verdict}: {column.different:,} different, {column.within_tolerance:,} within tolerance{flips}"
    summary = "; ".join(filter(None, (summary, column.note)))
    important = column.verdict in ("drift", "not-comparable", "undecided")
    return Finding(
        (column.name,),
        "unknown" if column.verdict == "not-comparable" else "changed",
        column.type_a,
        column.type_b,
        "important" if important else "info",
        column.note if column.verdict == "not-comparable" else summary,
    )


def with_own_types(area: PredictionsArea, unified: Unified) -> PredictionsArea:
    """The area with the types that the files have: values in another type are equal, and not identical."""
    if not unified.types:
        return area
    retyped = with_columns(area, tuple(unified.with_original_types(column) for column in area.columns))
    rule = retyped.rule if area.verdict == "identical" else area.rule
    keys = [f"{name} is {' in A and '.join(unified.types[name])} in B" for name in area.key if name in unified.types]
    return replace(
        area,
        columns=retyped.columns,
        verdict=max(area.verdict, retyped.verdict, "equal", key=VERDICTS.index),
        rule="; ".join(filter(None, (rule, f"the key {', '.join(keys)}" if keys else ""))),
        counts=retyped.counts,
        findings=retyped.findings,
    )


# -- what all runs show -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RepeatedRuns:
    """The runs of both sides, and whether they vary.

    `recorded`: A is one recorded table. `runs_for_drift` is how many runs a side that never change show drift.
    """

    a: Sequence[Run]
    b: Sequence[Run]
    recorded: bool
    runs_for_drift: int

    @property
    def deterministic(self) -> tuple[bool, bool]:
        """Whether all runs of A, and of B, wrote the same bytes; a recorded table counts as such."""
        return self.recorded or is_deterministic(self.a), is_deterministic(self.b)

    @property
    def never_change(self) -> bool:
        """Whether both sides repeat themselves."""
        return all(self.deterministic)

    @property
    def show_drift(self) -> bool:
        """Whether the runs never change, and are enough to call a difference drift: with fewer, the outputs might
        switch between two values."""
        return self.never_change and len(self.b) >= self.runs_for_drift

    @property
    def noise(self) -> Noise:
        """What is known without measuring the runs."""
        a, b = self.deterministic
        return Noise(len(self.b), None if self.recorded or len(self.a) < 2 else a, b if len(self.b) > 1 else None)

    @property
    def sentence(self) -> str:
        """The same in a sentence, where no run is over the tolerance or no run changes."""
        if self.never_change:
            return f"no nondeterminism seen in {len(self.b)} runs"
        if len(self.b) < 2:
            runs = "one run" if self.recorded else "one run a side"
            return f"{runs}: whether the outputs change from run to run is not known"
        varying = " and ".join(side for side, repeats in zip("AB", self.deterministic, strict=True) if not repeats)
        return f"the outputs of {varying} change from run to run, within the tolerance"


def without_noise(area: PredictionsArea) -> PredictionsArea:
    """The area of sides whose runs wrote the same bytes: the noise of columns with numbers is 0."""
    columns = tuple(replace(c, noise_abs=0.0) if c.max_abs is not None else c for c in area.columns)
    return replace(area, columns=columns)


def undecided_without_noise(area: PredictionsArea, runs: RepeatedRuns) -> PredictionsArea:
    """The area over the tolerance of runs that are too few to show drift, or to show whether they vary."""
    reason = runs.sentence
    if runs.never_change:
        reason += ": too few to rule out outputs that switch between two values; "
        reason += f"{runs.runs_for_drift} runs a side are needed"
    columns = tuple(replace(c, verdict="undecided") if c.verdict == "drift" else c for c in area.columns)
    return replace(
        with_columns(area, columns),
        noise=replace(runs.noise, sentence=reason),
        what=reason,
        do=f"run again with --repeat {runs.runs_for_drift}",
        compared=area.compared,
    )


def not_comparable(area: PredictionsArea, runs: RepeatedRuns, reason: str, remedy: str) -> PredictionsArea:
    """The area where rows are missing, additional or duplicated, and what is seen in the matched rows.

    No column is called the same, as not all of its rows are known; columns drift only if the runs show drift.
    """

    def open_verdict(column: Column) -> Verdict:
        if column.verdict in SAME_VERDICTS:
            return "not-comparable"
        return "undecided" if column.verdict == "drift" and not runs.show_drift else column.verdict

    columns = tuple(replace(column, verdict=open_verdict(column)) for column in area.columns)
    return replace(
        with_columns(area, columns, area.rule),
        status="unknown",
        verdict="not-comparable",
        noise=runs.noise,
        what=reason,
        do=remedy,
        compared=area.compared,
    )


def columns_over_tolerance(
    measured: RunDistances, run_columns: Mapping[str, RunColumn], columns: Sequence[Column]
) -> set[str]:
    """The columns (by their names in the files) that are over their tolerance in the pair that was compared cell by
    cell or in another run. Only these are judged: a column in which every run is within the tolerance of A's first is
    the same, however steadily it is shifted."""
    drifting = {column.name for column in columns if column.verdict == "drift"}
    drifting |= {member for column in columns if column.name in drifting for member in column.members}
    compared = {run_columns[name].name for name in drifting if name in run_columns}
    return compared | {name for name, is_over in measured.over_tolerance.items() if is_over}


def judged_area(
    area: PredictionsArea,
    whole: Judgement,
    verdicts: Mapping[str, Verdict],
    run_columns: Mapping[str, RunColumn],
    largest_steps: Mapping[str, float | None],
    exceeding: Mapping[str, RowSet] | None,
) -> PredictionsArea:
    """The area with the judgement over all runs.

    `run_columns` are the measured columns by their names in the report; all other mappings go by the names in the
    files: `verdicts` of the columns that were judged, `largest_steps` between two runs of one side, and the rows
    `exceeding` their own noise (None: not known with so few runs).
    """

    def with_noise(column: Column) -> Column:
        if column.name not in run_columns:
            return column
        name = run_columns[column.name].name
        rows = exceeding.get(name) if exceeding is not None else None
        return replace(column, noise_abs=largest_steps[name], beyond_noise=None if rows is None else rows.count)

    by_report_name = {name: verdicts[column.name] for name, column in run_columns.items() if column.name in verdicts}
    judged = _with_member_verdicts([_judged_column(c, by_report_name, whole.verdict) for c in area.columns])
    result = with_columns(area, tuple(map(with_noise, judged)))
    if whole.verdict == "drift":  # drift was shown, and another column that is undecided does not undo that
        result = replace(result, verdict="drift", status="different")
    if whole.verdict == "undecided":
        result = replace(result, what=whole.noise.sentence, do=whole.remedy)
    return replace(result, noise=whole.noise, compared=area.compared)


def _judged_column(column: Column, verdicts: Mapping[str, Verdict], whole: Verdict) -> Column:
    """A column with its verdict over all runs; the two that were compared cell by cell may agree by chance."""
    if column.verdict == "drift":
        return replace(column, verdict=verdicts.get(column.name, whole))
    if column.name not in verdicts or column.verdict == "not-comparable" or column.members:
        return column
    note = "; ".join(filter(None, (column.note, "other runs differ by more than the tolerance")))
    return replace(column, verdict=verdicts[column.name], note=note)


def _with_member_verdicts(columns: Sequence[Column]) -> list[Column]:
    """The columns, of which vectors have the worst verdict of their members."""
    verdicts = {column.name: column.verdict for column in columns}
    return [
        replace(column, verdict=worst(tuple(verdicts[name] for name in column.members if name in verdicts)))
        if column.members and column.verdict not in SAME_VERDICTS | {"not-comparable"}
        else column
        for column in columns
    ]
