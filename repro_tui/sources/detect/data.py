"""Parameter files, data and models of a commit: what DVC tracks, and what is committed under a telling ending."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import DataItem
from repro_tui.sources.detect.tree import LARGEST_YAML, ProjectTree, basename, depth_first, parent
from repro_tui.support.paths import is_inside

PARAMETERS = ("params.yaml", "params.yml", "params.toml", "params.json")
_SETTINGS = re.compile(
    r"((conf|config|configs|cfg|settings)/)?(main|config|params|default|settings)\.(ya?ml|toml|json)"
)
MODELS = (
    *(".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".onnx", ".h5", ".hdf5", ".keras", ".safetensors"),
    *(".cbm", ".ubj", ".bst", ".pmml", ".tflite", ".gguf", ".npz", ".pb", ".model", ".skops", ".dill", ".bin"),
)
TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".arrow", ".feather", ".npy")
READABLE = (".csv", ".parquet", ".jsonl", ".arrow", ".npy")  # what the validation inputs can be
MOST_ITEMS = 20


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file or folder of data: the item of the record, the file that names it, and its size where it is committed."""

    item: DataItem
    named_by: str
    size: int = 0


def parameter_files(tree: ProjectTree, code: str = ".") -> list[str]:
    """The parameter files of code in a folder, relative to the tree, the likeliest first; each can be read."""
    names = [name for folder in dict.fromkeys((code, ".")) for name in _in_folder(tree, folder)]
    return [name for name in names if parameter_values(tree, name)]


def _in_folder(tree: ProjectTree, folder: str) -> Iterator[str]:
    prefix = "" if folder == "." else f"{folder}/"
    yield from (f"{prefix}{name}" for name in PARAMETERS if f"{prefix}{name}" in tree.files)
    rest = sorted(path for path in tree.files if path.startswith(prefix) and _SETTINGS.fullmatch(path[len(prefix) :]))
    yield from (path for path in rest if basename(path) not in PARAMETERS or parent(path) != folder)


def parameter_values(tree: ProjectTree, path: str) -> dict[str, object] | None:
    """The table of values in a file of the tree; None where there is none, and of what cannot be read `tree.unread`
    has the reason."""
    from repro_tui.formats.parameter_files import FORMATS, parse

    suffix = f".{path.rpartition('.')[2]}"
    if path not in tree.files or suffix not in FORMATS or tree.files[path].size > LARGEST_YAML:
        return None
    try:
        return parse(tree.content(path), suffix, path)
    except Inconclusive as error:
        tree.unread[path] = error.what.removeprefix(f"{path} ")
        return None


def tracked_data(tree: ProjectTree) -> list[DataFile]:
    """What the .dvc files and dvc.lock files of the tree track and git does not have."""
    tracked: dict[str, DataFile] = {}
    for pointer in (path for path in tree.ending(".dvc") if basename(path) != ".dvc" and ".dvc" not in path.split("/")):
        for item in _outs(tree.table(pointer), parent(pointer)):
            tracked[item.path] = DataFile(item, pointer)
    for lock in tree.named("dvc.lock"):
        stages = tree.table(lock).get("stages")
        for stage in stages.values() if isinstance(stages, dict) else ():
            for item in _outs(stage, parent(lock)):
                tracked.setdefault(item.path, DataFile(item, lock))
    folders = {folder for path in tree.files for folder in _above(path)}
    return [file for path, file in tracked.items() if path not in tree.files and path not in folders]


def made_by_stages(tree: ProjectTree, command: str) -> dict[str, str]:
    """The outputs of the stages of DVC whose whole command line is part of `command`, each with its stage's name."""
    made: dict[str, str] = {}
    for lock in tree.named("dvc.lock"):
        stages = tree.table(lock).get("stages")
        for name, stage in stages.items() if isinstance(stages, dict) else ():
            if isinstance(stage, dict) and _runs(command, stage.get("cmd")):
                made |= {item.path: str(name) for item in _outs(stage, parent(lock))}
    return made


def _runs(command: str, part: object) -> bool:
    """Whether a command line, or all lines of a list of these, is part of another one."""
    lines = part if isinstance(part, list) else [part]
    texts = [line.strip() for line in lines if isinstance(line, str) and line.strip()]
    inside = (re.search(rf"(?<![\w./-]){re.escape(text)}(?![\w./-])", command) for text in texts)
    return bool(texts) and len(texts) == len(lines) and all(inside)


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _outs(table: object, folder: str) -> Iterator[DataItem]:
    outs = table.get("outs") if isinstance(table, dict) else None
    for out in outs if isinstance(outs, list) else ():
        if not (isinstance(out, dict) and out.get("path") and isinstance(out.get("md5"), str)):
            continue
        path = posixpath.normpath(posixpath.join(folder, str(out["path"])))
        md5 = str(out["md5"]).lower()
        if is_inside(path) and re.fullmatch(r"[0-9a-f]{32}(\.dir)?", md5):
            # DVC 2 hashed text with converted line endings: such an md5 is not that of the file.
            yield DataItem(path, "dvc", md5=md5 if out.get("hash") == "md5" else None)


def committed_data(tree: ProjectTree) -> list[DataFile]:
    """The committed models and tables, models first, each kind the nearest to the root first."""
    models = [path for path in tree.ending(*MODELS) if not _is_fixture(path)]
    tables = [path for path in tree.ending(*TABLES) if not _is_fixture(path)]
    return [DataFile(DataItem(path, "git"), "the commit", tree.files[path].size) for path in (*models, *tables)]


def _is_fixture(path: str) -> bool:
    return any(part in ("tests", "test", "docs") for part in path.split("/")[:-1] if not path.endswith(READABLE))


def model_files(tree: ProjectTree) -> list[str]:
    """The paths of the models, committed or tracked by DVC."""
    tracked = [file.item.path for file in tracked_data(tree) if file.item.path.lower().endswith(MODELS)]
    return [*sorted(tracked, key=depth_first), *(path for path in tree.ending(*MODELS) if not _is_fixture(path))]
