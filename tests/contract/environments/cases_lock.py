"""A pylock.toml of a commit."""

from __future__ import annotations

import hashlib

from repro_tui.model.record import Environment
from tests.contract.environments.case import EnvironmentCase, Place
from tests.wheels import wheel


def build_case(place: Place) -> EnvironmentCase:
    wheel(place.links, "helper", 1, code=place.trap)
    (path,) = place.links.glob("helper-1-*.whl")
    lock = 'lock-version = "1.0"\ncreated-by = "tests"\n[[packages]]\nname = "helper"\nversion = "1"\n'
    lock += f'wheels = [{{url = "https://h.example/{path.name}", hashes = {{sha256 = "SHA"}}}}]\n'
    files = {
        "pylock.toml": lock.replace("SHA", hashlib.sha256(path.read_bytes()).hexdigest()),
        "pylock.other.toml": lock.replace("SHA", "0" * 64),
        "pylock.bad.toml": "[",
    }
    names = ("pylock.other.toml", "pylock.bad.toml", "pylock.absent.toml")
    broken = {name: Environment(lock=name) for name in names}
    return EnvironmentCase(files, Environment(lock="pylock.toml"), broken, {"helper": "1"})
