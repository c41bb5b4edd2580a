"""Reports of every kind that an audit can end with, for the tests of the summary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from repro_tui.model.causes import Causes, Culprit, Hybrid, Interaction, Unresolved, no_causes
from repro_tui.model.finding import Finding, area_of, not_recorded
from repro_tui.model.grade import Grade, Metric
from repro_tui.model.predictions import Column, Noise, PredictionsArea, Rows, Stress
from repro_tui.model.record import Missing
from repro_tui.model.report import Areas, SideReport, Sides
from repro_tui.model.run import Isolation, Run
from repro_tui.model.workspace import Part
from repro_tui.report.summary import Summary, summarise, summarise_grade

COMMIT_A, COMMIT_B, DIGEST_A, DIGEST_B = "4f1c" * 10, "9e2b" * 10, "a3f0" * 16, "b4e1" * 16
RECORD = {
    "code": {"commit": COMMIT_A},
    "parameters": {"file": "params.yaml"},
    "environment": {"requirements": "requirements.txt"},
}
STILL = Noise(3, True, True, sentence="no nondeterminism seen in 3 runs")
ONCE = Noise(1, sentence="one run a side: whether the outputs change from run to run is not known")
NOISY = Noise(10, False, False, p=0.4, sentence="the sides are about as close as the runs of one side are (p = 0.4)")
OPEN = replace(NOISY, p=0.06, sentence="the test shows neither drift nor that the sides are equivalent (p = 0.06)")
LABEL = Column(
    "decision",
    "label",
    "drift",
    equal=342,
    different=58,
    flips=58,
    flip_matrix=(("decline", "review", 46),),
    measures={"flip_rate": 0.145, "flip_rate_low": 0.114, "flip_rate_high": 0.183},
)


def side(name: str, **changes: Any) -> SideReport:
    """A side that was built and ran three times."""
    runs = tuple(Run(number, "succeeded", 0.1, output_format="CSV", rows=400) for number in (1, 2, 3))
    built = SideReport(name, name, dict(RECORD), (), (Part("code", "checked out"),), runs)
    return replace(built, **changes)


def sides(a: SideReport | None = None, b: SideReport | None = None) -> Sides:
    return Sides(a or side("prod"), b or side("staging"))


def predictions(verdict: Any = "drift", **changes: Any) -> PredictionsArea:
    column = replace(LABEL, verdict=verdict)
    if verdict != "drift":
        column = Column("score", "value", verdict, different=0, equal=400, max_abs=0.0125)
    return PredictionsArea(
        status="different" if verdict == "drift" else "same",
        verdict=verdict,
        noise=changes.pop("noise", STILL),
        key=("id",),
        rows=Rows(400, 400, 400),
        columns=(column,),
        **changes,
    )


def areas(area: PredictionsArea, *, basis: Any = "built") -> Areas:
    """Four areas that differ, and the predictions."""
    commits = tuple(Finding(("commit", commit), "added", None, "a change") for commit in (COMMIT_B, COMMIT_A))
    code = (Finding(("commit",), "changed", COMMIT_A, COMMIT_B, "info", "2 commits only in B, 0 only in A", commits),)
    environment = (
        Finding(("packages", "numpy"), "changed", "1.26.4", "2.1.3", "important"),
        Finding(("packages", "six"), "changed", "1.15.0", "1.16.0"),
        Finding(("interpreter", "blas"), "changed", "libopenblas64_p-r0-0cf96a72.so", "libscipy.so", "important"),
    )
    parameters = (Finding(("model", "threshold"), "changed", 0.5, 0.6, "important"),)
    data = (Finding(("models/credit.json",), "changed", f"sha256:{DIGEST_A}", f"sha256:{DIGEST_B}", "important"),)
    static = (replace(area_of(findings, 2), basis=basis) for findings in (code, environment, parameters, data))
    return Areas(*static, area)


def same_areas(area: PredictionsArea) -> Areas:
    same = replace(area_of((), 3), basis="built")
    return Areas(same, same, same, not_recorded(), area)


FACTORS = ("code", "environment", "parameters", "model")


def hybrid(*from_b: str, score: float, outputs: str = "neither") -> Hybrid:
    return Hybrid(from_b, score, score, outputs, exact=outputs != "neither")


CAUSE = Causes(
    factors=FACTORS,
    smallest=("parameters", "model"),
    shares={"code": 0.0, "environment": 0.0, "parameters": 0.336, "model": 0.664},
    restores=(("parameters", "model"),),
    culprits=(
        Culprit("model", ("files", "models/credit.json"), DIGEST_A[:12], DIGEST_B[:12], sufficient=True),
        Culprit("model", ("files", "models/credit.json", "intercept"), -0.86, -0.81),
        Culprit("model", ("files", "models/credit.json", "weights.age"), 1.25, 1.75),
        Culprit("parameters", ("model", "threshold"), 0.5, 0.6, sufficient=True),
    ),
    hybrids=(
        hybrid("code", score=0.0, outputs="A"),
        hybrid("environment", score=0.0, outputs="A"),
        hybrid("parameters", score=0.336),
        hybrid("model", score=0.664),
        hybrid("environment", "parameters", "model", score=1.0, outputs="B"),
        hybrid("code", "parameters", "model", score=1.0, outputs="B"),
        hybrid("code", "environment", "model", score=0.664),
        hybrid("code", "environment", "parameters", score=0.336),
        hybrid("code", "environment", score=0.0, outputs="A"),
        hybrid("parameters", "model", score=1.0, outputs="B"),
    ),
    runs=8,
    sentences=("models/credit.json explains 66.4 %.",),
)
PACKAGE = replace(
    CAUSE,
    smallest=("environment",),
    shares={"code": 0.0, "environment": 1.0, "parameters": 0.0, "model": 0.0},
    restores=(("environment",),),
    culprits=(
        Culprit("environment", ("packages", "numpy"), "1.26.4", "2.1.3", sufficient=True, alone=True, cleared=1),
    ),
    hybrids=(
        *(hybrid(name, score=0.0, outputs="A") for name in ("code", "parameters", "model")),
        hybrid("environment", score=1.0, outputs="B"),
        hybrid("code", "parameters", "model", score=0.0, outputs="A"),
        *(
            hybrid(*(name for name in FACTORS if name != left_out), score=1.0, outputs="B")
            for left_out in ("code", "parameters", "model")
        ),
    ),
)
TOGETHER = replace(
    CAUSE,
    factors=("code", "parameters"),
    smallest=("code", "parameters"),
    shares={"code": 0.5, "parameters": 0.5},
    interactions=(Interaction(("code", "parameters"), 1.0),),
    restores=(("code",), ("parameters",)),
    culprits=(
        Culprit("code", ("commits",), COMMIT_A, COMMIT_B, sufficient=True),
        Culprit("code", ("files", "predict.py"), "blob 1", "blob 2", sufficient=True),
        Culprit("parameters", ("model", "threshold"), 0.5, 0.6, sufficient=True),
    ),
    hybrids=(hybrid("code", score=0.0, outputs="A"), hybrid("parameters", score=0.0, outputs="A")),
)
EITHER = replace(
    TOGETHER,
    smallest=("code",),
    interactions=(Interaction(("code", "parameters"), -1.0),),
    restores=(),
    hybrids=(hybrid("code", score=1.0, outputs="B"), hybrid("parameters", score=1.0, outputs="B")),
)
CUT_SHORT = replace(
    CAUSE,
    separable=False,
    budget_spent=True,
    unresolved=(Unresolved(("packages scipy",), "it cannot be built"),),
    remarks=("1 hybrid could not be built or run: the one with B's packages scipy.",),
)
FAILED = {
    "runs": (),
    "failed": "run 1",
    "what": 'predict ended with exit status 1; its last output: File "predict.py", line 9; ^^^^; ValueError: bad row 7',
    "do": "correct the predict step",
}
BUILD = {
    "rebuild": (),
    "runs": (),
    "failed": "data",
    "what": f"data/model.json has sha256 {DIGEST_B}, and the record says {DIGEST_A}",
    "do": "restore the recorded file",
}


def audited(area: PredictionsArea, both: Sides | None = None, causes: Causes | None = None, **kind: Any) -> Summary:
    return summarise(both or sides(), kind.get("areas") or areas(area), area.verdict, causes)


def lost(reason: str, do: str = "") -> PredictionsArea:
    return PredictionsArea("unknown", "not-comparable", what=reason, do=do)


def unbuilt() -> Sides:
    bare: dict[str, Any] = {"rebuild": (), "runs": (), "isolation": None}
    return sides(side("prod", **bare), side("staging", **bare))


def graded(level: Any, sentence: str, area: PredictionsArea, gaps: Any = (), metrics: Any = (), **b: Any) -> Summary:
    return summarise_grade(Grade(level, sentence, gaps, metrics), area, sides(side("prod recorded"), side("prod", **b)))


UNKNOWN = replace(area_of((Finding((), "unknown", note="B was not rebuilt"),), 0), basis="declared")
METRICS = (
    Metric("accuracy", 0.914, 0.9, False, "impossible: no count over 60 rows is written as 0.914"),
    Metric("ndcg", 0.5, None, None, "this version does not know how it is measured"),
)
NO_SANDBOX = Isolation("none", "host", False, {}, ("This code ran as you and could reach the network.",))
STRESS = (Stress("b", "hash seed", "PYTHONHASHSEED=1", True, "drift", "decision", 12),)


def every_kind() -> dict[str, Summary]:
    """A summary of each kind of report, by its name."""
    dirty = side("staging", record={**RECORD, "code": {"commit": COMMIT_B, "dirty": True}})
    drift, close, same = predictions(), predictions("within-tolerance"), predictions("identical")
    unasked = lost("nothing was run, because neither record names validation inputs", "pass --inputs FILE")
    return {
        "identical": audited(predictions("identical"), areas=same_areas(predictions("identical"))),
        "identical although much differs": audited(predictions("identical")),
        "within tolerance": audited(predictions("within-tolerance")),
        "one run a side": audited(predictions("identical", noise=ONCE)),
        "uncommitted changes": audited(predictions("identical"), sides(b=dirty)),
        "columns left out": audited(
            predictions("identical", ignored=("request_id",), unused=("--ignore predictions.x",))
        ),
        "drift, not searched": audited(drift),
        "drift by position": audited(replace(drift, key=(), ignored=("trace",)), sides(b=dirty), CAUSE),
        "drift with two causes": audited(drift, causes=CAUSE),
        "drift by one package": audited(drift, causes=PACKAGE),
        "drift only together": audited(drift, causes=TOGETHER),
        "drift by either": audited(drift, causes=EITHER),
        "search cut short": audited(drift, causes=CUT_SHORT),
        "cause not found": audited(drift, causes=no_causes("the search for the cause failed: no space left")),
        "stress and no sandbox": audited(
            replace(drift, stress=STRESS), sides(side("prod", isolation=NO_SANDBOX), side("staging"))
        ),
        "within noise": audited(predictions("within-noise", noise=NOISY)),
        "undecided": audited(predictions("undecided", noise=OPEN, do="run again with --repeat 20")),
        "rows do not align": audited(
            replace(predictions("not-comparable"), what="3 rows are only in A", do="set a key")
        ),
        "a run failed": audited(
            lost("B failed at run 1"),
            sides(b=side("staging", **FAILED)),
            areas=areas(lost("B failed"), basis="declared"),
        ),
        "a build failed": audited(
            lost("B failed at data"),
            sides(side("prod", runs=()), side("staging", **BUILD)),
            areas=Areas(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, lost("B failed at data")),
        ),
        "both failed": audited(lost("both"), sides(side("prod", **BUILD), side("staging", **BUILD))),
        "nothing ran": audited(
            unasked,
            unbuilt(),
            areas=areas(unasked, basis="declared"),
        ),
        "R0": graded("R0", "the record is incomplete: code: no commit", lost("the record is incomplete"),
                     (Missing("code", "no commit", "record code.commit"),)),
        "R1": graded("R1", "it cannot be rebuilt (data): it is gone", lost("failed"), **BUILD),
        "R2": graded("R2", "it is rebuilt, but does not run (run 1): exit status 1", lost("failed"), **FAILED),
        "R3": graded("R3", "it runs, but 1 of 2 recorded metrics does not match: accuracy 0.914 recorded, 0.9 rebuilt",
                     drift, metrics=METRICS),
        "R4": graded("R4", "1 of 1 recorded metric matches, but the predictions differ from the recorded ones", drift),
        "R5": graded("R5", "the predictions are reproduced: they are within tolerance", close),
        "R6": graded("R6", "the predictions are byte-identical to the recorded file in all 400 rows", same),
    }  # fmt: skip
