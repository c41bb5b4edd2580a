"""The base image as a SIF."""

from __future__ import annotations

from pathlib import Path

from repro_tui.model.inventory import Inventory
from repro_tui.model.workspace import BuiltEnvironment
from tests.engines import base_image, sif


def make(folder: Path) -> BuiltEnvironment:
    return BuiltEnvironment("sif", "k", Inventory(), str(sif(folder, base_image())))
