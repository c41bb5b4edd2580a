"""Audit folders for the interface's tests, written from the model as the engine writes them."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.audit.folder import AuditFolder
from repro_tui.compare.columns.differences import SCHEMA
from repro_tui.gate.status import exit_status
from repro_tui.model.causes import Causes, Culprit, Interaction, Unresolved
from repro_tui.model.event import Event
from repro_tui.model.finding import Finding, area_of
from repro_tui.model.grade import Grade, Metric
from repro_tui.model.predictions import Column, Noise, PredictionsArea, Rows, Stress, WorstRow
from repro_tui.model.record import Code, Environment, Missing, Record
from repro_tui.model.report import Areas, AuditInfo, Report, SideReport, Sides, Tool
from repro_tui.model.request import Request
from repro_tui.model.run import Isolation, Run
from repro_tui.model.workspace import Part
from repro_tui.report.summary import summarise
from repro_tui.support.paths import data_rows
from repro_tui.support.plain import dumps, to_plain, write_json

NOW = datetime(2026, 11, 24, 12, 32, tzinfo=UTC).timestamp()  # two hours after the audits were started
RUNNING_S = 192.7  # how long the running one has been running then

CAUSES = Causes(
    factors=("code", "environment", "parameters"),
    smallest=("code", "parameters"),
    shares={"code": 0.48, "parameters": 0.48, "environment": 0.04},
    interactions=(Interaction(("code", "parameters"), 0.96),),
    restores=(("code",), ("parameters",)),
    culprits=(
        Culprit("parameters", ("boost",), 1.0, 1.5),
        Culprit("environment", ("packages", "numpy"), "1.26.4", "2.1.3", sufficient=True, alone=True, cleared=1),
    ),
    runs=9,
    cached=4,
    unresolved=(Unresolved(("packages scipy",), "it cannot be built: no wheel of scipy 1.14 for this Python"),),
    sentences=("96.0 % of the change needs the code and parameters.boost together; numpy explains 4.0 %.",),
)
LEDGER = (
    ("factors", ["code"], 0.0, 0.0, "0 % of the change and 0 % of the moved rows, is A"),
    ("factors", ["parameters"], 0.0, 0.0, "0 % of the change and 0 % of the moved rows, is A"),
    ("factors", ["code", "parameters"], 0.96, 0.41, "96.0 % of the change and 41.0 % of the moved rows, is neither"),
    ("inside environment", ["packages numpy", "packages pandas"], 1.0, 1.0, "100 % of the change, is B"),
    ("inside environment", ["packages scipy"], None, None, "unresolved: it cannot be built: no wheel of scipy 1.14"),
    ("releases of numpy", ["numpy 2.0.0"], 1.0, 1.0, "100 % of the change, is B"),
)


def record(name: str, commit: str) -> Record:
    return Record(
        name=name,
        reference=f"repro.toml#{name}",
        code=Code("/srv/credit", commit),
        environment=Environment(requirements="requirements.txt", python="3.11"),
    )


def areas(word: str = "") -> Areas:
    """The findings of an audit of a credit score; `word` is added wherever text of the deployments stands."""
    hunk = Finding(
        ("predict.py", "@@ -3,4 +3,4 @@"), "changed", f"a = 1\nb = 2{word}\nc = 3", f"a = 1\nb = 20{word}\nc = 3"
    )
    commits = tuple(
        Finding(("commit", id * 10), "added", None, f"2026-11-2{n} Ada: {subject}{word}", "info")
        for n, (id, subject) in enumerate((("9e2b", "raise b"), ("77aa", "add new.py")))
    )
    code = (
        Finding(("commit",), "changed", "4f1c" * 10, "9e2b" * 10, "info", f"2 commits only in B{word}", commits),
        Finding((f"predict.py{word}",), "changed", "blob 1", "blob 2", "notice", "+1 -1 lines", (hunk,)),
        Finding(("new.py",), "added", None, "blob 3"),
    )
    packages = (
        Finding(("packages", "numpy"), "changed", "1.26.4", "2.1.3", "important", "major release"),
        Finding(("packages", f"six{word}"), "removed", "1.16.0", None, "notice"),
        Finding(("system", "libc"), "unknown", None, "glibc 2.36", "important", f"could not be read{word}"),
    )
    parameters = (Finding(("model", f"threshold{word}"), "changed", f"0.5{word}", f"0.6{word}", "important"),)
    data = (
        Finding((f"models/credit.json{word}",), "changed", "sha256:" + "1" * 64, "sha256:" + "2" * 64, "important"),
    )
    return Areas(area_of(code, 7), area_of(packages, 20), area_of(parameters, 3), area_of(data, 0), predictions(word))


def predictions(word: str = "") -> PredictionsArea:
    label = Column(
        name="decision",
        kind="label",
        verdict="drift",
        equal=342,
        different=58,
        flips=58,
        type_a="string",
        type_b="string",
        rule="exact (whole numbers, text and dates are exact)",
        measures={"flip_rate": 0.145, "flip_rate_low": 0.114, "flip_rate_high": 0.183, "kappa": 0.77},
        flip_matrix=((f"decline{word}", "review", 46), ("review", "approve", 12)),
    )
    score = Column(
        name=f"probability{word}",
        kind="probability",
        verdict="drift",
        different=400,
        max_abs=0.0683,
        max_rel=0.33,
        flips=11,
        type_a="double",
        type_b="double",
        rule="|a-b| <= 1e-05, and no decision flips (default for probabilities)",
        measures={"mean_abs": 0.02, "p99_abs": 0.056},
        histogram=((-4.0, -3.0, 7), (-3.0, -2.0, 93), (-2.0, -1.0, 300)),
        atol=1e-5,
        rtol=0.0,
        noise_abs=2e-6,
    )
    worst = WorstRow({"id": f"A10001{word}"}, "decision", f"decline{word}", "review", flip=True)
    return PredictionsArea(
        status="different",
        verdict="drift",
        rule="decision: exact",
        noise=Noise(2, True, True, sentence="no nondeterminism seen in 2 runs"),
        key=("id",),
        rows=Rows(400, 400, 400),
        columns=(label, score),
        worst=(worst,),
        counts={"drift": 2},
        differences=458,
    )


def stressed(word: str = "") -> PredictionsArea:
    """The usual predictions after --stress: only B moves, one result is not known and one run fails."""
    reason = f"{word}it asks for none: put {{batch_size}} in the command, or record the variable REPRO_BATCH_SIZE"
    reordered = "the rows of the inputs in another order"
    seed, zone, path = "PYTHONHASHSEED=1", "TZ=NPT-5:45", "code, inputs and output below another folder"
    results = (
        Stress("a", "hash seed", seed, False, "identical"),
        Stress("a", "batch size", note=reason),
        Stress("a", "row order", reordered, False, "equal-to-rounding", "probability", 0, 2.2e-16),
        Stress("a", "time zone", zone, False, "identical"),
        Stress("a", "path", path, False, "identical"),
        Stress("b", "hash seed", seed, True, "drift", f"probability{word}", 397, 0.0421),
        Stress("b", "batch size", "REPRO_BATCH_SIZE=7", False, "identical"),
        Stress("b", "row order", reordered, False, "identical"),
        Stress("b", "time zone", zone, True, "drift", "decision", 12),
        Stress("b", "path", path, True, "not-comparable", note=f"it fails: no such file{word}"),
    )
    return replace(predictions(word), stress=results)


def every_kind() -> PredictionsArea:
    """Columns of the kinds that are more than labels and numbers, as a comparison reports them."""
    vector = Column(
        name="p_*",
        kind="probability",
        verdict="drift",
        equal=300,
        within_tolerance=40,
        different=60,
        max_abs=0.41,
        flips=12,
        type_a="double",
        type_b="double",
        rule="|a-b| <= 1e-05, and no decision flips (default for probabilities)",
        measures={
            "mean_abs": 0.0014,
            "flip_rate": 0.03,
            "mean_jensen_shannon": 0.0007,
            "max_jensen_shannon": 0.136,
            "calibration_error_a": 0.021,
            "calibration_error_b": 0.064,
        },
        flip_matrix=(("dog", "ant", 9), ("cat", "dog", 3)),
        kind_why="3 columns of fractions whose sum is one in every row",
        members=("p_cat", "p_dog", "p_ant"),
    )
    ranking = Column(
        name="top_k",
        kind="ranking",
        verdict="drift",
        equal=380,
        different=20,
        flips=20,
        type_a="string",
        type_b="string",
        rule="exact (whole numbers, text and dates are exact)",
        measures={
            "exact_match": 0.95,
            "top_k": 10,
            "top_k_jaccard": 0.97,
            "top_k_jaccard_min": 0.42,
            "rank_biased_overlap": 0.98,
            "kendall_tau_b": 0.96,
            "first_changed_rank": 2,
        },
        kind_why="JSON lists, and named like a ranking",
    )
    document = Column(
        name="doc",
        kind="json",
        verdict="drift",
        equal=397,
        different=3,
        type_a="string",
        type_b="string",
        rule="exact (whole numbers, text and dates are exact)",
        measures={
            "exact_match": 0.9925,
            "changed_paths": 2,
            "missing_paths": 1,
            "extra_paths": 1,
            "paths": [["items[].price", 2, 0, 0], ["score", 0, 1, 0], ["scores", 0, 0, 1]],
        },
        kind_why="JSON documents",
    )
    columns = (vector, ranking, document)
    return replace(predictions(), columns=columns, counts={"drift": 3}, worst=(), differences=143)


def report(all_areas: Areas, word: str = "", causes: Causes | None = None) -> Report:
    isolation = Isolation("bubblewrap", "none", True, {"interfaces": "lo"})
    runs = tuple(
        Run(n, "succeeded", 0.3, 0, f"a/run-{n}.parquet", "0" * 64, "CSV", 400, f"a/run-{n}.log") for n in (1, 2)
    )
    parts = (Part("code", f"commit 4f1c: 5 files{word}", True, 0.1, "", "matches"), Part("environment", "1 package"))
    sides = Sides(
        SideReport(f"prod{word}", "repro.toml#prod", {}, (), parts, runs, isolation),
        SideReport(
            "staging",
            "repro.toml#staging",
            {},
            (Missing("data.0", f"no hash{word}", "record it"),),
            parts,
            runs,
            isolation,
        ),
    )
    summary = summarise(sides, all_areas, all_areas.predictions.verdict, causes)
    info = AuditInfo("20261124T103200Z", "/audits/20261124T103200Z", "2026-11-24T10:32:00Z", 3.2, {"run": 1.0})
    return Report(
        schema=1,
        tool=Tool("repro-tui", "0.1.0"),
        audit=info,
        verdict=all_areas.predictions.verdict,
        exit_status=exit_status(all_areas, all_areas.predictions.verdict, ("predictions",)),
        summary=summary.sentences,
        notes=summary.notes,
        causes=causes,
        sides=sides,
        areas=all_areas,
        warnings=(f"B: requirements.txt: line 3: six is not pinned{word}",),
    )


def differences(path: Path, rows: int, word: str = "") -> None:
    """`rows` differing cells."""
    count = range(rows)
    table = {
        "row_a": count,
        "row_b": count,
        "input_row": [None] * rows,
        "key": [f'["A{10_000 + n}"]' for n in count],
        "column": [f"probability{word}".encode("utf-8", "replace").decode()] * rows,
        "change": ["changed"] * rows,
        "a": [f"0.{n:06}" for n in count],
        "b": [f"0.{n + 7:06}" for n in count],
        "a_number": [n / 1e6 for n in count],
        "b_number": [(n + 7) / 1e6 for n in count],
        "abs_delta": [(n % 1000) / 1e6 for n in count],
        "rel_delta": [0.01] * rows,
        "flip": [n % 50 == 0 for n in count],
        "verdict": ["different" if n % 3 else "within-tolerance" for n in count],
        "noise": [None] * rows,
    }
    pq.write_table(pa.table(table, schema=SCHEMA), path)


def finished(
    path: Path,
    word: str = "",
    rows: int = 60,
    causes: Causes | None = None,
    own_predictions: PredictionsArea | None = None,
) -> AuditFolder:
    """A finished audit's folder, with `own_predictions` in place of the usual ones."""
    folder = running(path, word)
    all_areas = replace(areas(word), predictions=own_predictions) if own_predictions else areas(word)
    differences(path / "differences.parquet", rows, word)
    ids = pa.table({"id": [f"A{10_000 + n}" for n in range(rows)], "income": [1000.0 + n for n in range(rows)]})
    pq.write_table(ids, path / "inputs.parquet")
    write_json(path / "report.json", report(all_areas, word, causes))
    if causes:
        _write_ledger(path)
    _predictions(path, rows)
    return folder


