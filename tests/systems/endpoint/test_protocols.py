"""Both protocols with known answers: requests, responses, and every invalid response."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro_tui.execute.protocols.answers import Answers, write_table
from repro_tui.execute.protocols.base import AnswerError, RequestLayout, Tensor
from repro_tui.execute.protocols.conversation import batches
from repro_tui.execute.protocols.mlflow import Mlflow
from repro_tui.execute.protocols.open_inference import OpenInference, declared_inputs, model_path, models_of
from repro_tui.model.errors import Inconclusive

ROWS = pa.table(
    {
        "x": pa.array([1.5, None, math.nan]),
        "n": pa.array([1, 2, 2**53 + 1]),
        "ok": pa.array([True, False, True]),
        "town": pa.array(["Köln", "b", "c"]),
        "v": pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    }
)


def sent(codec: Any, layout: RequestLayout, table: pa.Table = ROWS) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(codec.body(table, layout, 1))
    return body


def written(tmp_path: Path, protocol: str, *answers: Any, rows: int = 2, **options: Any) -> pa.Table:
    """The table of these responses, each with so many rows."""
    files = []
    for number, answer in enumerate(answers):
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        (tmp_path / f"{number}.json").write_bytes(raw)
        files.append((f"{number}.json", rows))
    out = tmp_path / "out.arrow"
    write_table(Answers(protocol, str(tmp_path), files, str(out), **options))
    return pa.ipc.open_file(pa.memory_map(str(out))).read_all()


def wrong(tmp_path: Path, protocol: str, *answers: Any, rows: int = 2) -> str:
    with pytest.raises(AnswerError) as error:
        written(tmp_path, protocol, *answers, rows=rows)
    return str(error.value)


# -- what is sent -----------------------------------------------------------------------------------------------------


def test_mlflow_is_sent_a_split_frame() -> None:
    assert sent(Mlflow(), RequestLayout(tuple(ROWS.column_names))) == {
        "dataframe_split": {
            "columns": ["x", "n", "ok", "town", "v"],
            "data": [
                [1.5, 1, True, "Köln", [1.0, 2.0]],
                [None, 2, False, "b", [3.0, 4.0]],
                [None, 2**53 + 1, True, "c", [5.0, 6.0]],
            ],
        }
    }


def test_open_inference_is_sent_typed_tensors() -> None:
    inputs = sent(OpenInference(), RequestLayout(tuple(ROWS.column_names)))["inputs"]
    assert [(tensor["name"], tensor["datatype"], tensor["shape"], tensor["data"]) for tensor in inputs] == [
        ("x", "FP64", [3], [1.5, None, None]),
        ("n", "INT64", [3], [1, 2, 2**53 + 1]),
        ("ok", "BOOL", [3], [True, False, True]),
        ("town", "BYTES", [3], ["Köln", "b", "c"]),
        ("v", "FP64", [3, 2], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ]


def test_what_a_model_declares_is_held_to() -> None:
    tensors = (Tensor("n", "FP32", (1,)), Tensor("x", "FP64", ()))
    layout = RequestLayout(("n", "x"), "m", tensors)
    inputs = sent(OpenInference(), layout, ROWS.select(["n", "x"]).slice(0, 2))["inputs"]
    assert [(t["name"], t["datatype"], t["shape"], t["data"]) for t in inputs] == [
        ("n", "FP32", [2, 1], [1, 2]),
        ("x", "FP64", [2], [1.5, None]),
    ]
    matrix = RequestLayout(("x", "n"), "m", (Tensor("input-0", "FP32", (2,)),), matrix=True)
    (tensor,) = sent(OpenInference(), matrix, ROWS.select(["x", "n"]).slice(0, 2))["inputs"]
    assert (tensor["name"], tensor["shape"], tensor["data"]) == ("input-0", [2, 2], [1.5, 1, None, 2])
    for column, kind in (("x", "INT64"), ("town", "FP64"), ("n", "BOOL")):
        with pytest.raises(Inconclusive, match=f"expects {kind} for {column}, but row 1"):
            sent(OpenInference(), RequestLayout((column,), "m", (Tensor(column, kind),)), ROWS.select([column]))


def test_what_cannot_be_carried_is_told_with_its_row() -> None:
    infinite = pa.table({"x": [0.0, math.inf]})
    for codec in (Mlflow(), OpenInference()):
        with pytest.raises(Inconclusive, match="infinity in column x, row 502"):
            codec.body(infinite, RequestLayout(("x",)), 501)  # type: ignore[attr-defined]
    with pytest.raises(Inconclusive, match="no value in column n, row 2"):
        sent(OpenInference(), RequestLayout(("n",)), pa.table({"n": pa.array([1, None])}))
    with pytest.raises(Inconclusive, match=r"lists of different lengths in column v \(row 2\)"):
        sent(OpenInference(), RequestLayout(("v",)), pa.table({"v": [[1.0], [1.0, 2.0]]}))


def test_rows_are_sent_in_batches_bounded_by_rows_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": range(1200), "y": range(1200)}), path)
    assert [(table.num_rows, first) for table, first in batches(path, ["y"])] == [(500, 1), (500, 501), (200, 1001)]
    pq.write_table(pa.table({"v": [[float(n)] * 50_000 for n in range(30)]}), path)
    parts = list(batches(path, ["v"]))
    assert max(table.nbytes for table, _ in parts) <= 4 << 20
    assert [row[0] for table, _ in parts for row in table.column("v").to_pylist()] == [float(n) for n in range(30)]


# -- what comes back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2], "int64", [1, 2]),
        ([1, 2.5], "double", [1.0, 2.5]),
        ([1, None], "int64", [1, None]),
        ([True, False], "bool", [True, False]),
        (["a", None], "string", ["a", None]),
        ([2**53 + 1, -(2**63)], "int64", [2**53 + 1, -(2**63)]),
        ([[1, 2], [3]], "list<item: int64>", [[1, 2], [3]]),
        ([[1, 2.5], []], "list<item: double>", [[1.0, 2.5], []]),
        ([1, "a"], "large_string", ["1", '"a"']),
        ([2**53 + 1, 0.5], "large_string", ["9007199254740993", "0.5"]),
        ([2**64, 1], "large_string", ["18446744073709551616", "1"]),
        ([True, 1], "large_string", ["true", "1"]),
        ([{"a": 1}, None], "large_string", ['{"a": 1}', None]),
        ([None, None], "null", [None, None]),
    ],
)
def test_json_keeps_its_types(tmp_path: Path, values: list[Any], kind: str, expected: list[Any]) -> None:
    table = written(tmp_path, "mlflow", {"predictions": values})
    assert (str(table.column("prediction").type), table.column("prediction").to_pylist()) == (kind, expected)


def test_nan_is_read_as_python_servers_write_it(tmp_path: Path) -> None:
    table = written(tmp_path, "mlflow", b'{"predictions": [NaN, -Infinity]}')
    assert [str(value) for value in table.column(0).to_pylist()] == ["nan", "-inf"]


def test_records_and_named_outputs_become_columns(tmp_path: Path) -> None:
    records = {"predictions": [{"score": 1.5, "label": "a"}, {"label": "b", "score": 2}]}
    assert written(tmp_path, "mlflow", records).to_pydict() == {"score": [1.5, 2.0], "label": ["a", "b"]}
    named = {"predictions": {"p": [[0.1, 0.9], [1, 0]], "n": [1, 2]}}
    assert written(tmp_path, "mlflow", named).to_pydict() == {"p": [[0.1, 0.9], [1.0, 0.0]], "n": [1, 2]}


def test_a_column_has_the_type_that_holds_all_batches(tmp_path: Path) -> None:
    table = written(tmp_path, "mlflow", {"predictions": [1, 2]}, {"predictions": [0.5, None]})
    assert table.to_pydict() == {"prediction": [1.0, 2.0, 0.5, None]}


def test_keys_come_along_from_the_inputs_and_columns_are_renamed(tmp_path: Path) -> None:
    carried = tmp_path / "inputs.parquet"
    pq.write_table(pa.table({"id": ["a", "b", "c", "d"], "x": range(4), "day": [1, 2, 3, 4]}), carried)
    answers = [{"predictions": [{"score": n, "day": 9 - n} for n in (k, k + 1)]} for k in (0, 2)]
    options = {"carried": str(carried), "keys": ["id", "day"], "names": {"score": "value"}}
    table = written(tmp_path, "mlflow", *answers, **options)
    assert table.to_pydict() == {"id": ["a", "b", "c", "d"], "value": [0, 1, 2, 3], "day": [9, 8, 7, 6]}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"<html>Bad gateway</html>", "not JSON; it begins with: <html>Bad gateway"),
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[" * 200_000, "not JSON"),
        (b'{"predictions": [' + b"9" * 5000 + b", 1]}", "not JSON"),
        ([1, 2], 'no "predictions"'),
        ({"error": "no"}, 'no "predictions"'),
        ({"predictions": None}, "is not a list with one value per row"),
        ({"predictions": [1]}, "has 1 values for 2 rows"),
        ({"predictions": [1, 2, 3]}, "has 3 values for 2 rows"),
        ({"predictions": {"a": [1, 2], "b": [1]}}, "b has 1 values for 2 rows"),
        ({"predictions": [{"a": 1}, {"b": 1}]}, "record 2 of the response has other fields than the first"),
    ],
)
def test_what_is_no_answer_of_mlflow_is_told(tmp_path: Path, answer: Any, reason: str) -> None:
    message = wrong(tmp_path, "mlflow", answer)
    assert message.startswith("rows 1 to 2: ")
    assert reason in message


def test_a_scalar_is_the_answer_of_all_rows_and_a_series_without_a_name_is_the_prediction(tmp_path: Path) -> None:
    assert written(tmp_path, "mlflow", {"predictions": 3}).to_pydict() == {"prediction": [3, 3]}
    assert written(tmp_path, "mlflow", {"predictions": {"a": "x"}}).to_pydict() == {"a": ["x", "x"]}
    assert written(tmp_path, "mlflow", {"predictions": [{"0": 1}, {"0": 2}]}).to_pydict() == {"prediction": [1, 2]}


def test_batches_have_the_same_columns(tmp_path: Path) -> None:
    message = wrong(tmp_path, "mlflow", {"predictions": [{"a": 1}, {"a": 2}]}, {"predictions": [1, 2]})
    assert message.startswith("rows 3 to 4: the response has other columns than the previous ones")
    first, second = ({"outputs": [tensor("a", kind, [2], [1, 2])]} for kind in ("FP32", "FP64"))
    assert "a is double, but was float in previous responses" in wrong(tmp_path, "open-inference", first, second)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"predictions": [1, 2]}')
    (tmp_path / "answer").symlink_to(tmp_path / "secret")
    with pytest.raises(AnswerError, match="the response cannot be read"):
        write_table(Answers("mlflow", str(tmp_path), [("answer", 2)], str(tmp_path / "out")))


def tensor(name: str, datatype: str, shape: list[int], data: list[Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data} | more


def test_tensors_keep_their_types(tmp_path: Path) -> None:
    base64 = {"parameters": {"content_type": "base64"}}
    outputs = [
        tensor("f", "FP32", [2], [0.1, None]),
        tensor("d", "FP64", [2, 1], [[0.1], [2]]),
        tensor("i", "INT64", [2], [2**63 - 1, -1]),
        tensor("u", "UINT8", [2], [0, 255]),
        tensor("b", "BOOL", [2], [True, False]),
        tensor("t", "BYTES", [2], ["a", "Köln"]),
        tensor("raw", "BYTES", [2], ["AAE=", "/w=="], **base64),
        tensor("p", "FP32", [2, 3], [1, 2, 3, 4, 5, 6]),
        tensor("h", "FP16", [2], [0.5, 1]),
    ]
    table = written(tmp_path, "open-inference", {"outputs": outputs})
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds == {
        "f": "float",
        "d": "double",
        "i": "int64",
        "u": "uint8",
        "b": "bool",
        "t": "string",
        "raw": "binary",
        "p": "list<item: float>",
        "h": "halffloat",
    }
    values = table.to_pydict()
    assert math.isnan(values["f"][1])
    assert values["d"] == [0.1, 2.0]
    assert values["i"] == [2**63 - 1, -1]
    assert values["raw"] == [b"\x00\x01", b"\xff"]
    assert values["p"] == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ([], 'no "outputs"'),
        ([{"datatype": "FP64"}], "has no name"),
        ([tensor("a", "BF16", [2], [1, 2])], "datatype BF16, which is not supported"),
        ([tensor("a", "FP64", [1], [1])], "has 1 rows, but 2 were requested"),
        ([tensor("a", "FP64", [2], [1])], "has 1 values, but its shape needs 2"),
        ([tensor("a", "FP64", [2, 10**12], [1, 2])], "declares 2,000,000,000,000 values"),
        ([tensor("a", "FP64", [2, -1], [1, 2])], "has no valid shape"),
        ([{"name": "a", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16}}], "no JSON data"),
        ([tensor("a", "INT64", [2], [1, None])], "is not of the declared type int64"),
        ([tensor("a", "INT64", [2], [1, 2.5])], "is not of the declared type int64"),
        ([tensor("a", "INT8", [2], [1, 300])], "does not fit the type int8"),
        ([tensor("a", "BOOL", [2], [True, 1])], "is not of the declared type bool"),
        ([tensor("a", "FP64", [2], [True, 1])], "true is not of the declared type double"),
        ([tensor("a", "FP64", [2], ["1", 1])], "is not of the declared type double"),
        ([tensor("a", "BYTES", [2], ["x", 1])], "is not of the declared type string"),
        ([tensor("a", "FP64", [2], [1, 2]), tensor("a", "FP64", [2], [1, 2])], "two outputs named a"),
        (
            [tensor("a", "BYTES", [2], ["x", "y"], parameters={"content_type": "base64"})],
            "declared as base64, but is not",
        ),
    ],
)
def test_what_is_no_answer_of_open_inference_is_told(tmp_path: Path, outputs: list[Any], reason: str) -> None:
    message = wrong(tmp_path, "open-inference", {"outputs": outputs})
    assert message.startswith("rows 1 to 2: ")
    assert reason in message


WORDS = st.text(st.characters(), max_size=5) | st.sampled_from(["\ud800", "", "a\0b"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)
TENSOR = st.fixed_dictionaries(
    {"name": ANY_JSON, "datatype": st.sampled_from(["FP32", "INT8", "BYTES", "BOOL"]) | ANY_JSON, "shape": ANY_JSON,
     "data": ANY_JSON, "parameters": ANY_JSON}
)  # fmt: skip


@given(raw=st.binary(max_size=40) | ANY_JSON.map(lambda error: json.dumps(error).encode()))
def test_any_bytes_are_an_answer_or_told(raw: bytes) -> None:
    for codec in (Mlflow(), OpenInference()):
        with contextlib.suppress(AnswerError):
            assert all(len(column.values) == 2 for column in codec.answer(raw, 2).values())  # type: ignore[attr-defined]


@given(predictions=ANY_JSON, outputs=st.lists(TENSOR, max_size=2) | ANY_JSON)
def test_any_document_is_a_table_or_told(
    tmp_path_factory: pytest.TempPathFactory, predictions: Any, outputs: Any
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for protocol, document in (("mlflow", {"predictions": predictions}), ("open-inference", {"outputs": outputs})):
        with contextlib.suppress(AnswerError):
            assert written(folder, protocol, document).num_rows == 2


# -- what a server says of its models ---------------------------------------------------------------------------------


def test_models_and_their_inputs_are_read_with_care() -> None:
    index = [{"name": "a", "state": "READY"}, {"name": "b", "state": "UNAVAILABLE"}, {"name": 3}, "x"]
    assert models_of(index, None) == ["a"]
    assert models_of(None, {"models": ["a", "b", 3]}) == ["a", "b"]
    assert models_of("x", ["y"]) == []
    inputs = [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert declared_inputs({"inputs": inputs}) == (Tensor("x", "FP32", (4,)),)
    for bad in ({"inputs": [{"name": "x"}]}, {"inputs": [3]}, {"inputs": "x"}, [], None, {}):
        assert declared_inputs(bad) == ()
    assert model_path("a b/../c") == "/v2/models/a%20b%2F..%2Fc"
    assert model_path("m/versions/2") == "/v2/models/m/versions/2"


def test_the_base_of_a_url_is_what_stands_before_the_protocol() -> None:
    assert Mlflow().prefix("/serving/credit/invocations") == "/serving/credit"
    assert Mlflow().prefix("/") == ""
    assert OpenInference().prefix("/gateway/v2/models/m/infer") == "/gateway"
    assert OpenInference().prefix("/v2") == ""
    assert OpenInference().prefix("/gateway/") == "/gateway"
