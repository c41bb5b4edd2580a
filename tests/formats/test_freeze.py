"""What trackers record that no index has: known lines, each kept, replaced or left out, and told."""

from __future__ import annotations

import pytest

from repro_tui.formats.freeze import WANDB_PARTS, read_freeze
from repro_tui.sources.mlflow.environment import recorded_packages


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("six==1.17.0", "six==1.17.0"),
        ("scikit-learn", "scikit-learn"),
        ("mlflow<3,>=2.1", "mlflow<3,>=2.1"),
        ("torch==2.1.0+cu118", "torch==2.1.0+cu118"),
        ('tomli==2.0 ; python_version < "3.11"', 'tomli==2.0 ; python_version < "3.11"'),
        ("six==1.17.0 --hash=sha256:" + "0" * 64, "six==1.17.0 --hash=sha256:" + "0" * 64),
        ("six==1.17.0 # a comment", "six==1.17.0"),
        ("own @ file:///home/ada/dist/own-1.2-py3-none-any.whl", "own==1.2"),
        ("Own_Pkg @ file:///d/own_pkg-1.2%2Bcu118-py3-none-any.whl#sha256=00", "Own_Pkg==1.2+cu118"),
        ("own @ file:///home/ada/dist/own-1.2.tar.gz", "own==1.2"),
        ("./wheels/own-1.2-py3-none-any.whl", "own==1.2"),
        ("other @ file:///home/ada/dist/own-1.2-py3-none-any.whl", None),
        ("numpy @ file:///croot/numpy_and_numpy_base_1682520567456/work", "numpy"),
        ("own @ file:///home/ada/own", None),
        ("-e git+https://example.org/x.git@0123#egg=x", None),
        ("-e /home/ada/own", None),
        ("x @ git+https://example.org/x.git", None),
        ("x @ https://example.org/x-1.0-py3-none-any.whl", None),
        ("pkg-resources==0.0.0", None),
        ("pkg_resources==0.0.0", None),
        ("--extra-index-url https://example.org/simple", None),
        ("-r other.txt", None),
        ("not a requirement", None),
    ],
)
def test_a_line_is_kept_replaced_or_left_out_and_told(line: str, kept: str | None) -> None:
    freeze = read_freeze(line)
    assert freeze.lines == ([kept] if kept else [])
    bare = line.partition(" #")[0]
    assert freeze.replaced == ([(bare, kept)] if kept and kept != bare else [])
    assert freeze.unlisted == ([] if kept else [line])
    assert bool(freeze.gap) == (kept is None)
    assert bool(list(freeze.warnings())) == bool(freeze.replaced)


def test_the_parts_of_the_tracker_are_left_out_and_told() -> None:
    freeze = read_freeze("\ufeffwandb==0.15.0\r\npathtools==0.1.2\r\nSix==1.16.0\r\nsix==1.17.0\r\n", WANDB_PARTS)
    assert freeze.content == b"Six==1.16.0\n"
    (warning,) = freeze.warnings()
    assert "wandb, pathtools" in warning


def test_no_secret_of_a_url_is_told() -> None:
    assert "s3cr3t" not in read_freeze("-e git+https://ada:s3cr3t-w0rd@example.org/x.git#egg=x").gap


def test_without_requirements_the_pip_part_of_conda_is_read() -> None:
    conda = b"dependencies:\n- python=3.8.2\n- pip<=21\n- conda-forge::lightgbm=3.3\n- pip:\n  - mlflow==1.30.1\n"
    freeze = recorded_packages({"conda.yaml": conda})
    assert freeze is not None
    assert freeze.lines == ["mlflow==1.30.1"]
    assert "conda-forge::lightgbm=3.3 (of conda)" in freeze.gap
    assert recorded_packages({}) is None
    python_env = b"python: 3.10.13\nbuild_dependencies:\n- pip\n- setuptools==65.7.0\n- wheel\n"
    freeze = recorded_packages({"requirements.txt": b"mlflow==1.30.1", "python_env.yaml": python_env})
    assert freeze is not None
    assert freeze.lines == ["mlflow==1.30.1", "setuptools==65.7.0"]
    assert recorded_packages({"conda.yaml": b"a: &x [*x]"}) is None
