"""`repro-tui audit A B`, which is also `repro-tui A B`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from repro_tui.cli.gate_options import audit_options
from repro_tui.cli.options import AuditOptions, given_of, overrides_of, settings_of
from repro_tui.cli.report_options import report_options, targets_of

if TYPE_CHECKING:
    from repro_tui.audit.folder import AuditFolder


@click.command("audit")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@report_options
@audit_options
@click.pass_context
def command(ctx: click.Context, /, a: str, b: str, **options: Unpack[AuditOptions]) -> None:
    """Audit A, the baseline, against B, the candidate.

    Opens the interface. With --report, --junit, --markdown, --html or --format, or without a terminal, it runs
    headless: progress goes to standard error, and only a requested report goes to standard output.
    """
    ctx.exit(run_audit(a, b, options))


def run_audit(a: str, b: str, options: AuditOptions) -> int:
    """Plans and starts the audit, and follows it headless or in the interface.

    Returns the exit status. Raises Refused or
    click.BadParameter before anything is executed.
    """
    from repro_tui.cli.interface import check_interface, has_terminal, open_audit_screen

    targets = targets_of(options)
    if targets or not has_terminal():
        from repro_tui.cli.headless import run_headless

        return run_headless(lambda: start_audit(a, b, options), (a, b), targets, quiet=options["quiet"])
    check_interface()
    return open_audit_screen(start_audit(a, b, options), mouse=not options["no_mouse"])


def start_audit(a: str, b: str, options: AuditOptions) -> AuditFolder:
    """Starts the engine in a process of its own and returns the audit's folder.

    Whatever can be refused is refused here, before the engine starts. Raises Refused or click.BadParameter.
    """
    from repro_tui.audit.begin import begin

    settings, baseline = settings_of(options), options.get("baseline") or ""
    return begin(a, b, settings, overrides_of(options), given=given_of(options), baseline=baseline)
