"""In a monorepo, changes outside a deployment's folder come last, under one heading, unless its files may use them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from repro_tui.compare import outside
from repro_tui.compare.code import compare_code
from repro_tui.model.finding import Area, Finding
from repro_tui.model.record import Code, Environment, Predict, Record
from repro_tui.rebuild.declared.side import declare
from repro_tui.support.context import Context
from tests.conftest import GitRepository

Make = Callable[[str], GitRepository]
OUTSIDE = {
    "lib/shared/core.py": "import deeper",
    "lib/deeper.py": "",
    "lib/unused/core.py": "",
    "members/feature-store/pyproject.toml": "[project]\nname = 'feature_store'\n",
    "members/feature-store/src/other/code.py": "",
    "members/idle/pyproject.toml": "[project]\nname = 'idle'\n",
    "tools/run.py": "",
    "tools/rules.yaml": "a: 1",
    "conf/limits.yaml": "b: 1",
    "README.md": "x",
}
OWN = {
    "svc/predict.py": "import os, shared.core\nHERE = os.path.dirname(__file__)\nLIMITS = 'conf/limits.yaml'\n",
    "svc/pyproject.toml": "[project]\nname = 'svc'\ndependencies = ['Feature.Store']\n",
    "svc/start.sh": "python ../tools/run.py",
    "svc/idle.py": "import idle_time",
}
USED = {
    "lib/shared/core.py",
    "lib/deeper.py",
    "members/feature-store/pyproject.toml",
    "members/feature-store/src/other/code.py",
    "tools/run.py",
    "conf/limits.yaml",
}


def compared(make: Make, context: Context, own: dict[str, str], folder: str = "svc", *command: str) -> Area:
    repository = make("mono")
    before = repository.commit({**OUTSIDE, **own})
    after = repository.commit({name: f"{content}\n# changed\n" for name, content in (OUTSIDE | own).items()})
    predict = Predict(command or ("python", "predict.py"))
    sides = [
        Record("x", "x", code=Code(str(repository.folder), commit, folder), environment=Environment(), predict=predict)
        for commit in (before, after)
    ]
    a, b = (declare(record, context).code for record in sides)
    return compare_code(a, b, context)


def heading(area: Area) -> Finding:
    return next(finding for finding in area.findings if finding.path[0].startswith("outside "))


def test_only_what_the_folder_cannot_use_is_below_the_heading(git_repository: Make, context: Context) -> None:
    area = compared(git_repository, context, OWN)
    below = {child.path[0] for child in heading(area).children}
    assert below == OUTSIDE.keys() - USED
    assert {finding.path[0] for finding in area.findings} == {"commit", "outside svc", *OWN, *USED}
    assert area.findings[-1] is heading(area)
    assert heading(area).note.startswith("4 changed files outside svc, which its own files neither import nor name")
    assert area.status == "different"


@pytest.mark.parametrize(
    ("own", "command", "used"),
    [
        ({"svc/p.py": "x = 1"}, ("python", "../tools/run.py"), {"tools/run.py"}),
        ({"svc/requirements.txt": "-e ../members/idle\n"}, (), {"members/idle/pyproject.toml"}),
        ({"svc/p.ipynb": '{"cells": [{"source": ["import unused"]}]}'}, (), {"lib/unused/core.py"}),
        ({"svc/broken.py": "import unused\nprint 'python 2'\n"}, (), {"lib/unused/core.py"}),
        ({"svc/unused/core.py": "", "svc/p.py": "import unused\n"}, (), set()),
    ],
)
def test_each_way_to_use_a_file(
    git_repository: Make, context: Context, own: dict[str, str], command: tuple[str, ...], used: set[str]
) -> None:
    area = compared(git_repository, context, own, "svc", *command)
    assert {child.path[0] for child in heading(area).children} == OUTSIDE.keys() - used


def test_the_whole_repository_has_no_outside(git_repository: Make, context: Context) -> None:
    area = compared(git_repository, context, OWN, ".")
    assert len(area.findings) == 1 + len(OUTSIDE) + len(OWN)


def test_what_is_too_much_to_read_is_not_grouped(
    git_repository: Make, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "MOST_READ", 2)
    area = compared(git_repository, context, OWN)
    assert len(area.findings) == 1 + len(OUTSIDE) + len(OWN)
