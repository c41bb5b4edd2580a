"""Queries W&B in a child process: `python -m repro_tui.clients.wandb_child describe ENTITY/PROJECT/ID FOLDER` or
`… fetch ENTITY/PROJECT/NAME:VERSION FOLDER`.

The client starts a service, keeps global state and leaves files in its working directory, which is harmless in a child
process. The answer is one line of JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.clients.child_answer import answer_command, plain_error

if TYPE_CHECKING:
    from repro_tui.clients.answers import WandbAnswer

SMALL = ("requirements.txt", "diff.patch", "wandb-metadata.json")
LARGEST = 1 << 20
MOST_ARTIFACTS = 200


def main() -> int:
    """Runs one command and prints its answer."""
    return answer_command(describe, fetch, plain_error)


def describe(path: str, folder: Path) -> WandbAnswer:
    """What W&B records about a run; its small files are copied into `folder`."""
    import wandb

    run = wandb.Api(timeout=20).run(path)
    files = [file for file in run.files(names=list(SMALL)) if file.name in SMALL and (file.size or 0) <= LARGEST]
    for file in files:
        file.download(root=str(folder), replace=True)
    return {
        "id": run.id,
        "entity": run.entity,
        "project": run.project,
        "name": run.name,
        "state": run.state,
        "created": run.created_at,
        "commit": run.commit,
        "config": dict(run.config),
        "summary": dict(run.summary._json_dict),
        "artifacts": _artifacts(run.used_artifacts()) + _artifacts(run.logged_artifacts()),
    }


def _artifacts(artifacts: Iterable[object]) -> list[dict[str, str]]:
    names = ("qualified_name", "type", "digest")
    listed = []
    for artifact in artifacts:
        listed.append({name: str(getattr(artifact, name)) for name in names} | {"algorithm": _algorithm(artifact)})
        if len(listed) > MOST_ARTIFACTS:
            raise ValueError(f"the run has more than {MOST_ARTIFACTS} artifacts: record the ones that it needs")
    return listed


def _algorithm(artifact: object) -> str:
    """The algorithm of an artifact's digests; "" from older clients, which only use md5."""
    algorithm = getattr(artifact, "digest_algorithm", None)
    return str(getattr(algorithm, "value", algorithm) or "")


def fetch(name: str, folder: Path) -> WandbAnswer:
    """Copies an artifact's files to `folder`/content."""
    import wandb

    artifact = wandb.Api(timeout=20).artifact(name)
    artifact.download(root=str(folder / "content"), skip_cache=True)
    entries = {str(path): str(entry.digest) for path, entry in artifact.manifest.entries.items()}
    return {"digest": artifact.digest, "algorithm": _algorithm(artifact), "entries": entries}


if __name__ == "__main__":
    sys.exit(main())
