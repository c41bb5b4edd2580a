"""What a signature tells, and how far the text of a parameter tells its type: known answers."""

from __future__ import annotations

from typing import Any

import pytest

from repro_tui.sources.mlflow.inputs import example_lines
from repro_tui.sources.mlflow.signature import Signature, read_signature
from repro_tui.sources.mlflow.source import python_named


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("0.25", 0.25),
        ("1e-05", 1e-05),
        ("True", True),
        ("false", False),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ("1.10", "1.10"),  # a version, as like as not
        ("007", "007"),
        ("1e5", "1e5"),
        ("9" * 30, "9" * 30),
        ("None", "None"),
        ("null", "null"),
        ("[null]", "[null]"),
        ("NaN", "NaN"),
        ("[NaN]", "[NaN]"),
        ("Infinity", "Infinity"),
        ('"quoted"', '"quoted"'),
        ("ridge", "ridge"),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_only_a_text_that_one_value_is_written_as_is_typed(text: str, value: Any) -> None:
    typed = Signature().typed({"x": text})[0]["x"]
    assert typed == value
    assert type(typed) is type(value)


def test_the_signature_decides_where_it_declares_a_type() -> None:
    signature = Signature(params={"rate": "double", "steps": "long", "on": "boolean", "name": "string", "bad": "long"})
    params = {"rate": "1", "steps": "10", "on": "true", "name": "ridge", "bad": "many"}
    values, summary = signature.typed(params)
    assert values == {"rate": 1.0, "steps": 10, "on": True, "name": "ridge", "bad": "many"}
    assert type(values["rate"]) is float
    assert summary.startswith("rate, steps, on, name typed by the model's signature, 1 left as text")


def test_a_declared_text_stays_text() -> None:
    assert Signature(params={"id": "string"}).typed({"id": "7"})[0] == {"id": "7"}


def test_what_a_name_calls_a_secret_stays_text_which_is_hidden() -> None:
    assert Signature().typed({"api_key": "12345678", "key_rate": "0.5"})[0] == {"api_key": "12345678", "key_rate": 0.5}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"signature: 1",
        b"signature: {inputs: '['}",
        b"a: &x 1\nb: *x",
        b"\xff",
        b"signature: {inputs: '{}', params: '3'}",
        b"signature: {inputs: '" + b"[" * 50_000 + b"'}",
    ],
)
def test_a_hostile_mlmodel_has_no_signature(raw: bytes) -> None:
    assert read_signature(raw) == Signature()


def test_a_signature_without_names_has_no_columns() -> None:
    raw = b"""signature: {inputs: '[{"type": "double", "name": "a"}, {"type": "double"}]'}"""
    assert read_signature(raw).inputs == ()
    raw = b"""signature: {inputs: '[{"type": "double", "name": "a"}]', params: '[{"name": "t", "type": "double"}]'}"""
    assert read_signature(raw) == Signature(("a",), {"t": "double"})


@pytest.mark.parametrize(
    ("document", "python"),
    [
        ({"python": "3.11.7"}, "3.11.7"),
        ({"python": 3.12}, "3.12"),
        ({"dependencies": ["python=3.10.4", "pip", {"pip": ["mlflow"]}]}, "3.10.4"),
        ({"dependencies": ["python-dateutil=3.1"]}, ""),
        ({"python": "2.7"}, ""),
        ({"python": "3.11; rm"}, ""),
        ({}, ""),
    ],
)
def test_the_python_is_read_from_either_file(document: dict[str, Any], python: str) -> None:
    assert python_named(document) == python


@pytest.mark.parametrize("raw", [b"", b"[1, 2]", b'{"columns": ["a"], "data": [[1, 2]]}', b'{"columns": ["a"]}', b"{"])
def test_an_example_that_is_no_table_gives_no_inputs(raw: bytes) -> None:
    assert example_lines(raw) is None


def test_an_example_keeps_its_values() -> None:
    assert example_lines(b'{"columns": ["a", "b"], "data": [["007", 0.1]]}') == b'{"a": "007", "b": 0.1}\n'
