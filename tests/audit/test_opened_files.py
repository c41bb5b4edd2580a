"""An audit end to end whose model, parameters and code differ: everything that changed opens as its difference."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.audit.project import Project


@pytest.fixture
def project(tmp_path: Path, warm_cache: None) -> Project:
    return Project(tmp_path / "project")


def areas(project: Project, *options: str) -> tuple[dict[str, Any], Path]:
    result = project.audit(*options)
    assert result.status in (0, 1), result.stderr
    return result.report["areas"], Path(result.report["audit"]["folder"])


def test_a_model_large_parameters_and_long_code(project: Project) -> None:
    """A model of JSON; parameters of 1.5 MB; a source of 30,000 lines; and data among the code."""
    large = {"threshold": 5.0, "table": [[number, number / 7] for number in range(60_000)]}
    source = [f"# line {number}" for number in range(30_000)]
    files = {"params.json": json.dumps(large), "long.py": "\n".join(source), "w.json": json.dumps({"w": [0] * 5_000})}
    commits = [project.repository.commit(files)]  # type: ignore[arg-type]
    large["table"][59_999][1] = 1.5  # type: ignore[index]
    source[12_345] = "# changed"
    weights = [0] * 5_000
    weights[4_321] = 1
    files = {"params.json": json.dumps(large), "long.py": "\n".join(source), "w.json": json.dumps({"w": weights})}
    commits.append(project.repository.commit(files))  # type: ignore[arg-type]
    assert len(files["params.json"]) > 1_200_000
    deployments = []
    for commit, weight in zip(commits, (2.0, 2.5), strict=True):
        name = f"model-{weight}.json"
        digest = hashlib.sha256((project.folder / name).read_bytes()).hexdigest() if project.model(name, weight) else ""
        deployments.append(
            project.deployment(
                code={"repository": "code", "commit": commit},
                parameters={"file": "params.json"},
                data=[{"path": "model.json", "source": f"file:{name}", "sha256": digest}],
            )
        )
    project.record(a=deployments[0], b=deployments[1])
    compared, _ = areas(project)

    [model] = compared["data"]["findings"]
    assert [(child["path"], child["a"], child["b"]) for child in model["children"]] == [
        (["model.json", "weight"], 2.0, 2.5)
    ]
    [value] = compared["parameters"]["findings"]
    assert (value["path"], value["b"]) == (["table", "59999", "1"], 1.5)
    code = {finding["path"][0]: finding for finding in compared["code"]["findings"]}
    assert code["long.py"]["note"] == "+1 -1 lines"
    assert code["long.py"]["children"][0]["note"].split("\n")[3:5] == ["-# line 12345", "+# changed"]
    assert code["w.json"]["note"] == "+1 -1 lines; JSON; 1 difference"
    [weight] = code["w.json"]["children"]
    assert (weight["path"], weight["a"], weight["b"]) == (["w.json", "w › 4321"], 0, 1)


def test_parameters_beyond_the_limit_are_unknown_and_both_sides_run(project: Project, tmp_path: Path) -> None:
    """Each side has the same scores from another file of 65 MiB, which only the code reads."""
    pads = []
    for word in ("old", "new"):
        text = json.dumps({"threshold": 5.0, "pad": word * (22 << 20)})
        pads.append(project.repository.commit({"params.json": text}))
    project.record(
        **{
            side: project.deployment(code={"repository": "code", "commit": commit}, parameters={"file": "params.json"})
            for side, commit in zip("ab", pads, strict=True)
        }
    )
    result = project.audit()
    assert result.status == 0, result.stderr
    compared = result.report["areas"]
    assert result.report["verdict"] == "identical"
    assert compared["parameters"]["status"] == "unknown"
    assert "and at most 64 MiB are read" in compared["parameters"]["findings"][0]["note"]
    code = {finding["path"][0]: finding for finding in compared["code"]["findings"]}
    assert code["params.json"]["change"] == "changed"  # told where it can be: never the same
    assert code["params.json"]["note"].startswith("+1 -1 lines")


def test_a_wholly_changed_long_file_is_in_the_folder(project: Project) -> None:
    commits = [
        project.repository.commit({"long.txt": "".join(f"{word} {number}\n" for number in range(30_000))})
        for word in ("old", "new")
    ]
    project.record(
        **{
            side: project.deployment(code={"repository": "code", "commit": commit})
            for side, commit in zip("ab", commits, strict=True)
        }
    )
    compared, folder = areas(project)
    code = {finding["path"][0]: finding for finding in compared["code"]["findings"]}
    assert code["long.txt"]["note"].startswith(
        "+30,000 -30,000 lines; 1 of 1 hunk is listed, long ones cut; all are in diffs/"
    )
    [file] = (folder / "diffs").iterdir()
    assert file.name in code["long.txt"]["note"]
    assert sum(line.startswith("+new ") for line in file.read_text().split("\n")) == 30_000
    assert (folder / "report.json").stat().st_size < 1_000_000
