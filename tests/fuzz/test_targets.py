"""The fuzz targets on their seeds, on changed seeds, and on what once broke them (`make fuzz` goes on from there)."""

from __future__ import annotations

import importlib.util

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.__main__ import ROOT
from fuzz.seeds import seeds
from fuzz.targets import TARGETS
from tests.conftest import EXAMPLES

SEEDS = seeds()
# They write a whole report for each input; tests/report has their property.
SLOW = frozenset({"writers", "report"})


def out_of_range() -> bytes:
    """A duration that Python cannot hold, in a column that becomes text."""
    out = pa.BufferOutputStream()
    durations = pa.array([[2**62], None], pa.list_(pa.duration("s")))
    pq.write_table(pa.table({"x": durations}), out)
    return out.getvalue().to_pybytes()


BROKEN = {
    "a reference that no path can hold": ("references", b"\xb8" * 400),
    "a reference with a NUL": ("references", b"7\0\0r.toml"),
    "a control of shorthand": ("show", "a\U0001bca0b\U0001d173".encode()),
    "a wheel whose name begins with a dash": ("requirements", b"..wn-3.2-py3-non\0-any.whl\n"),
    "a Dockerfile without a stage": ("dockerfile", b""),
    "a URL with an open bracket": ("dvc-configuration", b"['remote \"r\"']\nurl = https://u:p[h/store\n"),
    "a URL with a port that is none": ("dvc-configuration", b"['remote \"r\"']\nurl = https://h:99999999/store\n"),
    "a path that is too long": ("dvc", b"outs:\n- md5: aa\n  path: data." + b"s" * 300 + b"\n"),
    "a header that is no literal": ("npy", b"\x01\0v\0{'descr': [('f0', '<i4')]( 'shape': (2,), }" + b" " * 80),
    "a duration that is out of range": ("parquet", out_of_range()),
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_taken(name: str) -> None:
    assert SEEDS[name]
    assert any(TARGETS[name](seed) for seed in SEEDS[name]) or name == "references"


@pytest.mark.parametrize("case", BROKEN)
def test_what_once_broke_a_target(case: str) -> None:
    name, data = BROKEN[case]
    TARGETS[name](data)


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in SLOW])
@settings(max_examples=max(3, EXAMPLES // 5), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_changed_seeds_are_taken_or_refused(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS[name]))
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 20)))
    TARGETS[name](seed[:start] + data.draw(st.binary(max_size=8)) + seed[end:])


def test_what_is_no_error_of_ours_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        type(TARGETS["show"])(lambda data: 1 // 0)(b"")


def test_the_engine_is_in_its_own_group() -> None:
    """Atheris is in no other group: it has wheels for few Pythons."""
    import tomllib

    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    assert [name for name, packages in groups.items() if any("atheris" in package for package in packages)] == ["fuzz"]
    assert importlib.util.find_spec("fuzz.engine")
