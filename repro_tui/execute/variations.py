"""What should not matter, varied one thing at a time: the same workspace in another locale, path and so on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from repro_tui.execute.command import BATCH_SIZE, batch_size, fixed_variables
from repro_tui.execute.sandbox import choose
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context
from repro_tui.support.reorder import reordered

ELSEWHERE = "/elsewhere/repro"
OWN_RUNNERS = ("local", "docker", "apptainer")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
Choices = tuple[str, str]
SEEDS, COUNTS = ("1", "2"), ("2", "1")
LOCALES = ("C", "C.UTF-8")
ZONES = ("NPT-5:45", "UTC")  # as POSIX writes it, which needs no database of time zones


@dataclass(frozen=True, slots=True)
class Variation:
    """One thing that is varied: `what` says how, `skipped` why it is not tried ("" where it is).

    `rows` is how many rows of the inputs stand in another order (None: in their own).
    """

    name: str
    what: str = ""
    workspace: Workspace | None = None
    inputs: Path | None = None
    rows: int | None = None
    skipped: str = ""


def variations(workspace: Workspace, inputs: Path, folder: Path, context: Context) -> Iterator[Variation]:
    """The variations of one side; what they need is put in `folder`."""
    ways: dict[str, Callable[[], Variation]] = {
        "hash seed": lambda: _others("hash seed", workspace, context, SEEDS, "PYTHONHASHSEED"),
        "threads": lambda: _others("threads", workspace, context, COUNTS, *THREADS),
        "batch size": lambda: _batch_size(workspace),
        "row order": lambda: _row_order(workspace, inputs, folder, context),
        "locale": lambda: _others("locale", workspace, context, LOCALES, "LC_ALL"),
        "time zone": lambda: _others("time zone", workspace, context, ZONES, "TZ"),
        "path": lambda: _path(workspace, folder, context),
    }
    for name, way in ways.items():
        if workspace.predict.url and name != "row order":
            yield Variation(name, skipped="a live server is only asked: nothing of it can be varied from here")
            continue
        try:
            found = way()
            yield found if found.skipped or found.inputs else replace(found, inputs=inputs)
        except (Inconclusive, OSError) as error:
            yield Variation(name, skipped=getattr(error, "what", str(error)))


def _variables(name: str, workspace: Workspace, values: dict[str, str]) -> Variation:
    """Variables of the environment, which come before those that are fixed for both sides."""
    environment = replace(workspace.environment, variables=workspace.environment.variables | values)
    told = ", ".join(f"{key}={value}" for key, value in values.items())
    return Variation(name, told, replace(workspace, environment=environment))


def _others(name: str, workspace: Workspace, context: Context, choices: Choices, *variables: str) -> Variation:
    """Each of the variables at the first choice that it does not have already."""
    now = fixed_variables(context.settings) | workspace.environment.variables
    return _variables(name, workspace, {variable: _other(choices, now[variable]) for variable in variables})


def _other(choices: Choices, now: str) -> str:
    return next(choice for choice in choices if choice != now)


def _batch_size(workspace: Workspace) -> Variation:
    now = batch_size(workspace)
    if not now:
        why = f"it asks for none: put {{batch_size}} in the command, or record the variable {BATCH_SIZE}"
        return Variation("batch size", skipped=why)
    return _variables("batch size", workspace, {BATCH_SIZE: _other(("7", "5"), now)})


def _row_order(workspace: Workspace, inputs: Path, folder: Path, context: Context) -> Variation:
    place = folder / "reordered"
    place.mkdir(exist_ok=True, mode=0o755)
    rows = reordered(inputs, place / inputs.name, context)
    (place / inputs.name).chmod(0o644)
    return Variation("row order", "the rows of the inputs in another order", workspace, place / inputs.name, rows)


def _path(workspace: Workspace, folder: Path, context: Context) -> Variation:
    if workspace.predict.protocol:
        return Variation("path", skipped="the server lies where its image has it")
    if context.settings.runner not in ("auto", *OWN_RUNNERS):
        return Variation("path", skipped=f"where the runner {context.settings.runner} lays things is its own affair")
    moved = replace(workspace, root=ELSEWHERE)
    if workspace.environment.kind == "venv" and choose(context.settings) != "bubblewrap" and workspace.tree:
        shutil.copytree(workspace.tree, folder / "elsewhere", symlinks=True, dirs_exist_ok=True)
        moved = replace(moved, tree=str(folder / "elsewhere"))
    what = "inputs and output" if workspace.laid is None else "code, inputs and output"
    return Variation("path", f"{what} below another folder", moved)
