"""Arrow gives the same values in a process without pandas as in one with it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """\
import sys
if sys.argv[1] == "spared":
    from repro_tui.formats.arrow import without_pandas
    without_pandas()
import numpy as np, pyarrow as pa, pyarrow.compute as pc
plain = [
    pa.array([1, None]).to_pylist(),
    pa.array(np.arange(3.0), mask=np.array([False, True, False])).to_pylist(),
    pa.array(["a", None]).dictionary_encode().to_pylist(),
    pc.equal(pa.array(["", "x"]), "").to_pylist(),
    pa.array([[1, 2], [3]]).to_numpy(zero_copy_only=False)[0].tolist(),
    pa.array([1], pa.timestamp("us")).to_pylist(),
    pa.array(np.array(["2026-01-05"], "datetime64[D]")).to_pylist(),
]
has_pandas = "pandas" in sys.modules
nanoseconds = [
    pa.array([1577836800000000001, None], pa.timestamp("ns")).to_pylist(),
    pa.array([1577836800000000001], pa.timestamp("ns", "UTC")).to_pylist(),
    pa.array([1001], pa.duration("ns")).to_pylist(),
]
print(has_pandas)
print(plain, nanoseconds)
"""


def said(mode: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_values_are_the_same_and_pandas_is_left_until_a_value_is_its_own() -> None:
    spared, usual = said("spared"), said("usual")
    assert (spared[0], usual[0]) == ("False", "True")
    assert spared[1] == usual[1]
    assert "Timestamp('2020-01-01 00:00:00.000000001')" in spared[1]