def noisy(path: Path, runs: int = 5) -> AuditFolder:
    """A finished audit where each side's runs differ: slightly in scores, and in the decisions of some rows."""
    folder = finished(path)
    report = folder.report()
    assert report is not None
    sides = []
    for side, side_report, step in (("a", report.sides.a, 0), ("b", report.sides.b, 7)):
        for number in range(1, runs + 1):
            shift = (number - 1) * (3 if side == "a" else 1)
            table = {
                "id": [f"A{10_000 + n}" for n in range(60)],
                "probability": [(n + step + shift) / 1e6 for n in range(60)],
                "decision": ["approve" if n % 10 == 0 and number == 2 else "review" for n in range(60)],
                "version": ["1.4"] * 60,
            }
            pq.write_table(pa.table(table), path / side / f"run-{number}.parquet")
        first = side_report.runs[0]
        every = (replace(first, number=n, predictions=f"{side}/run-{n}.parquet") for n in range(1, runs + 1))
        sides.append(replace(side_report, runs=tuple(every)))
    write_json(path / "report.json", replace(report, sides=Sides(*sides)))
    return folder


def with_table(path: Path, word: str = "") -> AuditFolder:
    """A finished audit where a data table changed in 60 rows of one column."""
    folder = finished(path, word)
    report = folder.report()
    assert report is not None
    column = f"probability{word}".encode("utf-8", "replace").decode()
    below = Finding(("rates.csv", column), "changed", None, None, "notice", f"60 of 400 rows differ (by id){word}")
    file = Finding(("rates.csv",), "changed", "sha256:" + "1" * 64, "sha256:" + "2" * 64, "important", "", (below,))
    cells = data_rows(path, ("rates.csv",))
    cells.mkdir(parents=True)
    differences(cells / "differences.parquet", 60, word)
    write_json(path / "report.json", replace(report, areas=replace(report.areas, data=area_of((file,), 0))))
    return folder


