"""Compares two tables of predictions from Python: files or frames, without a record, and nothing is run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro_tui.model.errors import Refused
from repro_tui.model.predictions import Noise, PredictionsArea, Verdict
from repro_tui.model.record import ColumnRule, Validation
from repro_tui.model.request import MEMORY_LIMIT, Settings, Tolerance
from repro_tui.model.run import Run
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context

if TYPE_CHECKING:
    from pandas import DataFrame

DIFFERENCES = "differences.parquet"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two tables of predictions compare. `predictions` is as in a report; `folder` holds every differing cell."""

    predictions: PredictionsArea
    folder: Path

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all columns."""
        return self.predictions.verdict

    def to_pandas(self) -> DataFrame:
        """Every differing cell as a row: the columns of differences.parquet."""
        import pandas as pd

        return pd.read_parquet(self.folder / DIFFERENCES)


def compare(
    a: str | Path | DataFrame,
    b: str | Path | DataFrame,
    *,
    key: Sequence[str] = (),
    atol: float | None = None,
    rtol: float | None = None,
    columns: Mapping[str, Mapping[str, Any]] | None = None,
    truth: str | None = None,
    memory_limit: int = MEMORY_LIMIT,
    folder: str | Path | None = None,
) -> Comparison:
    """Compares two tables of predictions cell by cell.

    `a` and `b` are files (CSV, Parquet, JSON Lines, Arrow or .npy) or pandas frames; `key` names the columns that name
    a row (none: the n-th row belongs to the n-th). `columns` maps a column to `kind`, `atol`, `rtol`, `compute_type`,
    `reduction`, `threshold` or `vector`, as in a record; `truth` is the column that holds what is true of a row.
    `memory_limit` is in bytes. What differs is kept in `folder` (default: a temporary one). Raises Refused for what is
    no table, or no such column rule.
    """
    place = Path(folder) if folder is not None else Path(tempfile.mkdtemp(prefix="repro-tui-"))
    place.mkdir(parents=True, exist_ok=True)
    settings = Settings(tolerance=Tolerance(atol, rtol), memory_limit=memory_limit)
    context = Context(cache=Cache(place / "cache"), settings=settings, folder=place)
    validation = _validation([key] if isinstance(key, str) else list(key), columns or {}, truth)
    from repro_tui.compare.predictions import compare_predictions

    with ThreadPoolExecutor(2) as pool:
        sides = list(pool.map(lambda table, side: _run(table, place / f"{side}.parquet", context), (a, b), "ab"))
    runs = [[side] * 2 for side in sides]
    return Comparison(_as_given(compare_predictions(runs[0], runs[1], validation, settings, place, context)), place)


def _as_given(area: PredictionsArea) -> PredictionsArea:
    """Tables are what they are: nothing was run, so nothing is said of noise."""
    columns = tuple(replace(column, noise_abs=None) for column in area.columns)
    return replace(area, columns=columns, noise=Noise(sentence="the tables are compared as they are: nothing was run"))


def _validation(key: list[str], columns: Mapping[str, Mapping[str, Any]], truth: str | None) -> Validation:
    """The rules, held to the shape that they have in a record."""
    from repro_tui.support.wire.record import check_validation

    rules = {name: dict(told) for name, told in columns.items()}
    found = check_validation({"key": key, "columns": rules, "truth": truth}, "compare")
    told = {name: ColumnRule(**rule.model_dump()) for name, rule in found.columns.items()}
    return Validation(key=tuple(key), columns=told, truth=truth)


def _run(table: str | Path | DataFrame, target: Path, context: Context) -> Run:
    """A table as a run that is over: the ordinary way of the engine, from the file on."""
    from repro_tui.support.normalise import recorded_run

    if isinstance(table, str | Path):
        path = Path(table)
        if not path.is_file():
            raise Refused(f"there is no file {path}")
    else:
        path = target.with_suffix(".frame.parquet")
        table.to_parquet(path, index=False)
    return recorded_run(path, target, context)
