"""What a policy file says of settings, and what goes before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro_tui.audit.gate import terms_of, with_gate, without_gate
from repro_tui.model.errors import Refused
from repro_tui.model.request import GateSettings, Settings, Tolerance

GATE = GateSettings(("any",), Tolerance(1e-3), {"score": Tolerance(1e-4)}, True, 40, None, 5, "namespace")


def test_the_gate_is_laid_below_what_was_given() -> None:
    laid = with_gate(Settings(), GATE, ())
    assert (laid.fail_on, laid.explain, laid.explain_runs, laid.repeat, laid.isolation) == (
        ("any",),
        True,
        40,
        5,
        "namespace",
    )
    assert (laid.tolerance, laid.column_tolerances) == (GATE.tolerance, GATE.column_tolerances)
    own = Settings(fail_on=("code",), explain=False, explain_seconds=9.0, repeat=2, isolation="auto")
    given = ("fail_on", "explain", "explain_budget", "repeat", "isolation")
    laid = with_gate(own, GATE, given)
    assert (laid.fail_on, laid.explain, laid.explain_runs, laid.explain_seconds) == (("code",), False, None, 9.0)
    assert (laid.repeat, laid.isolation) == (2, "auto")
    assert without_gate(with_gate(Settings(), GATE, ()), ()) == Settings()
    assert without_gate(laid, given) == own


def test_tolerances_that_were_given_go_before_those_of_the_gate() -> None:
    whole = with_gate(Settings(tolerance=Tolerance(1.0)), GATE, ("atol",))
    assert (whole.tolerance, whole.column_tolerances) == (Tolerance(1.0), {})
    column = with_gate(Settings(column_tolerances={"score": Tolerance(2.0)}), GATE, ("column_tolerance",))
    assert (column.tolerance, column.column_tolerances) == (GATE.tolerance, {"score": Tolerance(2.0)})


def test_the_policy_is_that_of_the_file_that_both_references_name_or_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "repro.toml").write_text("gate = { repeat = 7 }\n")
    (tmp_path / "own.toml").write_text("gate = { repeat = 8 }\n")
    (tmp_path / "below").mkdir()

    def repeat(*references: str, here: Path = tmp_path / "below") -> int | None:
        return terms_of(references, here, (), "").policy.gate.repeat

    assert repeat("git:main", "git:HEAD") == 7
    assert repeat("../own.toml#a", "../own.toml#b") == 8
    assert repeat("../own.toml#a", "git:HEAD") == 7
    assert repeat("../own.toml#a", "../repro.toml#b") == 7
    (tmp_path / "repro.toml").unlink()
    assert repeat("git:main", "git:HEAD", here=tmp_path) is None


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('gate = { fail_on = ["everything"] }', "gate.fail_on.0: has an unknown value"),
        ("gate = { fail_on = [] }", "gate.fail_on"),
        ('gate = { budget = "soon" }', "is not a valid budget"),
        ("gate = { reapeat = 3 }", "did you mean repeat?"),
        ('gate = { isolation = "none" }', "could switch the sandbox off"),
        ('accepted = [{ path = "parameters.x", reason = "r", until = 2027-01-01 }]', "does not say which change"),
        ('accepted = [{ path = "x", reason = "r", until = 2027-01-01, change = "added", b = 1 }]', "in no area"),
        ('accepted = [{ path = "code.x", reason = " ", until = 2027-01-01, change = "added", b = 1 }]', "is empty"),
        ('accepted = [{ path = "code.x", reason = "r", until = "soon", change = "added", b = 1 }]', "YYYY-MM-DD"),
        (
            'accepted = [{ path = "code.x", reason = "r", until = 2027-01-01, change = "added", a = 1 }]',
            "that has none",
        ),
        ('accepted = [{ path = "code.x", reason = "r", change = "added", b = 1 }]', "until: is missing"),
        ('accepted = [{ path = "predictions", reason = "r", until = 2027-01-01 }]', "either evidence or bounds"),
        ('accepted = [{ path = "predictions", reason = "r", until = 2027-01-01, bounds = ["all"] }]', "not a bound"),
        (
            'accepted = [{ path = "predictions.x", reason = "r", until = 2027-01-01, evidence = "e" }]',
            "all predictions",
        ),
    ],
)
def test_a_policy_with_a_mistake_is_refused_with_its_place(text: str, mistake: str, tmp_path: Path) -> None:
    (tmp_path / "repro.toml").write_text(text + "\n")
    with pytest.raises(Refused) as caught:
        terms_of(("git:a", "git:b"), tmp_path, (), "")
    assert str(caught.value).startswith("repro.toml: ")
    assert mistake in str(caught.value)


def test_a_baseline_has_to_be_the_report_of_an_audit(tmp_path: Path) -> None:
    for text in ("absent.json", "absent"):
        with pytest.raises(Refused, match="--baseline"):
            terms_of(("git:a", "git:b"), tmp_path, (), text)
