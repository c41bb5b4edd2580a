"""`repro-tui list`: the deployments that can be audited here, and the past audits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """List the deployments of the nearest repro.toml, and the past audits, newest first."""
    from repro_tui.audit.folder import list_audits
    from repro_tui.sources.recordfile import nearest_deployments

    deployments = [
        {"name": d.name, "description": d.description, "file": str(d.file)} for d in nearest_deployments(Path.cwd())
    ]
    summaries = list_audits()
    audits = [
        {
            "id": s.id,
            "folder": str(s.path),
            "a": s.a,
            "b": s.b,
            "started": s.started,
            "state": s.state,
            "verdict": s.verdict,
            "exit_status": s.exit_status,
        }
        for s in summaries
    ]
    if as_json:
        click.echo(json.dumps({"deployments": deployments, "audits": audits}, indent=2))
        return
    _print("Deployments", deployments, ("name", "description", "file"), "no repro.toml in this folder or above it")
    lines = [{"id": s.id, "a": s.a, "b": s.b, "outcome": s.outcome} for s in summaries]
    _print("Audits", lines, ("id", "a", "b", "outcome"), "none yet")


def _print(title: str, rows: Sequence[Mapping[str, object]], columns: tuple[str, ...], placeholder: str) -> None:
    from repro_tui.support.text import show

    click.echo(title)
    if not rows:
        click.echo(f"  ({placeholder})")
        return
    table = [[show(row[column] if row[column] is not None else "", 60) for column in columns] for row in rows]
    widths = [max(len(line[number]) for line in table) for number in range(len(columns))]
    for line in table:
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
