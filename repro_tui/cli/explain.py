"""`repro-tui explain A B`: short for `repro-tui audit A B --explain`."""

from __future__ import annotations

from typing import Unpack

import click

from repro_tui.cli.audit import run_audit
from repro_tui.cli.gate_options import explain_options
from repro_tui.cli.options import AuditOptions
from repro_tui.cli.report_options import report_options


@click.command("explain")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@report_options
@explain_options
@click.pass_context
def command(ctx: click.Context, /, a: str, b: str, **options: Unpack[AuditOptions]) -> None:
    """Audit A against B, and find the cause of a drift.

    The search builds and runs hybrids: some factors (code, environment, parameters, model, data, variables) come from
    B, the others from A. It then searches inside the factor that causes the change, down to the package and its
    release, the parameter, the commit and the file. Every hybrid is kept in the cache: repeating a search costs
    nothing, and a search that was stopped resumes where it stopped.
    """
    options["explain"] = True
    ctx.exit(run_audit(a, b, options))
