"""The pipeline of an audit: compare what is declared, rebuild both sides, run them, compare, explain the drift.

What both records declare is read and compared before anything is built; without inputs or a predict step, the audit
ends there. Then both sides are rebuilt at the same time,
and the four areas that need no run are compared as built while the predict steps run. The runs are repeated until the
noise rule can decide: two per side at first, then as many as `next_repeat` requests. A side that cannot be rebuilt or
run is lost, which ends the runs of both, but not the audit: whatever can be compared is compared, and the verdict is
then `not-comparable`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path

from repro_tui.audit.areas import FourAreas, StaticAreas
from repro_tui.audit.concurrency import at_once
from repro_tui.audit.inputs import Inputs, keep_inputs
from repro_tui.audit.nothing_runs import NothingRuns, why_nothing_runs
from repro_tui.audit.side import SideState
from repro_tui.formats.arrow import without_pandas
from repro_tui.model.causes import Causes, no_causes
from repro_tui.model.errors import Inconclusive
from repro_tui.model.event import Event
from repro_tui.model.finding import Area
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.report import Areas, AuditInfo, Report, Sides, Tool
from repro_tui.model.request import Request
from repro_tui.support.context import Context
from repro_tui.support.plain import to_plain
from repro_tui.support.text import plural
from repro_tui.version import __version__

FIRST_REPEAT = 2
NO_HEADER = "; or, where it writes a CSV without a header line, name its columns in predict.columns"


@dataclass(slots=True)
class Audit:
    """One running audit."""

    request: Request
    context: Context
    folder: Path
    began: float = field(default_factory=time.monotonic)
    stages: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def run(self) -> Report:
        """Runs the audit to its end and returns the report. Raises Cancelled, and Inconclusive if the disk is full."""
        a, b = self._side("a"), self._side("b")
        a.partner, b.partner = b, a
        static = StaticAreas(a, b, self.folder, self.context)
        with self._stage("declared"):
            static.declare()
        if nothing := why_nothing_runs(a.record, b.record):
            return self._declared(a, b, static.finish(), nothing)
        with self._stage("rebuild"):
            inputs = self._rebuild_both(a, b)
        with ThreadPoolExecutor(1) as comparing:
            built = comparing.submit(_finished, static)
            predictions = self._predictions(a, b, inputs)
            code, environment, parameters, data = built.result()
        predictions = self._stressed(predictions, (a, b), inputs.path)
        causes = self._causes(a, b, predictions, inputs) if self.request.settings.explain else None
        return self._report(a, b, Areas(code, environment, parameters, data, predictions), inputs, causes)

    def _side(self, name: str) -> SideState:
        folder = self.folder / name
        folder.mkdir(exist_ok=True, mode=0o700)
        side = SideState(getattr(self.request, name), self.context.for_side(name, folder))
        side.keep_record()
        return side

    def _rebuild_both(self, a: SideState, b: SideState) -> Inputs:
        """Rebuilds both sides; the inputs are read as a table at the same time. Raises Inconclusive, OSError."""
        with ThreadPoolExecutor(1) as reading:
            inputs = reading.submit(keep_inputs, self.request.a.validation, self.folder, self.context)
            at_once([a.rebuild, b.rebuild], workers=2)
        return inputs.result()

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.stages[name] = round(self.stages.get(name, 0.0) + time.monotonic() - began, 4)

    def spent(self) -> float:
        """Seconds since the audit began."""
        return round(time.monotonic() - self.began, 3)

    def _publish(self, name: str, area: Area | PredictionsArea) -> None:
        self.context.emit(Event("area", step=name, detail={"name": name, "area": to_plain(area)}))

    def _declared(self, a: SideState, b: SideState, areas: FourAreas, nothing: NothingRuns) -> Report:
        """The report of an audit that has nothing to run: what is declared was compared, and nothing was built."""
        area = self._not_compared(nothing.what, nothing.do)
        self._publish("predictions", area)
        settings = self.request.settings
        if settings.stress:
            self.warnings.append("--stress was left out, because nothing was run")
        causes = no_causes(f"no cause can be determined: {area.what}") if settings.explain else None
        return self._report(a, b, Areas(*areas, area), Inputs(Path()), causes)

    # -- predictions --------------------------------------------------------------------------------------------

    def _predictions(self, a: SideState, b: SideState, inputs: Inputs) -> PredictionsArea:
        runs_needed: int | None = self.request.settings.repeat or FIRST_REPEAT
        area = PredictionsArea("unknown", "not-comparable")
        while runs_needed is not None:
            with self._stage("run"):
                self._run_until(a, b, inputs.path, runs_needed)
            with self._stage("compare"):
                area = self._compare_predictions(a, b, inputs)
            runs_needed = None if a.failed or b.failed else self._next_repeat(a, b, area)
        return self._sliced(area, a)

    def _next_repeat(self, a: SideState, b: SideState, area: PredictionsArea) -> int | None:
        """The runs that each side needs for the noise rule to decide; None where it can."""
        from repro_tui.compare.noise.verdict import next_repeat  # it takes long, so not before the first runs

        return next_repeat(a.runs, b.runs, area, self.request.settings)

    def _stressed(self, area: PredictionsArea, sides: tuple[SideState, ...], inputs: Path) -> PredictionsArea:
        """The area with the conditions that the predictions depend on but should not, if `--stress` was given."""
        lost = [side.context.side.upper() for side in sides if side.failed or side.workspace is None]
        if self.request.settings.stress and lost:
            self.warnings.append(f"--stress was left out, because {' and '.join(lost)} failed")
        if not self.request.settings.stress or lost:
            return area
        from repro_tui.audit.stress import stress

        with self._stage("stress"):
            stresses = tuple(result for side in sides for result in stress(side, inputs, self._concurrency()))
        area = replace(area, stress=stresses)
        self._publish("predictions", area)
        return area

    def _sliced(self, area: PredictionsArea, a: SideState) -> PredictionsArea:
        """The area with the slices of the inputs in which predictions moved more often."""
        if area.status == "same" or not area.differences or not a.runs:
            return area
        from repro_tui.compare.slices.inputs import slices_of

        with self._stage("slices"), self.context.step("find slices", "where in the inputs predictions moved") as step:
            slices = slices_of(area, self.folder, Path(a.runs[0].predictions), self.context)
            step.how = plural(len(slices), "slice")
        area = replace(area, slices=slices)
        self._publish("predictions", area)
        return area

    def _run_until(self, a: SideState, b: SideState, inputs: Path, runs_needed: int) -> None:
        """Runs both sides, in parallel if cores and memory allow, until each has `runs_needed` runs."""
        tasks: list[Callable[[], object]] = [
            partial(side.run_once, number, inputs)
            for number in range(min(len(a.runs), len(b.runs)) + 1, runs_needed + 1)
            for side in (a, b)
            if number > len(side.runs)
        ]
        at_once(tasks, workers=self._concurrency())

    def _concurrency(self) -> int:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return max(1, min(len(os.sched_getaffinity(0)), memory // self.request.settings.limits.memory))

    def _compare_predictions(self, a: SideState, b: SideState, inputs: Inputs) -> PredictionsArea:
        from repro_tui.compare.predictions import compare_predictions

        validation, settings = self.request.a.validation, self.request.settings
        for side in (a, b):
            side.runs.sort(key=lambda run: run.number)
        lost = [side for side in (a, b) if side.failed]
        if lost:
            alike = len({(side.failed, side.what, side.do) for side in lost}) == 1 and len(lost) > 1
            failures = "; ".join(
                f"{'A and B' if alike else side.context.side.upper()} failed at {side.failed}: {side.what}"
                for side in lost[: 1 if alike else None]
            )
            area = self._not_compared(failures, lost[0].do)
        else:
            with self.context.step("compare predictions", f"comparing {plural(len(a.runs), 'run')} per side"):
                area = compare_predictions(a.runs, b.runs, validation, settings, self.folder, self.context)
                area = complete(area, inputs)
        self._publish("predictions", area)
        return area

    def _not_compared(self, reason: str, remedy: str) -> PredictionsArea:
        """The area where no outputs were put side by side, without secret values."""
        scrub = self.context.redactor.scrub
        return PredictionsArea("unknown", "not-comparable", what=scrub(reason), do=scrub(remedy))

    # -- the cause ----------------------------------------------------------------------------------------------

    def _causes(self, a: SideState, b: SideState, area: PredictionsArea, inputs: Inputs) -> Causes:
        """The causes of the change in the predictions, or why they cannot be determined."""
        from repro_tui.explain.pair import AuditedPair
        from repro_tui.explain.search import find_causes

        folder = self.folder / "explain"
        if a.workspace is None or b.workspace is None or a.failed or b.failed:
            return no_causes("one side has no predictions, so no cause can be determined")
        runs, settings = (tuple(a.runs), tuple(b.runs)), self.request.settings
        pair = AuditedPair((a.record, b.record), (a.workspace, b.workspace), runs, area, settings)
        context = self.context.for_side("", folder)
        with self._stage("explain"), context.step("explain", "looking for the cause") as step:
            try:
                causes = find_causes(pair, inputs.path, context, self._concurrency())
            except Inconclusive as error:
                causes = no_causes(f"the search for the cause failed: {self.context.redactor.scrub(str(error))}")
            step.how = causes.sentences[0] if causes.sentences else ""
        return causes

    # -- the report ---------------------------------------------------------------------------------------------

    def _report(self, a: SideState, b: SideState, areas: Areas, inputs: Inputs, causes: Causes | None) -> Report:
        from repro_tui.audit.gate import judged
        from repro_tui.report.summary import summarise

        sides = Sides(a.report(), b.report())
        with self._stage("judge"):
            judgement, warnings = judged(areas, self.request, self.folder, self.context)
        areas, verdict = judgement.areas, areas.predictions.verdict
        summary = summarise(sides, areas, verdict, causes, judgement.gate)
        info = AuditInfo(
            self.request.id,
            str(self.folder),
            self.request.started,
            self.spent(),
            self.stages,
        )
        return Report(
            schema=1,
            tool=Tool("repro-tui", __version__),
            audit=info,
            verdict=verdict,
            exit_status=judgement.exit_status,
            summary=summary.sentences,
            sides=sides,
            areas=areas,
            causes=causes,
            warnings=(*warnings_of(a, b, inputs), *self.warnings, *warnings),
            notes=summary.notes,
            gate=judgement.gate,
        )


def _finished(static: StaticAreas) -> FourAreas:
    """The four areas; meanwhile, what the comparison of predictions needs is imported, unless a side is lost."""
    if static.a.failed or static.b.failed:
        return static.finish()
    areas = static.finish()
    warm_up()
    return areas


def warm_up(until: Callable[[], bool] = lambda: False) -> None:
    """Imports what the comparison of predictions needs, one after the other unless `until` is true: it takes a second.

    There is time for it before the request is there, and while the predict steps are running.
    """
    if until():
        return
    without_pandas()
    for name in ("pyarrow.compute", "repro_tui.compare.noise.verdict", "duckdb", "repro_tui.compare.predictions"):
        if until():
            return
        import_module(name)


def complete(area: PredictionsArea, inputs: Inputs) -> PredictionsArea:
    """The area, or `not-comparable` where an output has fewer rows than the inputs: same needs every row."""
    if inputs.rows is None or area.rows is None or area.verdict == "not-comparable":
        return area
    fewest = min(area.rows.a, area.rows.b)
    if fewest >= inputs.rows:
        return area
    written = f"the outputs have {area.rows.a:,} (A) and {area.rows.b:,} (B)"
    return replace(
        area,
        status="unknown",
        verdict="not-comparable",
        what=f"the validation inputs have {plural(inputs.rows, 'row')}, but {written}",
        do="correct the predict step, which leaves out rows: it must write one row for every input row"
        + (NO_HEADER if fewest == inputs.rows - 1 else ""),
    )


def warnings_of(a: SideState, b: SideState, inputs: Inputs) -> tuple[str, ...]:
    """The warnings of both sides and of the inputs, without duplicates and secret values."""
    warnings: list[str] = list(inputs.warnings)
    for side in (a, b):
        texts = [*side.record.warnings, *(text for part in side.parts for text in part.warnings)]
        texts += [text for run in side.runs if run.isolation for text in run.isolation.warnings]
        warnings += [
            f"{side.context.side.upper()}: {side.context.redactor.scrub(text)}" for text in dict.fromkeys(texts)
        ]
    return tuple(dict.fromkeys((*warnings, *a.context.cache.damage)))
