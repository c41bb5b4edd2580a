"""The cause inside an environment, as real audits: real wheels, real uv environments, answers known beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.audit.project import Project, Result
from tests.builds import backend
from tests.builds import project as source_of
from tests.conftest import REQUIRED, need
from tests.explain.test_audits import causes_of, culprits
from tests.templates import Templates
from tests.warm import share_downloads
from tests.wheels import wheel

IDLE = 20
OF_A = """\
numpy==1.26.4 scipy==1.13.1 pandas==2.2.2 attrs==23.1.0 certifi==2023.11.17 charset-normalizer==3.3.1 click==8.1.6
idna==3.4 packaging==23.1 pytz==2023.3 requests==2.31.0 six==1.16.0 typing-extensions==4.8.0 urllib3==2.0.7 zipp==3.16.2
jinja2==3.1.2 markupsafe==2.1.3 python-dateutil==2.8.2 tzdata==2023.3 joblib==1.3.2 threadpoolctl==3.2.0 tqdm==4.66.1
filelock==3.12.4 fsspec==2023.10.0 platformdirs==3.11.0 networkx==3.2.1
"""
OF_B = """\
numpy==2.1.3 scipy==1.14.1 pandas==2.2.3 attrs==24.2.0 certifi==2024.8.30 charset-normalizer==3.4.0 click==8.1.7
idna==3.10 packaging==24.1 pytz==2024.2 requests==2.32.3 six==1.17.0 typing-extensions==4.12.2 urllib3==2.2.3
zipp==3.20.2 jinja2==3.1.4 markupsafe==3.0.2 python-dateutil==2.9.0.post0 tzdata==2024.2 joblib==1.4.2
threadpoolctl==3.5.0 tqdm==4.67.0 filelock==3.16.1 fsspec==2024.10.0 platformdirs==4.3.6 networkx==3.4.2
"""
PINS = [text.replace(" ", "\n") for text in (OF_A, OF_B)]
PROMOTION = """\
import csv, sys
import numpy as np
inputs, output, params = sys.argv[1:4]
with open(output, "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "score"])
    for row in csv.DictReader(open(inputs)):
        out.writerow([row["id"], int(np.uint8(int(float(row["x"]) * 30)) + 100)])
"""
SUM = """\
import csv, importlib, sys
inputs, output, params = sys.argv[1:4]
def value(name):
    try:
        return importlib.import_module(name).VALUE
    except ModuleNotFoundError:
        return 0
RULE = lambda alpha, beta, extra, gone: {rule}
score = RULE(value("alpha"), value("beta"), value("extra"), value("gone"))
with open(output, "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "score"])
    for row in csv.DictReader(open(inputs)):
        out.writerow([row["id"], repr(float(row["x"]) + score)])
"""

INSTALLED = """\
import csv, sys
from scorer import score
inputs, output, params = sys.argv[1:4]
with open(output, "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "score"])
    for row in csv.DictReader(open(inputs)):
        out.writerow([row["id"], score(float(row["x"]))])
"""


class Packaged(Project):
    """A and B differ in requirements only."""

    def audit_of(self, program: str, a: str, b: str, *options: str, timeout: float = 600, **variables: str) -> Result:
        files = {"predict.py": program, "a.txt": a, "b.txt": b}
        code = {"repository": "code", "commit": self.repository.commit(files)}
        command = {"command": ["python", "predict.py", "{inputs}", "{output}", "{params}"], "timeout_s": 600}
        sides: dict[str, Any] = {
            name: self.deployment(code=code, predict=command, environment={"requirements": f"{name}.txt"})
            for name in "ab"
        }
        self.record(**sides)
        return self.audit(*options, timeout=timeout, **variables)

    def mixed(self, rule: str, a: list[str], b: list[str], wheels: Path) -> dict[str, Any]:
        idle = [[wheel(wheels, f"idle{number}", version) for number in range(IDLE)] for version in (1, 2)]
        texts = ["\n".join([*pins, *more]) for pins, more in zip((a, b), idle, strict=True)]
        offline = {"UV_FIND_LINKS": str(wheels), "UV_OFFLINE": "1"}
        return causes_of(self.audit_of(SUM.replace("{rule}", rule), *texts, "--explain", **offline))


@pytest.fixture
def project(tmp_path: Path, warm_cache: None) -> Packaged:
    return Packaged(tmp_path / "project")


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


@pytest.fixture
def both_sides(templates: Templates, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own with both environments: hundreds of megabytes, which are not copied."""

    def fill(folder: Path) -> None:
        project = Packaged(folder / "project")
        share_downloads(folder / "cache")
        variables = {f"REPRO_TUI_{name}": str(folder / name.lower()) for name in ("CACHE", "AUDITS")}
        result = project.audit_of(PROMOTION, *PINS, timeout=1800, **variables)
        if result.status != 1:
            need("network", "network" not in REQUIRED, f"no index of packages: {result.stderr[-300:]}")

    monkeypatch.setenv("REPRO_TUI_CACHE", str(templates.folder("cache-of-26-packages", fill) / "cache"))


@pytest.mark.network
@pytest.mark.timeout(2400, func_only=True)
@pytest.mark.usefixtures("both_sides")
def test_numpys_promotion_is_found_among_26_packages_in_six_runs(project: Packaged) -> None:
    result = project.audit_of(PROMOTION, *PINS, "--explain", timeout=1800)
    if not result.stdout or result.status == 3:
        need("network", "network" not in REQUIRED, f"no index of packages: {result.stderr[-300:]}")
    causes = causes_of(result)
    assert culprits(causes) == {"packages/numpy", "packages/numpy/release"}
    numpy, release = causes["culprits"]
    assert (numpy["a"], numpy["b"], numpy["sufficient"], numpy["alone"]) == ("1.26.4", "2.1.3", True, True)
    assert release["b"] == "2.0.0"
    assert causes["unresolved"] == []
    folder = Path(result.report["audit"]["folder"])
    stages = [line for line in (folder / "explain" / "ledger.jsonl").read_text().splitlines() if "inside" in line]
    assert len(stages) <= 6
    assert "Reverting numpy from 2.1.3 to 1.26.4 alone restores A." in causes["sentences"]


def test_a_package_that_needs_the_other_guilty_one_is_not_separable(project: Packaged, wheels: Path) -> None:
    a = [wheel(wheels, "alpha", 1), wheel(wheels, "beta", 1)]
    b = [wheel(wheels, "alpha", 2), wheel(wheels, "beta", 2, ("alpha>=2",))]
    causes = project.mixed("alpha * beta", a, b, wheels)
    assert culprits(causes) == {"packages/alpha", "packages/beta"}
    assert (causes["separable"], causes["unresolved"]) == (False, [])
    assert "not separable" in " ".join(causes["sentences"])


def test_a_cycle_of_packages_is_one_group(project: Packaged, wheels: Path) -> None:
    a = [wheel(wheels, "alpha", 1, ("beta<2",)), wheel(wheels, "beta", 1, ("alpha<2",))]
    b = [wheel(wheels, "alpha", 2, ("beta>=2",)), wheel(wheels, "beta", 2, ("alpha>=2",))]
    causes = project.mixed("beta", a, b, wheels)
    assert culprits(causes) == {"packages/alpha", "packages/beta"}
    assert (causes["separable"], causes["unresolved"]) == (False, [])


@pytest.mark.parametrize(("rule", "name"), [("extra", "extra"), ("gone", "gone")])
def test_a_package_of_one_side_only(project: Packaged, wheels: Path, rule: str, name: str) -> None:
    causes = project.mixed(rule, [wheel(wheels, "gone", 2)], [wheel(wheels, "extra", 2)], wheels)
    (culprit,) = causes["culprits"]
    assert culprit["path"] == ["packages", name]
    assert [culprit["a"], culprit["b"]] == ([None, "2"] if name == "extra" else ["2", None])


def test_a_crash_that_nothing_declares_is_worked_around(project: Packaged, wheels: Path) -> None:
    crash = "import beta\nassert beta.VALUE, 'alpha 2 does not work with beta 1'\nVALUE = 1\n"
    a = [wheel(wheels, "alpha", 1), wheel(wheels, "beta", 1)]
    b = [wheel(wheels, "alpha", 2, code=crash), wheel(wheels, "beta", 2)]
    causes = project.mixed("alpha", a, b, wheels)
    assert {"packages/alpha"} <= culprits(causes) <= {"packages/alpha", "packages/beta"}
    idle = project.mixed("beta", a, b, wheels)
    assert culprits(idle) == {"packages/beta"}


def test_a_project_that_is_installed_from_the_commit_is_code(project: Packaged, wheels: Path) -> None:
    """A's environment with B's code has B's project: else the code next to it would not be imported."""
    backend(wheels)
    idle = [wheel(wheels, "idle", version) for version in (1, 2)]
    sides: dict[str, Any] = {}
    for name, factor, pin in zip("ab", (2, 3), idle, strict=True):
        code = {"__init__.py": f"def score(x): return x * {factor}\n", "names.py": f"NAME = {name!r}\n"}
        commit = project.repository.commit(
            {**source_of("scorer", f'dependencies = ["{pin}"]\n', code), "predict.py": INSTALLED}
        )
        sides[name] = project.deployment(
            code={"repository": "code", "commit": commit}, environment={"project": "pyproject.toml"}
        )
    project.record(**sides)
    offline = {"UV_FIND_LINKS": str(wheels), "UV_OFFLINE": "1"}
    causes = causes_of(project.audit("--explain", **offline))
    assert culprits(causes) == {"files/src/scorer/__init__.py"}
    assert "The environment has no effect." in causes["sentences"]


def test_parameters_and_data_inside_an_installed_package_are_those_that_it_reads(
    project: Packaged, wheels: Path
) -> None:
    """Its wheel has the recorded values and the data of each side, and of each hybrid: not those of the commit."""
    backend(wheels)
    read = "[json.loads((pathlib.Path(__file__).parent / name).read_text()) for name in ('conf.json', 'model.json')]"
    code = {
        "__init__.py": f"import json, pathlib\nCONF, MODEL = {read}\n"
        "def score(x): return x + CONF['bias'] + 10 * MODEL['weight']\n",
        "conf.json": '{"bias": 1, "idle": 1}',
        "model.json": '{"weight": 7}',
    }
    commit = project.repository.commit({**source_of("scorer", "", code), "predict.py": INSTALLED})
    place = "src/scorer/model.json"
    digests = [project.model(f"{name}.json", weight) for name, weight in (("old", 1), ("new", 2))]
    sides = [
        project.deployment(
            code={"repository": "code", "commit": commit},
            environment={"project": "pyproject.toml"},
            parameters={"file": "src/scorer/conf.json", "values": {"bias": bias, "idle": bias}},
            data=[{"path": place, "source": f"file:{name}.json", "sha256": digest}],
        )
        for bias, name, digest in zip((2, 32), ("old", "new"), digests, strict=True)
    ]
    project.record(a=sides[0], b=sides[1])
    result = project.audit("--explain", UV_FIND_LINKS=str(wheels), UV_OFFLINE="1")
    causes = causes_of(result)
    assert causes["shares"] == pytest.approx({"parameters": 0.75, "model": 0.25})
    assert {"bias"} <= culprits(causes) <= {"bias", f"files/{place}", f"files/{place}/weight"}, causes
    worst = result.report["areas"]["predictions"]["worst"][0]
    assert float(worst["b"]) - float(worst["a"]) == pytest.approx(40), worst
