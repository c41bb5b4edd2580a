"""Compares two tables of predictions from Python: files or frames, without a record and without running anything."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.predictions import Noise, PredictionsArea, Verdict
from repro_tui.model.record import ColumnRule, Validation
from repro_tui.model.request import Settings, Tolerance
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
    """The comparison of two tables of predictions, or of the runs of two sides.

    `predictions` is the area as a report has it; `folder` holds differences.parquet with every differing cell. `more`
    is how many runs a side the noise rule needs next (None: it has decided, or more runs would not help).
    """

    predictions: PredictionsArea
    folder: Path
    more: int | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all columns."""
        return self.predictions.verdict

    def to_pandas(self) -> DataFrame:
        """Every differing cell as a row, with the columns of differences.parquet."""
        import pandas as pd

        return pd.read_parquet(self.folder / DIFFERENCES)


def compare_tables(
    a: Table | Sequence[Table],
    b: Table | Sequence[Table],
    *,
    key: str | Sequence[str],
    atol: float | None,
    rtol: float | None,
    columns: Mapping[str, Mapping[str, object]] | None,
    truth: str | None,
    memory_limit: int,
    folder: str | Path | None,
) -> Comparison:
    """Implements `repro_tui.compare`, which describes the parameters and has their defaults.

    A side is one table, or a sequence of tables, one for each run. Raises Refused where a table cannot be read.
    """
    target = Path(folder) if folder is not None else Path(tempfile.mkdtemp(prefix="repro-tui-"))
    target.mkdir(parents=True, exist_ok=True)
    settings = Settings(tolerance=Tolerance(atol, rtol), memory_limit=memory_limit)
    context = Context(cache=Cache(target / "cache"), settings=settings, folder=target)
    validation = _validation([key] if isinstance(key, str) else list(key), columns or {}, truth)
    from repro_tui.compare.noise.verdict import RUNS_FOR_DRIFT, next_repeat
    from repro_tui.compare.predictions import compare_predictions

    sides = [list(side) if isinstance(side, list | tuple) else [side] for side in (a, b)]
    for letter, side in zip("AB", sides, strict=True):
        if not side:
            raise Refused(f"side {letter} has no tables: pass at least one")
    with ThreadPoolExecutor(2) as pool:
        reading = [
            [pool.submit(_run, table, letter, number, target, context) for number, table in enumerate(side, 1)]
            for letter, side in zip("ab", sides, strict=True)
        ]
        runs_a, runs_b = ([future.result() for future in side] for side in reading)
    if isinstance(a, list | tuple) or isinstance(b, list | tuple):
        area = compare_predictions(runs_a, runs_b, validation, settings, target, context)
        return Comparison(area, target, next_repeat(runs_a, runs_b, area, settings))
    # A table does not vary: as many equal runs as show drift.
    area = compare_predictions(runs_a * RUNS_FOR_DRIFT, runs_b * RUNS_FOR_DRIFT, validation, settings, target, context)
    return Comparison(_without_noise(area), target)


def _without_noise(area: PredictionsArea) -> PredictionsArea:
    """The area of two tables: nothing was run, so nothing is known about noise."""
    columns = tuple(replace(column, noise_abs=None) for column in area.columns)
    return replace(area, columns=columns, noise=Noise(sentence="two tables were compared: nothing was run"))


def _validation(key: list[str], columns: Mapping[str, Mapping[str, object]], truth: str | None) -> Validation:
    """The rules, checked like those of a record."""
    from repro_tui.formats.wire.record import check_validation

    rules = {name: dict(rule) for name, rule in columns.items()}
    checked = check_validation({"key": key, "columns": rules, "truth": truth}, "compare")
    column_rules = {name: ColumnRule(**rule.model_dump()) for name, rule in checked.columns.items()}
    return Validation(key=tuple(key), columns=column_rules, truth=truth)


def _run(table: Table, side: str, number: int, folder: Path, context: Context) -> Run:
    """A table as a finished run: from here on, the engine treats it as the output of a deployment."""
    import pyarrow as pa

    from repro_tui.formats import normalise, tables
    from repro_tui.formats.columns import TableError

    target = folder / f"{side}-{number}.parquet"
    if isinstance(table, str | Path):
        path = Path(table)
        if not path.is_file():
            raise Refused(f"there is no file {path}: check the path")
        try:
            return replace(normalise.recorded_run(path, target, context), number=number)
        except Inconclusive as error:
            raise Refused(f"{path} cannot be read: {error}") from error
    path = target.with_suffix(".given.arrow")
    try:
        _write(table, path)
        rows, form = tables.normalise(path, target)  # in this process: the table is in its memory already
    except (TableError, pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise Refused(f"table {number} of {side.upper()} cannot be read: {show(str(error), 300)}") from error
    digest = context.cache.hashes.digests(path).sha256
    return Run(number, "succeeded", 0.0, predictions=str(target), output_sha256=digest, output_format=form, rows=rows)


def _write(table: DataFrame | pa.Table, path: Path) -> None:
    """Writes an Arrow file, which keeps every type and every NaN."""
    import pyarrow as pa

    if not isinstance(table, pa.Table):
        if not hasattr(table, "columns") or not hasattr(table, "dtypes"):
            raise TypeError(f"a {type(table).__name__} is not a path, a DataFrame or an Arrow table")
        table = pa.table({str(name): _array(table[name], str(name)) for name in table.columns})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


class _Series(Protocol):
    """What is read of a column of a frame."""

    @property
    def dtype(self) -> object: ...


def _array(column: _Series, name: str) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(column, from_pandas=_has_missing(column))
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"column {name}: {error}") from error


def _has_missing(column: _Series) -> bool:
    """Whether NaN stands for a missing value: in a column of plain floats it is a value like any other."""
    return getattr(column.dtype, "kind", "") != "f"
