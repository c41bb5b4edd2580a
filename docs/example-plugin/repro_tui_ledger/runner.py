"""A runner that wraps the local runner, and adds the duration of every run to its log."""

from __future__ import annotations

from pathlib import Path

from repro_tui.execute.local import LocalRunner
from repro_tui.model.run import Run
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context


class TimedRunner:
    """Runs Python environments; used with `--runner timed`."""

    environments = ("venv",)

    def run(self, workspace: Workspace, inputs: Path, number: int, context: Context) -> Run:
        """One run in a fresh process of the local sandbox."""
        run = LocalRunner().run(workspace, inputs, number, context)
        with Path(run.log).open("a", encoding="utf-8") as log:
            log.write(f"timed: {run.seconds:.3f} s\n")
        return run
