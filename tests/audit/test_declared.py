"""What is declared is compared before and without a build: sides that are lost, through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from repro_tui.audit.plan import plan
from repro_tui.model.errors import Refused
from repro_tui.model.overrides import Overrides
from repro_tui.model.request import Request, Settings
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from repro_tui.support.paths import cache_root
from tests.audit.project import PREDICT, Project, Result

ABSENT = "no-such-package-of-this-name==9.9.9\n"


@pytest.fixture
def project(tmp_path: Path, warm_cache: None) -> Project:
    return Project(tmp_path / "project")


def code(project: Project, commit: str) -> dict[str, str]:
    return {"repository": "code", "commit": commit}


def broken(project: Project, **files: str) -> dict[str, Any]:
    """A deployment that nobody can build: another code, a package that no index has, another threshold and model."""
    text = {"predict.py": PREDICT.replace("scoring", "rating"), "requirements.txt": ABSENT, **files}
    changed = project.model("other.json", 2.5)
    return project.deployment(
        code=code(project, project.repository.commit(text)),
        parameters={"values": {"threshold": 6.0}},
        data=[{"path": "model.json", "source": "file:other.json", "sha256": changed}],
    )


def without_inputs(project: Project, name: str = "record.json", **deployments: dict[str, Any]) -> None:
    """Writes a record file that names no validation inputs."""
    document = {"schema": 1, "validation": {"key": ["id"]}, "deployments": deployments}
    (project.folder / name).write_text(json.dumps(document))


def steps_of(result: Result) -> set[str]:
    return {event["step"] for event in events(result) if event["kind"] == "step"}


def basis(result: Result) -> dict[str, tuple[str, str]]:
    areas = result.report["areas"]
    return {name: (areas[name]["status"], areas[name]["basis"]) for name in areas if name != "predictions"}


def events(result: Result) -> list[dict[str, Any]]:
    journal = Path(result.report["audit"]["folder"], "journal.jsonl").read_text()
    return [json.loads(line) for line in journal.splitlines()]


def test_a_build_that_fails_loses_only_what_it_would_have_shown(project: Project, tmp_path: Path) -> None:
    project.record(a=project.deployment(), b=broken(project))
    files = {name: tmp_path / f"report.{name}" for name in ("junit", "markdown", "html")}
    result = project.audit(*(word for name, path in files.items() for word in (f"--{name}", str(path))))
    assert result.status == 3, result.stderr
    report = result.report
    assert report["sides"]["b"]["failed"] == "environment"
    assert basis(result) == {
        "code": ("different", "declared"),
        "environment": ("different", "declared"),
        "parameters": ("different", "declared"),
        "data": ("different", "built"),  # the data of both sides could be fetched
    }
    (changed,) = [finding for finding in report["areas"]["code"]["findings"] if finding["path"] == ["predict.py"]]
    assert any('-print("scoring"' in hunk["note"] for hunk in changed["children"])
    packages = {tuple(finding["path"]): finding for finding in report["areas"]["environment"]["findings"]}
    assert packages["packages", "no-such-package-of-this-name"]["b"] == "9.9.9"
    assert report["areas"]["parameters"]["findings"][0]["b"] == 6.0
    assert [side["runs"] for side in report["sides"].values()] == [[], []]
    for text in (" ".join(report["summary"]), *(path.read_text() for path in files.values())):
        assert "as declared; B was not built" in text.replace("\\", "")


def test_what_is_declared_is_published_before_anything_is_built(project: Project) -> None:
    project.record(a=project.deployment(), b=broken(project))
    kinds = [(event["kind"], event["step"]) for event in events(project.audit())]
    first = kinds.index(("step", "environment"))
    assert {step for kind, step in kinds[:first] if kind == "area"} == {"code", "environment", "parameters", "data"}


def test_where_both_builds_fail_everything_declared_is_compared(project: Project) -> None:
    side = broken(project)
    project.record(a=side, b=side | {"parameters": {"values": {"threshold": 7.0}}})
    result = project.audit()
    assert result.status == 3
    assert basis(result) == {
        "code": ("same", "declared"),
        "environment": ("same", "declared"),
        "parameters": ("different", "declared"),
        "data": ("same", "built"),
    }
    summary = " ".join(result.report["summary"])
    assert "as declared, code and environment are the same." in summary
    assert "as declared; neither side was built" in summary
    assert summary.startswith("A (a) and B (b) could not be compared: both failed at environment: ")
    assert result.report["areas"]["predictions"]["what"].startswith("A and B failed at environment: ")


def test_a_missing_repository_is_said_before_anything_runs(project: Project) -> None:
    gone = {"repository": "gone", "commit": "12" * 20}
    project.record(a=project.deployment(), b=project.deployment(code=gone))
    result = project.audit()
    assert result.status == 3, result.stderr
    written = [(event["kind"], event["side"], event["step"], event["text"]) for event in events(result)]
    (warned,) = [n for n, event in enumerate(written) if event[:3] == ("warning", "b", "declared")]
    assert "code was not rebuilt: the repository" in written[warned][3]
    assert "does not exist" in written[warned][3]
    assert warned < min(n for n, event in enumerate(written) if event[2] == "environment" and event[0] == "step")
    areas = result.report["areas"]
    assert (areas["code"]["status"], areas["parameters"]["status"]) == ("unknown", "same")
    assert "B: code was not rebuilt: " in str(areas["code"]["findings"])


def test_what_neither_record_holds_is_not_recorded_whatever_fails(project: Project) -> None:
    side = broken(project) | {"parameters": {}, "data": []}
    project.record(a=project.deployment(parameters={}, data=[]), b=side)
    result = project.audit()
    assert (basis(result)["parameters"], basis(result)["data"]) == (("not-recorded", "declared"),) * 2
    assert "not recorded on either side, so not compared: parameters and data." in " ".join(result.report["summary"])


def test_a_model_that_changed_in_the_code_is_pointed_at(project: Project) -> None:
    """The model is in git, and no record lists it as data."""
    files = {"predict.py": PREDICT, "model.json": json.dumps({"weight": 2.0})}
    commits = [project.repository.commit(files | {"model.json": json.dumps({"weight": w})}) for w in (2.0, 2.5)]
    a, b = (project.deployment(code=code(project, commit), data=[]) for commit in commits)
    project.record(a=a, b=b)
    result = project.audit()
    assert result.status == 1, result.stderr
    areas = result.report["areas"]
    assert (areas["data"]["status"], areas["code"]["status"]) == ("not-recorded", "different")
    assert areas["data"]["note"].startswith("model.json changed in the code")
    assert "model.json looks like data" in areas["code"]["note"]
    assert any(sentence.startswith("Code: model.json looks like data") for sentence in result.report["notes"])


def test_a_side_that_fails_at_once_is_not_waited_for(project: Project) -> None:
    """A run of A takes a minute: it is ended, and no second one is started."""
    slow = project.repository.commit({"predict.py": "import time\ntime.sleep(60)\n" + PREDICT})
    crash = project.deployment(parameters={"values": {"threshold": 5.0, "crash": True}})
    project.record(a=project.deployment(code=code(project, slow)), b=crash)
    result = project.audit("--repeat", "5", timeout=50)
    assert result.status == 3, result.stderr
    report = result.report
    assert report["sides"]["b"]["failed"] == "run 1"
    assert report["sides"]["a"]["failed"] == ""
    assert report["sides"]["a"]["runs"] == []
    started = {(event["side"], event["step"]) for event in events(result) if event["status"] == "started"}
    assert {step for _, step in started if step.startswith("run ")} == {"run 1"}
    assert {area[1] for area in basis(result).values()} == {"built"}
    assert any("because B had failed" in sentence for sentence in report["summary"])


def test_an_audit_whose_builds_succeed_is_based_on_them(project: Project) -> None:
    project.record(a=project.deployment(), b=project.deployment())
    result = project.audit()
    assert result.status == 0, result.stderr
    assert set(basis(result).values()) == {("same", "built")}
    assert "declared" not in " ".join(result.report["summary"])


NOT_COMPARED = "Predictions were not compared: nothing was run, because"


def test_without_inputs_what_is_declared_is_compared_and_nothing_runs(project: Project, tmp_path: Path) -> None:
    side = broken(project)
    without_inputs(project, a=project.deployment(), b=side)
    files = {name: tmp_path / f"report.{name}" for name in ("junit", "markdown", "html")}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    result = project.audit(*options, "--explain", "--stress")
    assert result.status == 3, result.stderr
    assert steps_of(result) == {"declared", "compare declared"}
    report = result.report
    assert basis(result) == dict.fromkeys(("code", "environment", "parameters", "data"), ("different", "declared"))
    assert report["areas"]["predictions"]["rows"] is None
    reason = "neither record names validation inputs"
    assert report["summary"][0] == f"{NOT_COMPARED} {reason}."
    assert report["summary"][-1].startswith("Next: pass --inputs FILE")
    assert report["causes"]["sentences"] == [f"No cause can be determined: nothing was run, because {reason}."]
    assert "--stress was left out, because nothing was run" in report["warnings"]
    for text in (" ".join(report["summary"]), *(path.read_text() for path in files.values())):
        assert reason in text
        assert "neither side was built" in text
        assert not re.search(r"(?i)identical|0 (rows|cells)|nothing differs|failed at", text)


def test_without_a_predict_step_nothing_is_built(project: Project) -> None:
    project.record(a=project.deployment(), b=project.deployment(predict={}))
    result = project.audit()
    assert result.status == 3, result.stderr
    assert steps_of(result) == {"declared", "compare declared"}
    assert result.report["summary"][0] == f"{NOT_COMPARED} the record of B has no predict step."
    assert result.report["summary"][-1].startswith("Next: record predict.command")
    assert basis(result) == dict.fromkeys(("code", "environment", "parameters", "data"), ("same", "declared"))


# -- what is decided before anything starts ----------------------------------------------------------------------------


def planned(project: Project, a: str, b: str, overrides: Overrides | None = None, **settings: Any) -> Request:
    context = Context(cache=Cache(cache_root()), here=project.folder)
    return plan(a, b, Settings(**settings), overrides or Overrides(), context)


def test_inputs_that_one_record_names_are_those_of_both(project: Project) -> None:
    project.record(a=project.deployment())
    without_inputs(project, "other.json", b=project.deployment())
    for references in (("record.json#a", "other.json#b"), ("other.json#b", "record.json#a")):
        request = planned(project, *references)
        assert {side.validation.inputs for side in (request.a, request.b)} == {str(project.folder / "inputs.csv")}
        places = [side.provenance["validation.inputs"] for side in (request.a, request.b)]
        assert sorted(place.startswith("the record of") for place in places) == [False, True]


def test_what_would_stop_a_run_does_not_stop_a_comparison_of_what_is_declared(project: Project) -> None:
    without_inputs(project, a=project.deployment(), b=project.deployment())
    references = "record.json#a", "record.json#b"
    assert planned(project, *references, runner="docker").a.validation.inputs is None
    with pytest.raises(Refused, match="--runner: docker cannot run"):
        planned(project, *references, Overrides(inputs="inputs.csv"), runner="docker")


@pytest.mark.parametrize(("name", "problem"), [("folder", "is not a regular file"), ("gone.csv", "does not exist")])
def test_inputs_that_cannot_be_read_are_refused_before_anything(project: Project, name: str, problem: str) -> None:
    (project.folder / "folder").mkdir()
    project.record(a=project.deployment(), b=project.deployment())
    document = json.loads((project.folder / "record.json").read_text())
    document["validation"]["inputs"] = name
    (project.folder / "record.json").write_text(json.dumps(document))
    with pytest.raises(Refused, match=problem):
        planned(project, "record.json#a", "record.json#b")
