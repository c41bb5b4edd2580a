"""Which runner executes which environment, decided before anything runs."""

from __future__ import annotations

from typing import cast

from repro_tui.execute.base import Runner
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.record import EnvironmentKind, Predict
from repro_tui.model.request import Settings
from repro_tui.support.context import Context
from repro_tui.support.registry import load

RUNNERS = {"image": "docker", "dockerfile": "docker", "lock": "local", "requirements": "local", "sif": "apptainer"}
# What an environment that was recorded so is rebuilt as.
REBUILT = {"lock": "venv", "requirements": "venv", "dockerfile": "image"}


def _of_a_third_party(runner: str, kind: str) -> bool:
    """Whether the runner that was asked for is none of ours, and says that it runs such environments."""
    if runner in ("auto", "endpoint", *RUNNERS.values()):
        return False
    return kind in getattr(load("repro_tui.runners", runner), "environments", ())


def check_runner(kind: EnvironmentKind, settings: Settings) -> Mistake | None:
    """What is wrong with executing an environment of that kind under these settings, or None."""
    fitting = RUNNERS.get(kind)
    if fitting is None:
        return None
    if _of_a_third_party(settings.runner, REBUILT.get(kind, kind)):
        return None
    if settings.runner not in ("auto", fitting):
        return Mistake("--runner", f"{settings.runner} cannot run an environment recorded as {kind}: {fitting} does")
    if fitting in ("docker", "apptainer"):
        if settings.isolation not in ("auto", "container"):
            return Mistake("--isolation", f"{settings.isolation} is for local runs: an image runs in a container")
        return None
    if fitting == "local":
        from repro_tui.execute.sandbox import choose

        try:
            choose(settings)
        except Refused as error:
            return error.mistakes[0]
    return None


def check_server(predict: Predict | None, kind: EnvironmentKind) -> Mistake | None:
    """What is wrong with starting the server of an environment of that kind, or None."""
    if predict is None or predict.protocol is None or kind in ("image", "dockerfile"):
        return None
    reason = f"there is no server to start in an environment recorded as {kind}: record predict.command, or an image"
    return Mistake("predict.protocol", reason)


def runner_for(kind: str, settings: Settings, context: Context) -> Runner:
    """The runner of an environment that was rebuilt: a `venv`, an `image`, a `sif` or an `endpoint`. Raises Refused."""
    fitting = {"venv": "local", "image": "docker", "sif": "apptainer", "endpoint": "endpoint"}[kind]
    if _of_a_third_party(settings.runner, kind):
        return cast(Runner, load("repro_tui.runners", settings.runner)())
    if fitting != "endpoint" and settings.runner not in ("auto", fitting):
        raise Refused(f"the {settings.runner} runner cannot run this environment: {fitting} does")
    return cast(Runner, load("repro_tui.runners", fitting)())
