"""The case of a runner: a workspace that it runs, whose predict step is a Python program of the test.

`cases_runner_NAME.py` next to this file has `build_environment(templates)`. It returns a BuiltEnvironment that the
runner accepts, which is built once per test run, or skips the test where the engine is absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from repro_tui.model.request import Settings
from repro_tui.model.run import Limits, Run
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, CodeTree, Workspace
from repro_tui.support.context import Context
from repro_tui.support.registry import load

HEAD = "import os, sys, time\ninputs, output = sys.argv[1:3]\n"
WRITE = "open(output, 'w').write('id,v\\n1,2\\n')\n"


def runner_module(runner: str) -> ModuleType | None:
    """The module with the case of a runner; None where there is none."""
    name = f"tests.contract.cases_runner_{runner}"
    return import_module(name) if find_spec(name) else None


@dataclass
class RunnerCase:
    """Runs programs with one runner in one environment."""

    runner: str
    environment: BuiltEnvironment
    context: Context
    settings: dict[str, Any] = field(default_factory=dict)

    def run(self, program: str, timeout_s: float = 240) -> Run:
        tree = self.context.cache.root / "tree"
        tree.mkdir(exist_ok=True)
        tree.chmod(0o755)
        (tree / "predict.py").write_text(HEAD + program)
        inputs = self.context.folder.parent / "inputs.csv"
        inputs.write_text("id\n1\n")
        inputs.chmod(0o644)
        (self.context.folder.parent / "audit.json").write_text("{}")
        code = CodeTree(str(tree), "", "1" * 40, ".", {})
        command = ("python3", "predict.py", "{inputs}", "{output}")
        parameters = BuiltParameters({})
        workspace = Workspace("k", "a", command, timeout_s, self.environment, parameters, code, tree=str(tree))
        settings = Settings(**{"limits": Limits(memory=2 << 30), **self.settings})
        return load("repro_tui.runners", self.runner)().run(
            workspace, Path(inputs), 1, replace(self.context, settings=settings)
        )
