"""Candidates for the validation inputs among the committed tables, and the columns that could identify a row."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from repro_tui.model.record import DataItem
from repro_tui.sources.detect.data import READABLE, DataFile, tracked_data
from repro_tui.sources.detect.tree import ProjectTree, basename, decoded, depth_first

SMALLEST, LARGEST = 8, 256 << 20
LARGEST_READ = 16 << 20
MOST_ROWS = 200_000
_LIKELY = {
    **dict.fromkeys(("validation", "valid", "val", "test", "holdout"), 10),
    **dict.fromkeys(("inputs", "input", "eval", "evaluation", "sample", "samples"), 6),
    **dict.fromkeys(("train", "training", "submission", "prediction", "predictions", "output", "results"), -10),
}
_KEY = re.compile(r"(.*[_-])?(id|uuid|key|index|idx)|(id|uuid)[_-].*|\w+Id|\w+ID", re.IGNORECASE)
_TRUTH = re.compile(r"(target|label|labels|y|truth|ground_truth|y_true|actual|class|outcome)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InputTable:
    """A table that could be the validation inputs. `tracked` is its data item where DVC tracks it."""

    path: str
    points: int
    size: int = 0
    tracked: DataItem | None = None


@dataclass(frozen=True, slots=True)
class TableHead:
    """What the head of a table says: its columns, those that identify a row, and one that may be the true value."""

    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    truth: str | None = None


def input_tables(tree: ProjectTree, reads: Iterable[str] = ()) -> list[InputTable]:
    """The tables of a sensible size that could be inputs, the likeliest first; `reads` are those that a step reads."""
    step_reads = set(reads)
    candidates = [*_committed(tree, step_reads), *_tracked(tracked_data(tree), step_reads)]
    return sorted(candidates, key=lambda table: (-table.points, table.size, depth_first(table.path)))


def _committed(tree: ProjectTree, reads: set[str]) -> Iterator[InputTable]:
    for path in tree.ending(*READABLE):
        if SMALLEST <= tree.files[path].size <= LARGEST and not path.startswith("."):
            yield InputTable(path, _points(path, reads), tree.files[path].size)


def _tracked(files: list[DataFile], reads: set[str]) -> Iterator[InputTable]:
    for file in files:
        if file.item.path.lower().endswith(READABLE):
            yield InputTable(file.item.path, _points(file.item.path, reads), tracked=file.item)


def _points(path: str, reads: set[str]) -> int:
    parts = [word for part in path.split("/")[-2:] for word in re.split(r"[^a-z]+", part.lower())]
    return sum(_LIKELY.get(word, 0) for word in dict.fromkeys(parts)) + (8 if path in reads else 0)


def columns_of(tree: ProjectTree, path: str) -> TableHead:
    """The columns of a committed CSV or JSON Lines table of at most 16 MiB; empty where they cannot be read."""
    content = tree.head(path, LARGEST_READ) if path in tree.files else b""
    try:
        rows = list(_rows(decoded(content), basename(path)))
    except (ValueError, csv.Error, RecursionError):
        return TableHead()
    names = tuple(str(name) for name in rows[0]) if rows else ()
    keys = tuple(name for name in names if _KEY.fullmatch(name) and _is_unique(rows, name))
    return TableHead(names, keys[:1], next((name for name in names if _TRUTH.fullmatch(name)), None))


def _rows(text: str, name: str) -> Iterator[dict[str, object]]:
    lines = iter(text.splitlines())
    if name.lower().endswith(".csv"):
        header = text.partition("\n")[0]
        separator = max(",;\t", key=header.count)
        for _, row in zip(range(MOST_ROWS), csv.DictReader(lines, delimiter=separator), strict=False):
            yield {str(key): value for key, value in row.items() if key is not None}
    elif name.lower().endswith(".jsonl"):
        for _, line in zip(range(MOST_ROWS), lines, strict=False):
            if isinstance(row := json.loads(line), dict):
                yield row


def _is_unique(rows: list[dict[str, object]], name: str) -> bool:
    values = [str(row.get(name)) for row in rows]
    return len(rows) > 1 and len(set(values)) == len(values) and "" not in values
