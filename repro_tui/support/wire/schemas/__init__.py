"""The published JSON Schemas: made from the code by `python -m repro_tui.support.wire.schemas`, and shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

SchemaName = Literal["record", "report"]


def schema_text(name: SchemaName) -> str:
    """The JSON Schema as it ships; nothing is imported to read it."""
    return (Path(__file__).parent / f"{name}.json").read_text("ascii")
