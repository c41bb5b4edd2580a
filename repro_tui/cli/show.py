"""`repro-tui show`: opens a finished audit, or attaches to a running one."""

from __future__ import annotations

from typing import Unpack

import click

from repro_tui.cli.report_options import ReportOptions, report_options, targets_of


@click.command("show")
@click.argument("folder", metavar="FOLDER|REPORT")
@report_options
@click.pass_context
def command(ctx: click.Context, /, folder: str, **options: Unpack[ReportOptions]) -> None:
    """Open a finished audit, or attach to a running one; nothing is executed again.

    FOLDER is an audit's folder or its id, as `repro-tui list` shows it; REPORT is a report.json.
    """
    from repro_tui.audit.folder import named_audit
    from repro_tui.cli.interface import has_terminal, open_audit_screen

    targets = targets_of(options)
    audit = named_audit(folder)
    if targets or not has_terminal():
        from repro_tui.cli.headless import follow

        ctx.exit(follow(audit, targets, quiet=options["quiet"]))
    ctx.exit(open_audit_screen(audit, mouse=not options["no_mouse"]))
