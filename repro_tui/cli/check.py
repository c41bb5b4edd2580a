"""`repro-tui check [FILE]…`: whether record files can be read, and what their records lack. Nothing is built or run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from repro_tui.support.context import Context


@click.command("check")
@click.argument("files", metavar="[FILE]…", nargs=-1)
@click.pass_context
def command(ctx: click.Context, /, files: tuple[str, ...]) -> None:
    """Check record files, such as the nearest repro.toml: can they be read, and what do their records lack?

    Nothing is built or run, and no repository or server is asked. Made for pre-commit and other hooks.

    Exit status: 0 every record is complete, 1 a record lacks something that a rebuild needs, 2 refused.
    """
    from repro_tui.model.errors import Mistake, Refused
    from repro_tui.sources.recordfile import FILE_NAME, nearest_file
    from repro_tui.support.cache import Cache
    from repro_tui.support.context import Context
    from repro_tui.support.paths import cache_root

    here = Path.cwd()
    paths = [here / name for name in files] or list(filter(None, [nearest_file(here)]))
    if not paths:
        raise Refused(f"there is no {FILE_NAME} in or above {here}: name a record file")
    context = Context(cache=Cache(cache_root()), here=here)
    mistakes: list[Mistake] = []
    gaps: list[str] = []
    for file in paths:
        try:
            gaps += _gaps(file, context)
        except Refused as error:
            mistakes += error.mistakes
    for gap in gaps:
        click.echo(gap)
    if mistakes:
        raise Refused.all(mistakes)
    ctx.exit(1 if gaps else 0)


def _gaps(file: Path, context: Context) -> Iterator[str]:
    """One line for each field that a record of a file lacks. Raises Refused with the mistakes of all of them."""
    from repro_tui.model.errors import Mistake, Refused
    from repro_tui.sources.recordfile import deployments_of, read_record
    from repro_tui.support.text import show

    deployments = deployments_of(file)
    if not deployments:
        raise Refused(Mistake(show(str(file), 300), "it has no deployments: it is not a record file"))
    mistakes: dict[Mistake, None] = {}
    for deployment in deployments:
        try:
            record = read_record(file, deployment.name, f"{file}#{deployment.name}", context)
        except Refused as error:
            mistakes |= dict.fromkeys(error.mistakes)
            continue
        for gap in record.missing:
            place = f"{show(file.name, 200)}: deployments.{show(deployment.name, 100)}.{show(gap.field, 200)}"
            yield f"{place}: {show(gap.why, 300)}" + (f"; {show(gap.do, 300)}" if gap.do else "")
    if mistakes:
        raise Refused.all(list(mistakes))
