"""The helper that calls a function: what it reads, passes and writes, on the Pythons that audited environments have."""

from __future__ import annotations

import importlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from repro_tui.execute.steps import call_child
from repro_tui.formats.tables import normalise

PYTHONS = sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin/python"))
REFUSED = "the function returned 1 row (predictions=None, errors='no x') for 3 rows of the inputs"
CSV = "id,x\n007,0.1\n008,1e-3\n009,\n"


class Called:
    """Calls a function of a module in a folder, in this process, where pandas is imported already."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        monkeypatch.chdir(folder)
        self.inputs(CSV.encode())

    def inputs(self, content: bytes) -> None:
        (self.folder / "inputs").write_bytes(content)

    def write(self, code: str, job: dict[str, Any]) -> None:
        (self.folder / "code_of.py").write_text(code + "\n")
        standard = {"call": "code_of:f", "inputs": "inputs", "output": "out", "key": [], "parameters": {"w": 2}}
        (self.folder / "job.json").write_text(json.dumps(standard | job))

    def written(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "out").read_text().splitlines()]

    def rows(self, code: str, **job: Any) -> list[dict[str, Any]]:
        self.write(code, job)
        self.monkeypatch.setattr(sys, "path", ["", *sys.path])
        self.monkeypatch.setattr(sys, "dont_write_bytecode", True)
        sys.modules.pop("code_of", None)
        importlib.invalidate_caches()
        call_child.main("job.json")
        return self.written()

    def mistake(self, code: str, **job: Any) -> str:
        with pytest.raises(call_child.CallMistake) as caught:
            self.rows(code, **job)
        return str(caught.value)

    def run(self, python: Path | str, code: str, **job: Any) -> subprocess.CompletedProcess[str]:
        """Calls it with another Python, in a process of its own."""
        self.write(code, job)
        return subprocess.run(
            [str(python), call_child.__file__, "job.json"],
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
        )


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Called:
    return Called(tmp_path, monkeypatch)


def predictions(*values: object) -> list[dict[str, object]]:
    return [{"prediction": value} for value in values]


@pytest.mark.parametrize(
    ("returned", "rows"),
    [
        ("[1, 2.5, None]", predictions(1, 2.5, None)),
        ("(n for n in (1, 2, 3))", predictions(1, 2, 3)),
        ("d['x'].tolist()[:2] + [0.1 + 0.2]", predictions(0.1, 1e-3, 0.30000000000000004)),
        ("d.index.values * 2", predictions(0, 2, 4)),
        ("d[['x']].fillna(1).values", predictions(0.1, 1e-3, 1.0)),
        (
            "__import__('numpy').eye(3, 2)",
            [{"prediction_0": a, "prediction_1": b} for a, b in ((1, 0), (0, 1), (0, 0))],
        ),
        ("d['x'].fillna(0).astype('float32')", [{"x": float(np.float32(v))} for v in (0.1, 1e-3, 0)]),
        ("d['x'].rename(None).fillna(0)", predictions(0.1, 1e-3, 0)),
        ("d.assign(y='a')[['y']]", [{"y": "a"}] * 3),
        ("{'a': [1, 2, 3], 'b': d.index}", [{"a": n + 1, "b": n} for n in range(3)]),
        ("[{'a': 1}, {'b': 2}, {}]", [{"a": 1, "b": None}, {"a": None, "b": 2}, {"a": None, "b": None}]),
        (
            "[[1, 'x'], [2, 'y'], [3, 'z']]",
            [{"prediction_0": n, "prediction_1": t} for n, t in ((1, "x"), (2, "y"), (3, "z"))],
        ),
        ("d['x'].fillna(0).sort_values()", [{"x": 0.1}, {"x": 1e-3}, {"x": 0}]),
        ("d.fillna(0).set_index('id')", [{"id": 7, "x": 0.1}, {"id": 8, "x": 1e-3}, {"id": 9, "x": 0}]),
        ("[{'t': [0.5, 1]}] * 3", [{"t": [0.5, 1]}] * 3),
    ],
)
def test_what_functions_return_is_written(called: Called, returned: str, rows: list[dict[str, object]]) -> None:
    assert called.rows(f"def f(d): return {returned}") == rows


def test_nan_none_and_exact_floats_arrive_as_they_are(called: Called, tmp_path: Path) -> None:
    called.rows("def f(d): return [float('nan'), None, 5e-324]")
    normalise(tmp_path / "out", tmp_path / "out.parquet")
    column = pq.read_table(tmp_path / "out.parquet").column("prediction").to_pylist()
    assert math.isnan(column[0])
    assert column[1:] == [None, 5e-324]


@pytest.mark.parametrize(
    ("signature", "passed"),
    [
        ("data, params", True),
        ("data, *, config", True),
        ("parameters, data", True),
        ("data, options", True),
        ("data, options=None", False),
        ("data, config=None", True),
        ("data", False),
        ("*data", False),
    ],
)
def test_parameters_are_passed_where_they_are_taken(called: Called, signature: str, passed: bool) -> None:
    code = f"def f({signature}): return [str({{k: v for k, v in locals().items() if k != 'data'}})] * 3"
    assert ("{'w': 2}" in str(called.rows(code))) is passed


def test_keys_stand_beside_the_result_as_they_are_written(called: Called) -> None:
    assert called.rows("def f(d): return d.x.fillna(0)", key=["id"])[0] == {"id": "007", "x": 0.1}
    reordered = called.rows("def f(d): return d.x.fillna(0).sort_values()", key=["id"])
    assert reordered[2] == {"id": "009", "x": 0}
    own = called.rows("def f(d): return d[d.id > 7][['id']]", key=["id"])
    assert own == [{"id": 8}, {"id": 9}]


@pytest.mark.parametrize(
    "returned",
    [
        "s",
        "s.to_frame()",
        "s.rename_axis(None)",
        "{'x': s}",
        "d.x.sort_values()",
        "{'x': d.x.sort_values()}",
    ],
)
def test_sorted_results_keep_the_rows_that_they_belong_to(called: Called, returned: str) -> None:
    """By position, the predictions of a sorted result would get the keys of other rows."""
    called.inputs(b"id,x\na,0.3\nb,0.1\nc,0.2\n")
    rows = called.rows(f"def f(d):\n    s = d.set_index('id').x.sort_values()\n    return {returned}", key=["id"])
    assert {row["id"]: row["x"] for row in rows} == {"a": 0.3, "b": 0.1, "c": 0.2}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def f(d): return [1]", "the function returned 1 row for 3 rows of the inputs"),
        ("def f(d): return 1", "the function returned a int"),
        ("def f(d): return {1, 2, 3}", "the function returned a set"),
        ("def f(d): return 'abc'", "the function returned a str"),
        ("def f(d): return [1, [2], 3]", "the function returned rows of different kinds"),
        ("def f(d): return {1: [1, 2, 3], '1': [4, 5, 6]}", "the function returned two columns of the same name: 1, 1"),
        ("def f(d): return {'a': d.x, 'b': d.x[::-1]}", "the function returned a dict of Series whose indexes differ"),
        ("def f(d): return {'a': [1], 'b': [1, 2]}", "the function returned a dict of columns that differ"),
        ("def f(d): return [object()] * 3", "the column prediction has a value of type object"),
        ("import nothing_like_it", "cannot import code_of: No module named 'nothing_like_it'"),
        ("f = 3", "code_of:f is not a function: it is of type int"),
        ("g = 3", "code_of has no f"),
        ("def f(d): return {'predictions': None, 'errors': 'no x'}", REFUSED),
    ],
)
def test_a_mistake_is_one_line(called: Called, code: str, message: str) -> None:
    assert called.mistake(code).startswith(message)


MODEL = """
class Model:
    def __init__(self, path, *, factor=1): self.path, self.factor = path, factor
    def predict(self, data): return [str(self.path)] * len(data)
    @property
    def inner(self): return self
    @staticmethod
    def plain(data): return data.index * 2
