"""The local runner, the default: a Python environment in a sandbox on this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from repro_tui.execute.collect import collect, end_step, killed_for_memory, timed_out_after
from repro_tui.execute.command import command
from repro_tui.execute.hidden_variables import hidden_variables
from repro_tui.execute.resource_limits import limited, memory_limited
from repro_tui.execute.runlog import RunLog
from repro_tui.execute.sandbox import Sandbox
from repro_tui.execute.steps.arguments import kind_of, write_job
from repro_tui.execute.steps.places import OUTPUT_NAME, RunPaths
from repro_tui.execute.steps.working_copy import Quota, WorkingCopy, working_copy
from repro_tui.model.run import Isolation, Run, RunStatus
from repro_tui.model.workspace import Workspace
from repro_tui.support import process
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context, Step
from repro_tui.support.control_groups.group import ControlGroup
from repro_tui.support.isolation import choose
from repro_tui.support.process import Completed
from repro_tui.support.run_group import PER_PROCESS, means_of_limits, run_group
from repro_tui.support.sizes import size_text


class LocalRunner:
    """Runs a workspace whose environment was rebuilt on this machine."""

    def run(self, workspace: Workspace, inputs: Path, number: int, context: Context) -> Run:
        """One run in a fresh process; see execute.base.Runner."""
        folder = context.folder / f"output-{number}"
        kind = choose(context.settings)
        with fresh_folder(folder):
            (folder / "out").mkdir(mode=0o700)
            mounts = kind != "none"
            copy = working_copy(workspace, inputs, folder, context, mounts=mounts, shared=False)
            return run_once(Sandbox(kind, workspace, inputs, folder, context, copy), number)


class RunBox(Protocol):
    """The box that a run is executed in: a sandbox or a container."""

    @property
    def workspace(self) -> Workspace:
        """The workspace that is run."""
        ...

    @property
    def output(self) -> Path:
        """The folder that the run may write to."""
        ...

    @property
    def folder(self) -> Path:
        """The run's own folder."""
        ...

    @property
    def copy(self) -> WorkingCopy | None:
        """The working copy; None where the step runs in the image's own folder."""
        ...

    @property
    def context(self) -> Context:
        """The stage's context."""
        ...

    @property
    def places(self) -> RunPaths:
        """The paths of the run's files, as it sees them."""
        ...

    @property
    def needs_memory(self) -> bool:
        """Whether starting the box needs more address space than a run may have: only what is inside is limited."""
        ...

    def probe(self) -> Isolation:
        """Checks what a child in an identical box can see. Raises Inconclusive if that is too much."""
        ...

    def wrap(self, arguments: list[str], environment: dict[str, str], folder: str) -> list[str]:
        """The command that runs `arguments` in the box, in `folder`, with this environment."""
        ...


@contextlib.contextmanager
def fresh_folder(folder: Path) -> Iterator[None]:
    """Creates an empty folder that only this user can enter; it is removed on leaving the block."""
    remove_tree(folder)
    folder.mkdir(mode=0o700)
    try:
        yield
    finally:
        remove_tree(folder)


def run_once(box: RunBox, number: int) -> Run:
    """One run of the box's workspace, as a step."""
    with box.context.step(f"run {number}", box.workspace.step) as step:
        run = _run(box, number, step)
        end_step(step, run)
        return run


def _run(box: RunBox, number: int, step: Step) -> Run:
    workspace, context = box.workspace, box.context
    places = box.places
    if kind_of(workspace):
        write_job(workspace, places, box.folder / "step")
    isolation = box.probe()
    log = RunLog(context.folder / f"run-{number}.log", context.settings.limits.log, context.redactor, step)
    quota = Quota(box.output, box.copy, context.settings.limits.output)
    with run_group(context.settings.limits, context.cache) as group:
        try:
            with hidden_variables(_command_line(box, places, group)) as (command_line, script):
                done = process.run(
                    command_line,
                    environment={"PATH": os.environ.get("PATH", os.defpath)},
                    cancel=context.cancel,
                    timeout_s=workspace.timeout_s,
                    keep=0,
                    on_line=log.line,
                    stop=quota.check,
                    stdin=script,
                )
        finally:
            log.close()
        quota.check(now=True)
        return _ended(box, number, done, log, _limited_by(group, isolation, context), quota, group)


def _command_line(box: RunBox, places: RunPaths, group: ControlGroup) -> list[str]:
    """The command that joins the group, sets the limits of a process, and runs the predict step in the box."""
    workspace, settings = box.workspace, box.context.settings
    arguments, environment = command(workspace, places, settings)
    per_process = "memory" not in group.controllers
    if per_process and box.needs_memory:
        arguments = [*memory_limited(settings.limits), *arguments]
    limits = limited(settings.limits, workspace.timeout_s, memory=per_process and not box.needs_memory)
    return [*group.prefix, *limits, *box.wrap(arguments, environment, places.working_dir)]


def _limited_by(group: ControlGroup, isolation: Isolation, context: Context) -> Isolation:
    limits = means_of_limits(group, context.settings.limits.cpus)
    warnings = () if "memory" in group.controllers else (PER_PROCESS,)
    return replace(isolation, limits=limits, warnings=(*isolation.warnings, *warnings))


def _ended(
    box: RunBox, number: int, done: Completed, log: RunLog, isolation: Isolation, quota: Quota, group: ControlGroup
) -> Run:
    limits = box.context.settings.limits
    status: RunStatus = "succeeded"
    reason = do = ""
    if group.killed_for_memory():
        status = "out-of-memory"
        reason, do = killed_for_memory(limits.memory)
    elif quota.exceeded:
        status = "failed"
        reason, do = quota.reason
    elif done.timed_out:
        status = "timed-out"
        reason, do = timed_out_after(box.workspace.timeout_s)
    elif done.exit_code != 0 and _out_of_memory(log.tail):
        status, do = "out-of-memory", "raise the limit with --memory"
        reason = f"predict exceeded its memory limit of {size_text(limits.memory)}: {log.tail[-1]}"
    run = collect(
        number=number,
        workspace=box.workspace,
        copy=box.copy,
        raw=box.output / OUTPUT_NAME,
        exit_code=None if done.timed_out else done.exit_code,
        seconds=done.seconds,
        log=log.path,
        tail=log.tail,
        isolation=isolation,
        context=box.context,
        status=status,
        reason=reason,
        do=do,
    )
    refused = f"it was refused more than {limits.processes} processes and threads (limits.processes in config.toml)"
    return replace(run, notes=(*run.notes, refused)) if group.processes_refused() else run


def _out_of_memory(tail: tuple[str, ...]) -> bool:
    """Whether the run's own last line reports it: a limit of the address space kills nothing from outside."""
    last = tail[-1] if tail else ""
    return last.startswith("MemoryError") or "std::bad_alloc" in last or "Cannot allocate memory" in last
