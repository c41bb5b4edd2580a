"""The base image, in a container."""

from __future__ import annotations

from repro_tui.model.inventory import Inventory
from repro_tui.model.workspace import BuiltEnvironment
from tests.engines import base_image
from tests.templates import Templates


def build_environment(templates: Templates) -> BuiltEnvironment:
    return BuiltEnvironment("image", "k", Inventory(), image_id=base_image())
