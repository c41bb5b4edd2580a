"""Fetches an MLflow artifact, `mlflow:URI`: its files are copied and hashed, never loaded."""

from __future__ import annotations

from pathlib import Path

from repro_tui.clients.mlflow import ask_mlflow, local_artifact
from repro_tui.model.record import DataItem
from repro_tui.rebuild.data_store import Fetched, Fetching, keep_path
from repro_tui.support.cache import remove_tree


def fetch_mlflow(item: DataItem, fetching: Fetching) -> Fetched:
    """The file or folder of an artifact, of which MLflow records no hash. Raises Inconclusive."""
    context = fetching.context
    uri = item.source.removeprefix("mlflow:")
    if local := local_artifact(uri, context):
        return keep_path(local, bool(item.md5), context)
    folder = context.cache.temporary()
    folder.mkdir(parents=True)
    try:
        answer = ask_mlflow("fetch", uri, folder, context)
        return keep_path(Path(answer["content"]), bool(item.md5), context)
    finally:
        remove_tree(folder)
