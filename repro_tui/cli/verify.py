"""`repro-tui verify A`: whether a record reproduces its recorded outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from repro_tui.cli.options import AuditOptions, given_of, overrides_of, run_options, settings_of
from repro_tui.cli.report_options import report_options, targets_of

if TYPE_CHECKING:
    from repro_tui.audit.folder import AuditFolder


@click.command("verify")
@click.argument("a", metavar="A")
@report_options
@run_options
@click.pass_context
def command(ctx: click.Context, /, a: str, **options: Unpack[AuditOptions]) -> None:
    """Rebuild A from its record, run it, and grade it against its recorded metrics and predictions.

    \b
    R0  the record is incomplete              R4  metrics match, predictions differ
    R1  a part of it cannot be rebuilt            or were not recorded
    R2  it is rebuilt, but does not run       R5  predictions within tolerance or noise
    R3  it runs, but metrics do not match     R6  predictions byte-identical

    Exit status: 0 for R5 and R6, 1 for R3 and R4, 3 for R0 to R2, 2 refused.
    """
    from repro_tui.audit.begin import begin_verification
    from repro_tui.cli.interface import check_interface, has_terminal, open_audit_screen

    targets = targets_of(options)
    if targets or not has_terminal():
        from repro_tui.cli.headless import run_headless

        def start() -> AuditFolder:
            return begin_verification(a, settings_of(options), overrides_of(options), given=given_of(options))

        ctx.exit(run_headless(start, (a, a), targets, quiet=options["quiet"]))
    check_interface()
    folder = begin_verification(a, settings_of(options), overrides_of(options), given=given_of(options))
    ctx.exit(open_audit_screen(folder, mouse=not options["no_mouse"]))
