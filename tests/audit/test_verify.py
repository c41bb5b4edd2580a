"""`verify`: every grade, from a real rebuilt deployment with known answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from repro_tui.formats.wire.schemas import schema_text
from tests.audit.project import ROWS, Project, Result

WRONG = {3, 13, 23, 33, 43, 53}
ACCURACY = 54 / 60


def score(number: int) -> float:
    return 2.0 * (number / 10)


def label(number: int) -> str:
    return "yes" if score(number) >= 5.0 else "no"


@pytest.fixture
def project(tmp_path: Path, warm_cache: None) -> Project:
    project = Project(tmp_path / "p")
    with (project.folder / "inputs.csv").open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["id", "x", "truth", "amount"])
        for number in range(ROWS):
            right = label(number)
            truth = {"yes": "no", "no": "yes"}[right] if number in WRONG else right
            out.writerow([f"r{number:03}", number / 10, truth, score(number) + 0.5])
    predictions(project)
    return project


def predictions(project: Project, shift: float = 0.0, name: str = "recorded.csv", end: str = "\r\n") -> None:
    with (project.folder / name).open("w", newline="") as stream:
        out = csv.writer(stream, lineterminator=end)
        out.writerow(["id", "score", "label"])
        out.writerows([f"r{n:03}", repr(score(n) + shift), label(n)] for n in range(ROWS))


def record(project: Project, metrics: str = "{}", table: str | None = "recorded.csv", truth: str = "truth", **changes: Any) -> None:  # fmt: skip  # noqa: E501
    """The record; `metrics` is JSON text as written in the file, since its digits count."""
    expected = {"metrics": "METRICS"} | ({"predictions": table} if table else {})
    validation = {"inputs": "inputs.csv", "key": ["id"]} | ({"truth": truth} if truth else {})
    document = {
        "schema": 1,
        "validation": validation,
        "deployments": {"a": project.deployment(expected=expected) | changes},
    }
    text = json.dumps(document, indent=1).replace('"METRICS"', metrics)
    (project.folder / "record.json").write_text(text)


def verify(project: Project, *options: str) -> Result:
    return project.run("verify", "record.json#a", "--report", *options, *project.options())


def graded(result: Result, level: str, status: int) -> dict[str, Any]:
    assert result.stdout, result.stderr
    grade: dict[str, Any] = result.report["grade"]
    assert (grade["level"], result.status, result.report["exit_status"]) == (level, status, status), grade
    assert result.report["summary"][0].startswith(f"{level}: ")
    jsonschema.validate(result.report, json.loads(schema_text("report")))
    return grade


def test_the_same_bytes_and_metrics_are_r6(project: Project) -> None:
    record(project, f'{{"accuracy": {ACCURACY}, "val_balanced_accuracy_score": 0.9}}')
    result = verify(project)
    grade = graded(result, "R6", 0)
    assert "recorded file" in grade["sentence"]
    assert [(metric["name"], metric["matches"]) for metric in grade["metrics"]] == [
        ("accuracy", True),
        ("val_balanced_accuracy_score", True),
    ]
    report = result.report
    assert (report["sides"]["a"]["name"], report["sides"]["b"]["name"]) == ("a recorded", "a rebuilt")
    assert (len(report["sides"]["a"]["runs"]), len(report["sides"]["b"]["runs"])) == (1, 2)
    assert report["areas"]["code"]["status"] == "same"
    shown = project.run("show", Path(report["audit"]["folder"]).name)
    assert shown.status == 0
    assert "R6" in shown.stdout
    assert "a recorded" in project.run("list").stdout


def test_the_same_table_in_another_form_is_r6_and_says_so(project: Project) -> None:
    predictions(project, end="\n")
    record(project)
    assert "both CSV" in graded(verify(project), "R6", 0)["sentence"]
    with (project.folder / "recorded.csv").open(newline="") as stream:
        rows = [row | {"score": float(row["score"])} for row in csv.DictReader(stream)]
    (project.folder / "recorded.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    record(project, table="recorded.jsonl")
    assert "recorded as JSON Lines, rebuilt as CSV" in graded(verify(project), "R6", 0)["sentence"]


def test_predictions_within_the_tolerance_are_r5(project: Project) -> None:
    predictions(project, shift=1e-4)
    record(project)
    graded(verify(project), "R3", 1)  # over the tolerance, and no metric is recorded
    assert "within tolerance" in graded(verify(project, "--atol", "0.001"), "R5", 0)["sentence"]


def test_predictions_within_the_noise_are_r5_and_beyond_it_are_not(project: Project) -> None:
    noisy = project.deployment(parameters={"values": {"threshold": 500.0, "noise": 0.01}})
    write = (project.folder / "recorded.csv").write_text
    header = "id,score,label\n"
    write(header + "".join(f"r{n:03},{score(n)!r},no\n" for n in range(ROWS)))
    record(project, parameters=noisy["parameters"])
    result = verify(project)
    assert "noise" in graded(result, "R5", 0)["sentence"]
    # Five runs that all lie on one side of what was recorded (one audit of 16) are too few, and ten are made.
    assert len(result.report["sides"]["b"]["runs"]) in (5, 10)
    write(header + "".join(f"r{n:03},{score(n) + 1!r},no\n" for n in range(ROWS)))
    result = verify(project)
    graded(result, "R3", 1)
    assert result.report["verdict"] == "drift"


def test_matching_metrics_with_other_or_no_predictions_are_r4(project: Project) -> None:
    record(project, '{"accuracy": 0.9}', table=None)
    assert "no predictions were recorded" in graded(verify(project), "R4", 1)["sentence"]
    predictions(project, shift=0.25)
    record(project, '{"accuracy": 0.9, "my_score": 3.5}')
    result = verify(project)
    grade = graded(result, "R4", 1)
    assert "not known: my_score" in grade["sentence"]
    assert result.report["verdict"] == "drift"
    assert result.report["areas"]["predictions"]["differences"] == ROWS


def test_metrics_that_are_off_are_r3_even_with_identical_predictions(project: Project) -> None:
    record(project, '{"accuracy": 0.95, "f1_score": 0.2}')
    grade = graded(verify(project), "R3", 1)
    accuracy, f1 = grade["metrics"]
    assert (accuracy["matches"], accuracy["rebuilt"], accuracy["recorded"]) == (False, ACCURACY, 0.95)
    assert f1["matches"] is False


def test_an_accuracy_that_no_count_gives_is_impossible(project: Project) -> None:
    record(project, '{"accuracy": 0.914}')
    (metric,) = graded(verify(project), "R3", 1)["metrics"]
    assert metric["note"].startswith("impossible: no count over 60 rows")
    assert metric["matches"] is False
    record(project, '{"accuracy": 0.91}')  # 55/60 = 0.917 is 0.92, and 54/60 is 0.90
    assert graded(verify(project), "R3", 1)["metrics"][0]["note"].startswith("impossible")
    record(project, '{"accuracy": 0.92}')  # 55/60: possible, and off
    assert not graded(verify(project), "R3", 1)["metrics"][0]["note"].startswith("impossible")


def test_the_digits_that_were_written_decide(project: Project) -> None:
    record(project, '{"mae": 0.5, "rmse": 0.5000}', truth="amount")
    off = project.deployment(parameters={"values": {"threshold": 5.0, "shift": -0.04}})
    record(project, '{"mae": 0.5, "rmse": 0.5000}', truth="amount", table=None, parameters=off["parameters"])
    mae, rmse = graded(verify(project), "R3", 1)["metrics"]
    assert (mae["matches"], rmse["matches"]) == (True, False)  # 0.54 is written 0.5, and never 0.5000
    assert mae["rebuilt"] == pytest.approx(0.54)


def test_unknown_metrics_never_match(project: Project) -> None:
    record(project, '{"training_accuracy": 0.9, "ndcg": 0.5, "val_f1": 0.9, "test_f1": 0.9}', table=None)
    metrics = graded(verify(project), "R3", 1)["metrics"]
    assert [metric["matches"] for metric in metrics] == [None] * 4
    assert "training data" in metrics[0]["note"]
    assert "several data sets" in metrics[2]["note"]
    record(project, '{"accuracy": 0.9}', truth="nothing", table=None)
    (metric,) = graded(verify(project), "R3", 1)["metrics"]
    assert (metric["matches"], "nothing" in metric["note"]) == (None, True)


def test_what_does_not_run_is_r2(project: Project) -> None:
    record(project, parameters={"values": {"threshold": 5.0, "crash": True}})
    result = verify(project)
    assert "weights are missing" in graded(result, "R2", 3)["sentence"]
    record(project, parameters={"values": {"threshold": 5.0, "drop": 2}})
    assert "58" in graded(verify(project), "R2", 3)["sentence"]


def test_what_cannot_be_rebuilt_is_r1(project: Project) -> None:
    record(project, data=[{"path": "model.json", "source": "file", "sha256": "0" * 64}])
    grade = graded(verify(project), "R1", 3)
    assert "data" in grade["sentence"]


def test_what_is_not_recorded_is_r0_with_the_gaps(project: Project) -> None:
    whole = project.deployment()
    for field in ("code", "environment", "predict"):
        deployments = {
            "a": {key: value for key, value in whole.items() if key != field}
            | {"expected": {"predictions": "recorded.csv"}}
        }
        project.record(**deployments)
        grade = graded(verify(project), "R0", 3)
        assert [gap["field"] for gap in grade["gaps"]] == [field]
        assert all(gap["do"] for gap in grade["gaps"])
    record(project, '{"accuracy": 0.9}', table=None, truth="")
    assert [gap["field"] for gap in graded(verify(project), "R0", 3)["gaps"]] == ["validation.truth"]
    (project.folder / "recorded.csv").write_text("id,score\nr001,1,2\n")
    record(project)
    assert [gap["field"] for gap in graded(verify(project), "R0", 3)["gaps"]] == ["expected.predictions"]


def test_every_format_tells_the_grade_and_the_metrics(project: Project) -> None:
    record(project, '{"accuracy": 0.95, "ndcg": 0.5}')
    result = verify(project, "--junit", "out.xml", "--markdown", "out.md", "--html", "out.html")
    graded(result, "R3", 1)
    suites = {suite.get("name"): suite for suite in ElementTree.parse(project.folder / "out.xml").getroot()}
    outcomes = [[child.tag for child in case] for case in suites["grade"]]
    assert outcomes == [["failure"], ["failure"], ["error"]]
    for name in ("out.md", "out.html"):
        text = (project.folder / name).read_text()
        assert "R3" in text
        assert "ndcg" in text
        assert "0.95" in text


def test_an_audit_has_no_grade(project: Project) -> None:
    project.record(a=project.deployment(), b=project.deployment())
    assert project.audit().report["grade"] is None


def test_a_bad_record_is_refused(project: Project) -> None:
    result = project.run("verify", "nothing.toml", "--report")
    assert (result.status, result.stdout) == (2, "")
    assert "nothing.toml" in result.stderr


def test_it_can_be_planned_again_and_has_no_secret(project: Project) -> None:
    from repro_tui.audit.folder import AuditFolder
    from repro_tui.audit.plan import plan_again

    record(project, environment={"requirements": "requirements.txt", "variables": {"TOKEN": "c4n4ry-s3cr3t"}})
    graded(verify(project), "R6", 0)
    (folder,) = project.audits()
    assert not any(b"c4n4ry" in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    again = plan_again(AuditFolder(folder).request())
    assert (again.verify, again.b.reference, again.b.name) == (True, "record.json#a", "a rebuilt")
