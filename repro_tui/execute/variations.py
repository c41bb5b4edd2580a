"""The variations of the stress test: one condition that should not matter is changed at a time, such as the locale."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from repro_tui.execute.command import BATCH_SIZE, batch_size, fixed_variables
from repro_tui.formats.reorder import reordered
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context
from repro_tui.support.isolation import choose

ELSEWHERE = "/elsewhere/repro"
OWN_RUNNERS = ("local", "docker", "apptainer")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
Choices = tuple[str, ...]
TRIED = 3  # values of each condition, if there are as many: two may agree by chance
SEEDS, COUNTS = ("1", "2", "3", "4"), ("2", "3", "4", "1")
BATCHES = ("7", "5", "1", "3")
LOCALES = ("C", "C.UTF-8")
ZONES = ("NPT-5:45", "EST5", "NZST-12", "UTC")  # in POSIX notation, which needs no time zone database


@dataclass(frozen=True, slots=True)
class Variation:
    """One varied condition: `what` says how, `skipped` why it is not tried ("" if it is).

    `rows` is the number of input rows if they are reordered, with `seed` (None: they keep their order).
    """

    name: str
    what: str = ""
    workspace: Workspace | None = None
    inputs: Path | None = None
    rows: int | None = None
    skipped: str = ""
    seed: int = 0


def variations(workspace: Workspace, inputs: Path, folder: Path, context: Context) -> Iterator[Variation]:
    """Yields the variations of one side; the files that they need are put in `folder`. Raises Cancelled."""
    builders: dict[str, Callable[[], Iterable[Variation]]] = {
        "hash seed": lambda: _one_per_choice("hash seed", workspace, context, SEEDS, "PYTHONHASHSEED"),
        "threads": lambda: _one_per_choice("threads", workspace, context, COUNTS, *THREADS),
        "batch size": lambda: _batch_size(workspace),
        "row order": lambda: _row_order(workspace, inputs, folder, context),
        "locale": lambda: _one_per_choice("locale", workspace, context, LOCALES, "LC_ALL"),
        "time zone": lambda: _one_per_choice("time zone", workspace, context, ZONES, "TZ"),
        "path": lambda: _path(workspace, folder, context),
    }
    for name, build in builders.items():
        if workspace.predict.url and name != "row order":
            yield Variation(name, skipped="only the row order can be varied for a live endpoint")
            continue
        try:
            for variation in build():
                yield variation if variation.skipped or variation.inputs else replace(variation, inputs=inputs)
        except (Inconclusive, OSError) as error:
            yield Variation(name, skipped=getattr(error, "what", str(error)))


def _variables(name: str, workspace: Workspace, values: dict[str, str]) -> Variation:
    """A variation with other environment variables, which override those that are fixed for both sides."""
    environment = replace(workspace.environment, variables=workspace.environment.variables | values)
    assignments = ", ".join(f"{key}={value}" for key, value in values.items())
    return Variation(name, assignments, replace(workspace, environment=environment))


def _one_per_choice(
    name: str, workspace: Workspace, context: Context, choices: Choices, *variables: str
) -> Iterator[Variation]:
    """Sets all of the variables to each choice, except the current value of the first one."""
    current = (fixed_variables(context.settings) | workspace.environment.variables)[variables[0]]
    for choice in _choices_except(choices, current):
        yield _variables(name, workspace, dict.fromkeys(variables, choice))


def _choices_except(choices: Choices, current: str) -> list[str]:
    return [choice for choice in choices if choice != current][:TRIED]


def _batch_size(workspace: Workspace) -> Iterator[Variation]:
    current = batch_size(workspace)
    if not current:
        why = f"predict takes no batch size: use {{batch_size}} in the command, or record the variable {BATCH_SIZE}"
        yield Variation("batch size", skipped=why)
        return
    for size in _choices_except(BATCHES, current):
        yield _variables("batch size", workspace, {BATCH_SIZE: size})


def _row_order(workspace: Workspace, inputs: Path, folder: Path, context: Context) -> Iterator[Variation]:
    for seed in range(TRIED):
        place = folder / "reordered" / str(seed)
        place.mkdir(exist_ok=True, mode=0o755, parents=True)
        rows = reordered(inputs, place / inputs.name, context, seed)
        (place / inputs.name).chmod(0o644)
        description = f"the rows of the inputs in another order (seed {seed})"
        yield Variation("row order", description, workspace, place / inputs.name, rows, seed=seed)


def _path(workspace: Workspace, folder: Path, context: Context) -> Iterator[Variation]:
    if workspace.predict.protocol:
        yield Variation("path", skipped="the server's path is fixed by its image")
        return
    if context.settings.runner not in ("auto", *OWN_RUNNERS):
        yield Variation("path", skipped=f"the runner {context.settings.runner} chooses its own paths")
        return
    moved = replace(workspace, root=ELSEWHERE)
    if workspace.environment.kind == "venv" and choose(context.settings) == "none" and workspace.tree:
        shutil.copytree(workspace.tree, folder / "elsewhere", symlinks=True, dirs_exist_ok=True)
        moved = replace(moved, tree=str(folder / "elsewhere"))
    contents = "inputs and output" if workspace.laid is None else "code, inputs and output"
    yield Variation("path", f"{contents} in another folder", moved)
