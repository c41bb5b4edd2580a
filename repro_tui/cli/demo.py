"""`repro-tui demo`: audits a small project on this machine; it needs no account and no container engine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Unpack

import click

from repro_tui.cli.gate_options import audit_options
from repro_tui.cli.options import AuditOptions
from repro_tui.cli.report_options import FORMATS, report_options


@click.command("demo")
@click.option("--folder", metavar="FOLDER", help="Folder for the demo project (default: in the state folder).")
@report_options
@audit_options
@click.pass_context
def command(ctx: click.Context, /, folder: str | None, **options: Unpack[AuditOptions]) -> None:
    """Audit prod against staging of a credit score, and find the cause: numpy, a parameter and the model differ.

    Opens the interface; without a terminal it prints the summary. The exit status is 0 when the audit reaches its
    known result, drift.
    """
    from repro_tui.cli.audit import run_audit
    from repro_tui.examples.demo import prepare
    from repro_tui.support.paths import audits_root, make_private

    if options["isolation"] in (None, "auto") and not _sandboxed():
        print("| no sandbox works here: the demo's own code runs without one (see repro-tui doctor)", file=sys.stderr)
        options["isolation"] = "none"
    project = Path(folder) if folder else make_private(audits_root().parent / "demo")
    a, b = prepare(project)
    options["explain"] = True
    status = run_audit(a, b, options)
    headless = any(options[name] is not None for name in FORMATS)
    ctx.exit(0 if status == 1 and not headless else status)


def _sandboxed() -> bool:
    """Whether a local sandbox works here. The demo is this program's own code, so it may run without one."""
    from repro_tui.model.errors import Refused
    from repro_tui.model.request import Settings
    from repro_tui.support.isolation import choose

    try:
        choose(Settings())
    except Refused:
        return False
    return True
