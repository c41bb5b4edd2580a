"""setuptools, which `venv` puts into environments of Pythons below 3.12: code of that time may import it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from packaging.version import Version

from repro_tui.formats.python_versions import release_of
from repro_tui.rebuild.environments.pythons.interpreters import Interpreter
from repro_tui.rebuild.environments.venv import pin_name, pin_of_wheel

SEEDED_BELOW = Version("3.12")


def seed_pin(pins: Sequence[str], interpreter: Interpreter) -> str | None:
    """The pin of the setuptools that comes with an interpreter.

    None where the pins have one, where `venv` adds none, and where the interpreter comes without it (as Debian's).
    """
    if Version(release_of(interpreter.version)) >= SEEDED_BELOW or any(pin_name(pin) == "setuptools" for pin in pins):
        return None
    bundled = Path(interpreter.root) / "lib" / f"python{release_of(interpreter.version)}" / "ensurepip" / "_bundled"
    wheels = sorted(bundled.glob("setuptools-*.whl"))
    if not wheels:
        return None
    return pin_of_wheel("setuptools", wheels[-1], hashlib.sha256(wheels[-1].read_bytes()).hexdigest())
