"""Verification: one deployment is rebuilt from its record, run, and compared with its recorded outputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from repro_tui.audit.concurrency import at_once
from repro_tui.audit.grading import gaps_of, grade
from repro_tui.audit.inputs import Inputs, keep_inputs
from repro_tui.audit.pipeline import FIRST_REPEAT, Audit, complete, warnings_of
from repro_tui.audit.side import SideState
from repro_tui.model.errors import Inconclusive
from repro_tui.model.finding import Area, Finding, area_of
from repro_tui.model.grade import Metric
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.record import Missing
from repro_tui.model.report import Areas, AuditInfo, Report, Sides, Tool
from repro_tui.model.run import Run
from repro_tui.support.text import plural
from repro_tui.version import __version__

AREA_STEPS = ("code", "environment", "parameters", "data")


@dataclass(slots=True)
class Verification(Audit):
    """One running verification: A is what was recorded, B is rebuilt and run."""

    gaps: tuple[Missing, ...] = ()
    recorded: Run | None = None
    metrics: tuple[Metric, ...] = ()
    short: str = ""
    inputs: Inputs = field(default_factory=lambda: Inputs(Path()))

    def run(self) -> Report:
        """Runs the verification to its end; of an incomplete record nothing is executed, only the gaps are reported."""
        a, b = self._side("a"), self._side("b")
        self.gaps = gaps_of(b.record)
        self._read_recorded(a)
        if self.gaps:
            return self._verification_report(
                a, b, PredictionsArea("unknown", "not-comparable", what="the record is incomplete")
            )
        with self._stage("rebuild"):
            b.rebuild()
            self.inputs = keep_inputs(b.record.validation, self.folder, self.context)
        return self._verification_report(a, b, self._stressed(self._verified(a, b), (b,), self.inputs.path))

    def _read_recorded(self, a: SideState) -> None:
        """Reads the recorded predictions as A's one run; a file that is not a table is a gap."""
        from repro_tui.formats.normalise import recorded_run

        file = a.record.expected.predictions
        if file is None:
            return
        try:
            with a.context.step("recorded", "reading the recorded predictions") as step:
                self.recorded = recorded_run(Path(file), a.context.folder / "run-1.parquet", a.context)
                step.how = f"{plural(self.recorded.rows or 0, 'recorded row')}, {self.recorded.output_format}"
            a.runs.append(self.recorded)
        except Inconclusive as error:
            self.gaps += (Missing("expected.predictions", error.what, error.do or "record them as a table"),)

    # -- predictions --------------------------------------------------------------------------------------------

    def _verified(self, a: SideState, b: SideState) -> PredictionsArea:
        """Runs the rebuilt side until the noise rule can decide, and compares it with the recorded outputs."""
        runs_needed: int | None = self.request.settings.repeat or FIRST_REPEAT
        area = PredictionsArea("unknown", "not-comparable")
        while runs_needed is not None:
            with self._stage("run"):
                numbers = range(len(b.runs) + 1, runs_needed + 1)
                tasks = [partial(b.run_once, number, self.inputs.path) for number in numbers]
                at_once(list(tasks), workers=self._concurrency())
            b.runs.sort(key=lambda run: run.number)
            with self._stage("compare"):
                area = self._against_recorded(a, b)
            from repro_tui.compare.noise.verdict import next_repeat  # it takes long, so not before the first runs

            runs_needed = None if b.failed else next_repeat((), b.runs, area, self.request.settings, recorded=True)
        if not b.failed:
            with self._stage("compare"):
                self.metrics = self._judge_metrics(b)
        return area

    def _against_recorded(self, a: SideState, b: SideState) -> PredictionsArea:
        from repro_tui.compare.predictions import compare_predictions

        area = PredictionsArea("unknown", "not-comparable")
        if b.failed:
            area = replace(area, what=f"it failed at {b.failed}: {b.what}", do=b.do)
        elif self.recorded is None:
            self.short = self._left_out(b)
            area = replace(area, what="no predictions were recorded", do="record expected.predictions, a table")
        else:
            self.short = self._left_out(b)
            validation, settings = b.record.validation, self.request.settings
            with self.context.step(
                "compare predictions", f"comparing the recorded predictions with {plural(len(b.runs), 'run')}"
            ):
                area = compare_predictions(
                    a.runs, b.runs, validation, settings, self.folder, self.context, recorded=True
                )
                area = complete(area, self.inputs)
        self._publish("predictions", area)
        return area

    def _left_out(self, b: SideState) -> str:
        fewest = min((run.rows or 0 for run in b.runs), default=0)
        if self.inputs.rows is None or fewest >= self.inputs.rows:
            return ""
        return f"the validation inputs have {plural(self.inputs.rows, 'row')}, but the output has {fewest:,}"

    def _judge_metrics(self, b: SideState) -> tuple[Metric, ...]:
        expected = b.record.expected
        if not expected.metrics:
            return ()
        from repro_tui.compare.truth.metrics import judge_metrics
        from repro_tui.compare.truth.outcomes import read_outcomes

        validation, settings = b.record.validation, self.request.settings
        with self.context.step("metrics", "measuring the recorded metrics again") as step:
            key = settings.key or validation.key
            outcomes = read_outcomes(Path(b.runs[0].predictions), self.folder / "inputs.parquet", validation, key)
            judged = judge_metrics(expected, outcomes, settings)
            count = sum(bool(metric.matches) for metric in judged)
            step.how = f"{count} of {plural(len(judged), 'recorded metric')} {'matches' if count == 1 else 'match'}"
        return judged

    # -- the report ---------------------------------------------------------------------------------------------

    def _verification_report(self, a: SideState, b: SideState, predictions: PredictionsArea) -> Report:
        from repro_tui.report.summary import summarise_grade

        graded = grade(b.record, self.gaps, self.recorded, b, predictions, self.metrics, self.short)
        scrub = self.context.redactor.scrub
        graded = replace(graded, sentence=scrub(graded.sentence))
        sides = Sides(a.report(), b.report())
        summary = summarise_grade(graded, predictions, sides)
        code, environment, parameters, data = (self._rebuilt(name, b) for name in AREA_STEPS)
        spent = self.spent()
        return Report(
            schema=1,
            tool=Tool("repro-tui", __version__),
            audit=AuditInfo(self.request.id, str(self.folder), self.request.started, spent, self.stages),
            verdict=predictions.verdict,
            exit_status=graded.exit_status,
            summary=summary.sentences,
            sides=sides,
            areas=Areas(code, environment, parameters, data, predictions),
            warnings=(*warnings_of(a, b, self.inputs), *self.warnings),
            grade=graded,
            notes=summary.notes,
        )

    def _rebuilt(self, name: str, b: SideState) -> Area:
        """The area of one step: whether what was rebuilt is what was recorded, as far as the record has a digest."""
        part = next((part for part in b.parts if part.step == name), None)
        if part is not None and part.matches == "matches":
            area = area_of((), 1)
        elif part is not None and part.matches == "differs":
            why = "; ".join((part.how, *part.warnings))
            area = area_of((Finding((name,), "changed", "as recorded", "as rebuilt", "important", why),), 0)
        else:
            why = part.how if part else f"the {name} {'were' if name == 'parameters' else 'was'} not rebuilt"
            note = f"{why}: the record has no digest to check it against" if part else why
            area = area_of((Finding((name,), "unknown", severity="info", note=note),), 0)
            area = replace(area, basis="built" if part else "declared")
        self._publish(name, area)
        return area
