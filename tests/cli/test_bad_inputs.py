"""Bad inputs through the command line: refused with one line for each mistake before anything runs, or inconclusive."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repro_tui.cli.main import main
from tests.audit.project import PREDICT, Project
from tests.audit.project import warm_cache as warm_cache
from tests.conftest import NIGHTLY

Change = Callable[[Project, dict[str, Any]], None]
BOMB = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [*{before}, *{before}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
# What is read as the document of both sides, in place of a record.
DOCUMENTS = {
    "a YAML bomb": (".yaml", BOMB, "anchors and aliases"),
    "a tag of Python": (".yaml", "a: !!python/object/apply:os.system [id]\n", "the tag"),
    "a duplicate key": (".json", '{"schema": 1, "schema": 1}', "occurs twice"),
    "a depth of 100,000": (".json", "[" * 100_000, "nested deeper"),
    "an integer of 5,000 digits": (".json", '{"schema": ' + "9" * 5_000 + "}", "digits"),
}


def set_field(section: str, **fields: Any) -> Change:
    def change(project: Project, deployment: dict[str, Any]) -> None:
        deployment[section] = deployment[section] | fields

    return change


def redirect_index(project: Project, deployment: dict[str, Any]) -> None:
    commit = project.repository.commit({"requirements.txt": "--index-url http://127.0.0.1:1/simple\nnumpy\n"})
    deployment["code"]["commit"] = commit


def shorten_commit(project: Project, deployment: dict[str, Any]) -> None:
    deployment["code"]["commit"] = project.commit[:10]


CHANGES: dict[str, tuple[Change, str]] = {
    "an unknown key": (set_field("predict", timeout=5), "timeout"),
    "an image that is a container": (set_field("environment", image="../containers/x", requirements=None), "image"),
    "an image that is an option": (set_field("environment", image="--privileged", requirements=None), "image"),
    "a short commit": (shorten_commit, "commit"),
    "a commit that is an option": (set_field("code", commit="--output=x"), "commit"),
    "a URL of ext": (set_field("code", repository="ext::sh -c touch% marker"), "repository"),
    "an index in requirements": (redirect_index, "--index-url"),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    return project


def check_refused(
    project: Project, arguments: tuple[str, ...], expected: str, capfd: pytest.CaptureFixture[str], patch: Any
) -> None:
    """Two references are refused with status 2 in lines that name what is wrong, and nothing was begun."""
    before = sorted(path.name for path in project.folder.rglob("*"))
    patch.setattr(sys, "argv", ["repro-tui", *arguments])
    assert main() == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert expected in errors
    assert errors.splitlines()
    assert all(line.startswith("repro-tui: ") and len(line) < 2_100 for line in errors.splitlines())
    assert project.audits() == []
    assert sorted(path.name for path in project.folder.rglob("*")) == before


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document_is_refused(
    project: Project, name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    suffix, text, expected = DOCUMENTS[name]
    (project.folder / f"bad{suffix}").write_text(text)
    reference = f"bad{suffix}#a"
    check_refused(project, (reference, reference, "--report"), expected, capfd, monkeypatch)


@pytest.mark.parametrize("name", CHANGES)
def test_a_hostile_record_is_refused(
    project: Project, name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change, expected = CHANGES[name]
    deployment = project.deployment()
    change(project, deployment)
    deployment["environment"] = {key: value for key, value in deployment["environment"].items() if value is not None}
    project.record(a=project.deployment(), b=deployment)
    arguments = ("record.json#a", "record.json#b", "--report", *project.options())
    check_refused(project, arguments, expected, capfd, monkeypatch)


@pytest.mark.parametrize("option", ["--report", "--junit", "--markdown", "--html", "--format"])
def test_a_report_is_never_written_through_a_link(
    project: Project, option: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.record(a=project.deployment(), b=project.deployment())
    (project.folder / "kept").write_text("kept")
    (project.folder / "out").symlink_to("kept")
    target = "json=out" if option == "--format" else "out"
    check_refused(project, ("record.json#a", "record.json#b", option, target), "symbolic link", capfd, monkeypatch)
    assert (project.folder / "kept").read_text() == "kept"


# What the predict step writes in place of its output, and what the report says of it.
WRITE = {
    "a ragged CSV": ("open(output, 'w').write('id,score\\n1,2\\n3\\n')", "line 3"),
    "zero rows": ("open(output, 'w').write('id,score,label\\n')", "row"),
    "a truncated Parquet": ("open(output, 'wb').write(b'PAR1' + bytes(90) + b'PAR1')", "Parquet"),
    "a CSV with NUL": ("open(output, 'w').write('id,score\\n1,2\\n2,\\0\\n')", "line 3"),
    "an unclosed CSV": ("open(output, 'w').write('id,score\\n1,2\\n2,\"x\\n')", "line 3"),
    "duplicate ids": ("open(output, 'w').write('id,score\\n' + 'r001,2\\n' * 60)", "r001"),
    "missing ids": ("open(output, 'w').write('id,score\\n' + ',2\\n' * 60)", "id"),
}


@pytest.mark.parametrize("name", list(WRITE) if NIGHTLY else list(WRITE)[:2])
def test_a_bad_output_is_inconclusive_on_both_sides(project: Project, warm_cache: None, name: str) -> None:
    """Both sides write the same, which must never be called the same."""
    program, expected = WRITE[name]
    commit = project.repository.commit({"predict.py": f"import sys\noutput = sys.argv[2]\n{program}\n"})
    side = project.deployment(code={"repository": "code", "commit": commit})
    project.record(a=side, b=side)
    result = project.audit("--repeat", "1")
    assert (result.status, result.report["verdict"]) == (3, "not-comparable"), result.stderr
    assert expected in " ".join(result.report["summary"])


class Bomb:
    """Executes a command where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def test_models_are_hashed_and_never_opened_on_this_machine(project: Project, warm_cache: None, tmp_path: Path) -> None:
    """Neither by the audit, nor by what lists, shows and exports it."""
    marker = tmp_path / "executed"
    names = ("model.pkl", "model.joblib", "model.pt")
    sides = []
    for extra in (b"", b"more"):
        for name in names:
            (project.folder / name).write_bytes(pickle.dumps(Bomb(marker)) + extra)
        data = [{"path": name, "source": "file"} for name in names]
        for item in data:
            place = project.folder / f"{len(extra)}-{item['path']}"
            (project.folder / item["path"]).rename(place)
            item["source"] = f"file:{place.name}"
        commit = project.repository.commit({"predict.py": PREDICT, "model.json": json.dumps({"weight": 2.0})})
        sides.append(project.deployment(code={"repository": "code", "commit": commit}, data=data))
    project.record(a=sides[0], b=sides[1])
    result = project.audit("--fail-on", "data", "--html", "out.html")
    assert result.status == 1, result.stderr
    findings = result.report["areas"]["data"]["findings"]
    assert {finding["path"][0] for finding in findings} == set(names)
    assert project.run("show", str(project.audits()[0])).status in (0, 1)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Bomb(marker)))  # which would have been seen
    assert marker.exists()
