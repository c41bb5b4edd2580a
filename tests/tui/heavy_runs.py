"""Heavy audits whose weight is in what was run, through the audit folder's own writer.

A build that failed below 4,000 lines of a compiler, a crash below 100,000 lines of a training log, verifications of
several grades, and a search for the cause that has tried hundreds of hybrids and is still running. What the engine
words itself, such as a grade, is made by the engine's own functions; the rest is what real audits of these kinds
(`failed`) wrote.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.grading import gaps_of, grade
from repro_tui.audit.side import SideState
from repro_tui.audit.verify import AREA_STEPS
from repro_tui.explain.execution import STEP
from repro_tui.model.event import Event
from repro_tui.model.finding import Basis, Finding, area_of
from repro_tui.model.grade import Level, Metric
from repro_tui.model.inventory import Inventory
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.record import Record
from repro_tui.model.report import Areas, SideReport, Sides
from repro_tui.model.run import Run
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, Workspace
from repro_tui.report.summary import summarise, summarise_grade
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from repro_tui.support.plain import dumps, to_plain, write_json
from repro_tui.support.text import part, plural, signed_part
from tests.tui.folders import NOW, RUNNING_S, differences, report, running, verified
from tests.tui.heavy import columns, files, heavy_areas, packages, parameters, write_cells

STARTED = 40.0  # seconds into the audit at which a search for the cause begins
NVCC = "nvcc was not found: set CUDA_HOME"
NO_DECODER = f"RuntimeError: the weights have no decoder: {'layer ' * 60}END"
CRASH = f"""\
Traceback (most recent call last):
  File "/repro/code/predict.py", line 5, in load
    return {{"encoder": 1}}[weights]
           ~~~~~~~~~~~~~~^^^^^^^^^
KeyError: 'decoder'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/repro/code/predict.py", line 9, in <module>
    raise RuntimeError("the weights have no decoder: " + "layer " * 60 + "END") from error
{NO_DECODER}
"""
NOT_COMPARED = PredictionsArea("unknown", "not-comparable")


def failed_build(path: Path) -> AuditFolder:
    """B's environment cannot be built: the error stands below 4,000 lines of a compiler, and above some of pip."""
    folder = running(path)
    log = [f"nvcc -O3 -gencode arch=compute_90 -c csrc/flash_attn/kernel_{n}.cu" for n in range(4_000)]
    log += ["Traceback (most recent call last):", '  File "<string>", line 5, in <module>', f"RuntimeError: {NVCC}"]
    log += ["error: Failed to build `flash-attn==2.7.4`", "  cause: Call to `build_wheel` failed (exit status: 1)"]
    log += ["hint: Build failures usually indicate a problem with the package or the build environment"]
    reason, do = f"flash-attn 2.7.4 cannot be built: RuntimeError: {NVCC}", "record an image"
    events = [Event("step", 0.9, "b", "environment", "started", "rebuilding it from requirements.txt")]
    events += [Event("log", 0.9 + n / 50, "b", "environment", text=line) for n, line in enumerate(log)]
    events.append(Event("step", 83.4, "b", "environment", "failed", f"{reason}. {do.capitalize()}"))
    _append(folder, events, without="environment")
    _write_failure(folder, SideReport("staging", "repro.toml#staging", {}, failed="environment", what=reason, do=do))
    return folder


def failed_run(path: Path, lines: int = 100_000) -> AuditFolder:
    """B's first run fails below so many lines of its log, many of them long."""
    folder = running(path)
    log = (f"epoch {n}: loss {1 / (n + 1):.6f}{' and so on' * 30 * (n % 7 == 0)}\n" for n in range(lines))
    (path / "b" / "run-1.log").write_text("".join(log) + CRASH)
    reason = f"predict ended with exit status 1; its error: {NO_DECODER} (caused by KeyError: 'decoder')"
    do = "see run-1.log: the predict step must exit with status 0"
    _append(
        folder,
        [
            Event("step", 8.0, "b", "environment", "done", "300 packages from requirements.txt, Python 3.11.9"),
            Event("step", 8.1, "a", "run 1", "done", "0.54 s, 400 rows"),
            Event("step", 8.2, "b", "run 1", "started", "python3 predict.py {inputs} {output} {params}"),
            Event("step", 16.5, "b", "run 1", "failed", reason),
        ],
        without="environment",
    )
    run = Run(1, "failed", 8.3, 1, log="b/run-1.log", what=reason, do=do)
    _write_failure(
        folder, SideReport("staging", "repro.toml#staging", {}, runs=(run,), failed="run 1", what=reason, do=do)
    )
    return folder


def _write_failure(folder: AuditFolder, b: SideReport) -> None:
    """The report of an audit in which B failed: what differs is known as it was declared, or as it was built."""
    basis: Basis = "built" if b.runs else "declared"
    code, environment, parameter, data = (
        replace(area, basis=basis) for area in (files(), packages(), parameters(), area_of((), 3))
    )
    not_compared = replace(NOT_COMPARED, what=f"B failed at {b.failed}: {b.what}", do=b.do)
    areas = Areas(code, environment, parameter, data, not_compared)
    whole = report(areas)
    sides = Sides(whole.sides.a, b)
    summary = summarise(sides, areas, whole.verdict)
    failed = replace(whole, sides=sides, summary=summary.sentences, notes=summary.notes, exit_status=3)
    write_json(folder.path / "report.json", failed)


