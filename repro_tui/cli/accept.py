"""`repro-tui accept`: accepts differences of an audit, each as exactly this change, with reason and date."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("accept")
@click.argument("audit", metavar="AUDIT")
@click.argument("paths", metavar="PATH…", nargs=-1)
@click.option("--reason", metavar="TEXT", required=True, help="Why the change is accepted.")
@click.option("--until", metavar="DATE", required=True, help="Last day (UTC) on which it is accepted: YYYY-MM-DD.")
@click.option("--owner", metavar="NAME", default="", help="Who answers for it.")
@click.option(
    "--bound",
    "bounds",
    metavar="BOUND",
    multiple=True,
    help="Of predictions: accept any drift up to this limit, such as 'flips <= 0.5 %', 'different <= 20' or "
    "'max_abs <= 0.01'. Repeatable: all must hold.",
)
@click.option("--file", metavar="FILE", help="Policy file to write (default: that of the audit, or the nearest).")
def command(
    audit: str, paths: tuple[str, ...], reason: str, until: str, owner: str, bounds: tuple[str, ...], file: str | None
) -> None:
    """Accept differences of AUDIT, so that they no longer gate until DATE.

    AUDIT is an audit's folder, its id, or a report. A PATH names differences as --ignore does:
    environment.packages.numpy, 'parameters.*', predictions, or with --bound predictions.COLUMN. For each, an
    `[[accepted]]` is written to the policy file. It accepts this change only: a finding with other values gates again,
    and so does everything after DATE. What is unknown or was not compared cannot be accepted.
    """
    from repro_tui.audit.accept import (
        Acceptance,
        accept,
        differences_in,
        entries_of,
        in_words,
        parse_day,
        policy_file_of,
    )
    from repro_tui.audit.folder import read_report, report_file
    from repro_tui.model.errors import Mistake, Refused
    from repro_tui.support.bounds import parse_bound

    here = Path.cwd()
    try:
        day = parse_day(until)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--until") from error
    for bound in bounds:
        try:
            parse_bound(bound)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--bound") from error
    source = report_file(audit, here)
    report = read_report(source)
    if not paths:
        raise Refused(Mistake("PATH", f"name what to accept: {differences_in(report)}"))
    entries = entries_of(report, paths, Acceptance(reason, day, owner, bounds))
    target = here / file if file else policy_file_of(_policy_file(source), here)
    accept(target, entries)
    shown = target.relative_to(here) if target.is_relative_to(here) else target
    for entry in entries:
        click.echo(f"{shown}: accepted until {entry.until}: {in_words(entry)}")


def _policy_file(report: Path) -> str:
    """The policy file of the audit that a report lies in the folder of; "" where that is not known."""
    from repro_tui.audit.folder import open_folder
    from repro_tui.model.errors import Refused

    try:
        return open_folder(report).request().policy_file if report.name == "report.json" else ""
    except Refused:
        return ""
