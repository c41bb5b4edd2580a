"""Files of the code that look like data or parameters and that no record lists: the areas point at each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from repro_tui.model.finding import Area
from repro_tui.support.text import join_names, show

DATA = frozenset(
    ".csv .tsv .parquet .feather .arrow .jsonl .ndjson .npy .npz .pkl .pickle .joblib .onnx .pt .pth .ckpt .h5 .hdf5 "
    ".keras .safetensors .tflite .bst .ubj .cbm .model .gguf".split()
)
PARAMETERS = frozenset(".yaml .yml".split())
EITHER = frozenset((".json",))
MOST_NAMED = 5
# Files of other tools, which no model reads.
NEITHER = frozenset("dvc.yaml mkdocs.yml mkdocs.yaml docker-compose.yml docker-compose.yaml package.json".split())


def pointing_at_each_other(code: Area, parameters: Area, data: Area, placed: Iterable[str]) -> tuple[Area, Area, Area]:
    """The three areas, each with a note on the files that changed in the code and look like parameters or data.

    `placed` are the files of the commits that belong to the environment. No status changes: these files are compared
    in the code's area.
    """
    listed = [entry for finding in code.findings for entry in (finding, *finding.children)]
    names = [finding.path[0] for finding in listed if finding.change != "same" and len(finding.path) == 1]
    names = [name for name in names if _is_candidate(name, frozenset(placed))]
    tables = [name for name in names if _suffix(name) in DATA | EITHER]
    settings = [name for name in names if _suffix(name) in PARAMETERS | EITHER]
    if not tables and not settings:
        return code, parameters, data
    areas = [kind for kind, some in (("data", tables), ("parameters", settings)) if some]
    both = [name for name in names if name in tables or name in settings]
    why = f"{_names(both)} {_looks(both)} like {join_names(areas, 'or')}, but {_is(both)} not recorded as such"
    return (
        replace(code, note=f"{why}: compared here, and not with the {join_names(areas)}"),
        _with_note(parameters, settings, "parameters"),
        _with_note(data, tables, "data"),
    )


def _with_note(area: Area, names: list[str], kind: str) -> Area:
    if not names:
        return area
    why = f"{_looks(names)} like {kind} and {_is(names)} not recorded as such"
    return replace(area, note=f"{_names(names)} changed in the code, {why}: see the code")


def _is_candidate(name: str, placed: frozenset[str]) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") for part in path.parts)
    own = path.name in NEITHER or path.stem == "repro" or name in placed
    return name not in ("commit", "uncommitted changes") and not hidden and not own


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _names(names: list[str]) -> str:
    return join_names([show(name, 100) for name in names], most=MOST_NAMED)


def _looks(names: list[str]) -> str:
    return "looks" if len(names) == 1 else "look"


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
