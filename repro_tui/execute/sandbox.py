"""The local sandboxes: bubblewrap, else Linux namespaces; none only if the user requests it.

bubblewrap shows the run only the system's libraries, the environment and its own inputs, all read-only. Namespaces cut
the network and hide other processes, but the host's files stay readable. Before every run, a child in an identical
sandbox checks what it can see.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repro_tui.execute.command import HOST_NAME
from repro_tui.execute.steps.places import RunPaths, layout, plain_layout
from repro_tui.execute.steps.working_copy import WorkingCopy, tree_mounts
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.request import Settings
from repro_tui.model.run import Isolation, IsolationKind
from repro_tui.model.workspace import Workspace
from repro_tui.support import process
from repro_tui.support.context import Context

TEMPORARY_BYTES = 2 << 30
NOBODY = "65534"
AS_YOU = "This code ran as you and could reach the network, your files and Docker."
FILES_SEEN = (
    "The sandbox cut the network, but this code could read your files: "
    "bubblewrap would hide them (see repro-tui doctor)."
)
ON_NETWORK = "This code could reach the network: --network host was given."
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/etc/alternatives")
# Root outside owns these inside, whatever its name there, and could write to them.
_SETTINGS_OF_THE_KERNEL = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi")
# Makes the cache read-only inside the new mount namespace, and drops every capability before the run begins.
_SEAL = (
    'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && hostname "$1" && shift && '
    'exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"'
)
_PROBE = 'cat /proc/net/dev; grep CapEff /proc/self/status; test -e "$1" && echo host-visible; exit 0'


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox of one kind for a workspace.

    `folder` is the run's own folder, and `copy` the working tree in it.
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
    def limits_memory(self) -> bool:
        """False: starting the sandbox needs little memory, so it can be under the run's limit."""
        return False

    def wrap(self, arguments: list[str], environment: dict[str, str], folder: str) -> list[str]:
        """The command that runs `arguments` in the sandbox, in `folder`, with exactly this environment."""
        if self.kind == "bubblewrap":
            return [*self._bubblewrap(), *_set(environment), "--chdir", folder, "--", *arguments]
        variables = [f"{name}={value}" for name, value in environment.items()]
        inside = ["env", "-i", "-C", folder, *variables, *arguments]
        tied = ["setpriv", "--pdeathsig", "KILL"]  # the run ends with the engine, even if the engine is killed
        if self.kind == "none":
            return [*tied, *inside]
        network = [] if self.context.settings.network == "host" else ["--net"]
        seal = ["sh", "-c", _SEAL, "sh", str(self.context.cache.root), HOST_NAME]
        spaces = ["--user", "--map-root-user", "--mount", "--pid", "--ipc", "--uts", *network]
        return [*tied, "unshare", *spaces, "--fork", "--kill-child", "--mount-proc", *seal, *inside]

    def _bubblewrap(self) -> list[str]:
        arguments = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
        arguments += ["--uid", NOBODY, "--gid", NOBODY, "--hostname", HOST_NAME]
        if self.context.settings.network == "host":
            arguments += ["--share-net", "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"]
        for path in _SYSTEM:
            link = Path(path)
            arguments += (
                ["--symlink", str(link.readlink()), path] if link.is_symlink() else ["--ro-bind-try", path, path]
            )
        arguments += ["--proc", "/proc", "--dev", "/dev", "--size", str(TEMPORARY_BYTES), "--tmpfs", "/tmp"]  # noqa: S108
        for path in _SETTINGS_OF_THE_KERNEL:
            arguments += ["--ro-bind-try", path, path]
        for source, target, writable in self._mounts():
            arguments += ["--bind" if writable else "--ro-bind", source, target]
        return [*arguments, "--bind", str(self.output), self.workspace.at("output"), "--remount-ro", "/"]

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


def choose(settings: Settings) -> IsolationKind:
    """The isolation of a local run. Raises Refused if the requested one is not available on this machine."""
    if settings.isolation == "container":
        raise Refused(
            "--isolation container needs an image: use --isolation bubblewrap for a lock or requirements file"
        )
    if settings.isolation == "none":
        return "none"
    tools = {"bubblewrap": "bwrap", "namespace": "unshare"}
    candidates = list(tools) if settings.isolation == "auto" else [settings.isolation]
    for kind in candidates:
        if shutil.which(tools[kind]) and _works(kind):
            return kind  # type: ignore[return-value]
    raise Refused(
        f"no sandbox works on this machine ({', '.join(candidates)}): repro-tui doctor says what to install or allow; "
        "or use --isolation none"
    )


_working: set[str] = set()  # in this process: a kind that worked once keeps working, one that failed may be fixed later


def _works(kind: str) -> bool:
    from repro_tui.support.cancel import CancelToken

    if kind in _working:
        return True
    trials = {
        "bubblewrap": ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"],
        "namespace": ["unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "true"],
    }
    done = process.run(
        trials[kind], environment={"PATH": os.environ.get("PATH", os.defpath)}, cancel=CancelToken(), timeout_s=20
    )
    if done.exit_code == 0:
        _working.add(kind)
    return done.exit_code == 0
