"""What is executed: the recorded command, or our own helper that calls a function or runs a notebook.

The helpers are single files that the Python of the audited environment runs (3.6 or later). They are mounted read-only,
together with a job file that says what to do.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date, time
from pathlib import Path

from repro_tui.execute.steps.places import RunPaths
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import Workspace

HELPERS = {"call": "call_child.py", "notebook": "notebook_child.py"}
BESIDE = {"call": ("returned_child.py",), "notebook": ()}
JOB = "job.json"
# The shell of the sandbox redirects the standard output, so that not a byte can get lost on its way through a log.
_PRINTED = 'exec "$@" >"$0"'
# Inside an image, the output is copied out of its own working folder by its own tools, as the user of the run.
_COPIED = (
    'rm -f -- "$1" && mkdir -p -- "$(dirname -- "$1")" || exit 1; place=$1 target=$2; shift 2; "$@" || exit; '
    'if [ -e "$place" ]; then cp -- "$place" "$target"; fi'
)


def kind_of(workspace: Workspace) -> str:
    """`call` or `notebook`; "" for a command or a server."""
    return next((name for name in HELPERS if getattr(workspace.predict, name)), "")


def write_job(workspace: Workspace, places: RunPaths, folder: Path) -> None:
    """Puts the helper and its job into the new `folder`, readable to every user."""
    kind = kind_of(workspace)
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    predict = workspace.predict
    job = {
        "call": predict.call,
        "notebook": predict.notebook,
        "inputs": places.inputs,
        "output": places.output,
        "key": list(workspace.validation.key),
        "parameters": workspace.parameters.values,
        "per_file": workspace.parameters.per_file,
        "file": places.params,
    }
    (folder / JOB).write_text(json.dumps(job, default=_written), "ascii")
    for name in (HELPERS[kind], *BESIDE[kind]):
        shutil.copyfile(Path(__file__).with_name(name), folder / name)
    for name in (HELPERS[kind], *BESIDE[kind], JOB):
        (folder / name).chmod(0o644)


def _written(value: object) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    raise Inconclusive(
        f"a parameter of type {type(value).__name__} cannot be passed to a function or a notebook",
        "record it as a number, a text, a list or a table",
    )


def step_arguments(workspace: Workspace, places: RunPaths, fill: Callable[[str], str]) -> list[str]:
    """The argument list of the step; `fill` replaces the placeholders in a word of the command."""
    kind, predict = kind_of(workspace), workspace.predict
    if kind:
        python = "python" if workspace.environment.kind == "venv" else "python3"
        return [python, f"{places.helper}/{HELPERS[kind]}", f"{places.helper}/{JOB}"]
    command = [fill(word) for word in workspace.command]
    if predict.output == "-":
        return ["sh", "-c", _PRINTED, places.result, *command]
    if predict.output_in_tree and workspace.runs_in_image:
        return ["sh", "-c", _COPIED, "sh", places.output, places.result, *command]
    return command
