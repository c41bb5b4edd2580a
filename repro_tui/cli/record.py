"""`repro-tui record SOURCE`: writes a record of something that exists: a revision, a run, a container, a folder."""

from __future__ import annotations

import sys

import click

from repro_tui.cli.overlay_options import environment_options


@click.command("record")
@click.argument("source", metavar="SOURCE")
@click.option("--output", "-o", metavar="FILE", help="Write to FILE as TOML, YAML or JSON, depending on its extension.")
@click.option("--force", is_flag=True, help="Overwrite FILE and its folder of files.")
@click.option("--inputs", metavar="FILE", help="Validation inputs, which tracking systems do not record.")
@click.option("--truth", metavar="COLUMN", help="Column of the inputs with the true value of each row.")
@click.option(
    "--predict",
    metavar="COMMAND",
    help="Predict command, with {inputs} and {output}; or call:MODULE:FUNCTION; or notebook:PATH.",
)
@click.option(
    "--protocol", metavar="NAME", help="Protocol of a served image or a live endpoint: mlflow or open-inference."
)
@click.option("--params", metavar="FILE", help="Parameters that override the record's.")
@environment_options
@click.option("--quiet", "-q", is_flag=True, help="Do not list missing fields on standard error.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    source: str,
    output: str | None,
    force: bool,
    quiet: bool,
    **given: str | None,
) -> None:
    """Write a record of SOURCE that can be audited; no code of SOURCE is executed.

    SOURCE is a reference (git:REV, runs:/ID, models:/NAME/VERSION, wandb:PATH, docker:CONTAINER, image:REF, …), or a
    folder: `.` is the working tree. A field that SOURCE does not provide is a comment in the record and a line on
    standard error, with how to record it next time. Values that may be secrets are not written.

    Files that only SOURCE holds are copied to a folder next to FILE (prod.files for prod.toml).
    """
    from repro_tui.audit.begin import planning
    from repro_tui.audit.recording import write_record
    from repro_tui.model.overrides import Overrides
    from repro_tui.model.request import Settings

    overrides = Overrides.from_given({name: value for name, value in given.items() if value is not None})
    with planning(Settings()) as context:
        written = write_record(source, output, force, overrides, context)
    click.echo(written.text, nl=False)
    for line in () if quiet else written.told:
        print(f"repro-tui: {line}", file=sys.stderr)
    ctx.exit(0)
