"""`repro-tui record SOURCE`: writes a record of a live thing."""

from __future__ import annotations

import sys

import click


@click.command("record")
@click.argument("source", metavar="SOURCE")
@click.option("--output", "-o", metavar="FILE", help="Write to FILE: TOML, YAML or JSON by its ending.")
@click.option("--force", is_flag=True, help="Write over FILE and its folder of files.")
@click.option("--inputs", metavar="FILE", help="Validation inputs, which a tracked run does not know.")
@click.option("--truth", metavar="COLUMN", help="Column of the inputs that holds what is true of a row.")
@click.option("--predict", metavar="COMMAND", help="Predict step, with {inputs} and {output}.")
@click.option(
    "--protocol", metavar="NAME", help="Protocol of a served image or a live endpoint: mlflow or open-inference."
)
@click.option("--params", metavar="FILE", help="Parameters laid over the record's.")
@click.option("--quiet", "-q", is_flag=True, help="Do not tell what is missing on standard error.")
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    output: str | None,
    force: bool,
    inputs: str | None,
    predict: str | None,
    protocol: str | None,
    params: str | None,
    truth: str | None,
    quiet: bool,
) -> None:
    """Write a record of SOURCE, ready to be audited; nothing of it is executed.

    SOURCE is a reference (git:REV, runs:/ID, models:/NAME/VERSION, wandb:PATH, docker:CONTAINER, image:REF, …), or a
    folder: `.` is the working tree. What SOURCE does not tell is missing: it is a comment in the record, and a line
    on standard error that says how to have it recorded next time. Values that may be secrets are not written.

    Files that SOURCE keeps are copied to a folder beside FILE (prod.toml: prod.files).
    """
    from repro_tui.audit.plan import Overrides
    from repro_tui.audit.recording import write_record
    from repro_tui.support.cache import Cache
    from repro_tui.support.context import Context
    from repro_tui.support.paths import cache_root

    overrides = Overrides(inputs, predict, protocol, params, truth)
    written = write_record(source, output, force, overrides, Context(cache=Cache(cache_root())))
    click.echo(written.text, nl=False)
    for line in () if quiet else written.told:
        print(f"repro-tui: {line}", file=sys.stderr)
    ctx.exit(0)
