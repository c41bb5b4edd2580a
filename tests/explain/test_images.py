"""The cause between two images: their Python packages and everything else in them are two factors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audit.project import Project
from tests.engines import Images, base_image, sif
from tests.explain.test_audits import causes_of, culprits

pytestmark = pytest.mark.docker
Build = Callable[[int, int, int, str], str]
SITE = "usr/local/lib/python3.11/dist-packages"
PREDICT = """\
import csv, os, sys
import scaler, adder
inputs, output, params = sys.argv[1:4]
system = float(open("/opt/factor").read()) * float(os.environ.get("GAIN", "1"))
with open(output, "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "score"])
    for row in csv.DictReader(open(inputs)):
        out.writerow([row["id"], repr(adder.add(scaler.scale(float(row["x"])), system))])
"""


def package(root: Path, name: str, version: str, code: str, requires: str = "") -> None:
    """A package as an installer leaves it."""
    info = root / SITE / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    needed = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}")
    (root / SITE / f"{name}.py").write_text(code)
    (info / "RECORD").write_text(f"{name}.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n")


@pytest.fixture(scope="module")
def image() -> Iterator[Build]:
    """An image with three packages and a file of its own: `image(scale, bias, factor, version)` gives its id."""
    made = Images()

    def build(scale: int, bias: int, factor: int, version: str) -> str:
        def fill(folder: Path) -> None:
            root = folder / "root"
            package(root, "scaler", version, f"def scale(x):\n    return x * {scale}\n")
            package(root, "adder", version, f"def add(x, y):\n    return x + y + {bias}\n")
            package(root, "idle", version, f"VERSION = {version!r}\n")
            (root / "opt").mkdir()
            (root / "opt" / "factor").write_text(str(factor))
            (folder / "Dockerfile").write_text(f"FROM {base_image()}\nCOPY root/ /\n")

        return made.get(json.dumps([scale, bias, factor, version]), fill)

    yield build
    made.remove()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def recorded(project: Project, a: str, b: str) -> None:
    commit = project.repository.commit({"predict.py": PREDICT})
    code: dict[str, Any] = {"code": {"repository": "code", "commit": commit}}
    project.record(
        a=project.deployment(**code, environment={"image": a}), b=project.deployment(**code, environment={"image": b})
    )


def test_a_package_of_one_image_is_found_by_mounting_it_over_the_other(project: Project, image: Build) -> None:
    recorded(project, image(1, 0, 0, "1.0"), image(2, 0, 0, "2.0"))
    causes = causes_of(project.audit("--explain"))
    assert causes["factors"] == ["environment.packages", "environment.system"]
    assert causes["shares"] == {"environment.packages": 1.0, "environment.system": 0.0}
    assert culprits(causes) == {"packages/scaler"}
    (culprit,) = causes["culprits"]
    assert (culprit["a"], culprit["b"], culprit["sufficient"]) == ("1.0", "2.0", True)


def test_the_rest_of_the_image_is_a_factor_of_its_own(project: Project, image: Build) -> None:
    recorded(project, image(1, 0, 0, "1.0"), image(1, 3, 1, "2.0"))
    causes = causes_of(project.audit("--explain"))
    assert causes["shares"] == pytest.approx({"environment.packages": 0.75, "environment.system": 0.25})
    assert culprits(causes) == {"packages/adder"}


def test_where_packages_are_the_same_the_image_is_one_factor_and_the_answer_says_so(
    project: Project, image: Build
) -> None:
    recorded(project, image(1, 0, 0, "1.0"), image(1, 0, 1, "1.0"))
    causes = causes_of(project.audit("--explain"))
    assert (causes["factors"], causes["smallest"]) == (["environment"], ["environment"])
    assert "one factor" in " ".join(causes["sentences"])


@pytest.mark.apptainer
def test_a_package_of_a_sif_is_found_by_mounting_it_over_the_other(project: Project, image: Build) -> None:
    for name, scale, version in (("a", 1, "1.0"), ("b", 2, "2.0")):
        sif(project.folder, image(scale, 0, 0, version), f"{name}.sif")
    commit = project.repository.commit({"predict.py": PREDICT})
    sides = [
        project.deployment(code={"repository": "code", "commit": commit}, environment={"sif": f"{name}.sif"})
        for name in ("a", "b")
    ]
    project.record(a=sides[0], b=sides[1])
    causes = causes_of(project.audit("--explain"))
    assert causes["shares"] == {"environment.packages": 1.0, "environment.system": 0.0}
    assert culprits(causes) == {"packages/scaler"}
