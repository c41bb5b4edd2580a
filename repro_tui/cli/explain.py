"""`repro-tui explain A B`, which is `repro-tui audit A B --explain`."""

from __future__ import annotations

from typing import Any

import click

from repro_tui.cli.audit import run_audit
from repro_tui.cli.options import explain_options, report_options


@click.command("explain")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@report_options
@explain_options
@click.pass_context
def command(ctx: click.Context, /, a: str, b: str, **options: Any) -> None:
    """Audit A against B, and after a drift find its cause.

    Hybrids of the two are built and run: some factors (code, environment, parameters, model, data, variables) from B,
    the rest from A. The factor that makes the change is opened, down to the package and its release, the parameter,
    the commit and the file. Every hybrid is kept in the cache: the same question again costs nothing, and one that was
    stopped goes on where it was.
    """
    ctx.exit(run_audit(a, b, options | {"explain": True}))
