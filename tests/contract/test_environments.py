"""The promises of every builder of environments, tested with a real one of each; every registered one needs a case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import NoReturn

import pytest

from repro_tui.model.errors import Cancelled, Inconclusive, Refused, ReproError
from repro_tui.model.event import Event
from repro_tui.model.record import ENVIRONMENT_KINDS, Code, Environment, Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Part
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.environments.base import GROUP, builder_name, rebuild_environment
from repro_tui.support import registry
from repro_tui.support.context import Context
from repro_tui.support.registry import names
from tests.audit.project import sandbox_works
from tests.builds import backend
from tests.conftest import GitRepository, need
from tests.contract.environments.case import EnvironmentCase, Place, case_of
from tests.rebuild.environments.rebuilding import OWN
from tests.templates import Templates

ENGINES = {"docker": ("image", "dockerfile"), "apptainer": ("sif",)}
MARKS = {name: getattr(pytest.mark, engine) for engine, kinds in ENGINES.items() for name in kinds}
BUILDERS = [pytest.param(name, marks=MARKS.get(name, ())) for name in sorted(names(GROUP))]


@dataclass
class Trial:
    """One case, in a repository of its own."""

    case: EnvironmentCase
    record: Record
    code: CodeTree | None
    context: Context
    marker: Path
    events: list[Event]

    def rebuild(self, environment: Environment | None = None) -> tuple[BuiltEnvironment, Part]:
        python = (
            OWN if (environment or self.case.environment).kind in ("lock", "requirements", "conda", "project") else None
        )
        recorded = replace(environment or self.case.environment, python=python)
        return rebuild_environment(replace(self.record, environment=recorded), self.code, self.context)


@pytest.fixture
def place(tmp_path: Path, templates: Templates, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "base").mkdir()
    backend(tmp_path / "links")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "links"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    return Place(tmp_path / "base", tmp_path / "links", tmp_path / "executed", templates)


@pytest.fixture(params=BUILDERS)
def trial(
    request: pytest.FixtureRequest, place: Place, git_repository: Callable[[str], GitRepository], context: Context
) -> Trial:
    need("bubblewrap", sandbox_works(), "no sandbox works here")
    module = case_of(str(request.param))
    assert module is not None, f"write tests/contract/environments/cases_{request.param}.py: every builder needs a case"
    case: EnvironmentCase = module.build_case(place)
    repository = git_repository("committed")
    code = Code(str(repository.folder), repository.commit(dict(case.files)))
    events: list[Event] = []
    record = Record("a", "a", base=str(place.base), code=code)
    listening = replace(context, emit=events.append)
    tree = rebuild_code(record, listening)[0]
    return Trial(case, record, tree, listening, place.marker, events)


def test_it_is_rebuilt_and_told_and_the_same_again(trial: Trial) -> None:
    built, part = trial.rebuild()
    assert built.key
    assert part.step == "environment"
    assert part.how
    assert part.key
    packages = {name: package.version for name, package in built.inventory.python_packages.items()}
    assert packages.items() >= trial.case.packages.items()
    steps = [
        (event.step, event.status) for event in trial.events if event.kind == "step" and event.step == "environment"
    ]
    assert steps[0] == ("environment", "started")
    assert steps[-1] == ("environment", "cached" if part.cached else "done")
    again, part = trial.rebuild()
    assert (again.key, part.cached) == (built.key, True)
    assert again.inventory.python_packages == built.inventory.python_packages
    assert not trial.marker.exists(), "something of the commit was executed on this machine"


def test_what_cannot_be_rebuilt_is_told_in_one_line_with_a_remedy(trial: Trial) -> None:
    for name, environment in trial.case.broken.items():
        with pytest.raises((Inconclusive, Refused)) as error:
            trial.rebuild(environment)
        assert len(str(error.value).splitlines()) == 1, name
        if isinstance(error.value, Inconclusive):
            assert error.value.do, name
    assert not trial.marker.exists()


def test_it_can_be_cancelled(trial: Trial) -> None:
    trial.context.cancel.cancel(15)
    with pytest.raises(Cancelled):
        trial.rebuild()


# -- the registry ---------------------------------------------------------------------------------------------------


class FailingBuilder:
    """A plug-in that is broken."""

    def rebuild(self, record: Record, code: CodeTree | None, context: Context) -> NoReturn:
        raise KeyError("channels\x1b[2J")


def register(monkeypatch: pytest.MonkeyPatch, *builders: str) -> None:
    points = {name: EntryPoint(name, f"{__name__}:FailingBuilder", GROUP) for name in builders}
    monkeypatch.setattr("repro_tui.rebuild.environments.base.names", lambda group: names(group) | points)
    monkeypatch.setattr(registry, "names", lambda group: names(group) | points)


def test_a_plug_in_that_raises_anything_is_inconclusive_with_its_name(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, "conda", "lock.special.lock")
    for environment, name in (
        (Environment(conda="env.yml"), "conda"),
        (Environment(lock="sub/special.lock"), "lock.special.lock"),
    ):
        with pytest.raises(Inconclusive, match=rf"the environment's builder {name} failed: KeyError: ") as error:
            rebuild_environment(Record("a", "a", environment=environment), None, context)
        assert "\x1b" not in str(error.value)


def test_the_builder_of_a_file_goes_before_that_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, "lock.special.lock")
    locks = [Environment(lock=name) for name in ("special.lock", "a/special.lock", "uv.lock", "file:special.lock")]
    chosen = [builder_name(Record("a", "a", environment=lock)) for lock in locks]
    assert chosen == ["lock.special.lock", "lock.special.lock", "lock", "lock.special.lock"]


def test_a_kind_without_a_builder_is_told(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro_tui.rebuild.environments.base.names", lambda group: {})
    for kind in ENVIRONMENT_KINDS:
        with pytest.raises(ReproError, match=rf"nothing on this machine rebuilds environment\.{kind}"):
            rebuild_environment(Record("a", "a", environment=Environment(**{kind: "x"})), None, context)
    with pytest.raises(Inconclusive, match="does not name an environment") as error:
        rebuild_environment(Record("a", "a"), None, context)
    assert "environment.image, dockerfile" in error.value.do
