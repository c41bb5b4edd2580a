"""`repro-tui accept` writes exactly what was named, into the file that it says, or nothing at all."""

from __future__ import annotations

import json
import stat
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from repro_tui.cli.main import program
from repro_tui.model.errors import Refused
from repro_tui.support.plain import write_json
from tests.report.sample import rich_report

WHY = ("--reason", "agreed", "--until", "2099-01-31")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a policy file and the report of an audit that drifts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "repro.toml").write_text("# the policy\n")
    report = rich_report()
    predictions = replace(
        report.areas.predictions,
        evidence="sha256:1",
        noise=replace(report.areas.predictions.noise, deterministic_a=True, deterministic_b=True),
    )
    write_json(tmp_path / "last.json", replace(report, areas=replace(report.areas, predictions=predictions)))
    return tmp_path


def accept(*arguments: str, why: Sequence[str] = WHY) -> Result:
    return CliRunner().invoke(program, ["accept", "last.json", *arguments, *why])


def entries(folder: Path, name: str = "repro.toml") -> list[dict[str, object]]:
    accepted: list[dict[str, object]] = tomllib.loads((folder / name).read_text()).get("accepted", [])
    return accepted


def test_what_is_named_is_written_and_printed(folder: Path) -> None:
    result = accept("environment.packages.numpy", "environment.packages.t*", "predictions", "--owner", "ada")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "repro.toml: accepted until 2099-01-31: environment.packages.numpy: 1.26.4 → 2.1.3",
        "repro.toml: accepted until 2099-01-31: environment.packages.tzdata: only in B: 2025.2",
        "repro.toml: accepted until 2099-01-31: predictions: exactly the cells that differ",
    ]
    numpy, tzdata, predictions = entries(folder)
    assert (numpy["change"], numpy["a"], numpy["b"], numpy["owner"]) == ("changed", "1.26.4", "2.1.3", "ada")
    assert ("a" in tzdata, tzdata["b"]) == (False, "2025.2")
    assert (predictions["evidence"], predictions["audit"]) == ("sha256:1", "2026-01-05-prod-staging")


def test_a_bound_that_holds_is_accepted_and_one_that_does_not_is_refused(folder: Path) -> None:
    assert accept("predictions.label", "--bound", "flips <= 3 %").exit_code == 0
    assert entries(folder)[0]["bounds"] == ["flips <= 3 %"]
    refused = accept("predictions.label", "--bound", "flips <= 2.9 %")
    assert "12 of 400 rows (flips) are over 2.9 %" in str(refused.exception)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "name what to accept: it has "),
        (("environment.*",), "environment.system.blas: is unknown"),
        (("environment.packages.pandas",), "is no difference of this audit"),
        (("data.data/model.json",), "is no difference of this audit"),
        (("code.predict.py.@@ -1,3 +1,4 @@",), "is a part of code.predict.py: accept that"),
        (("predictions.label",), "is one column: accept it within --bound"),
        (("predictions.labels", "--bound", "flips <= 9"), "is not an output column: expected label, "),
    ],
)
def test_what_cannot_be_accepted_is_refused_and_nothing_is_written(
    arguments: tuple[str, ...], problem: str, folder: Path
) -> None:
    result = accept("environment.packages.numpy", *arguments) if arguments else accept()
    assert isinstance(result.exception, Refused)
    assert problem in str(result.exception)
    assert (folder / "repro.toml").read_text() == "# the policy\n"


@pytest.mark.parametrize(
    ("why", "problem"),
    [
        (("--reason", " ", "--until", "2099-01-31"), "--reason: is empty"),
        (("--reason", "x", "--until", "2020-01-31"), "2020-01-31 is over"),
        (("--reason", "x", "--until", "soon"), "is not a day"),
        (("--reason", "x", "--until", "2099-01-31", "--bound", "all"), "is not a bound"),
        (("--until", "2099-01-31"), "--reason"),
    ],
)
def test_a_reason_and_a_day_to_come_are_needed(why: tuple[str, ...], problem: str, folder: Path) -> None:
    result = accept("environment.packages.numpy", why=why)
    assert result.exit_code
    assert problem in f"{result.output}{result.exception}"
    assert entries(folder) == []


def test_the_file_keeps_its_mode_and_a_link_stays_a_link(folder: Path) -> None:
    (folder / "shared.toml").write_text("# shared\n")
    (folder / "shared.toml").chmod(0o664)
    (folder / "link.toml").symlink_to("shared.toml")
    assert accept("environment.packages.numpy", "--file", "link.toml").exit_code == 0
    assert (folder / "link.toml").is_symlink()
    assert stat.S_IMODE((folder / "shared.toml").stat().st_mode) == 0o664
    assert len(entries(folder, "shared.toml")) == 1


def test_a_file_that_is_not_toml_gets_the_entry_to_add_by_hand(folder: Path) -> None:
    (folder / "record.json").write_text("{}")
    result = accept("environment.packages.numpy", "--file", "record.json")
    assert "is not TOML" in str(result.exception)
    assert 'path = "environment.packages.numpy"' in str(result.exception)
    assert json.loads((folder / "record.json").read_text()) == {}


def test_without_any_policy_file_it_says_how_to_name_one(folder: Path) -> None:
    (folder / "repro.toml").unlink()
    assert "--file" in str(accept("environment.packages.numpy").exception)
    assert accept("environment.packages.numpy", "--file", "repro.toml").exit_code == 0
    assert len(entries(folder)) == 1
