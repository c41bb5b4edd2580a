"""The base image as a SIF, below the record's folder."""

from __future__ import annotations

import shutil

from repro_tui.model.record import Environment
from tests.contract.environments.case import EnvironmentCase, Place
from tests.engines import base_sif


def build_case(place: Place) -> EnvironmentCase:
    shutil.copyfile(base_sif(place.templates), place.base / "base.sif")
    (place.base / "bad.sif").write_bytes(b"x" * 4096)
    broken = {name: Environment(sif=name) for name in ("absent.sif", "bad.sif")}
    return EnvironmentCase({"x": ""}, Environment(sif="base.sif"), broken)
