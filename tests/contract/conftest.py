"""The runners that the contract is tested with: every registered one, each in a real environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from repro_tui.model.workspace import BuiltEnvironment
from repro_tui.support.context import Context
from repro_tui.support.registry import names
from tests.contract.runner_case import RunnerCase, runner_module
from tests.engines import sockets_collected
from tests.templates import Templates

# An endpoint is queried, and nothing of it executes here: tests/systems/endpoint tests the promises of its runner.
RUNNERS = sorted(set(names("repro_tui.runners")) - {"endpoint"})
ENGINES = {"docker": pytest.mark.docker, "apptainer": pytest.mark.apptainer}
WEAKER = ("local namespace", "local none")
built: dict[str, BuiltEnvironment] = {}


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """No socket of docker-py is left to a later test."""
    with sockets_collected():
        yield


def case_of(name: str, templates: Templates, context: Context) -> RunnerCase:
    """The case of a runner ("local none": with that isolation)."""
    runner, _, isolation = name.partition(" ")
    module = runner_module(runner)
    assert module is not None, f"write tests/contract/cases_runner_{runner}.py: every runner needs a case"
    if runner not in built:
        built[runner] = module.build_environment(templates)
    return RunnerCase(runner, built[runner], context, {"isolation": isolation} if isolation else {})


@pytest.fixture(params=[pytest.param(name, marks=ENGINES.get(name, ())) for name in RUNNERS])
def case(request: pytest.FixtureRequest, templates: Templates, context: Context) -> RunnerCase:
    return case_of(request.param, templates, context)


@pytest.fixture(params=[pytest.param(name, marks=ENGINES.get(name, ())) for name in (*RUNNERS, *WEAKER)])
def any_case(request: pytest.FixtureRequest, templates: Templates, context: Context) -> RunnerCase:
    """Every runner, and the local one with every isolation."""
    return case_of(request.param, templates, context)