def _write_ledger(path: Path) -> None:
    """The hybrids that a search tried, at the end of the journal."""
    with (path / "journal.jsonl").open("a") as journal:
        for stage, from_b, score, rows, result in LEDGER:
            entry = {"stage": stage, "from_b": from_b, "told": result, "score": score, "rows_as_b": rows, "runs": 1}
            event = Event("log", step="explain", text=f"{stage}: {result}", detail={"ledger": entry})
            journal.write(dumps(event) + "\n")


def verified(path: Path, word: str = "") -> AuditFolder:
    """The folder of a verification: the predictions differ; one metric matches, one differs, one is not known."""
    folder = finished(path, word)
    request = folder.request()
    sides = (replace(request.b, name=f"prod {name}") for name in ("recorded", "rebuilt"))
    write_json(path / "audit.json", Request(request.id, *sides, started=request.started, verify=True))
    audited = report(areas(word), word)
    grade = Grade(
        "R3",
        "it runs, and 1 of 3 recorded metrics do not match: accuracy 0.914 recorded (impossible), 0.9 rebuilt",
        (Missing("code.dirty", f"whether the tree was clean is not recorded{word}", "record code.dirty"),),
        (
            Metric("accuracy", 0.914, 0.9, False, "impossible: no count over 60 rows is written as 0.914"),
            Metric("val_roc_auc", 0.97, 0.9698, True),
            Metric(f"ndcg{word}", 0.5, None, None, "this version does not know how it is measured"),
        ),
    )
    same = area_of((), 1)
    recorded = Run(1, "succeeded", 0.0, predictions="a/run-1.parquet", output_format="CSV", rows=400)
    a = replace(audited.sides.a, name="prod recorded", rebuild=(), runs=(recorded,), isolation=None)
    names = a, replace(audited.sides.b, name="prod rebuilt")
    verification = replace(
        audited,
        grade=grade,
        sides=Sides(*names),
        areas=Areas(same, same, same, same, audited.areas.predictions),
        summary=(f"R3: {grade.sentence}.", *audited.summary[:1]),
    )
    write_json(path / "report.json", verification)
    return folder


