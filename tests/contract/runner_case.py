"""The case of a runner: a workspace that it runs, whose predict step is a Python program of the test.

`cases_runner_NAME.py` next to this file has `build_environment(templates)`. It returns a BuiltEnvironment that the
runner accepts, which is built once per test run, or skips the test where the engine is absent.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from repro_tui.model.record import Predict, Validation
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
    parameters: BuiltParameters = field(default_factory=lambda: BuiltParameters({}))

    @property
    def tree(self) -> Path:
        """The composed tree in the cache, which no run may change."""
        return self.context.cache.root / "tree"

    def run(self, program: str, timeout_s: float = 240) -> Run:
        command = ("python3", "predict.py", "{inputs}", "{output}")
        return self.step({"predict.py": HEAD + program}, Predict(command), timeout_s=timeout_s)

    def step(
        self,
        files: Mapping[str, str],
        predict: Predict,
        *,
        inputs: str = "id\n1\n",
        key: tuple[str, ...] = (),
        values: Mapping[str, Any] | None = None,
        timeout_s: float = 240,
        environment: BuiltEnvironment | None = None,
        per_file: bool = False,
    ) -> Run:
        """Runs a predict step in a tree with these files, and on these inputs.

        `per_file`: the top level of `values` has the names of several files.
        """
        for name, content in files.items():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(content)
        for folder, _, _ in os.walk(self.tree):
            Path(folder).chmod(0o755)
        place = self.context.folder.parent / "inputs.csv"
        place.write_text(inputs)
        place.chmod(0o644)
        (self.context.folder.parent / "audit.json").write_text("{}")
        workspace = Workspace(
            "k",
            "a",
            predict.command,
            timeout_s,
            environment or self.environment,
            BuiltParameters(dict(values), per_file=per_file) if values else self.parameters,
            CodeTree(str(self.tree), "", "1" * 40, ".", {}) if files else None,
            tree=str(self.tree) if files else "",
            predict=predict,
            validation=Validation(key=key),
        )
        return self.execute(workspace, place)

    def execute(self, workspace: Workspace, inputs: Path) -> Run:
        """Runs a workspace on a file of inputs."""
        settings = Settings(**{"limits": Limits(memory=2 << 30), **self.settings})
        return load("repro_tui.runners", self.runner)().run(
            workspace, inputs, 1, replace(self.context, settings=settings)
        )
