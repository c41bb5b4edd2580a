"""Every number in the sentences and measures against plain NumPy, over generated tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from repro_tui.model.record import ColumnRule
from repro_tui.report.outcome import verdict_sentence
from repro_tui.support.text import part
from tests.compare.test_predictions import compare_in
from tests.conftest import EXAMPLES

RULES = {"label": ColumnRule("label"), "p": ColumnRule("probability"), "v": ColumnRule("value")}


@st.composite
def sides(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two tables of labels, probabilities and values, some of whose cells moved; a few are missing or infinite."""
    seed, rows = draw(st.integers(0, 2**32 - 1)), draw(st.integers(3, 400))
    moved = draw(st.sampled_from([0.0, 0.02, 0.3, 1.0]))
    rng = np.random.default_rng(seed)
    a = {
        "label": rng.choice(["yes", "no", "maybe"], rows),
        "p": rng.random(rows),
        "v": rng.normal(size=rows) * 10.0 ** draw(st.integers(-3, 6)),
    }
    b = {name: values.copy() for name, values in a.items()}
    for name, values in b.items():
        here = rng.random(rows) < moved
        changed = rng.permutation(values) if name != "v" else values + rng.standard_t(2, rows) * np.abs(values).mean()
        values[here] = changed[here]
    if draw(st.booleans()):
        odd = rng.integers(0, rows, 2)
        a["v"][odd], b["v"][odd] = [np.nan, np.inf], [np.nan, 1.0]
    return a, b


@settings(max_examples=2 * EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sides())
def test_every_number_that_is_reported_is_that_of_numpy(tmp_path: Path, tables: tuple[Any, Any]) -> None:
    a, b = tables
    rows = len(a["v"])
    area = compare_in(tmp_path)(pa.table(a), pa.table(b), columns=RULES)
    summary = verdict_sentence(area, area.verdict)
    columns = {column.name: column for column in area.columns}
    if area.verdict == "identical":
        assert all((a[name] == b[name])[~np.isnan(a[name]) if name == "v" else slice(None)].all() for name in a)
        return
    flipped = a["label"] != b["label"]
    label = columns["label"]
    assert (label.equal, label.different, label.flips) == (rows - flipped.sum(), flipped.sum(), flipped.sum())
    if flipped.any():
        rate = stats.binomtest(int(flipped.sum()), rows).proportion_ci(method="wilson")
        assert f"{flipped.sum():,} of {rows:,} label values flip" in summary
        assert f"({part(flipped.mean())}, 95 % interval {part(rate.low)} to {part(rate.high)})" in summary
        pairs, counts = np.unique(np.stack([a["label"], b["label"]])[:, flipped], axis=1, return_counts=True)
        first = re.search(r"most often (\w+) to (\w+) \((\d+)\)", summary)
        assert first is not None
        assert int(first[3]) == counts.max()
        assert [first[1], first[2]] in pairs[:, counts == counts.max()].T.tolist()
    for name in ("p", "v"):
        check_numbers(columns[name], a[name], b[name], summary, rows)


def check_numbers(column: Any, a: Any, b: Any, summary: str, rows: int) -> None:
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    pairs = np.isfinite(a) & np.isfinite(b)
    delta = (b - a)[pairs]
    if not np.abs(delta).any():
        return
    with np.errstate(invalid="ignore"):
        over = np.abs(b - a) > column.atol + column.rtol * np.maximum(np.abs(a), np.abs(b))
    over = np.where(pairs, over, ~same)
    flips = (a >= 0.5) != (b >= 0.5) if column.kind == "probability" else np.zeros(rows, dtype=bool)
    assert column.equal == same.sum()
    assert column.different == (over | flips).sum()
    assert column.max_abs == pytest.approx(np.abs(delta).max())
    assert column.flips == (flips.sum() if column.kind == "probability" else None)
    assert column.measures["mean_abs"] == pytest.approx(np.abs(delta).mean())
    assert column.measures["p99_abs"] == pytest.approx(np.quantile(np.abs(delta), 0.99))
    assert column.measures["bias"] == pytest.approx(delta.mean(), abs=1e-9 * np.abs(delta).max())
    assert column.measures["rmse"] == pytest.approx(np.sqrt(np.square(delta).mean()))
    if column.verdict == "drift":
        sentence = (
            f"{column.name} moves by up to {np.abs(delta).max():.4g} in {(over | flips).sum():,} of {rows:,} rows"
        )
        assert sentence in summary
        if flips.any():
            crossing = "1 crosses" if flips.sum() == 1 else f"{flips.sum():,} cross"
            assert f"{crossing} the decision threshold" in summary