def _predictions(path: Path, rows: int) -> None:
    """The predictions of both sides' runs."""
    for side, step in (("a", 0), ("b", 7)):
        scores = [(n + step) / 1e6 for n in range(rows)]
        table = {"id": [f"A{10_000 + n}" for n in range(rows)], "probability": scores, "decision": ["review"] * rows}
        for number in (1, 2):
            pq.write_table(pa.table(table), path / side / f"run-{number}.parquet")


def running(path: Path, word: str = "") -> AuditFolder:
    """The folder of a running audit: one area is known, and a run has started (in the journal; there is no engine)."""
    path.mkdir(parents=True)
    for side in "ab":
        (path / side).mkdir()
        (path / side / "run-1.log").write_text(f"scoring 400 rows{word}\n".encode("utf-8", "replace").decode())
    sides = (record(f"prod{word}", "4f1c" * 10), record("staging", "9e2b" * 10))
    request = Request("20261124T103200Z", *sides, started="2026-11-24T10:32:00Z", version="0.1.0")
    write_json(path / "audit.json", request)
    lines: list[str] = []
    known = areas(word)
    for number, event in enumerate(
        (
            Event("step", side="a", step="code", status="started", text="commit 4f1c"),
            Event("step", side="a", step="code", status="cached", text=f"commit 4f1c: 5 files{word}"),
            Event("step", side="b", step="code", status="started", text="commit 9e2b"),
            Event("log", side="b", step="code", text=f"receiving objects{word}"),
            Event("step", side="b", step="code", status="done", text="commit 9e2b: 5 files"),
            Event("step", side="a", step="run 1", status="started", text="python predict.py"),
            Event("step", side="b", step="environment", status="failed", text=f"no wheel{word}"),
            Event("area", step="parameters", detail={"name": "parameters", "area": to_plain(known.parameters)}),
        )
    ):
        lines.append(dumps(replace(event, seconds=number / 10)))
    (path / "journal.jsonl").write_text("\n".join(lines) + "\n")
    written = NOW - RUNNING_S + (len(lines) - 1) / 10
    os.utime(path / "journal.jsonl", (written, written))
    return AuditFolder(path)
