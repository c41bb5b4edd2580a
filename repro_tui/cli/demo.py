"""`repro-tui demo`: the main job on a small project, on this machine, without an account or an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repro_tui.cli.options import audit_options, report_options


@click.command("demo")
@click.option("--folder", metavar="FOLDER", help="Where the demo project is laid out (default: in the state folder).")
@report_options
@audit_options
@click.pass_context
def command(ctx: click.Context, /, folder: str | None, **options: Any) -> None:
    """Audit prod against staging of a credit score that differ in numpy, a parameter and the model file.

    Opens the interface; without a terminal it prints the summary. Its own exit status is 0 when the audit came to
    its known answer, drift.
    """
    from repro_tui.cli.audit import run_audit
    from repro_tui.examples.demo import prepare
    from repro_tui.support.paths import audits_root, make_private

    place = Path(folder) if folder else make_private(audits_root().parent / "demo")
    a, b = prepare(place)
    status = run_audit(a, b, options)
    headless = any(options[name] is not None for name in ("report", "junit", "markdown", "html"))
    ctx.exit(0 if status == 1 and not headless else status)
