"""What should not matter and does: real predict steps that hang on one thing each, found by --stress."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.audit.project import Project
from tests.engines import base_image, base_sif
from tests.templates import Templates

PREDICT = '''\
"""Scores rows; what its scores hang on besides is a parameter."""
import csv, json, locale, os, sys, time

locale.setlocale(locale.LC_ALL, "")

inputs, output, params = sys.argv[1:4]
hangs_on = json.load(open(params))["hangs_on"]
rows = list(csv.DictReader(open(inputs)))
facts = {
    "hash seed": hash("repro") % 1000,
    "threads": int(os.environ["OMP_NUM_THREADS"]),
    "locale": len(locale.nl_langinfo(locale.CODESET)),
    "time zone": time.localtime(1_000_000).tm_hour,
    "path": len(os.path.abspath(__file__)),
    "batch size": int(os.environ.get("REPRO_BATCH_SIZE", 0)),
}
with open(output, "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "score"])
    carried = 0.0
    for row in rows:
        carried = 0.9 * carried + float(row["x"])
        score = float(row["x"]) + (carried if hangs_on == "row order" else facts.get(hangs_on, 0))
        out.writerow([row["id"], repr(score)])
'''
NAMES = ["hash seed", "threads", "batch size", "row order", "locale", "time zone", "path"]


ENVIRONMENTS = [
    "local",
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("apptainer", marks=pytest.mark.apptainer),
]
PAIRS = [("nothing", "hash seed"), ("threads", "row order"), ("time zone", "locale"), ("path", "batch size")]


@pytest.fixture(params=ENVIRONMENTS)
def project(request: pytest.FixtureRequest, tmp_path: Path, warm_cache: None, templates: Templates) -> Project:
    environment = {"requirements": "requirements.txt"}
    if request.param == "docker":
        environment = {"image": base_image()}
    elif request.param == "apptainer":
        environment = {"sif": "image.sif"}
    made = Project(tmp_path / "project", environment)
    if "sif" in environment:
        shutil.copyfile(base_sif(templates), made.folder / "image.sif")
    made.commit = made.repository.commit({"predict.py": PREDICT})
    return made


def side(project: Project, hangs_on: str, *words: str) -> dict[str, Any]:
    command = ["python3", "predict.py", "{inputs}", "{output}", "{params}", *words]
    return project.deployment(
        parameters={"values": {"hangs_on": hangs_on}}, predict={"command": command, "timeout_s": 60}
    )


def moved(report: dict[str, Any], letter: str) -> dict[str, bool | None]:
    return {
        found["name"]: found["moved"] for found in report["areas"]["predictions"]["stress"] if found["side"] == letter
    }


@pytest.mark.parametrize("hangs_on", PAIRS, ids=" and ".join)
def test_each_side_is_told_what_moves_it_and_nothing_else(project: Project, hangs_on: tuple[str, str]) -> None:
    words = {thing: ["{batch_size}"] if thing == "batch size" else [] for thing in hangs_on}
    project.record(
        **{letter: side(project, thing, *words[thing]) for letter, thing in zip("ab", hangs_on, strict=True)}
    )
    report = project.audit("--stress").report
    for letter, thing in zip("ab", hangs_on, strict=True):
        untold = {} if words[thing] else {"batch size": None}
        assert moved(report, letter) == {name: name == thing for name in NAMES} | untold
        (told,) = [text for text in report["summary"] if f"{letter.upper()}'s own predictions" in text]
        assert f"move with the {thing} (" in told or thing == "nothing"
        assert ("batch size (it asks for none" in told) is bool(untold)


def test_rows_without_a_key_are_put_back_to_where_they_belong(project: Project) -> None:
    project.record(a=side(project, "nothing"), b=side(project, "row order"))
    document = json.loads((project.folder / "record.json").read_text())
    del document["validation"]["key"]
    (project.folder / "record.json").write_text(json.dumps(document))
    report = project.audit("--stress").report
    assert (moved(report, "a")["row order"], moved(report, "b")["row order"]) == (False, True)


def test_a_side_that_is_random_anyway(project: Project) -> None:
    """With two runs nothing can be told; with five its own noise is no finding."""
    values = {"threshold": 5.0, "noise": 0.5}
    noisy = project.deployment(code={"repository": "code", "commit": project.repository.git("rev-parse", "HEAD~1")})
    project.record(a=noisy | {"parameters": {"values": values}}, b=side(project, "nothing"))
    found = project.audit("--stress", "--repeat", "2").report["areas"]["predictions"]["stress"]
    assert {entry["moved"] for entry in found if entry["side"] == "a"} == {None}
    assert "--repeat 5" in found[0]["note"]
