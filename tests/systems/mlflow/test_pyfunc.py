"""The helper that runs pyfunc models, with a real model that has no signature."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

from repro_tui.sources.mlflow import predict_pyfunc
from tests.conftest import need

# A model without a signature: it answers with what it was given.
RUN = """\
import runpy, sys
import mlflow, pandas as pd
class Sum(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input.sum(axis=1).rename("score")
mlflow.pyfunc.save_model("model", python_model=Sum(), pip_requirements=[])
sys.argv = ["predict_pyfunc.py", "inputs.csv", "out.parquet", "model"]
runpy.run_path(HELPER, run_name="__main__")
"""


def test_a_model_without_a_signature_gets_neither_key_nor_truth(tmp_path: Path) -> None:
    need("mlflow", importlib.util.find_spec("mlflow") is not None, "mlflow is not installed")
    (tmp_path / "inputs.csv").write_text("id,a,y,b\n007,1.5,100,2\n008,2.5,200,3\n")
    place = str(Path(predict_pyfunc.__file__))
    variables = {"REPRO_KEY": json.dumps(["id"]), "REPRO_TRUTH": "y", "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"HELPER = {place!r}\n{RUN}"],
        cwd=tmp_path,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    columns = pq.read_table(tmp_path / "out.parquet").to_pydict()
    assert columns == {"id": ["007", "008"], "score": [3.5, 5.5]}
    assert list(columns) == ["id", "score"]
