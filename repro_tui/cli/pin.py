"""`repro-tui pin`: keeps an audit when audits are pruned."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("pin")
@click.argument("audit", metavar="AUDIT")
@click.option("--unpin", is_flag=True, help="Let it go again.")
def command(audit: str, unpin: bool) -> None:
    """Keep AUDIT, an audit's folder or its id, when audits are pruned."""
    from repro_tui.audit.folder import open_folder, report_file
    from repro_tui.audit.retention import pin

    folder = open_folder(report_file(audit, Path.cwd()).parent).path
    pin(folder, pinned=not unpin)
    click.echo(f"{folder.name} is {'no longer pinned' if unpin else 'pinned: prune keeps it'}")
