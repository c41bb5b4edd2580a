"""The local sandboxes: bubblewrap, else Linux namespaces; none only if the user requests it.

Both show the run only the system's libraries, the environment and its own inputs, all read-only. Before every run, a
child in an identical sandbox checks what it can see.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repro_tui.execute.steps.places import RunPaths, layout, plain_layout
from repro_tui.execute.steps.working_copy import WorkingCopy, tree_mounts
from repro_tui.model.errors import Inconclusive
from repro_tui.model.run import Isolation, IsolationKind
from repro_tui.model.workspace import Workspace
from repro_tui.support import process
from repro_tui.support.context import Context
from repro_tui.support.isolation import inside, sandbox_remedy, sandboxed
from repro_tui.support.self_probe import observed, probe_command, shortcomings

AS_YOU = "This code ran as you and could reach the network, your files and Docker."
ON_NETWORK = "This code could reach the network: --network host was given."


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox of one kind for a workspace.

    `folder` is the run's own folder, and `copy` the working copy in it.
    """

    kind: IsolationKind
    workspace: Workspace
    inputs: Path
    folder: Path
    context: Context
    copy: WorkingCopy | None = None

    @property
    def output(self) -> Path:
        """The folder that it may write its output to."""
        return self.folder / "out"

    @property
    def places(self) -> RunPaths:
        """The paths of the run's files, as it sees them."""
        if self.kind == "none":
            return plain_layout(self.workspace, self.inputs, self.folder)
        return layout(self.workspace, self.inputs)

    @property
    def needs_memory(self) -> bool:
        """False: starting the sandbox needs little memory, so it can be under the run's limit."""
        return False

    def wrap(self, arguments: list[str], environment: dict[str, str], folder: str) -> list[str]:
        """The command that runs `arguments` in the sandbox, in `folder`, with exactly this environment."""
        started = inside(environment, folder, arguments)
        if self.kind == "none":
            return started
        settings = self.context.settings
        network, memory = settings.network == "host", settings.limits.memory
        return [*sandboxed(self.kind, self._mounts(), network=network, memory=memory), *started]

    def _mounts(self) -> Iterator[tuple[str, str, bool]]:
        """Source, target, and whether it may be written to."""
        environment, parameters = self.workspace.environment, self.workspace.parameters
        yield environment.folder, environment.folder, False
        if not environment.interpreter_root.startswith("/usr"):
            yield environment.interpreter_root, environment.interpreter_root, False
        yield from tree_mounts(self.workspace, self.copy)
        if not self.workspace.predict.inputs:
            yield str(self.inputs), self.places.inputs, False
        if parameters.file:
            yield parameters.file, self.places.params, False
        if (helper := self.folder / "step").exists():
            yield str(helper), self.places.helper, False
        yield str(self.output), self.workspace.at("output"), True

    def probe(self) -> Isolation:
        """Starts a child in an identical sandbox and checks what it can see.

        Raises Inconclusive if it can see more than it should, or does not start.
        """
        settings = self.context.settings
        if self.kind == "none":
            return Isolation("none", "host", probed=False, warnings=(AS_YOU,))
        canary = self.context.folder.parent / "audit.json"
        command = self.wrap(probe_command(str(canary)), {"PATH": os.defpath}, "/")
        variables = {"PATH": os.environ.get("PATH", os.defpath)}
        done = process.run(command, environment=variables, cancel=self.context.cancel, timeout_s=30)
        if done.exit_code != 0:
            last = done.text.strip().rpartition("\n")[2]
            raise Inconclusive(f"the {self.kind} sandbox cannot start on this machine: {last}", self._remedy)
        seen, network = observed(done.text), settings.network == "host"
        if wrong := shortcomings(seen, network=network):
            raise Inconclusive(f"the {self.kind} sandbox is not sealed: {', '.join(wrong)}", self._remedy)
        return Isolation(self.kind, settings.network, True, seen, (ON_NETWORK,) if network else ())

    @property
    def _remedy(self) -> str:
        return "choose another --isolation" if self.kind == "bubblewrap" else sandbox_remedy()