def graded(path: Path, level: Level) -> AuditFolder:
    """A verification with 24 recorded metrics whose grade is R0, R4 or R6."""
    folder = verified(path)
    verification = folder.report()
    assert verification is not None
    recorded = folder.request().b if level != "R0" else Record("prod rebuilt", "repro.toml#prod")
    gaps = gaps_of(recorded) if level == "R0" else ()
    rows = verification.areas.predictions.rows
    same = PredictionsArea("same", "identical", rows=rows, rule="exact", key=("id",), counts={"identical": 2})
    compared = {"R0": NOT_COMPARED, "R4": verification.areas.predictions}.get(level, same)
    run = verification.sides.b.runs[0]
    built = Workspace("k", "prod", (), 60, BuiltEnvironment("venv", "k", Inventory()), BuiltParameters({}))
    side = SideState(recorded, Context(Cache(path / "cache")), None if gaps else built, runs=[run])
    metrics = tuple(
        Metric(f"validation/{name}_at_{n}", round(0.914 + n / 1e4, 4), round(0.914 + n / 1e4 + n / 1e6, 6), True)
        for n in range(8)
        for name in ("accuracy", "val_roc_auc", "ndcg")
    )
    grade_of_it = grade(recorded, gaps, run, side, compared, () if gaps else metrics, "")
    assert grade_of_it.level == level
    a, b = verification.sides.a, verification.sides.b
    sides = Sides(replace(a, runs=()), replace(b, rebuild=(), runs=(), isolation=None)) if gaps else Sides(a, b)
    summary = summarise_grade(grade_of_it, compared, sides)
    unknown = [area_of((Finding((name,), "unknown", note=f"the {name} was not rebuilt"),), 0) for name in AREA_STEPS]
    code, environment, parameter, data = unknown
    areas = (
        Areas(code, environment, parameter, data, compared)
        if gaps
        else replace(verification.areas, predictions=compared)
    )
    write_json(
        path / "report.json",
        replace(
            verification,
            grade=grade_of_it,
            verdict=compared.verdict,
            exit_status=grade_of_it.exit_status,
            sides=sides,
            areas=areas,
            summary=summary.sentences,
            notes=summary.notes,
            warnings=(),
        ),
    )
    if level != "R4":
        differences(path / "differences.parquet", 0)
    return folder


def searching(path: Path, hybrids: int = 400) -> AuditFolder:
    """A running audit whose search for the cause has tried so many hybrids: of factors, then of B's 300 packages."""
    folder = running(path)
    areas = heavy_areas(columns(rows=200))
    write_cells(path / "differences.parquet", areas.predictions)
    names = [f"packages {finding.path[1]}" for finding in areas.environment.findings if finding.path[0] == "packages"]
    events = [
        Event("step", 0.9, "b", "environment", "done", "300 packages from requirements.txt, Python 3.11.9"),
        *(Event("step", 20.0, side, "run 1", "done", "8.2 s, 200 rows") for side in "ab"),
        *(
            Event("area", 30.0, step=name, detail={"name": name, "area": to_plain(getattr(areas, name))})
            for name in ("environment", "parameters", "data", "predictions")
        ),
        Event("step", STARTED, step=STEP, status="started", text="looking for the cause"),
        *_tried(names, hybrids),
    ]
    _append(folder, events)
    last = NOW - RUNNING_S + events[-1].seconds
    os.utime(path / "journal.jsonl", (last, last))
    return folder


def _tried(names: Sequence[str], hybrids: int) -> Iterator[Event]:
    """The hybrids, each as the search writes it, and what is searched now."""
    whole = [["code"], ["environment"], ["parameters"], ["code", "parameters"], ["code", "environment"]]
    for number in range(hybrids):
        seconds = STARTED + number * 6.3
        inside = number >= len(whole)
        from_b = names[number % 7 :: 2 + number % 5] if inside else whole[number]
        score = (1.0, 0.0, 0.42, 0.999999, 1e-7, None)[number % 6] if inside else float("environment" in from_b)
        stage = "inside environment" if inside else "factors"
        result = "unresolved: it cannot be built: no wheel of scipy 1.14 for this Python"
        if score is not None:
            end = "A" if score < 0.01 else "B" if score > 0.99 else "neither"
            result = f"{signed_part(score)} of the change and {part(round(score, 2))} of the moved rows, is {end}"
        if number % 40 == 0:
            text = f"packages: {len(names) - number // 2} candidates left, {plural(500 - number, 'run')} left"
            yield Event("step", seconds, step=STEP, status="progress", text=text)
        entry = {"stage": stage, "from_b": from_b, "told": result, "runs": number}
        measured = {} if score is None else {"score": score, "rows_as_b": round(score, 2)}
        text = f"{stage}: B's {', '.join(from_b[:3])} and {len(from_b) - 3} more: {result}"
        yield Event("log", seconds, step=STEP, text=text, detail={"ledger": entry | measured})


def _append(folder: AuditFolder, events: Iterable[Event], without: str = "") -> None:
    """Adds events to the journal, which loses those of one step of `running`."""
    journal = folder.path / "journal.jsonl"
    kept = [line for line in journal.read_text().splitlines() if not without or f'"{without}"' not in line]
    journal.write_text("\n".join([*kept, *map(dumps, events)]) + "\n")
