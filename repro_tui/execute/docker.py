"""The Docker runner: a fresh container for every run, which runs a command or the image's server."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from repro_tui.clients.docker_engine import engine
from repro_tui.clients.docker_inspected import ContainerState
from repro_tui.execute.collect import collect, end_step, killed_for_memory, timed_out_after
from repro_tui.execute.command import command
from repro_tui.execute.docker_container import ContainerSpec, copied_by_engine, output_folder
from repro_tui.execute.docker_user import user_of
from repro_tui.execute.docker_volumes import amount_in_volumes
from repro_tui.execute.runlog import RunLog
from repro_tui.execute.steps.arguments import kind_of, write_job
from repro_tui.execute.steps.places import OUTPUT_NAME, layout
from repro_tui.execute.steps.working_copy import Quota, working_copy
from repro_tui.model.run import Isolation, Run, RunStatus
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context, Step
from repro_tui.support.text import show

GRACE_S = 5


class DockerRunner:
    """Runs a workspace whose environment is an image."""

    def run(self, workspace: Workspace, inputs: Path, number: int, context: Context) -> Run:
        """One run in a fresh container; see execute.base.Runner."""
        if workspace.predict.protocol:
            from repro_tui.execute.served import run_served

            return run_served(workspace, inputs, number, context)
        with (
            context.step(f"run {number}", workspace.step) as step,
            engine(context.settings.limits.stall_time) as client,
            output_folder(context.folder / f"output-{number}") as output,
        ):
            user = user_of(client, workspace, context)
            places = layout(workspace, inputs)
            shown: tuple[tuple[Path, str], ...] = ()
            if kind_of(workspace):
                helper = output.parent / "step"
                write_job(workspace, places, helper)
                shown = ((helper, places.helper),)
            copy = working_copy(workspace, inputs, output.parent, context, mounts=True, shared=True)
            box = ContainerSpec(
                client,
                workspace,
                inputs,
                output,
                context,
                places,
                user,
                shown,
                copy=copy,
                volume=copied_by_engine(workspace),
            )
            run = box.explained(_Predicted(box, number, step).run())
            end_step(step, run)
            return run


@dataclass(frozen=True, slots=True)
class _Predicted:
    box: ContainerSpec
    number: int
    step: Step

    def run(self) -> Run:
        context = self.box.context
        arguments, environment = command(self.box.workspace, self.box.places, context.settings)
        with self.box.created(environment, arguments) as container:
            isolation = self.box.verified(container)
            limits = context.settings.limits
            log = RunLog(context.folder / f"run-{self.number}.log", limits.log, context.redactor, self.step)
            volumes = amount_in_volumes(self.box.client, container)
            quota = Quota(self.box.output, self.box.copy, limits.output, volumes)
            began = time.monotonic()
            try:
                timed_out = self._until_end(container, log, began, quota)
            finally:
                log.close()
            seconds = time.monotonic() - began
            still_closed = self.box.opened()
            quota.check(now=True)
            run = self._ended(self.box.state(container), timed_out, seconds, log, isolation, quota)
            names = ", ".join(show(name, 200) for name in still_closed[:3])
            note = f"what the step made private cannot be read or removed: {names}"
            return replace(run, notes=(*run.notes, note)) if still_closed else run

    def _until_end(self, container: str, log: RunLog, began: float, quota: Quota) -> bool:
        """Starts the container and waits for its end; returns whether it was ended at a limit. Raises Cancelled."""
        timed_out = False
        with self.box.started(container, log) as reader:
            while self.box.state(container)["Running"]:
                self.box.context.cancel.wait(0.05)
                reader.check()
                if time.monotonic() - began > self.box.workspace.timeout_s or quota.check():
                    timed_out = True
                    self.box.client.api.stop(container, timeout=GRACE_S)
        return timed_out

    def _ended(
        self,
        state: ContainerState,
        timed_out: bool,
        seconds: float,
        log: RunLog,
        isolation: Isolation,
        quota: Quota,
    ) -> Run:
        status: RunStatus = "succeeded"
        reason = do = ""
        if state.get("OOMKilled"):
            status = "out-of-memory"
            reason, do = killed_for_memory(self.box.context.settings.limits.memory)
        elif quota.exceeded:
            status = "failed"
            reason, do = quota.reason
        elif timed_out:
            status = "timed-out"
            reason, do = timed_out_after(self.box.workspace.timeout_s)
        return collect(
            number=self.number,
            workspace=self.box.workspace,
            copy=self.box.copy,
            raw=self.box.output / OUTPUT_NAME,
            exit_code=None if timed_out else int(state["ExitCode"]),
            seconds=seconds,
            log=log.path,
            tail=log.tail or ((str(state["Error"]),) if state.get("Error") else ()),
            isolation=isolation,
            context=self.box.context,
            status=status,
            reason=reason,
            do=do,
        )