class Simple:
    def predict(self, data): return data.index * 3
class Nested:
    Part = Simple
"""


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("Model('a.pkl').predict", "a.pkl"),
        ("Model(path=['b', {'c': -1}], factor=2).inner.predict", "['b', {'c': -1}]"),
        ("Model.plain", 0),
        ("Simple.predict", 0),
        ("Simple().predict", 0),
        ("Nested.Part.predict", 0),
    ],
)
def test_a_method_is_called_on_an_object_of_its_class(called: Called, path: str, first: object) -> None:
    assert called.rows(MODEL, call=f"code_of:{path}")[0] == {"prediction": first}


def test_a_class_that_needs_arguments_says_so(called: Called) -> None:
    message = called.mistake(MODEL, call="code_of:Model.predict")
    assert message.startswith("Model cannot be made without arguments (missing a required argument: 'path')")
    assert 'Model("models/model.pkl")' in message
    assert called.mistake(MODEL, call="code_of:Simple.score") == "Simple has no score"


@pytest.mark.parametrize("declared", ["Row", "'Row'"])
def test_a_function_for_one_row_is_called_for_each(called: Called, declared: str) -> None:
    pydantic = f"""
from typing import Optional
import pydantic
class Row(pydantic.BaseModel):
    id: int
    x: Optional[float]
