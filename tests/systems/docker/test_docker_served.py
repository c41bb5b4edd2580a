"""Images and containers that serve an MLflow model, recognised by its MLmodel file; the model is never loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro_tui.sources.resolve import load_record
from repro_tui.support.context import Context
from tests.engines import docker
from tests.systems.docker.conftest import COMMAND, STEP, Build, Start, state

pytestmark = pytest.mark.docker
RUN, MODEL = "0123456789abcdef0123456789abcdef", "m-fedcba9876543210"
MLMODEL = f"""\
artifact_path: model
flavors:
  python_function:
    env: {{conda: conda.yaml, virtualenv: python_env.yaml}}
    loader_module: mlflow.sklearn
    python_version: 3.11.2
  sklearn:
    pickled_model: model.pkl
    sklearn_version: 1.5.0
mlflow_version: 3.17.2
model_id: {MODEL}
model_size_bytes: 1234
run_id: {RUN}
utc_time_created: '2026-03-01 10:00:00.000000'
"""
MOVED = "RUN mkdir -p /opt/ml && mv model /opt/ml/model"


def test_a_served_model_is_asked_and_names_its_run(built: Build, running: Start, context: Context) -> None:
    image = built(1.0, MOVED, files={"model/MLmodel": MLMODEL})
    before = docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"ancestor={image}")
    record = load_record(f"image:{image}", context)
    assert docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"ancestor={image}") == before
    assert record.predict is not None
    assert (record.predict.protocol, record.predict.command) == ("mlflow", ())
    for word in (RUN, MODEL, "python_function", "sklearn"):
        assert word in record.provenance["predict.protocol"]
    assert RUN in record.description
    assert f"runs:/{RUN}" in next(item.do for item in record.missing if item.field == "code.commit")
    container = running(image)
    untouched = state(container)
    assert load_record(f"docker:{container}", context).predict == record.predict
    assert state(container) == untouched


def test_a_model_that_is_mounted_is_found_and_is_data(
    built: Build, running: Start, tmp_path: Path, context: Context
) -> None:
    folder = tmp_path / "registry"
    folder.mkdir()
    (folder / "MLmodel").write_text(MLMODEL)
    container = running(built(1.0), "--volume", f"{folder}:/opt/ml/model:ro")
    record = load_record(f"docker:{container}", context)
    assert record.predict is not None
    assert record.predict.protocol == "mlflow"
    assert [item.path for item in record.data] == ["/opt/ml/model"]


def test_a_labelled_command_comes_before_the_server(built: Build, context: Context) -> None:
    image = built(1.0, MOVED, labels=STEP, files={"model/MLmodel": MLMODEL})
    record = load_record(f"image:{image}", context)
    assert record.predict is not None
    assert (record.predict.protocol, record.predict.command) == (None, tuple(COMMAND))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("flavors: {sklearn: {}}\n", "has no flavor python_function"),
        ("a: &x [1]\nb: *x\n", "anchors and aliases are not supported"),
        ("a: !!python/object/apply:os.system [id]\n", "is not supported"),
        ("\x00\x01", "cannot be read"),
        ("- a list\n", "is not a table"),
        ("x" * ((1 << 20) + 100_000), "is larger than 1 MiB"),
    ],
    ids=["flavor", "alias", "tag", "bytes", "list", "large"],
)
def test_an_mlmodel_that_cannot_be_used_is_missing_predict(
    built: Build, context: Context, content: str, reason: str
) -> None:
    record = load_record("image:" + built(1.0, MOVED, files={"model/MLmodel": content}), context)
    assert record.predict is None
    assert reason in next(item.why for item in record.missing if item.field == "predict")


def test_a_link_in_the_models_place_is_not_followed(built: Build, context: Context) -> None:
    record = load_record(
        "image:" + built(1.0, "RUN mkdir -p /opt/ml/model && ln -s /etc/passwd /opt/ml/model/MLmodel"), context
    )
    assert "is not a plain file" in next(item.why for item in record.missing if item.field == "predict")
