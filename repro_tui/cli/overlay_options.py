"""The options that lay an environment over a record, for both sides or for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
SIDES: tuple[Literal["a", "b"], ...] = ("a", "b")
KEY = "repro_tui.sides"
# The options that one side may have of its own, with their values: the inputs are always the same for both.
ONE_SIDED = {
    "requirements": "PATH",
    "lock": "PATH",
    "conda": "PATH",
    "project": "PATH",
    "python": "VERSION",
    "as-of": "TIME",
    "predict": "STEP",
    "params": "FILE",
}
PREDICT_HELP = "Predict step: a command with {inputs} and {output}, or call:MODULE:FUNCTION, or notebook:PATH."
_IN_TREE = "in the commit's tree, else on this machine"


def environment_options(command: F) -> F:
    """Adds the options that name the environment of both sides."""
    for option in reversed(
        (
            click.option("--requirements", metavar="PATH", help=f"Requirements file, {_IN_TREE}."),
            click.option("--lock", metavar="PATH", help=f"Lock file, {_IN_TREE}."),
            click.option("--conda", metavar="PATH", help=f"environment.yml, {_IN_TREE}."),
            click.option("--project", metavar="PATH", help=f"pyproject.toml, setup.cfg or setup.py, {_IN_TREE}."),
            click.option("--python", metavar="VERSION", help="Version of Python, such as 3.11."),
            click.option(
                "--as-of", metavar="TIME", help="Resolve packages that are not pinned as of this day or RFC 3339 time."
            ),
        )
    ):
        command = option(command)
    return command


def side_options(command: F) -> F:
    """Adds the options that override the record of one side only, such as --a-requirements and --b-predict."""
    for side in reversed(SIDES):
        for name, value in reversed(ONE_SIDED.items()):
            text = f"--{name} of {side.upper()} only."
            keep = click.option(f"--{side}-{name}", metavar=value, help=text, expose_value=False, callback=_keep)
            command = keep(command)
    return command


def _keep(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Keeps the option of one side in the context, from which `given_sides` takes it."""
    if value is not None and parameter.name:
        ctx.meta.setdefault(KEY, {})[parameter.name] = value


def given_sides() -> dict[Literal["a", "b"], dict[str, str]]:
    """The options of each side of the current command, by their names without the side."""
    context = click.get_current_context(silent=True)
    given: dict[str, str] = context.meta.get(KEY, {}) if context else {}
    return {
        side: {name.removeprefix(f"{side}_"): value for name, value in given.items() if name.startswith(f"{side}_")}
        for side in SIDES
    }
