"""`repro-tui sbom FOLDER SIDE`: a bill of materials of one side of an audit."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("sbom")
@click.argument("folder", metavar="FOLDER")
@click.argument("side", metavar="a|b", type=click.Choice(["a", "b"], case_sensitive=False))
@click.option("-o", "--output", metavar="FILE", help="Write it to FILE instead of standard output.")
def command(folder: str, side: str, output: str | None) -> None:
    """Write a bill of materials of side A or B of an audit: CycloneDX 1.6, in JSON.

    FOLDER is an audit's folder or its id, as `repro-tui list` shows it. It lists the packages, the interpreter and the
    system that were there when the side was run, its code, and its data with the trained models. What could not be read
    is named in its properties.
    """
    from repro_tui.audit.folder import named_audit
    from repro_tui.evidence.sbom import bill_of_materials
    from repro_tui.model.errors import Mistake, Refused
    from repro_tui.report.write import target_problem
    from repro_tui.support.plain import write_atomically

    if output and (problem := target_problem(output)):
        raise Refused(Mistake("--output", problem))
    audit = named_audit(folder)
    report = audit.report()
    if report is None:
        raise Refused(f"the audit {audit.path.name} has no report yet: wait until it has ended, or run it again")
    text = bill_of_materials(report, side, audit.inventory(side))
    if output:
        write_atomically(Path(output).absolute(), text.encode("utf-8"), mode=0o644)
    else:
        click.echo(text, nl=False)
