"""setuptools, which `venv` puts into environments of Pythons below 3.12: code of that time may import it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from repro_tui.rebuild.environments.interpreters import Interpreter
from repro_tui.rebuild.environments.python_dates import release_of
from repro_tui.rebuild.environments.venv import pin_name, pin_of_wheel

LAST_SEEDED = (3, 11)


def seed_pin(pins: Sequence[str], interpreter: Interpreter) -> str | None:
    """The pin of the setuptools that comes with an interpreter.

    None where the pins have one, where `venv` adds none, and where the interpreter comes without it (as Debian's).
    """
    release = release_of(interpreter.version)
    if release > LAST_SEEDED or any(pin_name(pin) == "setuptools" for pin in pins):
        return None
    bundled = Path(interpreter.root) / "lib" / f"python{release[0]}.{release[1]}" / "ensurepip" / "_bundled"
    wheels = sorted(bundled.glob("setuptools-*.whl"))
    if not wheels:
        return None
    return pin_of_wheel("setuptools", wheels[-1], hashlib.sha256(wheels[-1].read_bytes()).hexdigest())
