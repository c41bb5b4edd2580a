"""Chooses the source that reads a reference."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import cast

from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.record import Record
from repro_tui.sources.base import Source
from repro_tui.sources.recordfile import Deployment, locate, nearest_deployments
from repro_tui.sources.recordfile import check_reference as check_deployment
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.paths import real_path
from repro_tui.support.plugins import Plugin
from repro_tui.support.registry import is_third_party, names
from repro_tui.support.text import show

# The prefixes of references. A reference without one is a file, or a deployment in the nearest repro.toml.
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

__all__ = ["Deployment", "check_reference", "load_record", "nearest_deployments", "same_reference", "source_of"]


def source_of(reference: str, here: Path = Path()) -> str:
    """The name of the source that reads this reference.

    Our prefixes come first, then `NAME:` of third-party sources. A folder is written with a dot or a slash (`.`,
    `./prod`, `models/`), because a bare word is the name of a deployment.
    """
    for prefix, source in PREFIXES.items():
        if reference.startswith(prefix):
            return source
    if reference in (".", "..") or ("/" in reference and os.path.isdir(here / reference)):  # noqa: PTH112 - never raises
        return "worktree"
    scheme = reference.partition(":")[0]
    return scheme if ":" in reference and scheme in names("repro_tui.sources") else "recordfile"


def check_reference(reference: str, here: Path) -> None:
    """Checks what can be checked of a reference at once, on this machine alone. Raises Refused.

    A deployment and its file have to be there; what a server or a repository says is only known by `load_record`.
    """
    if source_of(reference, here) == "recordfile":
        check_deployment(reference, here)


def same_reference(a: str, b: str, here: Path) -> bool:
    """Whether two references are one deployment, such as `prod` and `repro.toml#prod`. Reads no record."""
    if a == b:
        return True
    if {source_of(a, here), source_of(b, here)} != {"recordfile"}:
        return False
    try:
        (path_a, name_a), (path_b, name_b) = (locate(reference, here) for reference in (a, b))
    except Refused:
        return False
    return name_a == name_b and real_path(path_a) == real_path(path_b)


def load_record(reference: str, context: Context) -> Record:
    """Returns the record that a reference names. Raises Refused with every mistake in the reference or the record."""
    source = source_of(reference, context.here)
    if source not in names("repro_tui.sources"):
        message = f"needs the source {source}, which is not registered: reinstall repro-tui"
        raise Refused(Mistake(show(reference, 200), message))
    plugin = Plugin("repro_tui.sources", source, f"the source {source}")
    if not is_third_party("repro_tui.sources", source):
        return cast(Source, plugin.instance()).load(reference, context)
    limit_s = context.settings.limits.plugin_time

    def read(token: CancelToken) -> Record:
        return cast(Source, plugin.instance()).load(reference, replace(context, cancel=token))

    return plugin.checked(plugin.call(read, context.cancel, limit_s), Record)
