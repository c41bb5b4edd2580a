"""`repro-tui init`: drafts a repro.toml of two revisions from the files of the project. Nothing of it is executed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

import click

from repro_tui.support.text import quote

if TYPE_CHECKING:
    from repro_tui.audit.drafting import Draft, Wishes
    from repro_tui.support.context import Context

T = TypeVar("T")
MOST_CHOICES = 8


class InitOptions(TypedDict):
    """The values of the options, by parameter name."""

    predict: str | None
    inputs: str | None
    key: str | None
    environment: str | None
    python: str | None
    name_a: str | None
    name_b: str | None
    output: str
    force: bool
    yes: bool


@click.command("init")
@click.argument("a", metavar="[A]", default="HEAD~1")
@click.argument("b", metavar="[B]", default="HEAD")
@click.option("--predict", metavar="STEP", help="Predict step: a command, call:MODULE:FUNCTION, or notebook:PATH.")
@click.option("--inputs", metavar="FILE", help="Validation inputs.")
@click.option("--key", metavar="COL,…", help="Columns that identify a row of the output; '' for none.")
@click.option("--environment", metavar="KIND=PATH", help="Such as lock=uv.lock or requirements=requirements/prod.txt.")
@click.option("--python", metavar="VERSION", help="Version of Python, such as 3.11.")
@click.option("--name-a", metavar="NAME", help="Name of the first deployment.")
@click.option("--name-b", metavar="NAME", help="Name of the second deployment.")
@click.option("--output", "-o", metavar="FILE", default="repro.toml", show_default=True, help="File to write.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask: take the likeliest of everything.")
@click.pass_context
def command(ctx: click.Context, /, a: str, b: str, **options: Unpack[InitOptions]) -> None:
    """Write a repro.toml of the project at two revisions, A and B, from its own files; nothing is executed.

    A and B are branches, tags or commits (HEAD~1 and HEAD by default); "." is the working tree, of which HEAD is
    recorded, and REV:FOLDER is one of several projects in a repository. Environments, parameters, data, inputs
    and a predict step are looked for in the files of both revisions. On a terminal it asks where there is a choice.
    Whatever was guessed is marked in the file.
    """
    from repro_tui.audit.begin import planning
    from repro_tui.audit.draft_record import write_draft
    from repro_tui.audit.draft_screen import screen
    from repro_tui.audit.drafting import Wishes, look, names_of
    from repro_tui.model.request import Settings

    key = None if options["key"] is None else tuple(part for part in options["key"].split(",") if part.strip())
    environment = _environment(options["environment"])
    wishes = Wishes(a, b, options["predict"], options["inputs"], key, environment, options["python"])
    names = names_of(wishes, options["name_a"], options["name_b"])
    with planning(Settings()) as context:
        draft = look(wishes, context)
        if not options["yes"] and sys.stdin.isatty() and sys.stderr.isatty():
            _ask(draft, wishes, context)
        written = write_draft(draft, names, options["output"], options["force"], context)
    for line in screen(draft, names, options["output"], written.missing):
        print(line, file=sys.stderr)
    ctx.exit(0)


def _environment(text: str | None) -> tuple[str, str] | None:
    from repro_tui.model.record import ENVIRONMENT_KINDS

    if text is None:
        return None
    kind, mark, path = text.partition("=")
    if not mark or not path or kind not in ENVIRONMENT_KINDS or kind in ("image", "sif"):
        known = ", ".join(name for name in ENVIRONMENT_KINDS if name not in ("image", "sif"))
        raise click.BadParameter(
            f"{quote(text)} is not KIND=PATH, where KIND is one of {known}", param_hint="--environment"
        )
    return kind, path


# -- questions ------------------------------------------------------------------------------------------------------


def _ask(draft: Draft, wishes: Wishes, context: Context) -> None:
    """Asks for the predict step, the inputs, the key and the environment, where there is a choice."""
    from repro_tui.audit.drafting import choose_environment, choose_inputs, same_step

    b = draft.b
    if wishes.predict is None and len(b.steps) > 1:
        b.step = _choose("Predict step", b.steps, b.step, lambda step: step.why + _lacking(step.lacks))
        draft.a.step = same_step(draft.a.steps, b.step) or draft.a.step
        for side in draft.sides:
            side.predict = side.step.predict if side.step else None
    if wishes.inputs is None and len(draft.tables) > 1:
        first = next((table for table in draft.tables if table.path == draft.inputs), draft.tables[0])
        table = _choose("Validation inputs", draft.tables, first, lambda item: item.path)
        draft.inputs = table.path if table else None
        choose_inputs(draft, draft.inputs, context)
    if wishes.key is None and draft.head.names:
        shown_key = ",".join(draft.key)
        answer = click.prompt("Columns that identify a row of the output (none: -)", default=shown_key or "-", err=True)
        draft.key = () if answer.strip() == "-" else tuple(part.strip() for part in answer.split(",") if part.strip())
    if wishes.environment is None and len(b.project.environments) > 1:
        chosen = _choose("Environment", b.project.environments, b.environment, lambda file: f"{file.kind} {file.path}")
        b.environment = chosen
        if chosen and chosen.path in draft.a.project.tree.files:
            choose_environment(draft.a, (chosen.kind, chosen.path), context)


def _lacking(lacks: Sequence[str]) -> str:
    return f" (to complete: {'; '.join(lacks)})" if lacks else ""


def _choose(title: str, items: Sequence[T], first: T | None, label: Callable[[T], str]) -> T | None:
    """The item that the user chooses by its number; Enter takes the first, 0 none of them."""
    from repro_tui.support.text import show

    ordered = [item for item in items if item is first] + [item for item in items if item is not first]
    ordered = ordered[:MOST_CHOICES]
    print(f"{title}:", file=sys.stderr)
    for number, item in enumerate(ordered, 1):
        print(f"  {number}  {show(label(item), 100)}", file=sys.stderr)
    print("  0  none of these", file=sys.stderr)
    number = click.prompt("Number", default=1, type=click.IntRange(0, len(ordered)), err=True)
    return ordered[number - 1] if number else None
