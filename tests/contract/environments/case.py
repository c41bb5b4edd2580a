"""The case of a builder of environments: a commit that it rebuilds an environment from, and commits that it cannot.

`cases_NAME.py` next to this file has `build_case(place)`, which returns the case of the builder NAME, or skips the test
where its engine is absent. Dots and dashes of the name are underscores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from repro_tui.model.record import Environment
from tests.templates import Templates

TRAP = "import pathlib\npathlib.Path({marker!r}).touch()\n"


@dataclass(frozen=True)
class Place:
    """Where a case is made: `base` is the record's folder, `links` one with packages that uv has in place of an index.

    A program that executes `trap` outside a sandbox leaves `marker`.
    """

    base: Path
    links: Path
    marker: Path
    templates: Templates

    @property
    def trap(self) -> str:
        return TRAP.format(marker=str(self.marker))


@dataclass(frozen=True)
class EnvironmentCase:
    """The files of the commit and the environment that is recorded of it, and environments that cannot be rebuilt."""

    files: Mapping[str, str | bytes]
    environment: Environment
    broken: Mapping[str, Environment]
    packages: Mapping[str, str] = field(default_factory=dict)


def case_of(builder: str) -> ModuleType | None:
    """The module with the case of a builder; None where there is none."""
    name = f"tests.contract.environments.cases_{re.sub(r'[.-]', '_', builder)}"
    return import_module(name) if find_spec(name) else None
