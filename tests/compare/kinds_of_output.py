"""One example of every kind of output, in every format that can hold it, for the laws of the comparison."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from repro_tui.compare.columns.nested import leaf_type
from repro_tui.compare.predictions import compare_predictions
from repro_tui.formats.tables import normalise
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.record import ColumnRule, Validation
from repro_tui.model.request import Settings
from repro_tui.model.run import Run
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context

Table = dict[str, list[Any]]
NUMBERS = itertools.count()
FLAT = ("csv", "parquet", "jsonl", "arrow", "npy")
BINARY = ("parquet", "jsonl", "arrow", "npy")


@dataclass(frozen=True)
class OutputCase:
    """A kind of output: `values` are drawn, and `moved` turns a value into one over every tolerance (and `flips` it).

    `split` are the columns that one value is spread over, where it is more than one.
    """

    name: str
    kind: str
    values: st.SearchStrategy[Any]
    moved: Callable[[Any], Any]
    formats: tuple[str, ...]
    type: Any
    flips: bool = False
    rule: ColumnRule = field(default_factory=ColumnRule)
    split: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        return self.name

    @property
    def types(self) -> dict[str, Any]:
        return dict.fromkeys(self.split or (self.column,), self.type)

    def table(self, values: list[Any]) -> Table:
        if not self.split:
            return {self.column: values}
        return {name: [value[index] for value in values] for index, name in enumerate(self.split)}

    @property
    def rules(self) -> dict[str, ColumnRule]:
        return {self.column: self.rule} if self.rule != ColumnRule() else {}


def rotated(values: list[Any]) -> list[Any]:
    return [*values[1:], values[0]]


def swapped(values: list[Any]) -> list[Any]:
    return [values[1], values[0], *values[2:]]


def shifted(value: float) -> float:
    return value + max(1.0, abs(value))


DOCUMENTS = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)
NUMBER = st.floats(-1e6, 1e6)
VECTORS = st.permutations([0.7, 0.2, 0.1])
RANKINGS = st.permutations([1, 2, 3, 4, 5])
LETTERS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)

CASES = [
    OutputCase(
        "label",
        "label",
        st.sampled_from(["yes", "no", "NA", "007"]),
        lambda v: "no" if v == "yes" else "yes",
        FLAT,
        pa.string(),
        True,
    ),
    OutputCase("class", "label", st.integers(0, 1), lambda v: 1 - v, FLAT, pa.int64(), True),
    OutputCase(
        "p",
        "probability",
        st.floats(0.01, 0.99),
        lambda v: 1 - v if abs(v - 0.5) > 1e-3 else 0.9 if v < 0.5 else 0.1,
        FLAT,
        pa.float64(),
        True,
        ColumnRule("probability"),
    ),
    OutputCase("value", "value", NUMBER, shifted, FLAT, pa.float64(), False, ColumnRule("value")),
    OutputCase("count", "value", st.integers(-(2**62), 2**62), lambda v: v + 1, FLAT, pa.int64(), False,
         ColumnRule("value")),
    OutputCase("ranking", "ranking", RANKINGS, swapped, BINARY, pa.list_(pa.int64()), True, ColumnRule("ranking")),
    OutputCase("score", "ranking", st.integers(0, 4).map(float), shifted, FLAT, pa.float64(), False,
         ColumnRule("ranking")),
    OutputCase("top_k", "ranking", RANKINGS.map(lambda v: json.dumps([f"i{n}" for n in v])),
         lambda v: json.dumps(swapped(json.loads(v))), FLAT, pa.string(), True),
    OutputCase("text", "text", LETTERS.map(lambda v: f"t {v}"), lambda v: f"{v} more", FLAT, pa.string(), False,
         ColumnRule("text")),
    OutputCase("vector", "probability", VECTORS, rotated, BINARY, pa.list_(pa.float64()), True,
         ColumnRule("probability")),
    OutputCase("p_*", "probability", VECTORS, rotated, FLAT, pa.float64(), True, split=("p_0", "p_1", "p_2")),
    OutputCase("*_prob", "probability", VECTORS, rotated, FLAT, pa.float64(), True,
         split=("cat_prob", "dog_prob", "x_prob")),
    OutputCase("embedding", "embedding", st.lists(NUMBER, min_size=3, max_size=3), lambda v: [shifted(v[0]), *v[1:]],
         BINARY, pa.list_(pa.float64()), False, ColumnRule("embedding")),
    OutputCase("tensor", "embedding", st.lists(st.lists(NUMBER, min_size=2, max_size=2), min_size=2, max_size=2),
         lambda v: [v[0], [v[1][0], shifted(v[1][1])]], BINARY, pa.list_(pa.list_(pa.float64()))),
    OutputCase("json", "json", DOCUMENTS.map(json.dumps), lambda v: json.dumps({**json.loads(v), "planted": 1}), FLAT,
         pa.string()),
]  # fmt: skip
PAIRS = [(case, form) for case in CASES for form in case.formats]
IDS = [f"{case.name}-{form}" for case, form in PAIRS]
# A few values of every kind, for tests that need no more than one table.
VALUES: dict[str, list[Any]] = {
    "label": ["yes", "no", "NA", "007"],
    "class": [0, 1, 1, 0],
    "p": [0.25, 0.75, 0.5, 0.01],
    "value": [0.1, -2.5e-7, 123456.789, 3.0],
    "count": [0, 2**62, -(2**62), 7],
    "ranking": [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [2, 1, 3, 5, 4], [1, 3, 5, 2, 4]],
    "score": [4.0, 3.0, 3.0, 0.0],
    "top_k": ['["i1", "i2"]', '["i2", "i1"]', '["i3", "i1"]', '["i1", "i3"]'],
    "text": ["t one", 't two, "three"', "t é\n", "t "],
    "vector": [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.7, 0.1, 0.2]],
    "embedding": [[0.5, -1.0, 2.0], [1e6, 0.0, 3.0], [0.0, 1.0, 0.0], [7.0, 7.0, 7.0]],
    "tensor": [[[0.5, 1.0], [2.0, 3.0]], [[0.0, 0.0], [1.0, 0.0]], [[-1.0, 1.0], [5.0, 1e6]], [[2.0, 2.0], [2.0, 2.0]]],
    "json": ['{"a": 1}', '{"b": [1, null]}', "{}", '{"a": {"b": "x"}}'],
}
VALUES |= dict.fromkeys(("p_*", "*_prob"), VALUES["vector"])


def as_read(folder: Path, table: Table, form: str, types: dict[str, Any]) -> tuple[Path, int, str]:
    """A table written in a format, and read as the engine reads it: its path as Parquet, its rows and its format."""
    number = next(NUMBERS)
    raw, read = folder / f"{number}.{form}", folder / f"{number}.read.parquet"
    WRITERS[form](raw, table, types)
    return read, *normalise(raw, read)


def run_of(folder: Path, table: Table, form: str, types: dict[str, Any]) -> Run:
    """A table written in a format, as a run. No two runs have the same digest."""
    read, rows, format_name = as_read(folder, table, form, types)
    number = next(NUMBERS)
    return Run(1, "succeeded", 0.0, 0, str(read), hashlib.sha256(str(number).encode()).hexdigest(), format_name, rows)


def _arrow_table(table: Table, types: dict[str, Any]) -> pa.Table:
    return pa.table({name: pa.array(values, types.get(name)) for name, values in table.items()})


def _csv(path: Path, table: Table, types: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))


def _parquet(path: Path, table: Table, types: dict[str, Any]) -> None:
    pq.write_table(_arrow_table(table, types), path)


def _arrow(path: Path, table: Table, types: dict[str, Any]) -> None:
    arrow = _arrow_table(table, types)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, arrow.schema) as writer:
        writer.write_table(arrow)


def _json_lines(path: Path, table: Table, types: dict[str, Any]) -> None:
    rows = zip(*table.values(), strict=True)
    path.write_text("".join(json.dumps(dict(zip(table, row, strict=True))) + "\n" for row in rows), "utf-8")


def _npy(path: Path, table: Table, types: dict[str, Any]) -> None:
    """A single column as an array; several as an array of records."""
    arrays = {name: _array(values, types.get(name)) for name, values in table.items()}
    first = next(iter(arrays.values()))
    if len(arrays) > 1:
        whole = np.empty(len(first), [(name, array.dtype, array.shape[1:]) for name, array in arrays.items()])
        for name, array in arrays.items():
            whole[name] = array
        first = whole
    with path.open("wb") as stream:
        np.save(stream, first)


def _array(values: list[Any], kind: Any) -> Any:
    number = None if kind is None else leaf_type(kind)
    return np.asarray(values, number.to_pandas_dtype() if number and pa.types.is_primitive(number) else None)


def _stream(path: Path, table: Table, types: dict[str, Any]) -> None:
    arrow = _arrow_table(table, types)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, arrow.schema) as writer:
        writer.write_table(arrow)


WRITERS: dict[str, Callable[[Path, Table, dict[str, Any]], None]] = {
    "csv": _csv,
    "parquet": _parquet,
    "arrow": _arrow,
    "jsonl": _json_lines,
    "npy": _npy,
    "stream": _stream,
}


def compared(
    folder: Path, case: OutputCase, form: str, a: Table, b: Table, key: tuple[str, ...] = (), **options: Any
) -> PredictionsArea:
    """Two tables of a case, written in a format and compared."""
    runs = [[run_of(folder, table, form, case.types)] * 3 for table in (a, b)]
    rules = dict(case.rules)
    if form == "npy" and len(a) == 1:
        rules = {"value": ColumnRule(case.kind, case.rule.atol, case.rule.rtol)}  # type: ignore[arg-type]
    validation = Validation("x", key, None, rules)
    return compare_predictions(*runs, validation, Settings(**options), folder, Context(cache=Cache(folder / "cache")))
