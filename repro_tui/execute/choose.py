"""Which runner executes which environment, decided before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from repro_tui.execute.base import Runner
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.record import LOCAL_KINDS, EnvironmentKind, Predict
from repro_tui.model.request import Settings
from repro_tui.model.run import Run
from repro_tui.model.workspace import Workspace
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.plugins import Plugin
from repro_tui.support.registry import is_third_party

RUNNERS = {"image": "docker", "dockerfile": "docker", "sif": "apptainer"} | dict.fromkeys(LOCAL_KINDS, "local")
# The kind of environment that each recorded kind is rebuilt as.
REBUILT = {"dockerfile": "image"} | dict.fromkeys(LOCAL_KINDS, "venv")


def _is_third_party(runner: str, kind: str) -> bool:
    """Whether the requested runner is a third party's, and runs environments of this kind."""
    if runner in ("auto", "endpoint", *RUNNERS.values()):
        return False
    return kind in getattr(_plugin(runner).instance(), "environments", ())


def _plugin(runner: str) -> Plugin:
    return Plugin("repro_tui.runners", runner, f"the runner {runner}")


def check_runner(kind: EnvironmentKind, settings: Settings) -> Mistake | None:
    """The mistake in the settings that prevents running an environment of that kind, or None."""
    fitting = RUNNERS.get(kind)
    if fitting is None:
        return None
    if _is_third_party(settings.runner, REBUILT.get(kind, kind)):
        return None
    if settings.runner not in ("auto", fitting):
        return Mistake("--runner", f"{settings.runner} cannot run an environment recorded as {kind}: use {fitting}")
    if settings.user != "auto" and fitting != "docker":
        return Mistake("--user", f"an environment recorded as {kind} does not run in a Docker container: leave it out")
    if fitting in ("docker", "apptainer"):
        if settings.isolation not in ("auto", "container"):
            return Mistake("--isolation", f"{settings.isolation} is only for local runs: an image runs in a container")
        return None
    if fitting == "local":
        from repro_tui.support.isolation import choose

        try:
            choose(settings)
        except Refused as error:
            return error.mistakes[0]
    return None


def check_server(predict: Predict | None, kind: EnvironmentKind) -> Mistake | None:
    """The mistake if the predict step needs a server that an environment of that kind cannot start, or None."""
    if predict is None or predict.protocol is None or kind in ("image", "dockerfile"):
        return None
    reason = f"an environment recorded as {kind} has no server to start: record predict.command, or an image"
    return Mistake("predict.protocol", reason)


def runner_for(kind: str, settings: Settings, context: Context) -> Runner:
    """The runner for a rebuilt environment of this kind: `venv`, `image`, `sif` or `endpoint`. Raises Refused."""
    fitting = {"venv": "local", "image": "docker", "sif": "apptainer", "endpoint": "endpoint"}[kind]
    if _is_third_party(settings.runner, kind):
        return PluginRunner(_plugin(settings.runner), settings)
    if fitting != "endpoint" and settings.runner not in ("auto", fitting):
        raise Refused(f"the runner {settings.runner} cannot run this environment: use {fitting}")
    return PluginRunner(_plugin(fitting), settings)


class PluginRunner:
    """A runner by its name: what it raises instead of returning a run is Inconclusive, with its name."""

    def __init__(self, plugin: Plugin, settings: Settings) -> None:
        self.plugin = plugin
        self._runner = cast(Runner, plugin.instance())
        self._spare_s = settings.limits.plugin_time

    def run(self, workspace: Workspace, inputs: Path, number: int, context: Context) -> Run:
        """One run. Raises as Runner.run does."""

        def execute(token: CancelToken) -> Run:
            return self._runner.run(workspace, inputs, number, replace(context, cancel=token))

        run = self.plugin.call(execute, context.cancel, workspace.timeout_s + self._spare_s)
        return self._checked(run, number) if is_third_party(self.plugin.group, self.plugin.name) else run

    def _checked(self, value: object, number: int) -> Run:
        """What another package's runner returned: a run of this number, with predictions where it succeeded."""
        run = self.plugin.checked(value, Run)
        if run.number != number:
            raise self.plugin.failed(f"returned run {run.number} instead of run {number}")
        if run.status == "succeeded" and not Path(run.predictions).is_file():
            raise self.plugin.failed("returned a run that succeeded, but without predictions")
        return run
