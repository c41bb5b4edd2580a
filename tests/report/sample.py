"""Reports for the reporters' tests: one that has everything, and the same one with a hostile text in every place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from repro_tui.model.causes import Causes, Culprit, Hybrid, Interaction, Unresolved
from repro_tui.model.finding import Accepted, Area, Change, Finding, Severity, area_of
from repro_tui.model.gate import GateReport, KnownChange
from repro_tui.model.grade import Grade, Metric
from repro_tui.model.predictions import Column, Noise, PredictionsArea, Rows, Stress, Verdict, WorstRow
from repro_tui.model.record import Missing
from repro_tui.model.report import Areas, AuditInfo, Report, SideReport, Sides, Tool
from repro_tui.model.run import Isolation, Run
from repro_tui.model.workspace import Part
from repro_tui.report.summary import summarise

Word = Callable[[str], str]
COMMIT_A, COMMIT_B = "9f2c" * 10, "41d7" * 10
DIGEST_A, DIGEST_B = "a3" * 32, "b4" * 32
HUNK = " import numpy as np\n-SCALE = 1.0\n+SCALE = 1.1\n+SHIFT = 0\n def predict(rows):"


def rich_report() -> Report:
    """A drift between two deployments: something in every field that a reporter shows."""
    return _report(lambda text: text)


def hostile_report(text: str) -> Report:
    """The same report with `text` in every place that comes from a record, a run or a comparison."""
    metric = Metric(text, 0.9, 0.8, False, text)
    grade = Grade("R3", text, (Missing(text, text, text),), (metric, replace(metric, matches=None, rebuilt=None)))
    return replace(_accepted(_report(lambda _: text), lambda _: text), grade=grade)


def accepted_report() -> Report:
    """The drift, accepted: all of the predictions, numpy, and of the parameters one that has expired."""
    report = _accepted(rich_report(), lambda text: text)
    gate = report.gate
    summary = summarise(report.sides, report.areas, report.verdict, None, gate)
    return replace(report, exit_status=1, causes=None, summary=summary.sentences, notes=summary.notes)


def _accepted(report: Report, word: Word) -> Report:
    mark = Accepted("record", word("numpy 2 is released"), word("ada"), word("2027-01-31"), audit=word("1"))
    expired = replace(mark, reason=word("a trial"), until="2025-12-31", expired=True)
    known = Accepted("baseline", word("known from audit 1 of 2026-01-01"), audit="1")
    areas = report.areas
    numpy, wheel, *rest = areas.environment.findings
    packages = (replace(numpy, accepted=mark), replace(wheel, accepted=known), *rest)
    threshold, *others = areas.parameters.findings
    columns = tuple(
        replace(column, accepted=mark) if column.verdict == "drift" else column for column in areas.predictions.columns
    )
    areas = replace(
        areas,
        environment=replace(areas.environment, findings=packages),
        parameters=replace(areas.parameters, findings=(replace(threshold, accepted=expired), *others)),
        predictions=replace(areas.predictions, columns=columns),
    )
    path, reason, owner, audit = (word(text) for text in ("environment.packages.numpy", "numpy 2", "ada", "1"))
    applies = KnownChange(path, "applies", reason, owner, "2027-01-31", audit)
    changes = (
        applies,
        replace(applies, path=word("parameters.model.threshold"), state="expired", until="2025-12-31"),
        replace(applies, path=word("parameters.depth"), state="changed", note=word("it is now 3 → 4")),
        replace(applies, path=word("data.model"), state="unclear", note=word("it cannot be told")),
        replace(applies, path=word("code.old.py"), state="absent", note=word("no such difference was seen")),
    )
    gate = GateReport(word("repro.toml"), ("any",), changes, word("20260101"), 1, {"parameters": 2})
    return replace(report, areas=areas, gate=gate)


def same_report() -> Report:
    """Two identical sides."""
    rich = rich_report()
    same = Area("same", {"added": 0, "removed": 0, "changed": 0, "unknown": 0, "same": 12})
    columns = tuple(
        replace(column, verdict="identical", equal=400, within_tolerance=0, different=0, flips=0, max_abs=0.0)
        for column in rich.areas.predictions.columns
    )
    predictions = PredictionsArea("same", "identical", rows=Rows(400, 400, 400), columns=columns)
    return replace(
        rich,
        verdict="identical",
        exit_status=0,
        summary=("Identical: every prediction is the same to the last bit in all 400 rows, in 2 runs a side.",),
        areas=Areas(same, same, same, same, predictions),
        causes=None,
        warnings=(),
    )


def lost_report() -> Report:
    """Side B could not be rebuilt."""
    rich = rich_report()
    b = replace(
        rich.sides.b,
        rebuild=rich.sides.b.rebuild[:1],
        runs=(),
        isolation=None,
        failed="data",
        what=f"data/model.json has sha256 {DIGEST_B}, and the record says {DIGEST_A}",
        do="restore the file that was recorded, or record the new hash",
    )
    unknown = replace(area_of((Finding((), "unknown", note="B was not rebuilt"),), 0), basis="declared")
    predictions = PredictionsArea("unknown", "not-comparable", what="B failed at data: the hash differs", do=b.do)
    return replace(
        rich,
        verdict="not-comparable",
        exit_status=3,
        summary=("B (staging) could not be compared: it failed at data.",),
        sides=Sides(rich.sides.a, b),
        areas=Areas(unknown, unknown, unknown, unknown, predictions),
    )


def declared_report() -> Report:
    """Nothing was run, because there are no inputs: what is declared was compared."""
    rich = rich_report()
    sides = Sides(*(replace(side, rebuild=(), runs=(), isolation=None) for side in (rich.sides.a, rich.sides.b)))
    reason, remedy = "nothing was run, because neither record names validation inputs", "pass --inputs FILE"
    areas = replace(
        rich.areas,
        code=replace(rich.areas.code, basis="declared"),
        predictions=PredictionsArea("unknown", "not-comparable", what=reason, do=remedy),
    )
    summary = summarise(sides, areas, "not-comparable")
    return replace(
        rich,
        verdict="not-comparable",
        exit_status=3,
        summary=summary.sentences,
        notes=summary.notes,
        sides=sides,
        areas=areas,
        causes=None,
    )


def many_findings(count: int) -> Report:
    """A report whose environment has that many findings, the only unknown one the last."""
    changed = tuple(Finding(("packages", f"p{n}"), "changed", "1", "2") for n in range(count - 1))
    rich = rich_report()
    area = area_of((*changed, Finding(("packages", "last"), "unknown", note="not read")), 0)
    return replace(rich, areas=replace(rich.areas, environment=area))


def _report(word: Word) -> Report:
    return Report(
        schema=1,
        tool=Tool("repro-tui", "0.1.0"),
        audit=AuditInfo(
            word("2026-01-05-prod-staging"), word("audits/1"), "2026-01-05T10:00:00Z", 12.345, {"run": 7.5}
        ),
        verdict="drift",
        exit_status=1,
        summary=(
            word("Drift: 12 of 400 label values flip; score moves by up to 0.031 in 214 of 400 rows."),
            word("parameters.threshold went from 0.5 to 0.6; numpy went from 1.26.4 to 2.1.3."),
            word("The data is the same."),
        ),
        sides=Sides(_side(word, "prod", COMMIT_A), _side(word, "staging", COMMIT_B)),
        areas=Areas(_code(word), _environment(word), _parameters(word), _data(word), _predictions(word)),
        causes=_causes(word),
        warnings=(word("B: the image is named by a tag, which can move"),),
    )


def _causes(word: Word) -> Causes:
    return Causes(
        factors=("code", "parameters"),
        smallest=("code", "parameters"),
        shares={"code": 0.5, "parameters": 0.5},
        interactions=(Interaction(("code", "parameters"), 0.96),),
        restores=(("code",), ("parameters",)),
        culprits=(Culprit("parameters", (word("boost"),), word("1"), word("2"), sufficient=True),),
        hybrids=(Hybrid(("code",), 0.02, 0.125), Hybrid(("parameters",), 0.0, None, "A")),
        runs=9,
        unresolved=(Unresolved((word("packages scipy"),), word("it cannot be built")),),
        sentences=(word("All of the change needs the code and parameters.boost together."),),
    )


def _side(word: Word, name: str, commit: str) -> SideReport:
    isolation = Isolation("bubblewrap", "none", True, {"interfaces": word("lo")}, (word("the sandbox warns"),))
    run = Run(1, "succeeded", 0.523, 0, f"{name}/run-1.parquet", DIGEST_A, "csv", 400, "run-1.log", (word("400 rows"),))
    return SideReport(
        name=word(name),
        reference=word(name),
        record={
            "code": {"repository": word("https://example.org/credit.git"), "commit": word(commit), "subdirectory": "."},
            "environment": {"lock": word("uv.lock"), "python": word("3.11"), "variables": {"TZ": word("UTC")}},
            "predict": {"command": [word("python"), word("predict.py"), "--output", "{output}"]},
        },
        missing=(Missing(word("data.0.sha256"), word("no hash was recorded"), word("record its sha256")),),
        rebuild=(
            Part("code", word("checked out"), True, 0.04, DIGEST_A, "matches"),
            Part("environment", word("75 packages installed"), False, 4.2, DIGEST_B, "unknown", (word("not pinned"),)),
        ),
        runs=(run, replace(run, number=2)),
        isolation=isolation,
    )


def _finding(
    word: Word, path: tuple[str, ...], change: Change, a: Any, b: Any, weight: Severity, note: str = ""
) -> Finding:
    def value(plain: Any) -> Any:
        return word(plain) if isinstance(plain, str) else plain

    return Finding(tuple(word(part) for part in path), change, value(a), value(b), weight, note and word(note))


def _code(word: Word) -> Area:
    hunk = Finding((word("predict.py"), "@@ -1,3 +1,4 @@"), "changed", word("a"), word("b"), "notice", word(HUNK))
    file = _finding(
        word, ("predict.py",), "changed", "blob 1f (612 bytes)", "blob 2e (631 bytes)", "important", "+2 -1 lines"
    )
    commit = _finding(word, ("commit",), "changed", COMMIT_A, COMMIT_B, "info", "2 commits only in B, 0 only in A")
    log = _finding(word, ("commit", COMMIT_B), "added", None, "2026-01-04 Ada: Scale the score", "info")
    new = _finding(word, ("notes.md",), "added", None, "blob 3d (90 bytes)", "notice", "added")
    return area_of((replace(commit, children=(log,)), replace(file, children=(hunk,)), new), 7)


def _environment(word: Word) -> Area:
    findings = (
        _finding(word, ("packages", "numpy"), "changed", "1.26.4", "2.1.3", "important", "major release"),
        _finding(word, ("packages", "wheel"), "removed", "0.45.0", None, "info"),
        _finding(word, ("packages", "tzdata"), "added", None, "2025.2", "notice"),
        _finding(word, ("system", "blas"), "unknown", None, None, "notice", "A: no library was found"),
    )
    return area_of(findings, 71)


def _parameters(word: Word) -> Area:
    threshold = _finding(word, ("model", "threshold"), "changed", 0.5, 0.6, "important")
    table = _finding(word, ("extra",), "added", None, {"depth": [1, 2]}, "important")
    return area_of((threshold, replace(table, b={word("depth"): [1, word("two"), None, True]})), 3)


def _data(word: Word) -> Area:
    same = _finding(
        word, ("data/model.json",), "same", f"sha256:{DIGEST_A}", f"sha256:{DIGEST_A}", "info", "as recorded"
    )
    return area_of((same,), 0)


def _column(word: Word, name: str, kind: str, verdict: Verdict, counts: tuple[int, int, int]) -> Column:
    return Column(
        name=word(name),
        kind=word(kind),
        verdict=verdict,
        equal=counts[0],
        within_tolerance=counts[1],
        different=counts[2],
        type_a=word("double"),
        type_b=word("double"),
        rule=word("|a-b| <= 1e-05, and no decision flips (default for probabilities)"),
        note=word("a note"),
    )


def _predictions(word: Word) -> PredictionsArea:
    label = replace(
        _column(word, "label", "label", "drift", (388, 0, 12)),
        flips=12,
        flip_matrix=((word("reject"), word("accept"), 9), (word("accept"), word("reject"), 3)),
        measures={"flip_rate": 0.03, "flip_rate_low": 0.0172, "flip_rate_high": 0.0517, "kappa": None},
    )
    score = replace(
        _column(word, "score", "probability", "drift", (100, 86, 214)),
        flips=12,
        max_abs=0.03125,
        max_rel=0.051,
        smallest_passing=None,
        histogram=((-7.0, -6.0, 40), (-6.0, -5.0, 46), (-5.0, -4.0, 12), (-4.0, -3.0, 0), (-3.0, -2.0, 202)),
        measures={"mean_abs": 0.0041, "p99_abs": 0.02, "bias": 0.0038, word("threshold"): 0.5},
    )
    segment = replace(_column(word, "segment", "label", "identical", (400, 0, 0)), flips=0)
    value = replace(_column(word, "amount", "value", "equal-to-rounding", (390, 10, 0)), max_abs=1.4e-14)
    return PredictionsArea(
        status="different",
        verdict="drift",
        rule=word("label: exact (whole numbers, text and dates are exact)"),
        noise=Noise(2, True, True, sentence=word("no nondeterminism seen in 2 runs")),
        key=(word("id"),),
        rows=Rows(400, 400, 400),
        columns=(label, score, segment, value),
        worst=(
            WorstRow({word("id"): word("c-0117")}, word("label"), word("reject"), word("accept"), flip=True),
            WorstRow({word("id"): 212}, word("score"), word("0.4921"), word("0.5233"), 0.0312, 0.0597),
        ),
        counts={"drift": 2, "identical": 1, "equal-to-rounding": 1},
        differences=236,
        stress=(
            Stress("a", word("hash seed"), word("PYTHONHASHSEED=1"), False, "identical"),
            Stress("a", word("batch size"), note=word("it asks for none")),
            Stress("b", word("hash seed"), word("PYTHONHASHSEED=1"), True, "drift", word("score"), 214, 0.03125),
            Stress("b", word("batch size"), word("REPRO_BATCH_SIZE=7"), True, "not-comparable", note=word("it fails")),
        ),
        what=word("why"),
        do=word("what to do"),
    )
