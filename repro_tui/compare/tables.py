"""Compares two tables of predictions from Python: files or frames, without a record, and nothing is run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.predictions import Noise, PredictionsArea, Verdict
from repro_tui.model.record import ColumnRule, Validation
from repro_tui.model.request import MEMORY_LIMIT, Settings, Tolerance
from repro_tui.model.run import Run
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from repro_tui.support.text import show

if TYPE_CHECKING:
    import pyarrow as pa
    from pandas import DataFrame

DIFFERENCES = "differences.parquet"
Table: TypeAlias = "str | Path | DataFrame | pa.Table"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two tables of predictions compare, or the runs of two sides.

    `predictions` is as in a report; `folder` holds every differing cell. `more` is how many runs a side the rule wants
    before it decides (None: it has decided, or no more runs would help).
    """

    predictions: PredictionsArea
    folder: Path
    more: int | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all columns."""
        return self.predictions.verdict

    def to_pandas(self) -> DataFrame:
        """Every differing cell as a row: the columns of differences.parquet."""
        import pandas as pd

        return pd.read_parquet(self.folder / DIFFERENCES)


def compare_tables(
    a: Table | Sequence[Table],
    b: Table | Sequence[Table],
    *,
    key: str | Sequence[str] = (),
    atol: float | None = None,
    rtol: float | None = None,
    columns: Mapping[str, Mapping[str, Any]] | None = None,
    truth: str | None = None,
    memory_limit: int = MEMORY_LIMIT,
    folder: str | Path | None = None,
) -> Comparison:
    """What `repro_tui.compare` does."""
    place = Path(folder) if folder is not None else Path(tempfile.mkdtemp(prefix="repro-tui-"))
    place.mkdir(parents=True, exist_ok=True)
    settings = Settings(tolerance=Tolerance(atol, rtol), memory_limit=memory_limit)
    context = Context(cache=Cache(place / "cache"), settings=settings, folder=place)
    validation = _validation([key] if isinstance(key, str) else list(key), columns or {}, truth)
    from repro_tui.compare.noise.verdict import STILL, next_repeat
    from repro_tui.compare.predictions import compare_predictions

    given = [list(side) if isinstance(side, list | tuple) else [side] for side in (a, b)]
    if not all(given):
        raise Refused("a side has no tables")
    named = [
        (table, letter, number)
        for letter, side in zip("ab", given, strict=True)
        for number, table in enumerate(side, 1)
    ]
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(_run, *one, place, context) for one in named]
        read = [one.result() for one in waiting]
    runs_a, runs_b = (
        [replace(run, number=number) for number, run in enumerate(side, 1)]
        for side in (read[: len(given[0])], read[len(given[0]) :])
    )
    if isinstance(a, list | tuple) or isinstance(b, list | tuple):
        area = compare_predictions(runs_a, runs_b, validation, settings, place, context)
        return Comparison(area, place, next_repeat(runs_a, runs_b, area, settings))
    area = compare_predictions(runs_a * STILL, runs_b * STILL, validation, settings, place, context)
    return Comparison(_as_given(area), place)


def _as_given(area: PredictionsArea) -> PredictionsArea:
    """Tables are what they are: nothing was run, so nothing is said of noise."""
    columns = tuple(replace(column, noise_abs=None) for column in area.columns)
    return replace(area, columns=columns, noise=Noise(sentence="the tables are compared as they are: nothing was run"))


def _validation(key: list[str], columns: Mapping[str, Mapping[str, Any]], truth: str | None) -> Validation:
    """The rules, held to the shape that they have in a record."""
    from repro_tui.formats.wire.record import check_validation

    rules = {name: dict(told) for name, told in columns.items()}
    found = check_validation({"key": key, "columns": rules, "truth": truth}, "compare")
    told = {name: ColumnRule(**rule.model_dump()) for name, rule in found.columns.items()}
    return Validation(key=tuple(key), columns=told, truth=truth)


def _run(table: Table, side: str, number: int, folder: Path, context: Context) -> Run:
    """A table as a run that is over: the ordinary way of the engine, from the file on."""
    import pyarrow as pa

    from repro_tui.formats import normalise, tables
    from repro_tui.formats.columns import TableError

    target = folder / f"{side}-{number}.parquet"
    if isinstance(table, str | Path):
        path = Path(table)
        if not path.is_file():
            raise Refused(f"there is no file {path}")
        try:
            return normalise.recorded_run(path, target, context)
        except Inconclusive as error:
            raise Refused(f"{path} cannot be read: {error}") from error
    path = target.with_suffix(".given.arrow")
    try:
        _write(table, path)
        rows, form = tables.normalise(path, target)  # what is in memory already is not kept away from this process
    except (TableError, pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise Refused(f"table {number} of {side.upper()} cannot be read: {show(str(error), 300)}") from error
    digest = context.cache.hashes.digests(path).sha256
    return Run(1, "succeeded", 0.0, predictions=str(target), output_sha256=digest, output_format=form, rows=rows)


def _write(table: DataFrame | pa.Table, path: Path) -> None:
    """Writes an Arrow file, in which every type and every NaN stays what it is."""
    import pyarrow as pa

    if not isinstance(table, pa.Table):
        if not hasattr(table, "columns") or not hasattr(table, "dtypes"):
            raise TypeError(f"a {type(table).__name__} is not a file, a frame or an Arrow table")
        table = pa.table({str(name): _array(table[name], str(name)) for name in table.columns})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def _array(column: Any, name: str) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(column, from_pandas=_has_missing(column))
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"column {name}: {error}") from error


def _has_missing(column: Any) -> bool:
    """Whether NaN stands for what is missing: in a column of plain floats it is a number like any other."""
    return getattr(column.dtype, "kind", "") != "f"
