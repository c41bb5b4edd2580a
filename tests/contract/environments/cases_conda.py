"""An environment.yml of a commit that names only Python and a package of pip."""

from __future__ import annotations

from repro_tui.model.record import Environment
from tests.contract.environments.case import EnvironmentCase, Place
from tests.rebuild.environments.rebuilding import OWN
from tests.wheels import wheel


def build_case(place: Place) -> EnvironmentCase:
    wheel(place.links, "helper", 1, code=place.trap)
    text = f"dependencies:\n  - python={OWN}\n  - pip\n  - pip:\n      - helper==1\n"
    files = {"environment.yml": text, "bad.yml": "dependencies: 7\n", "lost.yml": text.replace("helper", "no-such")}
    broken = {name: Environment(conda=name) for name in ("absent.yml", "bad.yml", "lost.yml")}
    return EnvironmentCase(files, Environment(conda="environment.yml"), broken, {"helper": "1"})
