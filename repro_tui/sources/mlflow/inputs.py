"""Validation inputs from MLflow: the model's input example, or the run's validation dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from repro_tui.sources.mlflow.signature import Signature

EXAMPLE = "input_example.jsonl"
ROWS_OF_A_DIGEST = 10_000
_ENDINGS = (".csv", ".parquet", ".jsonl", ".arrow", ".feather")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A logged dataset whose file is on this machine."""

    name: str
    file: Path


def example_lines(raw: bytes) -> bytes | None:
    """A logged input example in split form (columns, data), as JSON Lines; None where it is absent or not a table."""
    try:
        example = json.loads(raw or b"null")
        columns, rows = example["columns"], example["data"]
        lines = [json.dumps(dict(zip(map(str, columns), row, strict=True)), allow_nan=False) for row in rows]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return ("\n".join(lines) + "\n").encode() if lines else None


def validation_dataset(datasets: Sequence[Mapping[str, object]], signature: Signature) -> Dataset | None:
    """The only dataset of the context "validation" that is a local file and has all columns of the signature.

    None where there is no such dataset or more than one, and where the signature names no columns.
    """
    required = set(signature.inputs)
    candidates = [item for item in datasets if item.get("context") == "validation" and required <= _columns(item)]
    local = [
        Dataset(str(item.get("name")), file) for item in candidates if required and (file := _file(item)) is not None
    ]
    return local[0] if len(local) == 1 else None


def _file(dataset: Mapping[str, object]) -> Path | None:
    """The local file that a dataset was read from; None where it is elsewhere or not a table."""
    source = _document(dataset.get("source"))
    uri = str(source.get("uri", "")) if dataset.get("type") == "local" else ""
    path = Path(unquote(uri.removeprefix("file://")) if uri.startswith("file:///") else uri)
    try:
        fits = path.is_absolute() and path.suffix in _ENDINGS and path.is_file()
    except (OSError, ValueError):
        return None
    return path if fits else None


def _columns(dataset: Mapping[str, object]) -> set[str]:
    specs = _document(dataset.get("schema")).get("mlflow_colspec")
    return {str(spec.get("name")) for spec in specs if isinstance(spec, dict)} if isinstance(specs, list) else set()


def _document(text: object) -> dict[str, object]:
    try:
        value = json.loads(str(text or "null"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
