"""A Dockerfile of a commit, which copies a file."""

from __future__ import annotations

from repro_tui.model.record import Environment
from tests.contract.environments.case import EnvironmentCase, Place
from tests.engines import base_image


def build_case(place: Place) -> EnvironmentCase:
    base = base_image()
    files = {"Dockerfile": f"FROM {base}\nCOPY trap.py /trap.py\n", "trap.py": place.trap}
    files["Dockerfile.bad"] = f"FROM {base}\nCOPY absent /\n"
    broken = {name: Environment(dockerfile=name) for name in ("Dockerfile.absent", "Dockerfile.bad")}
    return EnvironmentCase(files, Environment(dockerfile="Dockerfile"), broken)
