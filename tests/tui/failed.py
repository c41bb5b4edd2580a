"""Real audits that fail, one of each kind: what the interface shows of them is made by the engine itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.audit.project import Project

CRASH = """\
import sys
for number in range(100_000):
    print(f"epoch {number}: loss {1 / (number + 1):.6f} " + "x" * (number % 7 == 0) * 300, file=sys.stderr)
def load(weights):
    return {"encoder": 1}[weights]
try:
    load("decoder")
except KeyError as error:
    raise RuntimeError("the weights have no decoder: " + "layer " * 60 + "END") from error
"""
HANG = "import time\nprint('waiting for the feature store', flush=True)\ntime.sleep(3600)\n"
GREEDY = "print('loading all rows')\nrows = ['x' * 2**20 for _ in range(100_000)]\n"
# 4,000 lines, and the error at their end, from the build of a package of its own.
SETUP = """\
from setuptools import setup
import sys
for number in range(40):
    print(f"compiling kernel_{number}.cpp", file=sys.stderr)
raise RuntimeError("nvcc was not found: set CUDA_HOME")
setup()
"""
Change = Callable[[Project, dict[str, Any]], None]


def _script(text: str, timeout_s: float = 600) -> Change:
    def change(project: Project, side: dict[str, Any]) -> None:
        commit = project.repository.commit({"predict.py": text, "note.txt": "two\\n"})
        side["code"] = {"repository": "code", "commit": commit}
        side["parameters"] = {"values": {"threshold": 6.0}}
        side["predict"]["timeout_s"] = timeout_s

    return change


def _missing_package(project: Project, side: dict[str, Any]) -> None:
    commit = project.repository.commit({"requirements.txt": "./broken\n", "broken/setup.py": SETUP})
    side["code"] = {"repository": "code", "commit": commit}
    side["parameters"] = {"values": {"threshold": 6.0}}


def _no_commit(project: Project, side: dict[str, Any]) -> None:
    side["code"] = {"repository": "code", "commit": "9" * 40}
    side["parameters"] = {"values": {"threshold": 6.0}}


KINDS: dict[str, Change] = {
    "crash": _script(CRASH),
    "timeout": _script(HANG, 1.5),
    "memory": _script(GREEDY),
    "silent": _script("raise SystemExit(0)\n"),
    "build": _missing_package,
    "commit": _no_commit,
}


def failing(folder: Path, kind: str, *, both: bool = False, options: tuple[str, ...] = ()) -> Project:
    """The project of an audit in which B, or (`both`) each side, fails in one way; it has been audited."""
    project = failing_project(folder, kind, both=both)
    memory = ("--memory", "300MiB") if kind == "memory" else ()
    done = project.audit(*memory, *options, timeout=900)
    assert done.status == 3, done.stderr
    return project


def failing_project(folder: Path, kind: str, *, both: bool = False) -> Project:
    """The same, before it is audited."""
    project = Project(folder)
    a, b = project.deployment(), project.deployment()
    for side in (a, b) if both else (b,):
        KINDS[kind](project, side)
    project.record(a=a, b=b)
    return project


def nothing_to_run(folder: Path) -> Project:
    """The project of an audit without inputs: only what is declared is compared."""
    project = Project(folder)
    a, b = project.deployment(), project.deployment(parameters={"values": {"threshold": 6.0}})
    for side in (a, b):
        del side["predict"]
    project.record(a=a, b=b)
    document = json.loads((folder / "record.json").read_text())
    del document["validation"]["inputs"]
    (folder / "record.json").write_text(json.dumps(document))
    project.audit(timeout=900)
    return project
