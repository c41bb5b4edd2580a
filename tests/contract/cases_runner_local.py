"""The interpreter of the tests, in the local sandbox."""

from __future__ import annotations

import sys
from pathlib import Path

from repro_tui.model.inventory import Inventory
from repro_tui.model.workspace import BuiltEnvironment
from tests.audit.project import sandbox_works
from tests.conftest import need
from tests.templates import Templates


def build_environment(templates: Templates) -> BuiltEnvironment:
    need("bubblewrap", sandbox_works(), "no sandbox works here")
    root = str(Path(sys.base_prefix).resolve())
    return BuiltEnvironment("venv", "k", Inventory(), sys.prefix, f"{sys.prefix}/bin/python", root)
