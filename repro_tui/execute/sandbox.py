"""The local sandboxes: bubblewrap, else Linux namespaces; none only if the user requests it.

bubblewrap shows the run only the system's libraries, the environment and its own inputs, all read-only. Namespaces cut
the network and hide other processes, but the host's files can be read and changed as the user can. Before every run, a
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
from repro_tui.support.isolation import bubblewrap, namespaces, tied

AS_YOU = "This code ran as you and could reach the network, your files and Docker."
FILES_SEEN = (
    "The sandbox cut the network, but this code could read and change your files: "
    "bubblewrap would hide them (see repro-tui doctor)."
)
ON_NETWORK = "This code could reach the network: --network host was given."
_PROBE = 'cat /proc/net/dev; grep CapEff /proc/self/status; test -e "$1" && echo host-visible; exit 0'


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
        if self.kind == "bubblewrap":
            return layout(self.workspace, self.inputs)
        return plain_layout(self.workspace, self.inputs, self.folder)

    @property
    def needs_memory(self) -> bool:
        """False: starting the sandbox needs little memory, so it can be under the run's limit."""
        return False

    def wrap(self, arguments: list[str], environment: dict[str, str], folder: str) -> list[str]:
        """The command that runs `arguments` in the sandbox, in `folder`, with exactly this environment."""
        if self.kind == "bubblewrap":
            return [*self._bubblewrap(), *_set(environment), "--chdir", folder, "--", *arguments]
        variables = [f"{name}={value}" for name, value in environment.items()]
        inside = ["env", "-i", "-C", folder, *variables, *arguments]
        if self.kind == "none":
            return [*tied(), *inside]
        return [*namespaces(self.context.cache.root, network=self._has_network), *inside]

    @property
    def _has_network(self) -> bool:
        return self.context.settings.network == "host"

    def _bubblewrap(self) -> list[str]:
        output = (str(self.output), self.workspace.at("output"), True)
        memory = self.context.settings.limits.memory
        return bubblewrap([*self._mounts(), output], network=self._has_network, memory=memory)

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

    def probe(self) -> Isolation:
        """Starts a child in an identical sandbox and checks what it can see.

        Raises Inconclusive if it can see more than it should, or does not start.
        """
        settings = self.context.settings
        if self.kind == "none":
            return Isolation("none", "host", probed=False, warnings=(AS_YOU,))
        canary = self.context.folder.parent / "audit.json"
        command = self.wrap(["/bin/sh", "-c", _PROBE, "sh", str(canary)], {"PATH": os.defpath}, "/")
        done = process.run(command, environment={"PATH": os.defpath}, cancel=self.context.cancel, timeout_s=30)
        if done.exit_code != 0:
            last = done.text.strip().rpartition("\n")[2]
            raise Inconclusive(
                f"the {self.kind} sandbox cannot start on this machine: {last}", "choose another --isolation"
            )
        seen = what_is_seen(done.text)
        isolation = Isolation(self.kind, settings.network, True, seen, self._warnings())
        if settings.network == "none" and seen["interfaces"] != "lo":
            raise Inconclusive(
                f"the {self.kind} sandbox does not cut the network: it has the interfaces {seen['interfaces']}",
                "choose another --isolation",
            )
        if self.kind == "bubblewrap" and seen["host files"] == "visible":
            raise Inconclusive("the bubblewrap sandbox does not hide the host's files", "choose another --isolation")
        return isolation

    def _warnings(self) -> tuple[str, ...]:
        seen = (FILES_SEEN,) if self.kind == "namespace" else ()
        return (*seen, ON_NETWORK) if self.context.settings.network == "host" else seen


def _set(environment: dict[str, str]) -> list[str]:
    return [word for name, value in environment.items() for word in ("--setenv", name, value)]


def what_is_seen(text: str) -> dict[str, str]:
    """Parses the output of a probe: network interfaces, capabilities, and whether it saw the host's files."""
    lines = text.splitlines()
    interfaces = sorted(line.partition(":")[0].strip() for line in lines[2:] if ":" in line and "CapEff" not in line)
    capabilities = next((line.split()[-1] for line in lines if line.startswith("CapEff")), "unknown")
    return {
        "interfaces": " ".join(interfaces),
        "capabilities": "none" if capabilities.strip("0") == "" else capabilities,
        "host files": "visible" if "host-visible" in lines else "hidden",
    }
