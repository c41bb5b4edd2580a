"""The interface of a runner."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from repro_tui.model.run import Run
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context


class Runner(Protocol):
    """Executes a workspace's predict step once, in a fresh process or container.

    A third-party runner also has a class attribute `environments` with the kinds of model.workspace.BuiltEnvironment
    that it runs ("venv", "image", "sif"); it is used if `--runner` names it.
    """

    def run(self, workspace: Workspace, inputs: Path, number: int, context: Context) -> Run:
        """Runs the predict step on the file `inputs`; its log and normalised predictions go to `context.folder`.

        A predict step that fails is a Run with its status and reason. Raises Inconclusive if the engine itself fails,
        Refused if the requested isolation is not available, and Cancelled.
        """
        ...
