"""Cases in which the verdict must not reassure, through the command line: noisy runs, missing rows, gaps in records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import repro_tui
from tests.audit.project import ROWS, Project

SCORE = """\
import csv, os, random, sys, time
inputs, output = sys.argv[1:3]
rows = list(csv.DictReader(open(inputs)))
{before}
with open(output, "w", newline="") as target:
    out = csv.writer(target)
    out.writerow({header})
    for number, row in enumerate(rows):
        x = float(row["x"])
        out.writerow({values})
"""
HEADER = '["id", "score"]'
WHOLE = '[row["id"], repr(2.0 * x)]'


@pytest.fixture
def project(tmp_path: Path, warm_cache: None) -> Project:
    return Project(tmp_path / "project")


def side(project: Project, values: str = WHOLE, header: str = HEADER, before: str = "") -> dict[str, Any]:
    """A deployment that writes these values for each row, and nothing else."""
    program = SCORE.format(before=before, header=header, values=values)
    return project.deployment(
        code={"repository": "code", "commit": project.repository.commit({"predict.py": program})},
        parameters={},
        data=[],
        predict={"command": ["python3", "predict.py", "{inputs}", "{output}"], "timeout_s": 60},
    )


def predictions(report: dict[str, Any]) -> dict[str, Any]:
    return report["areas"]["predictions"]  # type: ignore[no-any-return]


def test_a_later_run_that_is_off_is_never_the_same(project: Project) -> None:
    """Half of the runs of B differ by 100 in one row, at random."""
    odd = '[row["id"], repr(2.0 * x + (100 if off and number == 0 else 0))]'
    project.record(a=side(project), b=side(project, odd, before="off = random.random() < 0.5"))
    result = project.audit("--repeat", "10")
    assert result.status != 0, result.stdout
    assert predictions(result.report)["verdict"] in ("drift", "undecided")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ('"r0"', "all output rows have the same key"),
        ('f"other{number}"', "in no input row (such as 'other0'"),
        ('row["id"] + " "', "the keys differ only in leading or trailing spaces"),
        ('rows[max(0, number - 1)]["id"]', "answered more than once"),
    ],
)
def test_every_input_row_has_to_be_answered_once(project: Project, key: str, reason: str) -> None:
    project.record(**dict.fromkeys("ab", side(project, WHOLE.replace('row["id"]', key))))
    result = project.audit()
    assert (result.status, predictions(result.report)["verdict"]) == (3, "not-comparable")
    assert reason in predictions(result.report)["what"]
    assert predictions(result.report)["do"]


def test_a_clock_can_be_left_out_and_stands_as_ignored(project: Project) -> None:
    clock = side(project, '[row["id"], repr(2.0 * x), time.time_ns()]', '["id", "score", "clock"]')
    project.record(a=clock, b=clock)
    assert project.audit("--repeat", "2").status != 0
    html = project.folder / "report.html"
    result = project.audit("--ignore", "predictions.clock", "--html", str(html))
    area = predictions(result.report)
    assert (result.status, area["verdict"], area["ignored"]) == (0, "identical", ["clock"])
    assert [column["name"] for column in area["columns"]] == ["score"]
    assert "clock" in html.read_text()


def test_one_run_a_side_is_told_and_not_judged(project: Project) -> None:
    project.record(a=side(project), b=side(project, '[row["id"], repr(3.0 * x)]'))
    result = project.audit("--repeat", "1")
    area = predictions(result.report)
    assert (result.status, area["verdict"]) == (3, "undecided")
    (column,) = area["columns"]
    assert column["different"] == ROWS - 1  # 0 times anything is 0
    assert "whether the outputs change from run to run is not known" in area["noise"]["sentence"]
    assert "--repeat 3" in area["do"]
    assert "Next: run again with --repeat 3." in result.report["summary"]


def test_two_still_runs_a_side_become_three_before_drift_is_said(project: Project) -> None:
    project.record(a=side(project), b=side(project, '[row["id"], repr(3.0 * x)]'))
    result = project.audit()
    assert (result.status, predictions(result.report)["verdict"]) == (1, "drift")
    assert [len(result.report["sides"][letter]["runs"]) for letter in "ab"] == [3, 3]


def test_what_no_record_holds_is_not_the_same(project: Project) -> None:
    project.record(a=side(project), b=side(project))
    report = project.audit().report
    assert {name: report["areas"][name]["status"] for name in ("parameters", "data")} == dict.fromkeys(
        ("parameters", "data"), "not-recorded"
    )
    summary = " ".join(report["summary"])
    assert "Parameters and data are the same" not in summary
    assert "not recorded on either side, so not compared: parameters and data." in summary
    assert project.audit("--fail-on", "data").status == 3


def test_values_of_another_type_are_told_and_are_the_same(project: Project) -> None:
    """One odd cell among numbers in a CSV is one differing cell."""
    odd = '[row["id"], "n/a" if number == 7 else repr(2.0 * x)]'
    project.record(a=side(project), b=side(project, odd))
    result = project.audit()
    (column,) = predictions(result.report)["columns"]
    assert (result.status, column["verdict"], column["different"]) == (1, "drift", 1)
    assert "'n/a'" in column["note"]


NOISY = (
    '[row["id"], "yes" if {times} * x > 2 else "no", repr(x + random.gauss(0, 1)), "%032x" % random.getrandbits(128)]'
)
THREE = '["id", "label", "noisy", "request_id"]'


def test_drift_beside_noise_is_reported_and_the_report_is_read_again(project: Project) -> None:
    """A column with one constant value per side has no distance within, so the ratio across would be infinite."""
    sides = [side(project, NOISY.format(times=times), header=THREE) for times in (2, 3)]
    project.record(a=sides[0], b=sides[1])
    result = project.audit("--ignore", "predictions.request_id")
    assert result.status == 1, result.stderr
    area = predictions(result.report)
    assert (area["verdict"], area["noise"]["ratio"]) == ("drift", None)
    (label,) = [column for column in area["columns"] if column["name"] == "label"]
    assert label["verdict"] == "drift"
    folder = Path(result.report["audit"]["folder"])
    assert repro_tui.open_audit(folder).report().verdict == "drift"


def test_of_ids_no_row_is_called_beyond_its_own_noise(project: Project) -> None:
    deployment = side(project, NOISY.format(times=2), header=THREE)
    project.record(a=deployment, b=deployment)
    result = project.audit("--repeat", "5")
    columns = {column["name"]: column for column in predictions(result.report)["columns"]}
    assert columns["request_id"]["beyond_noise"] is None
    assert not any(
        "in request_id" in text and "beyond" in text for text in (*result.report["summary"], *result.report["notes"])
    )


def test_rules_that_fit_no_column_are_told(project: Project) -> None:
    deployment = side(project)
    project.record(a=deployment, b=deployment)
    file = project.folder / "record.json"
    document = json.loads(file.read_text())
    document["validation"]["columns"] = {"scroe": {"atol": 1.0}}
    file.write_text(json.dumps(document))
    result = project.audit("--ignore", "predictions.metta", "--ignore", "predictions.id", "--column-tolerance", "x=1")
    assert predictions(result.report)["unused"] == [
        "--ignore predictions.metta",
        "--ignore predictions.id",
        "--column-tolerance x",
        "validation.columns.scroe",
    ]
    assert any(
        text.startswith("No output column matches --ignore predictions.metta") for text in result.report["notes"]
    )


def test_what_is_the_same_is_said_of_so_many_runs_in_such_formats(project: Project) -> None:
    as_json = SCORE.replace("out.writerow({header})", "import json").replace(
        "out.writerow({values})", 'target.write(json.dumps({{"id": row["id"], "score": 2.0 * x}}) + "\\n")'
    )
    a, b = side(project), side(project)
    program = as_json.format(before="", header=HEADER)
    b["code"] = {"repository": "code", "commit": project.repository.commit({"predict.py": program})}
    project.record(a=a, b=b)
    once = project.audit("--repeat", "1")
    assert once.status == 0, once.stdout
    first, *rest = once.report["summary"]
    assert first == f"Identical: every prediction is the same to the last bit in all {ROWS} rows."
    assert rest[0].startswith("Note: one run a side: whether the outputs change")
    assert "A's outputs are CSV and B's are JSON Lines: their values were compared." in once.report["notes"]
    assert f"in all {ROWS} rows, in 2 runs a side." in project.audit().report["summary"][0]


def test_changes_that_were_not_run_are_told_beside_the_verdict(project: Project) -> None:
    deployment = side(project)
    project.record(a=deployment, b=deployment | {"code": deployment["code"] | {"dirty": True}})
    summary = project.audit().report["summary"]
    assert summary[1].startswith("Note: the uncommitted changes of B were not run")
    assert summary[-1] == "Next: commit the changes of B, and audit again."


def test_no_column_is_the_same_where_rows_are_missing(project: Project) -> None:
    odd = '[row["id"], repr(2.0 * x)] if number else [row["id"] + "x", "0"]'
    project.record(a=side(project), b=side(project, odd))
    area = predictions(project.audit().report)
    assert area["verdict"] == "not-comparable"
    assert {column["verdict"] for column in area["columns"]} == {"not-comparable"}
