"""`repro-tui schema`: the published JSON Schemas."""

from __future__ import annotations

from typing import Literal

import click


@click.command("schema")
@click.argument("name", type=click.Choice(["record", "report"]))
def command(name: Literal["record", "report"]) -> None:
    """Print the JSON Schema of records or reports (draft 2020-12)."""
    from repro_tui.formats.wire.schemas import schema_text

    click.echo(schema_text(name), nl=False)
