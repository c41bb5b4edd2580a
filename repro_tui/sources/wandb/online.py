"""Reads a W&B run from its server, by way of W&B's own client."""

from __future__ import annotations

from datetime import datetime

from repro_tui.clients.answers import WandbAnswer
from repro_tui.clients.client_child import standing_folder
from repro_tui.clients.wandb import ask_wandb, server
from repro_tui.sources.wandb.described import ArtifactDescription, RunDescription, parsed_file
from repro_tui.support.context import Context
from repro_tui.support.regular import is_regular, read_regular
from repro_tui.support.text import show


def read_run(path: str, context: Context) -> RunDescription:
    """What the server recorded of the run `entity/project/id`. Raises Inconclusive where it cannot be reached."""
    with standing_folder(context) as folder:
        answer = ask_wandb("describe", path, folder, context)
        files = {file.name: read_regular(file) for file in folder.iterdir() if is_regular(file)}
    return _describe(path, answer, files)


def _describe(path: str, answer: WandbAnswer, files: dict[str, bytes]) -> RunDescription:
    metadata = parsed_file(files.get("wandb-metadata.json"), "wandb-metadata.json")
    recorded = metadata.get("git")
    git = recorded if isinstance(recorded, dict) else {}
    description = RunDescription(f"wandb at {server()}: run {show(path, 120)}", path, str(answer.get("name") or ""))
    description.config, description.summary = answer.get("config") or {}, answer.get("summary") or {}
    description.commit = str(answer.get("commit") or git.get("commit") or "")
    description.remote = str(git.get("remote") or "")
    for name in ("root", "python", "docker", "program"):
        setattr(description, name, str(metadata.get(name) or ""))
    description.started = _moment(str(answer.get("created") or ""))
    description.requirements, description.patch = files.get("requirements.txt"), files.get("diff.patch")
    state = str(answer.get("state"))
    if state != "finished":
        description.incomplete = f"the run's state is {show(state, 40)}"
        description.warnings.append(f"{description.incomplete}: what it logs later is unknown")
    description.artifacts = list(_artifacts(answer).values())
    return description


def _artifacts(answer: WandbAnswer) -> dict[str, ArtifactDescription]:
    """The artifacts by name; of several versions of one artifact, the one that the run logged last."""
    artifacts = {}
    for item in answer.get("artifacts") or []:
        name = str(item["qualified_name"])
        short = name.rpartition("/")[2].partition(":")[0]
        md5 = item.get("algorithm") in ("", "MANIFEST_MD5", None)
        artifacts[short] = ArtifactDescription(short, str(item["type"]), f"wandb:{name}", str(item["digest"]), md5)
    return artifacts


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
