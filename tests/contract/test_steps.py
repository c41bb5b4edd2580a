"""Predict steps as projects have them, with every runner: they write into their tree, print, or are called."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from repro_tui.execute.steps import working_copy
from repro_tui.model.record import Predict
from repro_tui.model.run import Limits, Run
from tests.contract.runner_case import RunnerCase

pytestmark = pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <socket.socket .*docker.sock:pytest.PytestUnraisableExceptionWarning"
)
SCRIPT = ("python3", "predict.py")
LITTER = """
import os, sys
sys.dont_write_bytecode = False
import helper
os.makedirs("mlruns/0")
open("mlruns/0/meta.yaml", "w").write("x" * 10)
open("metrics.txt", "w").write("accuracy 0.9\\n")
open("data/table.csv", "a").write("more\\n")
"""
PRINTED = "print('id,v\\n1,0.5')"


def table(run: Run) -> dict[str, list[object]]:
    assert run.status == "succeeded", (run, Path(run.log).read_text())
    content: dict[str, list[object]] = pq.read_table(run.predictions).to_pydict()
    return content


def test_a_step_may_write_into_its_tree_and_nothing_of_it_stays(any_case: RunnerCase) -> None:
    program = LITTER + "open(sys.argv[1], 'w').write('id,v\\n1,2\\n')\n"
    files = {"predict.py": program, "helper.py": "", "data/table.csv": "a\n"}
    run = any_case.step(files, Predict((*SCRIPT, "{output}")))
    assert table(run) == {"id": [1], "v": [2]}
    written = {file.path: file.size for file in run.written}
    assert {"data/table.csv": 7, "metrics.txt": 13, "mlruns/0/meta.yaml": 10}.items() <= written.items()
    assert all(
        name.startswith("__pycache__/") for name in written.keys() - {*files, "metrics.txt", "mlruns/0/meta.yaml"}
    )
    assert (run.written_files, run.written_bytes) == (len(written), sum(written.values()))
    assert sorted(path.name for path in any_case.tree.iterdir()) == ["data", "helper.py", "predict.py"]
    assert (any_case.tree / "data/table.csv").read_text() == "a\n"
    assert {path.name for path in any_case.context.folder.iterdir()} == {"run-1.log", "run-1.parquet"}


def test_a_fixed_file_is_the_output_and_a_stale_one_never(any_case: RunnerCase) -> None:
    writes = "open('results/preds.csv', 'w').write(open('data/test.csv').read())\n"
    files = {"predict.py": writes, "results/preds.csv": "id,v\n7,7\n", "data/test.csv": "old\n"}
    predict = Predict(SCRIPT, inputs="data/test.csv", output="results/preds.csv")
    run = any_case.step(files, predict, inputs="id,x\n1,2\n")
    assert table(run) == {"id": [1], "x": [2]}
    assert run.written == ()
    silent = any_case.step({"predict.py": "pass\n"}, predict)
    assert (silent.status, silent.predictions) == ("no-output", "")
    assert "results/preds.csv" in silent.do


def test_standard_output_is_the_output_and_standard_error_the_log(any_case: RunnerCase) -> None:
    program = f"import sys\nprint('working', file=sys.stderr)\n{PRINTED}\n"
    run = any_case.step({"predict.py": program}, Predict(SCRIPT, output="-"))
    assert table(run) == {"id": [1], "v": [0.5]}
    assert Path(run.log).read_text() == "working\n"
    failed = any_case.step({"predict.py": f"{PRINTED}\nraise SystemExit(3)\n"}, Predict(SCRIPT, output="-"))
    assert (failed.status, failed.exit_code) == ("failed", 3)


def test_a_function_is_called_with_the_inputs_and_the_parameters(any_case: RunnerCase) -> None:
    code = """
def predict(data, params):
    rows = data if isinstance(data, list) else data.to_dict("records")
    return [row["x"] * params["model"]["weight"] for row in rows]
"""
    files = {"credit/__init__.py": "", "credit/model.py": code}
    predict = Predict(call="credit.model:predict")
    run = any_case.step(files, predict, inputs="id,x\n007,0.1\n008,3\n", key=("id",), values={"model": {"weight": 3.0}})
    assert table(run) == {"id": ["007", "008"], "prediction": [0.1 * 3.0, 9.0]}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("nothing:predict", "call: cannot import nothing: there is no module nothing in the working folder"),
        ("code_of:missing", "call: code_of has no missing"),
        ("code_of:number", "call: code_of:number is not a function: it is of type int"),
        ("code_of:few", "call: the function returned 1 row for 2 rows of the inputs"),
        ("code_of:broken", "ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_wrong_with_a_function_is_one_line(case: RunnerCase, call: str, message: str) -> None:
    code = "number = 1\ndef few(data): return [1]\ndef broken(data): return 1 / 0\n"
    run = case.step({"code_of.py": code}, Predict(call=call), inputs="x\n1\n2\n")
    assert run.status == "failed"
    assert run.tail[-1].startswith(message), run.tail


def test_a_tree_that_must_not_be_written_is_read_only(case: RunnerCase) -> None:
    program = "open('metrics.txt', 'w')\n"
    run = case.step({"predict.py": program}, Predict((*SCRIPT, "{output}"), writable=False))
    assert run.status == "failed"
    assert "Read-only file system" in run.what
    assert "predict.writable" in run.do
    reads = "import sys\nopen(sys.argv[1], 'w').write(open('data/new.csv').read())\n"
    laid = Predict((*SCRIPT, "{output}"), writable=False, inputs="data/new.csv")
    assert table(case.step({"predict.py": reads}, laid)) == {"id": [1]}


def test_a_large_file_is_read_but_neither_copied_nor_written(case: RunnerCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working_copy, "LARGE", 1000)
    monkeypatch.setattr(working_copy, "_FICLONE", 0)  # as on a file system without copies by reference
    program = (
        "import sys\nprint(len(open('data/big.csv').read()))\n"
        "try: open('data/big.csv', 'a')\nexcept OSError: print('refused')\n"
        "open(sys.argv[1], 'w').write('id\\n1\\n')\n"
    )
    run = case.step({"predict.py": program, "data/big.csv": "x" * 5000}, Predict((*SCRIPT, "{output}")))
    assert Path(run.log).read_text() == "5000\nrefused\n"
    assert table(run) == {"id": [1]}
    assert "data/big.csv" in run.notes[0]
    assert run.written == ()


def test_all_that_is_written_counts_towards_the_limit(any_case: RunnerCase) -> None:
    any_case.settings |= {"limits": Limits(memory=2 << 30, output=4 << 20)}
    program = (
        "import time\nfor number in range(8): open(f'part-{number}', 'wb').write(bytes(1 << 20))\ntime.sleep(600)\n"
    )
    run = any_case.step({"predict.py": program}, Predict((*SCRIPT, "{output}")))
    assert (run.status, run.do) == ("failed", "raise limits.output in config.toml")
    assert "4 MiB" in run.what
    assert run.written_files == 8


def test_a_link_in_place_of_the_output_is_not_followed(any_case: RunnerCase) -> None:
    secret = any_case.context.folder.parent / "elsewhere"
    secret.mkdir()
    (secret / "preds.csv").write_text("id,v\n1,secret\n")
    swaps = f"import os\nos.rmdir('results')\nos.symlink({str(secret)!r}, 'results')\n"
    run = any_case.step({"predict.py": swaps}, Predict(SCRIPT, output="results/preds.csv"))
    assert run.status == "no-output"
    assert (secret / "preds.csv").exists()
