"""Which source reads a reference."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.record import Record
from repro_tui.sources.base import Source
from repro_tui.sources.recordfile import Deployment, nearest_deployments
from repro_tui.support.context import Context
from repro_tui.support.registry import load, names
from repro_tui.support.text import show

# The forms of references, most special first; what has none of these is a file, or a name in the nearest repro.toml.
PREFIXES = {
    "git:": "git",
    "dvc:": "dvc",
    "runs:/": "mlflow",
    "models:/": "mlflow",
    "wandb:": "wandb",
    "docker:": "docker",
    "image:": "image",
    "sif:": "sif",
    "http://": "endpoint",
    "https://": "endpoint",
}

__all__ = ["Deployment", "load_record", "nearest_deployments", "source_of"]


def source_of(reference: str, here: Path = Path()) -> str:
    """The name of the source that reads this reference; third parties' sources own `NAME:`.

    A folder is written with a dot or a slash (`.`, `./prod`, `models/`): a bare word is a deployment's name.
    """
    for prefix, source in PREFIXES.items():
        if reference.startswith(prefix):
            return source
    if reference in (".", "..") or ("/" in reference and (here / reference).is_dir()):
        return "worktree"
    scheme = reference.partition(":")[0]
    return scheme if ":" in reference and scheme in names("repro_tui.sources") else "recordfile"


def load_record(reference: str, context: Context) -> Record:
    """The record that a reference names. Raises Refused with every mistake in it."""
    source = source_of(reference, context.here)
    if source not in names("repro_tui.sources"):
        words = f"is a reference for the source {source}, which this version does not have"
        raise Refused(Mistake(show(reference, 200), words))
    reader = cast(Source, load("repro_tui.sources", source)())
    return reader.load(reference, context)
