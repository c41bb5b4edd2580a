"""The published JSON Schemas: generated from the code by `make docs`, and shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

SchemaName = Literal["record", "report"]


def schema_text(name: SchemaName) -> str:
    """The JSON Schema as it is shipped; reading it imports nothing else."""
    return (Path(__file__).parent / f"{name}.json").read_text("ascii")


def write_schemas() -> None:
    """Generates the shipped schemas from the code."""
    from repro_tui.formats.wire.schemas.generate import generate

    for name, text in generate().items():
        (Path(__file__).parent / f"{name}.json").write_text(text, "ascii")
