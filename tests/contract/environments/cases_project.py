"""A project of a commit without a lock, whose setup.py would leave a marker."""

from __future__ import annotations

from repro_tui.model.record import Environment
from tests.builds import project
from tests.contract.environments.case import EnvironmentCase, Place
from tests.wheels import wheel


def build_case(place: Place) -> EnvironmentCase:
    wheel(place.links, "helper", 1)
    files = {**project("credit", 'dependencies = ["helper==1"]\n', {"__init__.py": place.trap}), "setup.py": place.trap}
    files["bad/pyproject.toml"] = "[project"
    files["url/pyproject.toml"] = '[project]\nname = "x"\ndependencies = ["x @ https://h/x.whl"]\n'
    names = ("absent/pyproject.toml", "bad/pyproject.toml", "url/pyproject.toml")
    broken = {name: Environment(project=name) for name in names}
    return EnvironmentCase(files, Environment(project="pyproject.toml"), broken, {"credit": "1.0", "helper": "1"})
