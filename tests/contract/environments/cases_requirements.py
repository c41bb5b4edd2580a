"""A requirements file of a commit, with a package that is built, and a project whose files would leave a marker."""

from __future__ import annotations

from repro_tui.model.record import Environment
from tests.builds import project, sdist
from tests.contract.environments.case import EnvironmentCase, Place
from tests.wheels import wheel


def build_case(place: Place) -> EnvironmentCase:
    wheel(place.links, "helper", 1, code=place.trap, more={"helper.pth": f"import helper; {place.trap!r}\n"})
    sdist(place.links, "scorer", {**project("scorer"), "setup.py": place.trap})
    files = {"r.txt": "-r more.txt\nhelper==1\n", "more.txt": "scorer==1.0\n", "sitecustomize.py": place.trap}
    broken = {
        "absent": Environment(requirements="absent.txt"),
        "unknown": Environment(requirements="unknown.txt"),
        "refused": Environment(requirements="refused.txt"),
    }
    files |= {"unknown.txt": "no-such-package==1\n", "refused.txt": "--index-url https://h/x\n"}
    return EnvironmentCase(files, Environment(requirements="r.txt"), broken, {"helper": "1", "scorer": "1.0"})
