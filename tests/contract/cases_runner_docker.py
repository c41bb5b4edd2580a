"""The base image, in a container."""

from __future__ import annotations

from pathlib import Path

from repro_tui.model.inventory import Inventory
from repro_tui.model.workspace import BuiltEnvironment
from tests.engines import base_image


def make(folder: Path) -> BuiltEnvironment:
    return BuiltEnvironment("image", "k", Inventory(), image_id=base_image())
