"""The local runner, the embedded default: a Python environment in a sandbox of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from repro_tui.execute.collect import collect
from repro_tui.execute.command import OUTPUT_NAME, command
from repro_tui.execute.limits import limited
from repro_tui.execute.runlog import RunLog
from repro_tui.execute.sandbox import Sandbox, choose
from repro_tui.model.run import Isolation, Run, RunStatus
from repro_tui.model.workspace import Workspace
from repro_tui.support import process
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context, Step
from repro_tui.support.process import Completed


class LocalRunner:
    """Runs a workspace whose environment was rebuilt on this machine."""

    def run(self, workspace: Workspace, inputs: Path, number: int, context: Context) -> Run:
        """One run in a fresh process; see execute.base.Runner."""
        output = context.folder / f"output-{number}"
        remove_tree(output)
        output.mkdir(mode=0o700)
        sandbox = Sandbox(choose(context.settings), workspace, inputs, output, context)
        with context.step(f"run {number}", " ".join(workspace.command)) as step:
            try:
                run = _run(sandbox, number, step)
            finally:
                remove_tree(output)
            step.how = f"{run.seconds:.2f} s, {run.rows:,} rows" if run.rows is not None else run.what
            if run.status != "succeeded":
                step.failed = True
            return run


def _run(sandbox: Sandbox, number: int, step: Step) -> Run:
    workspace, context = sandbox.workspace, sandbox.context
    isolation = sandbox.probe()
    places = sandbox.places
    arguments, environment = command(workspace, places, context.settings)
    words = [
        *limited(context.settings.limits, workspace.timeout_s),
        *sandbox.wrap(arguments, environment, places.working_dir),
    ]
    log = RunLog(context.folder / f"run-{number}.log", context.settings.limits.log, context.redactor, step)
    try:
        done = process.run(
            words,
            environment={"PATH": os.environ.get("PATH", os.defpath)},
            cancel=context.cancel,
            timeout_s=workspace.timeout_s,
            keep=0,
            on_line=log.line,
        )
    finally:
        log.close()
    return _ended(sandbox, number, done, log, isolation)


def _ended(sandbox: Sandbox, number: int, done: Completed, log: RunLog, isolation: Isolation) -> Run:
    limit = sandbox.context.settings.limits.memory
    status: RunStatus = "succeeded"
    what = do = ""
    if done.timed_out:
        status, do = "timed-out", "see why it takes so long, or record a larger predict.timeout_s"
        what = f"predict had not ended after its limit of {sandbox.workspace.timeout_s:g} s, and was killed"
    elif done.exit_code != 0 and _out_of_memory(log.tail):
        status, do = "out-of-memory", "give it more with --memory"
        what = f"predict ran out of memory under its limit of {limit / (1 << 30):g} GiB: {log.tail[-1]}"
    return collect(
        number=number,
        raw=sandbox.output / OUTPUT_NAME,
        exit_code=None if done.timed_out else done.exit_code,
        seconds=done.seconds,
        log=log.path,
        tail=log.tail,
        isolation=isolation,
        context=sandbox.context,
        status=status,
        what=what,
        do=do,
    )


def _out_of_memory(tail: tuple[str, ...]) -> bool:
    """Only what the run itself said: under a limit of address space nothing is killed from outside."""
    last = tail[-1] if tail else ""
    return last.startswith("MemoryError") or "std::bad_alloc" in last or "Cannot allocate memory" in last
