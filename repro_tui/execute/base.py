"""What a runner is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from repro_tui.model.run import Run
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context


class Runner(Protocol):
    """Executes a workspace's predict step once, in a fresh process or container.

    A runner of a third party also says, in a class attribute `environments`, which kinds of
    model.workspace.BuiltEnvironment it runs ("venv", "image", "sif"); it is used where `--runner` names it.
    """

    def run(self, workspace: Workspace, inputs: Path, number: int, context: Context) -> Run:
        """One run on the file `inputs`. Its log and normalised predictions go to `context.folder`.

        A predict step that fails is a Run with its status and reason. Raises Inconclusive where the engine itself
        fails, Refused where the isolation asked for cannot be had, and Cancelled.
        """
        ...
