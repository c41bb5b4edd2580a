"""`repro-tui demo`: the main job on a small project, on this machine, without an account or an engine."""

from __future__ import annotations

import sys
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
    """Audit prod against staging of a credit score: numpy, a parameter and the model differ. It finds the cause, too.

    Opens the interface; without a terminal it prints the summary. Its own exit status is 0 when the audit came to
    its known answer, drift.
    """
    from repro_tui.cli.audit import run_audit
    from repro_tui.examples.demo import prepare
    from repro_tui.support.paths import audits_root, make_private

    if options["isolation"] == "auto" and not _sandboxed():
        print("| no sandbox works here (bubblewrap is missing): the demo's own code runs without one", file=sys.stderr)
        options["isolation"] = "none"
    place = Path(folder) if folder else make_private(audits_root().parent / "demo")
    a, b = prepare(place)
    options["explain"] = True
    status = run_audit(a, b, options)
    headless = any(options[name] is not None for name in ("report", "junit", "markdown", "html"))
    ctx.exit(0 if status == 1 and not headless else status)


def _sandboxed() -> bool:
    """Whether a local sandbox works here. The demo is this program's own code, so it may do without."""
    from repro_tui.execute.sandbox import choose
    from repro_tui.model.errors import Refused
    from repro_tui.model.request import Settings

    try:
        choose(Settings())
    except Refused:
        return False
    return True
