"""The exit status over what is left when accepted and known differences are marked; unknown always stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from repro_tui.gate.baseline import Baseline
from repro_tui.gate.identity import accepted_change
from repro_tui.gate.judge import Gate, GateDecision
from repro_tui.gate.predictions import accepted_bounds, accepted_evidence
from repro_tui.model.errors import Refused
from repro_tui.model.finding import Area, Finding, area_of
from repro_tui.model.gate import AcceptedChange
from repro_tui.model.predictions import Column, Noise, PredictionsArea, Rows, Verdict
from repro_tui.model.report import Areas
from tests.report.sample import rich_report

TODAY, LATER, OVER = "2026-12-01", "2027-01-31", "2026-11-30"
SAME = area_of((), 3)
DEPTH = Finding(("depth",), "changed", 3, 4, "important")
RATE = Finding(("rate",), "changed", 0.1, 0.2, "important")
UNKNOWN = Finding(("file",), "unknown", note="B: params.yaml cannot be read")
IDENTICAL = PredictionsArea("same", "identical", rows=Rows(400, 400, 400))


def drift(*columns: Column, deterministic: bool = True, evidence: str = "sha256:1") -> PredictionsArea:
    noise = Noise(3, deterministic, deterministic)
    return PredictionsArea(
        "different", "drift", noise=noise, rows=Rows(400, 400, 400), columns=columns, differences=12, evidence=evidence
    )


def column(name: str = "label", verdict: Verdict = "drift", **fields: Any) -> Column:
    return replace(Column(name, "label", verdict, 398, 0, 2, flips=2), **fields)


def areas(parameters: Area = SAME, predictions: PredictionsArea = IDENTICAL) -> Areas:
    return Areas(SAME, SAME, parameters, SAME, predictions)


def accepted(finding: Finding, until: str = LATER) -> AcceptedChange:
    return accepted_change("parameters", finding, "tuned", until)


def judged(
    whole: Areas, entries: Sequence[AcceptedChange] = (), fail_on: str = "parameters", baseline: Baseline | None = None
) -> GateDecision:
    return Gate(("predictions", fail_on), "repro.toml", entries, TODAY, baseline).judge(whole)


def states(judgement: GateDecision) -> list[str]:
    return [change.state for change in judgement.gate.changes]


def test_an_accepted_change_does_not_gate_and_says_why() -> None:
    result = judged(areas(area_of((DEPTH,), 3)), [accepted(DEPTH)])
    (finding,) = result.areas.parameters.findings
    assert (result.exit_status, states(result), result.gate.open["parameters"]) == (0, ["applies"], 0)
    assert finding.accepted is not None
    assert (finding.accepted.reason, finding.accepted.until, finding.accepted.expired) == ("tuned", LATER, False)
    assert result.areas.parameters.status == "different"


@pytest.mark.parametrize(("until", "status"), [(TODAY, 0), (OVER, 1)])
def test_the_last_day_counts_and_the_day_after_it_gates(until: str, status: int) -> None:
    result = judged(areas(area_of((DEPTH,), 3)), [accepted(DEPTH, until)])
    assert (result.exit_status, states(result)) == (status, ["expired" if status else "applies"])


def test_other_values_at_an_accepted_path_gate_and_are_named() -> None:
    result = judged(areas(area_of((replace(DEPTH, b=5),), 3)), [accepted(DEPTH)])
    (change,) = result.gate.changes
    assert (result.exit_status, change.state, change.note) == (1, "changed", "it is now 3 → 5")
    assert result.areas.parameters.findings[0].accepted is None


def test_an_accepted_change_hides_no_other_one() -> None:
    result = judged(areas(area_of((DEPTH, RATE), 3)), [accepted(DEPTH)])
    assert (result.exit_status, result.gate.open["parameters"]) == (1, 1)


def test_a_difference_that_is_counted_but_not_listed_gates() -> None:
    area = replace(area_of((DEPTH,), 3), counts={"added": 0, "removed": 0, "changed": 2, "unknown": 0, "same": 3})
    assert judged(areas(area), [accepted(DEPTH)]).exit_status == 1


def test_what_is_unknown_beside_an_accepted_change_is_inconclusive() -> None:
    assert judged(areas(area_of((DEPTH, UNKNOWN), 3)), [accepted(DEPTH)]).exit_status == 3
    assert judged(areas(area_of((UNKNOWN,), 3))).exit_status == 3


def test_a_pattern_never_accepts_what_is_unknown() -> None:
    entry = AcceptedChange("parameters.*", "all of it", LATER, change="changed", a=3, b=4)
    result = judged(areas(area_of((DEPTH, replace(UNKNOWN, a=3, b=4)), 3)), [entry])
    assert result.exit_status == 3
    assert [finding.is_accepted for finding in result.areas.parameters.findings] == [True, False]


def test_what_was_accepted_and_is_gone_is_named() -> None:
    assert states(judged(areas(), [accepted(DEPTH)])) == ["absent"]


def test_of_two_entries_for_one_change_the_one_that_holds_counts() -> None:
    for entries in ([accepted(DEPTH, OVER), accepted(DEPTH)], [accepted(DEPTH), accepted(DEPTH, OVER)]):
        result = judged(areas(area_of((DEPTH,), 3)), entries)
        assert (result.exit_status, sorted(states(result))) == (0, ["absent", "applies"])


@pytest.mark.parametrize("verdict", ["undecided", "not-comparable"])
def test_predictions_that_could_not_be_judged_stay_inconclusive_whatever_is_accepted(verdict: Verdict) -> None:
    open_area = replace(drift(column()), status="unknown", verdict=verdict)
    entries = [
        AcceptedChange("predictions", "why", LATER, evidence="sha256:1"),
        AcceptedChange("predictions", "why", LATER, bounds=("flips <= 100 %",)),
    ]
    result = judged(areas(predictions=open_area), entries)
    assert (result.exit_status, states(result)) == (3, ["unclear", "unclear"])
    with pytest.raises(Refused, match="only drift can be"):
        accepted_evidence(open_area, "why", LATER)


def test_a_drift_is_accepted_by_its_cells_and_by_no_others() -> None:
    entry = accepted_evidence(drift(column()), "why", LATER)
    assert judged(areas(predictions=drift(column())), [entry]).exit_status == 0
    second = judged(areas(predictions=drift(column(), evidence="sha256:2")), [entry])
    assert (second.exit_status, states(second)) == (1, ["changed"])
    for unclear in (drift(column(), evidence=""), drift(column(), deterministic=False)):
        result = judged(areas(predictions=unclear), [entry])
        assert (result.exit_status, states(result)) == (1, ["unclear"])


def test_evidence_that_never_comes_again_is_refused() -> None:
    with pytest.raises(Refused, match="changes from run to run"):
        accepted_evidence(drift(column(), deterministic=False), "why", LATER)
    with pytest.raises(Refused, match="not kept whole"):
        accepted_evidence(drift(column(), evidence=""), "why", LATER)


@pytest.mark.parametrize(
    ("bounds", "fields", "status"),
    [
        (("flips <= 0.5 %",), {}, 0),  # 2 of 400
        (("flips <= 0.5 %",), {"flips": 3}, 1),
        (("flips <= 2",), {}, 0),
        (("flips <= 1",), {}, 1),
        (("flips <= 0.5 %",), {"flips": None}, 1),
        (("different <= 2",), {"flips": None}, 0),
        (("flips <= 2", "different <= 1"), {}, 1),
        (("max_abs <= 0.1",), {"max_abs": 0.05}, 1),  # of a label
        (("max_abs <= 0.1",), {"kind": "value", "max_abs": 0.05}, 0),
        (("max_abs <= 0.1",), {"kind": "value", "max_abs": 0.2}, 1),
        (("max_abs <= 0.1",), {"kind": "value", "max_abs": None}, 1),
        (("max_abs <= 0.1",), {"kind": "value", "max_abs": 0.05, "nulls_b": 1}, 1),
        (("max_abs <= 0.1",), {"kind": "value", "max_abs": 0.05, "non_finite": 1}, 1),
        (("max_abs <= 0.1",), {"kind": "json", "max_abs": 0.05}, 1),
    ],
)
def test_bounds_hold_for_what_they_measure_and_for_nothing_else(
    bounds: tuple[str, ...], fields: dict[str, Any], status: int
) -> None:
    entry = AcceptedChange("predictions.label", "why", LATER, bounds=bounds)
    area = drift(column(**fields))
    assert judged(areas(predictions=area), [entry]).exit_status == status
    if status:
        with pytest.raises(Refused):
            accepted_bounds(area, "label", bounds, "why", LATER)
    else:
        assert accepted_bounds(area, "label", bounds, "why", LATER) == entry


def test_of_outputs_that_vary_only_max_abs_is_bounded_and_their_noise_is_added() -> None:
    def status(bound: str, **fields: Any) -> int:
        entry = AcceptedChange("predictions", "why", LATER, bounds=(bound,))
        area = drift(column(kind="value", max_abs=0.05, **fields), deterministic=False)
        return judged(areas(predictions=area), [entry]).exit_status

    assert status("flips <= 100 %") == 1
    assert status("max_abs <= 0.1", noise_abs=0.02) == 0
    assert status("max_abs <= 0.1", noise_abs=0.03) == 1
    assert status("max_abs <= 0.1", noise_abs=None) == 1


def test_every_column_that_drifts_has_to_be_accepted() -> None:
    entry = AcceptedChange("predictions.label", "why", LATER, bounds=("flips <= 2",))
    both = drift(column(), column("score"))
    assert judged(areas(predictions=both), [entry]).exit_status == 1
    assert judged(areas(predictions=both), [replace(entry, path="predictions")]).exit_status == 0
    one_over = drift(column(), column("score", flips=3))
    result = judged(areas(predictions=one_over), [replace(entry, path="predictions")])
    assert (result.exit_status, states(result)) == (1, ["changed"])
    assert "score: 3 of 400 rows (flips) are over 2" in result.gate.changes[0].note


def test_an_undecided_column_beside_an_accepted_drift_is_inconclusive() -> None:
    entry = AcceptedChange("predictions", "why", LATER, bounds=("flips <= 2",))
    area = drift(column(), column("score", "undecided"))
    assert judged(areas(predictions=area), [entry]).exit_status == 3
    evidence = AcceptedChange("predictions", "why", LATER, evidence="sha256:1")
    assert judged(areas(predictions=area), [evidence]).exit_status == 3


def test_a_vector_is_accepted_with_its_members_and_not_by_one_of_them() -> None:
    area = drift(column("animal", members=("cat", "dog")), column("cat"), column("dog"))
    entry = AcceptedChange("predictions.animal", "why", LATER, bounds=("flips <= 2",))
    assert judged(areas(predictions=area), [entry]).exit_status == 0
    assert judged(areas(predictions=area), [replace(entry, path="predictions.cat")]).exit_status == 1


# -- a baseline -----------------------------------------------------------------------------------------------------


def before(parameters: Area = SAME, predictions: PredictionsArea = IDENTICAL, **cells: int) -> Baseline:
    report = replace(rich_report(), areas=areas(parameters, predictions))
    return Baseline(report, cells or None)


def test_only_what_is_new_or_other_gates_beside_a_baseline() -> None:
    known = before(area_of((DEPTH,), 3))
    assert judged(areas(area_of((DEPTH,), 3)), baseline=known).exit_status == 0
    assert judged(areas(area_of((DEPTH,), 3)), baseline=known).gate.known == 1
    assert judged(areas(area_of((replace(DEPTH, b=5),), 3)), baseline=known).exit_status == 1
    assert judged(areas(area_of((DEPTH, RATE), 3)), baseline=known).exit_status == 1
    assert judged(areas(area_of((DEPTH, UNKNOWN), 3)), baseline=before(area_of((DEPTH, UNKNOWN), 3))).exit_status == 3


def test_a_baseline_knows_again_what_has_expired() -> None:
    result = judged(areas(area_of((DEPTH,), 3)), [accepted(DEPTH, OVER)], baseline=before(area_of((DEPTH,), 3)))
    assert (result.exit_status, states(result)) == (0, ["expired"])


def test_a_drift_is_known_where_no_cell_is_new() -> None:
    now = drift(column(), evidence="sha256:2")
    assert judged(areas(predictions=now), baseline=before(predictions=drift(column(flips=9)), score=3)).exit_status == 0
    assert judged(areas(predictions=now), baseline=before(predictions=drift(column(flips=9)), label=1)).exit_status == 1
    assert judged(areas(predictions=now), baseline=before(predictions=drift(column(flips=9)))).exit_status == 1
    same = before(predictions=drift(column(), evidence="sha256:2"))
    assert judged(areas(predictions=now), baseline=same).exit_status == 0


def test_a_drift_is_new_beside_a_baseline_without_one_and_of_outputs_that_vary() -> None:
    assert judged(areas(predictions=drift(column())), baseline=before()).exit_status == 1
    noisy = drift(column(), deterministic=False)
    assert judged(areas(predictions=noisy), baseline=before(predictions=noisy)).exit_status == 1
