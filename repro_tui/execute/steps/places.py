"""The paths of the predict step's files, as it sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from repro_tui.model.workspace import Workspace

OUTPUT_NAME = "predictions"


@dataclass(frozen=True, slots=True)
class RunPaths:
    """The paths of the predict step's files, as it sees them.

    `output` is where the step writes its output, `result` where it is taken from after the run (the same unless the
    record names a file of the working folder, or standard output); `helper` is the folder of our own helper.
    """

    working_dir: str
    inputs: str
    output: str
    params: str
    data: str
    result: str = ""
    helper: str = ""


def layout(workspace: Workspace, inputs: Path) -> RunPaths:
    """The fixed paths of a sandbox that can mount, the same on both sides."""
    working = working_dir(workspace)
    root = PurePosixPath(workspace.root)
    params = _params(workspace, root / "params")
    output = str(root / "output" / OUTPUT_NAME)
    places = RunPaths(
        working_dir=working,
        inputs=str(root / "inputs" / inputs.name),
        output=output,
        params=params,
        data=working,
        result=output,
        helper=str(root / "step"),
    )
    return _in_tree(places, workspace)


def _params(workspace: Workspace, folder: PurePosixPath) -> str:
    """The path of the file of parameters; of several files, that of the folder that has them."""
    file = Path(workspace.parameters.file)
    if not workspace.parameters.file:
        return ""
    return str(folder if file.is_dir() else folder / file.name)


def plain_layout(workspace: Workspace, inputs: Path, folder: Path) -> RunPaths:
    """The real paths on this machine, for a sandbox that cannot mount; `folder` is the run's own."""
    working = str(tree_folder(workspace, folder) / workspace.subdirectory)
    output = str(folder / "out" / OUTPUT_NAME)
    file = workspace.parameters.file
    places = RunPaths(working, str(inputs), output, file, working, output, str(folder / "step"))
    return _in_tree(places, workspace)


def tree_folder(workspace: Workspace, folder: Path) -> Path:
    """Where a run with the folder `folder` has its working copy on this machine."""
    predict = workspace.predict
    shared = not predict.writable and not predict.inputs and workspace.tree
    return Path(workspace.tree) if shared else folder / "tree"


def working_dir(workspace: Workspace) -> str:
    """The folder that the command starts in: the code's, or the image's own if the code is inside it."""
    if workspace.runs_in_image:
        return workspace.environment.working_dir or "/"
    return str(PurePosixPath(workspace.root) / "code" / workspace.subdirectory)


def _in_tree(places: RunPaths, workspace: Workspace) -> RunPaths:
    """The places of a step that reads its inputs or writes its output in its working folder."""
    predict, working = workspace.predict, PurePosixPath(places.working_dir)
    if predict.inputs:
        places = replace(places, inputs=str(working / predict.inputs))
    if predict.output_in_tree:
        places = replace(places, output=str(working / predict.output_in_tree))
    return places
