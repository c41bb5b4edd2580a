"""The base image as a SIF."""

from __future__ import annotations

from repro_tui.model.inventory import Inventory
from repro_tui.model.workspace import BuiltEnvironment
from tests.engines import base_sif
from tests.templates import Templates


def build_environment(templates: Templates) -> BuiltEnvironment:
    return BuiltEnvironment("sif", "k", Inventory(), str(base_sif(templates)))
