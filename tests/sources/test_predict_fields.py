"""The fields of a predict step: which go together, what is warned of, and that a written record reads back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro_tui.model.errors import Refused
from repro_tui.model.overrides import Overrides
from repro_tui.model.record import Predict, Record
from repro_tui.sources.document import document_of
from repro_tui.sources.overlay import lay_over
from repro_tui.sources.resolve import load_record
from repro_tui.support.context import Context

COMMAND = {"command": ["python", "p.py", "{inputs}", "{output}"]}
SILENT = {"command": ["python", "p.py"]}


def load(folder: Path, context: Context, predict: dict[str, Any]) -> Record:
    (folder / "r.json").write_text(json.dumps({"schema": 1, "deployments": {"a": {"predict": predict}}}))
    return load_record("r.json", context)


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (COMMAND | {"call": "m:f"}, "has command and call: expected only one of them"),
        ({"call": "m:f", "notebook": "n.ipynb"}, "has call and notebook: expected only one of them"),
        ({"protocol": "mlflow", "call": "m:f"}, "has a protocol and call"),
        ({"protocol": "mlflow", "inputs": "a"}, "has a protocol and inputs"),
        ({"protocol": "mlflow", "output": "a"}, "has a protocol and output"),
        ({"call": "m:f", "output": "a"}, "the output of a function is what it returns"),
        ({"notebook": "n.ipynb", "output": "-"}, 'has a notebook and the output "-"'),
        (COMMAND | {"output": "-"}, 'has the output "-" (standard output) and a command that writes {output}'),
        (SILENT | {"output": "a", "writable": False}, "has an output in the tree, but writable is false"),
        (SILENT | {"output": "a", "inputs": "a"}, "has the same file as inputs and output"),
        (SILENT | {"output": "-", "columns": ["a", "a"]}, "has two columns of the same name"),
        (SILENT | {"output": "../a"}, "leaves its folder"),
        (SILENT | {"inputs": "/a"}, "leaves its folder"),
        ({"notebook": "/n.ipynb"}, "leaves its folder"),
        *(
            ({"call": text}, "is not a function: expected package.module:function")
            for text in ("m", "m:", ":f", "m:f()", "m:C('a'", "m: f", "m:(f)", "m:f#x", "m:x[0].f", "m:C()().f")
        ),
        ({"call": "m.import:f"}, "is not a function"),
        ({"call": "m;rm:f"}, "is not a function"),
        ({"call": "m:C(open('x')).f"}, "is not a function"),
        ({"call": "m:C(**{'a': 1}).f"}, "is not a function"),
        ({"call": "m:C('a').f; x"}, "is not a function"),
        ({"call": f"m:C({'[' * 50}{']' * 50}).f"}, "is not a function"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, context: Context, predict: dict[str, Any], message: str
) -> None:
    with pytest.raises(Refused) as caught:
        load(tmp_path, context, predict)
    (mistake,) = caught.value.mistakes
    assert message in str(mistake)
    assert "deployments.a.predict" in str(mistake)


@pytest.mark.parametrize(
    ("predict", "warning"),
    [
        (SILENT, "the command does not contain {output}"),
        ({"notebook": "n.ipynb"}, "the notebook n.ipynb has no recorded output"),
        (COMMAND, ""),
        (SILENT | {"output": "-"}, ""),
        (SILENT | {"output": "out.csv"}, ""),
        ({"command": ["sh", "-c", "python p.py > $REPRO_OUTPUT"]}, ""),
        ({"call": "m:f"}, ""),
        ({"notebook": "n.ipynb", "output": "o.csv"}, ""),
        ({"protocol": "mlflow", "command": ["serve"]}, ""),
    ],
)
def test_a_step_without_an_output_is_warned_of(
    tmp_path: Path, context: Context, predict: dict[str, Any], warning: str
) -> None:
    record = load(tmp_path, context, predict)
    assert [text.startswith(warning) for text in record.warnings] == ([True] if warning else [])
    assert "predict" not in {item.field for item in record.missing}


@pytest.mark.parametrize(
    "predict",
    [
        {"call": "a.b:c.d"},
        {"notebook": "n/e.ipynb", "inputs": "data/test.csv", "output": "o.csv"},
        SILENT | {"output": "-", "columns": ["id", ""]},
        COMMAND | {"writable": False, "inputs": "i.csv"},
    ],
)
def test_a_written_record_reads_back(tmp_path: Path, context: Context, predict: dict[str, Any]) -> None:
    record = load(tmp_path, context, predict)
    (tmp_path / "w.json").write_text(json.dumps(document_of(record)))
    assert load_record("w.json", context).predict == record.predict


def laid(record: Record, folder: Path, context: Context, **options: str) -> Predict:
    predict = lay_over(record, Overrides(**options), replace(context, here=folder)).predict
    assert predict is not None
    return predict


def test_a_command_of_the_command_line_keeps_where_the_step_reads_and_writes(tmp_path: Path, context: Context) -> None:
    recorded = load(tmp_path, context, SILENT | {"inputs": "i.csv", "output": "-", "columns": ["x"], "timeout_s": 9})
    kept = laid(recorded, tmp_path, context, predict="python q.py")
    assert kept == Predict(("python", "q.py"), inputs="i.csv", output="-", columns=("x",), timeout_s=9)
    assert laid(recorded, tmp_path, context, predict="python q.py {output}").output == ""
    called = load(tmp_path, context, {"call": "m:f"})
    assert laid(called, tmp_path, context, predict="python q.py {output}") == Predict(("python", "q.py", "{output}"))
    server = load(tmp_path, context, {"protocol": "mlflow", "columns": ["x"]})
    assert laid(server, tmp_path, context, predict="python q.py") == Predict(("python", "q.py"))


def test_a_protocol_of_the_command_line_drops_what_only_steps_have(tmp_path: Path, context: Context) -> None:
    called = load(tmp_path, context, {"call": "m:f", "inputs": "i.csv", "columns": ["x"], "names": {"a": "b"}})
    assert laid(called, tmp_path, context, protocol="mlflow") == Predict(protocol="mlflow", names={"a": "b"})


@pytest.mark.parametrize("text", ["m:f", 'm:Model("a:b.pkl", n=-1).predict'])
def test_a_function_of_the_command_line_may_be_a_method(tmp_path: Path, context: Context, text: str) -> None:
    recorded = load(tmp_path, context, COMMAND)
    assert laid(recorded, tmp_path, context, predict=f"call:{text}").call == text
    with pytest.raises(Refused, match="is not a function: expected call:package"):
        laid(recorded, tmp_path, context, predict=f"call:{text}()")
