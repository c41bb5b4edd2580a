"""The command and the environment variables of the predict step, the same for every sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import PurePosixPath

from repro_tui.execute.steps.arguments import step_arguments
from repro_tui.execute.steps.places import RunPaths
from repro_tui.model.errors import Inconclusive
from repro_tui.model.request import Settings
from repro_tui.model.workspace import REPRO, Workspace
from repro_tui.support.grammar import PLACEHOLDERS
from repro_tui.support.paths import place_in_tree

ROOT = PurePosixPath(REPRO)
BATCH_SIZE, USUAL_BATCH = "REPRO_BATCH_SIZE", "32"
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_]*)\}")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def data_mounts(workspace: Workspace, places: RunPaths) -> Iterator[tuple[str, str]]:
    """The read-only mounts for the data as pairs of source and target, outer folders first.

    Data at an absolute path is mounted as a whole, and hides what the image has there. Data at a relative path is
    mounted file by file over the code inside the image; if the code's own tree is mounted, it already contains it.
    """
    for item in sorted(workspace.data, key=lambda item: item.path):
        source = PurePosixPath(workspace.tree) / place_in_tree(item.path)
        target = PurePosixPath(places.working_dir) / item.path
        if item.path.startswith("/"):
            yield str(source), str(target)
        elif workspace.laid is None:
            yield from ((str(source / name), str(target / name)) for name in item.files)


def fixed_variables(settings: Settings) -> dict[str, str]:
    """The variables that are fixed for both sides, so that they cannot cause a difference."""
    return {
        "PYTHONHASHSEED": str(settings.seed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": "315532800",
        "HOME": "/tmp",  # noqa: S108
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NUMEXPR_NUM_THREADS": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }


def command(workspace: Workspace, places: RunPaths, settings: Settings) -> tuple[list[str], dict[str, str]]:
    """The argument list and the complete environment of the predict step; none of the host's variables are passed.

    Raises Inconclusive if the command has a placeholder that the workspace has no value for.
    """
    values = {name: value for name, value in asdict(places).items() if name in PLACEHOLDERS} | {
        "seed": str(settings.seed),
        "batch_size": batch_size(workspace),
    }
    arguments = step_arguments(workspace, places, lambda word: _fill(word, values))
    environment = {"PATH": _path(workspace)} | fixed_variables(settings) | workspace.environment.variables
    environment |= {f"REPRO_{name.upper()}": value for name, value in values.items() if value}
    environment |= held_back(workspace, settings)
    if workspace.environment.kind == "venv":
        environment["VIRTUAL_ENV"] = workspace.environment.folder
        if "PATH" in workspace.environment.variables:
            environment["PATH"] = f"{workspace.environment.folder}/bin:{environment['PATH']}"
    return arguments, environment


def held_back(workspace: Workspace, settings: Settings) -> dict[str, str]:
    """The variables with the columns that are held back from a model: the key (a JSON list) and the truth."""
    key, truth = settings.key or workspace.validation.key, workspace.validation.truth
    return ({"REPRO_KEY": json.dumps(key)} if key else {}) | ({"REPRO_TRUTH": truth} if truth else {})


def batch_size(workspace: Workspace) -> str:
    """The batch size that the predict step gets by {batch_size} or the variable; "" if it uses neither."""
    asked = any("{batch_size}" in word for word in workspace.command)
    return workspace.environment.variables.get(BATCH_SIZE, USUAL_BATCH if asked else "")


def _path(workspace: Workspace) -> str:
    if workspace.environment.kind == "venv":
        return f"{workspace.environment.folder}/bin:{_SYSTEM_PATH}"
    return _SYSTEM_PATH


def _fill(word: str, values: Mapping[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return match.group()[0]
        if name not in values:
            return match.group()
        if not values[name]:
            raise Inconclusive(
                f"the command uses {{{name}}}, but the record has no {name}",
                "record parameters, or remove {params} from the command" if name == "params" else "",
            )
        return values[name]

    return _PLACEHOLDER.sub(replace, word)
