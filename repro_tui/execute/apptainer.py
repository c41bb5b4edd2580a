"""The Apptainer runner: a SIF image in its own namespaces, without network, capabilities or access to the host's files.

If the user is root, the run is `nobody`: root without capabilities could still write to /proc/sys.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repro_tui.execute.command import data_mounts
from repro_tui.execute.local import fresh_folder, run_once
from repro_tui.execute.sandbox import ON_NETWORK
from repro_tui.execute.steps.places import RunPaths, layout
from repro_tui.execute.steps.working_copy import WorkingCopy, tree_mounts, working_copy
from repro_tui.model.errors import Inconclusive
from repro_tui.model.run import Isolation, Run
from repro_tui.model.workspace import Workspace
from repro_tui.support import process
from repro_tui.support.context import Context
from repro_tui.support.isolation import HOST_NAME, NOBODY, masked, with_fresh_keyring
from repro_tui.support.self_probe import observed, probe_command, shortcomings
from repro_tui.support.syscalls import profile

PROGRAMS = ("apptainer", "singularity")
INSTALL = "install Apptainer (apptainer.org), or record the image that the SIF was made from"
_SETTINGS = ("APPNAME", "BIND", "COMMAND", "CONTAINER", "ENVIRONMENT", "NAME", "NO_EVAL")
# The variables that Apptainer adds to the environment: paths on this machine, and shell settings.
_ADDED = (
    "PS1",
    "PROMPT_COMMAND",
    "SHLVL",
    "OLDPWD",
    *(f"{brand}_{name}" for brand in ("APPTAINER", "SINGULARITY") for name in _SETTINGS),
)


class ApptainerRunner:
    """Runs a workspace whose environment is a SIF image."""

    def run(self, workspace: Workspace, inputs: Path, number: int, context: Context) -> Run:
        """One run in a fresh container; see execute.base.Runner."""
        folder = context.folder / f"output-{number}"
        with fresh_folder(folder):
            for name in ("out", "temporary", "settings"):
                (folder / name).mkdir()
            (folder / "out").chmod(0o777)
            (folder / "filter.json").write_text(json.dumps(profile()))
            folder.chmod(0o711)
            copy = working_copy(workspace, inputs, folder, context, mounts=True, shared=True)
            return run_once(_Container(program(), workspace, inputs, folder, context, copy), number)


def program() -> str:
    """The path of Apptainer, else of Singularity. Raises Inconclusive if neither is installed."""
    path = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if path is None:
        raise Inconclusive("the environment is a SIF image, but apptainer is not on PATH", INSTALL)
    return path


@dataclass(frozen=True, slots=True)
class _Container:
    program: str
    workspace: Workspace
    inputs: Path
    folder: Path
    context: Context
    copy: WorkingCopy | None = None

    @property
    def output(self) -> Path:
        """The folder that the run may write to."""
        return self.folder / "out"

    @property
    def places(self) -> RunPaths:
        """The paths of the run's files, as it sees them."""
        return layout(self.workspace, self.inputs)

    @property
    def needs_memory(self) -> bool:
        """True: Apptainer itself must not be limited, since it needs 1.8 GiB of address space to start (1.4.5)."""
        return True

    def wrap(self, arguments: list[str], environment: dict[str, str], folder: str) -> list[str]:
        """The command that runs `arguments` in the container, in `folder`; `environment` overrides the image's."""
        variables = [f"{name}={value}" for name, value in environment.items()]
        dropped = [word for name in _ADDED for word in ("-u", name)]
        own = [f"{brand}_CONFIGDIR={self.folder / 'settings'}" for brand in ("APPTAINER", "SINGULARITY")]
        started = [*with_fresh_keyring(), "env", *own]
        isolated = [self.program, "--silent", "exec", *self._isolation(), *self._mounts(), "--pwd", folder]
        inside = ["env", *dropped, *variables, *arguments]
        return [*started, *isolated, self.workspace.environment.folder, *inside]

    def _isolation(self) -> Iterator[str]:
        yield from ("--containall", "--cleanenv", "--no-home", "--no-eval", "--hostname", HOST_NAME)
        yield from ("--no-mount", "bind-paths,hostfs,cwd,sys", "--workdir", str(self.folder / "temporary"))
        yield from ("--security", f"seccomp:{self.folder / 'filter.json'}")
        if self.context.settings.network == "none":
            yield from ("--net", "--network", "none")
        if os.geteuid() == 0:
            yield from ("--no-privs", "--security", f"uid:{NOBODY},gid:{NOBODY}")

    def _mounts(self) -> Iterator[str]:
        for path in masked():
            yield from _mount("/dev/null", path)
        for source, target, writable in tree_mounts(self.workspace, self.copy):
            yield from _mount(source, target, writable=writable)
        if self.copy is None or not self.workspace.predict.inputs:
            yield from _mount(self.inputs, self.places.inputs)
        if self.workspace.parameters.file:
            yield from _mount(self.workspace.parameters.file, self.places.params)
        if self.workspace.environment.site:
            yield from _mount(self.workspace.environment.site, self.workspace.environment.site_path)
        if (helper := self.folder / "step").exists():
            yield from _mount(helper, self.places.helper)
        for source, target in data_mounts(self.workspace, self.places):
            yield from _mount(source, target)
        yield from _mount(self.output, self.workspace.at("output"), writable=True)

    def probe(self) -> Isolation:
        """Starts a child in an identical container and checks what it can see.

        Raises Inconclusive if it can see more than it should, or does not start.
        """
        canary = self.context.folder.parent / "audit.json"
        probe = self.wrap(probe_command(str(canary)), {"PATH": os.defpath}, "/")
        done = process.run(
            probe,
            environment={"PATH": os.environ.get("PATH", os.defpath)},
            cancel=self.context.cancel,
            timeout_s=60,
        )
        if done.exit_code != 0:
            last = done.text.strip().rpartition("\n")[2]
            raise Inconclusive(
                f"apptainer cannot start the image: {last}", "check that  apptainer exec  can run it on this machine"
            )
        return self._judged(done.text)

    def _judged(self, text: str) -> Isolation:
        network = self.context.settings.network
        seen = observed(text)
        wrong = shortcomings(seen, network=network == "host")
        if seen["user"] == "0":
            wrong.append("the user is root")
        if wrong:
            raise Inconclusive(
                f"apptainer does not isolate the run as requested ({', '.join(wrong)})",
                "check the version and the configuration of apptainer",
            )
        return Isolation("container", network, True, seen, (ON_NETWORK,) if network == "host" else ())


def _mount(source: str | Path, target: str, *, writable: bool = False) -> Iterator[str]:
    """The options of one mount, in the form that allows any path: --bind splits at colons and commas."""
    field_text = io.StringIO()
    fields = ["type=bind", f"source={source}", f"destination={target}", *([] if writable else ["ro"])]
    csv.writer(field_text, lineterminator="").writerow(fields)
    yield from ("--mount", field_text.getvalue())
