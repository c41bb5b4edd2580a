"""The main task, end to end, with known answers: on the local runner and on Docker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from repro_tui.support.paths import data_rows
from tests.audit.project import ROWS, Project
from tests.engines import base_image

ENGINES = ["local", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture(params=ENGINES)
def project(request: pytest.FixtureRequest, tmp_path: Path, warm_cache: None) -> Project:
    environment = {"requirements": "requirements.txt"} if request.param == "local" else {"image": base_image()}
    return Project(tmp_path / "project", environment)


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {name: area["status"] for name, area in report["areas"].items() if name != "predictions"}


SAME = {"code": "same", "environment": "same", "parameters": "same", "data": "same"}


def test_the_same_deployment_twice_is_identical(project: Project) -> None:
    project.record(a=project.deployment(), b=project.deployment())
    result = project.audit()
    assert result.status == 0, result.stderr
    report = result.report
    assert (report["verdict"], statuses(report)) == ("identical", SAME)
    assert report["areas"]["predictions"]["rows"]["matched"] == ROWS
    assert [len(report["sides"][side]["runs"]) for side in "ab"] == [2, 2]
    assert "same" in " ".join(report["summary"]).lower()


def test_a_changed_parameter_drifts_and_is_the_one_finding(project: Project) -> None:
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": {"threshold": 6.0}}))
    result = project.audit()
    assert result.status == 1, result.stderr
    report = result.report
    assert (report["verdict"], statuses(report)) == ("drift", SAME | {"parameters": "different"})
    (finding,) = report["areas"]["parameters"]["findings"]
    assert (finding["path"], finding["a"], finding["b"]) == (["threshold"], 5.0, 6.0)
    flips = sum(1 for number in range(ROWS) if 5.0 <= 2.0 * number / 10 < 6.0)
    (label,) = [column for column in report["areas"]["predictions"]["columns"] if column["name"] == "label"]
    assert label["flips"] == flips
    summary = " ".join(report["summary"])
    assert f"{flips} of {ROWS}" in summary
    assert "parameters.threshold 5.0 → 6.0" in summary


def test_a_changed_model_file_is_named_by_the_data_area(project: Project) -> None:
    changed = project.model("other.json", 2.5)
    data = [{"path": "model.json", "source": "file:other.json", "sha256": changed}]
    project.record(a=project.deployment(), b=project.deployment(data=data))
    result = project.audit()
    assert result.status == 1, result.stderr
    report = result.report
    assert statuses(report) == SAME | {"data": "different"}
    (finding,) = report["areas"]["data"]["findings"]
    assert finding["path"][0] == "model.json"
    assert changed[:8] in str(finding)


def test_a_changed_table_among_the_data_opens_into_its_rows(project: Project) -> None:
    """Rows with a key in another order and two changed cells; a file that is not a table is only compared by digest."""
    a, b = project.folder / "a.csv", project.folder / "b.csv"
    rows = [f"r{number:03},{number},{'N' if number % 2 else 'S'}" for number in range(50)]
    a.write_text("\n".join(["id,income,region", *rows]) + "\n")
    rows[7], rows[8] = "r007,9.5,N", "r008,8,W"
    b.write_text("\n".join(["id,income,region", *reversed(rows)]) + "\n")
    model = {"path": "model.json", "source": "file"}
    sides = [project.deployment(data=[model, {"path": "t.csv", "source": f"file:{name}.csv"}]) for name in "ab"]
    project.record(a=sides[0], b=sides[1])
    report = project.audit().report
    (finding,) = report["areas"]["data"]["findings"]
    notes = {child["path"][-1]: child["note"] for child in finding["children"]}
    assert notes["region"] == "1 of 50 rows differ (by id)"
    assert notes["income"].startswith("1 of 50 rows differ (by id), by up to 2.5")
    folder = Path(report["audit"]["folder"])
    cells = pq.read_table(data_rows(folder, ["t.csv"]) / "differences.parquet").to_pylist()
    assert {(cell["key"], cell["column"], cell["a"], cell["b"]) for cell in cells} >= {('["r008"]', "region", "S", "W")}
    assert len(cells) == 2


def test_another_row_order_with_a_key_is_identical(project: Project) -> None:
    values = {"threshold": 5.0, "reverse": True}
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": values}))
    result = project.audit()
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr


def test_missing_rows_cannot_be_compared(project: Project) -> None:
    values = {"threshold": 5.0, "drop": 3}
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": values}))
    result = project.audit()
    assert (result.status, result.report["verdict"]) == (3, "not-comparable"), result.stderr
    assert result.report["areas"]["predictions"]["rows"]["only_a"] == 3


def test_rows_missing_on_both_sides_are_not_called_same(project: Project) -> None:
    values = {"threshold": 5.0, "drop": 3}
    both = project.deployment(parameters={"values": values})
    project.record(a=both, b=both)
    result = project.audit()
    assert (result.status, result.report["verdict"]) == (3, "not-comparable"), result.stderr
    assert "A and B: 3 input rows are without an answer" in " ".join(result.report["summary"])


def test_a_predict_step_that_fails_is_told_with_its_last_words(project: Project) -> None:
    values = {"threshold": 5.0, "crash": True}
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": values}))
    result = project.audit()
    assert result.status == 3
    report = result.report
    assert report["sides"]["b"]["failed"] == "run 1"
    assert "weights are missing" in " ".join(report["sides"]["b"]["runs"][0]["tail"])
    assert "weights are missing" in result.stderr
    assert report["areas"]["parameters"]["status"] == "different"


def test_a_data_hash_that_does_not_match_is_told_with_both(project: Project) -> None:
    recorded = "0" * 64
    data = [{"path": "model.json", "source": "file", "sha256": recorded}]
    project.record(a=project.deployment(), b=project.deployment(data=data))
    result = project.audit()
    assert result.status == 3
    side = result.report["sides"]["b"]
    actual = project.deployment()["data"][0]["sha256"]
    assert side["failed"] == "data"
    assert recorded in side["what"]
    assert actual in side["what"]
    assert side["runs"] == []


def test_noise_of_one_size_on_both_sides_is_noise(project: Project) -> None:
    both = project.deployment(parameters={"values": {"threshold": 100.0, "noise": 0.05}})
    project.record(a=both, b=both)
    for _ in range(4):  # by the rule's figures nine of ten such audits say so: four that do not are one in 10,000
        result = project.audit()
        if result.status == 0:
            break
    assert (result.status, result.report["verdict"]) == (0, "within-noise"), result.report["summary"]


def test_noise_and_a_shift_are_drift(project: Project) -> None:
    noisy = {"threshold": 100.0, "noise": 0.05}
    project.record(
        a=project.deployment(parameters={"values": noisy}),
        b=project.deployment(parameters={"values": noisy | {"shift": 1.0}}),
    )
    result = project.audit()
    assert (result.status, result.report["verdict"]) == (1, "drift"), result.report["summary"]
    noise = result.report["areas"]["predictions"]["noise"]
    assert noise["runs"] == 5
    assert noise["p"] <= 0.025


def test_a_repeated_audit_rebuilds_nothing(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_TUI_CACHE", str(tmp_path / "empty"))
    project.record(a=project.deployment(), b=project.deployment())
    first, second = project.audit(), project.audit()
    assert (first.status, second.status) == (0, 0)
    parts = [part for side in "ab" for part in second.report["sides"][side]["rebuild"]]
    assert parts
    assert all(part["cached"] for part in parts if part["step"] in ("code", "environment", "data")), parts


class TestRefused:
    """Invalid records: exit status 2, one line each, and nothing executed or written."""

    @pytest.fixture
    def project(self, tmp_path: Path) -> Project:
        return Project(tmp_path / "project")

    def refused(self, project: Project, **changes: Any) -> str:
        project.record(a=project.deployment(), b=project.deployment(**changes))
        result = project.audit()
        assert result.status == 2, result.stderr
        assert result.stdout == ""
        assert project.audits() == []
        return result.stderr

    def test_a_short_commit_is_refused_with_the_full_one(self, project: Project) -> None:
        line = self.refused(project, code={"repository": "code", "commit": project.commit[:9]})
        assert "deployments.b.code.commit" in line
        assert project.commit in line

    def test_a_branch_is_refused_with_what_it_stands_for(self, project: Project) -> None:
        line = self.refused(project, code={"repository": "code", "commit": "main"})
        assert project.commit in line

    def test_an_unknown_key_is_refused(self, project: Project) -> None:
        assert "deployments.b.predictt" in self.refused(project, predictt={})

    def test_two_environments_are_refused(self, project: Project) -> None:
        environment = {"requirements": "requirements.txt", "lock": "uv.lock"}
        assert "deployments.b.environment" in self.refused(project, environment=environment)

    def test_all_mistakes_are_told_at_once(self, project: Project) -> None:
        lines = self.refused(project, predictt={}, code={"repository": "code", "commit": "--output=x"})
        assert "deployments.b.predictt" in lines
        assert "deployments.b.code.commit" in lines
        assert len(lines.splitlines()) == 2


@pytest.mark.network
def test_two_releases_of_numpy_that_promote_differently_drift(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    predict = (
        "import csv, sys\nimport numpy as np\nrows = list(csv.DictReader(open(sys.argv[1])))\n"
        "with open(sys.argv[2], 'w') as out:\n    out.write('id,score\\n')\n"
        "    for row in rows:\n        score = np.float32(0.1) * float(row['x']) + 1000.0 - 1000.0\n"
        "        out.write(f\"{row['id']},{float(score)!r}\\n\")\n"
    )
    commits = [
        project.repository.commit({"predict.py": predict, "requirements.txt": f"numpy=={version}\n"})
        for version in ("1.26.4", "2.1.3")
    ]
    sides = [project.deployment(code={"repository": "code", "commit": commit}) for commit in commits]
    project.record(a=sides[0], b=sides[1])
    result = project.audit()
    assert (result.status, result.report["verdict"]) == (1, "drift"), result.stderr
    findings = result.report["areas"]["environment"]["findings"]
    assert [(f["path"], f["a"], f["b"], f["severity"]) for f in findings if "numpy" in f["path"]] == [
        (["packages", "numpy"], "1.26.4", "2.1.3", "important")
    ]
