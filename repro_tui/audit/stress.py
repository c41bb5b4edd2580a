"""The stress test: which conditions that should not matter change a side's own predictions?

Each variation (execute/variations.py) changes one condition of one side, such as the hash seed, and runs it once. The
result is compared with the side's plain runs, by the same tolerance and noise rules as the audit itself. Several values
of one condition are joined: the condition matters if one value moves the predictions.

Trap: with the rows in another order and no key, the output is first put back into the order of the inputs; that needs
as many output rows as inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from repro_tui.audit.concurrency import at_once
from repro_tui.audit.side import SideState
from repro_tui.execute.variations import Variation, variations
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.event import Event
from repro_tui.model.predictions import Column, PredictionsArea, Stress
from repro_tui.model.run import Run
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.text import show

OWN_CHANGE = "its predictions already change from run to run: more runs are needed to decide (--repeat 5 or more)"


def stress(side: SideState, inputs: Path, workers: int) -> tuple[Stress, ...]:
    """Compares every variation of a side with its plain runs; returns one result per condition.

    `inputs` are the validation inputs; at most `workers` variations run at the same time. Their outputs go to the
    folder `stress-a` (or `stress-b`). Raises Cancelled.
    """

    assert side.workspace is not None
    folder = side.context.folder.with_name(f"stress-{side.context.side}")
    remove_tree(folder)
    folder.mkdir(mode=0o700)
    context = side.context.for_side(side.context.side, folder)
    trials = [
        _Stressed(side, variation, number, context)
        for number, variation in enumerate(variations(side.workspace, inputs, folder, context), 1)
    ]
    at_once([trial.run for trial in trials if not trial.variation.skipped], workers)
    results = tuple(trial.result() for trial in trials)
    results = tuple(
        _joined([trial for trial in results if trial.name == name]) for name in dict.fromkeys(f.name for f in results)
    )
    for leftover in ("reordered", "elsewhere", "differences.parquet"):
        remove_tree(folder / leftover)
    return results


@dataclass(slots=True)
class _Stressed:
    """One side under one variation."""

    side: SideState
    variation: Variation
    number: int
    context: Context
    ran: Run | None = None
    why: str = ""

    def run(self) -> None:
        """Runs it once. Raises Cancelled."""
        from repro_tui.execute.choose import runner_for

        workspace, inputs = self.variation.workspace, self.variation.inputs
        assert workspace is not None
        context = replace(self.context, emit=self._renamed(self.context.emit))
        try:
            runner = runner_for(workspace.environment.kind, context.settings, context)
            self.ran = runner.run(workspace, inputs, self.number, context) if inputs else None
        except (Inconclusive, Refused, OSError) as error:
            self.why = getattr(error, "what", str(error))

    def _renamed(self, emit: Callable[[Event], None]) -> Callable[[Event], None]:
        """An event sink under which the step has the variation's name: `run 1` is that of the plain run."""
        return lambda event: emit(replace(event, step=f"stress: {self.variation.name}") if event.step else event)

    def result(self) -> Stress:
        """The result of the variation."""
        outcome = Stress(self.side.context.side, self.variation.name, self.variation.what)
        if self.variation.skipped or self.ran is None:
            return replace(outcome, note=show(self.variation.skipped or self.why, 300))
        if self.ran.status != "succeeded":
            return replace(
                outcome, moved=True, verdict="not-comparable", note=show(f"the run fails: {self.ran.what}", 300)
            )
        try:
            return _judged(outcome, self._compared(self.ran))
        except Inconclusive as error:
            return replace(outcome, note=show(error.what, 300))

    def _compared(self, run: Run) -> PredictionsArea:
        from repro_tui.compare.predictions import compare_predictions

        record, settings, plain = self.side.record, self.context.settings, self.side.runs
        keyed = settings.key or record.validation.key
        if self.variation.rows is not None and not keyed:
            run = _in_order(run, self.variation.rows, self.variation.seed)
        compare = partial(compare_predictions, validation=record.validation, settings=settings)
        return compare([run], plain, folder=self.context.folder, context=self.context, recorded=True, runs_for_drift=1)


def _in_order(run: Run, inputs: int, seed: int) -> Run:
    """A run on reordered inputs, with its rows put back into the original order. Raises Inconclusive."""
    import numpy as np
    import pyarrow.parquet as pq

    from repro_tui.formats.reorder import order
    from repro_tui.support.hashes import digest_file

    path = Path(run.predictions)
    table = pq.read_table(path)
    if len(table) != inputs:
        reason = f"its output has {len(table):,} rows for {inputs:,} inputs, so without a key they cannot be matched"
        raise Inconclusive(reason, "record validation.key")
    back = np.argsort(order(inputs, seed))
    target = path.with_suffix(".back.parquet")
    pq.write_table(table.take(back), target)
    target.replace(path)
    return replace(run, output_sha256=digest_file(path).sha256)


def _joined(results: list[Stress]) -> Stress:
    """Joins the results of one condition at several values: it matters if one of them moves the predictions."""
    moved = [result for result in results if result.moved]
    unknown = [result for result in results if result.moved is None]
    if moved or unknown:
        return max(moved, key=lambda result: (result.different, result.max_abs or 0.0)) if moved else unknown[0]
    return replace(results[0], what=" / ".join(result.what for result in results))


def _judged(outcome: Stress, area: PredictionsArea) -> Stress:
    if area.verdict == "undecided":
        return replace(outcome, verdict=area.verdict, note=OWN_CHANGE)
    if area.verdict == "not-comparable":
        return replace(outcome, moved=True, verdict=area.verdict, note=show(area.what, 300))
    moved = [column for column in area.columns if column.verdict == area.verdict]
    outcome = replace(outcome, moved=area.status != "same", verdict=area.verdict)
    if area.verdict == "identical" or not moved:
        return outcome
    most = max(moved, key=_weight)
    return replace(outcome, column=most.name, different=most.different, max_abs=most.max_abs)


def _weight(column: Column) -> tuple[int, float]:
    return column.different, column.max_abs or 0.0
