"""The base image, by its id."""

from __future__ import annotations

from repro_tui.model.record import Environment
from tests.contract.environments.case import EnvironmentCase, Place
from tests.engines import base_image


def build_case(place: Place) -> EnvironmentCase:
    broken = {"absent": Environment(image="sha256:" + "0" * 64)}
    return EnvironmentCase({"x": ""}, Environment(image=base_image()), broken)
