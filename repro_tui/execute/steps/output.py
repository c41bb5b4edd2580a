"""The output of a predict step that writes a fixed file in its working folder, or that its image does."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path, PurePosixPath

from repro_tui.execute.steps.places import working_dir
from repro_tui.execute.steps.working_copy import WorkingCopy
from repro_tui.model.workspace import Workspace

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def take_output(workspace: Workspace, copy: WorkingCopy | None, target: Path) -> None:
    """Moves the output from the working copy to `target`, if the step writes it there; a missing one is left missing.

    No link is followed, since the step could have put one to a file of this machine in the way.
    """
    name = workspace.predict.output_in_tree
    if copy is None or not name:
        return
    path = PurePosixPath(workspace.subdirectory) / name
    with suppress(OSError), ExitStack() as stack:
        parent = _opened(str(copy.folder), None, stack)
        for part in path.parent.parts:
            parent = _opened(part, parent, stack)
        os.rename(path.name, target, src_dir_fd=parent)


def _opened(name: str, parent: int | None, stack: ExitStack) -> int:
    handle = os.open(name, _FOLDER, dir_fd=parent)
    stack.callback(os.close, handle)
    return handle


def written_where(workspace: Workspace) -> str:
    """What a step that wrote no output has to do, by how its output was recorded."""
    predict = workspace.predict
    if predict.output == "-":
        return "the predict step must print its predictions on standard output, as its record says (predict.output)"
    if predict.output:
        return f"the predict step must write {predict.output} in its working folder, or correct predict.output"
    if predict.call:
        return f"{predict.call} must return the predictions"
    if predict.notebook:
        return "record predict.output, the file that the notebook writes, or let it write to the variable `output`"
    written = "the predict step must write one file to {output} (or $REPRO_OUTPUT)"
    return f'{written}; if it prints its predictions, record predict.output = "-"'


def read_only_remedy(workspace: Workspace, tail: tuple[str, ...]) -> str:
    """What to do where a step failed because it could not write; "" where its last lines do not say so."""
    if not any("Read-only file system" in line for line in tail):
        return ""
    if not workspace.predict.writable:
        return "the working folder is read-only: record predict.writable = true if the step writes there"
    if workspace.runs_in_image:
        return (
            f"the image is read-only, its working folder {working_dir(workspace)} too where no copy can be made of it: "
            "let the step write to {output} or below /tmp, or record the code's repository and commit"
        )
    return "only the working folder, the folder of {output} and /tmp can be written to, and no file above 64 MiB"