class Answer(pydantic.BaseModel):
    score: Optional[float]
    unit: str = "EUR"
async def f(row: {declared}, params): return Answer(score=row.x and row.x * params["w"])
"""
    assert [row["score"] for row in called.rows(pydantic)] == [0.2, 2e-3, None]
    dataclass = f"""
import dataclasses
@dataclasses.dataclass
class Row:
    x: float
class Model:
    def predict(self, row: {declared}) -> Row: return Row(row.x and row.x * 2)
"""
    assert [row["x"] for row in called.rows(dataclass, call="code_of:Model.predict")] == [0.2, 2e-3, None]
    with pytest.raises(Exception, match="validation error"):
        called.rows(pydantic.replace("x: Op", "y: Op"))


def test_inputs_by_name_and_answers_beside_single_values(called: Called) -> None:
    code = "def f(*, input_data): return {'predictions': input_data['x'].fillna(0), 'version': '1.0', 'errors': None}"
    rows = called.rows(code, key=["id"])
    assert rows[1] == {"id": "008", "predictions": 1e-3, "version": "1.0", "errors": None}
    assert len(rows) == 3
    assert "'w': 2" in called.rows("def f(*, data, params): return [str(params)] * len(data)")[0]["prediction"]
    assert called.rows("async def f(d): return [1] * len(d)") == predictions(1, 1, 1)


@pytest.mark.parametrize("form", ["JSON Lines", "Parquet", "Arrow", ".npy"])
def test_inputs_of_every_format_are_read(called: Called, tmp_path: Path, form: str) -> None:
    table = pa.table({"id": ["a", "b"], "x": [0.1, 2.0]})
    place = tmp_path / "inputs"
    if form == "JSON Lines":
        called.inputs(b'{"id": "a", "x": 0.1}\n{"id": "b", "x": 2.0}\n')
    elif form == "Parquet":
        pq.write_table(table, place)
    elif form == "Arrow":
        pyarrow.feather.write_feather(table, place, compression="uncompressed")
    else:
        np.save(place, np.array([("a", 0.1), ("b", 2.0)], dtype=[("id", "U1"), ("x", "f8")]))
        (tmp_path / "inputs.npy").replace(place)
    rows = called.rows("def f(d): return d['x'] * 2", key=["id"])
    assert rows == [{"id": "a", "x": 0.2}, {"id": "b", "x": 4.0}]


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parts[-3])
def test_it_works_on_every_python_without_a_package(called: Called, python: Path) -> None:
    code = "def f(rows, params): return [None if r['x'] is None else r['x'] * params['w'] for r in rows]"
    done = called.run(python, code, key=["id"])
    assert done.returncode == 0, done.stderr
    assert called.written() == [
        {"id": "007", "prediction": 0.2},
        {"id": "008", "prediction": 2e-3},
        {"id": "009", "prediction": None},
    ]
    failed = called.run(python, "f = 1")
    assert (failed.returncode, failed.stderr) == (1, "call: code_of:f is not a function: it is of type int\n")


def test_pandas_reads_the_inputs_with_exact_floats(called: Called) -> None:
    value = "0.30000000000000004"
    called.inputs(f"x\n{value}\n".encode())
    assert called.rows("def f(d): return d.x") == [{"x": float(value)}]
    assert pd.DataFrame({"x": [float(value)]}).x[0] == float(value)
