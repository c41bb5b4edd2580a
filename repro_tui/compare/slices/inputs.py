"""Prepares the search for slices: the validation inputs, each with whether its prediction moved."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.rows.database import Database, literal, parquet, quoted
from repro_tui.compare.slices.search import find_slices
from repro_tui.model.predictions import SAME_VERDICTS, PredictionsArea, Slice
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.plain import from_plain, to_plain
from repro_tui.support.text import show

FORMAT = "3"  # of the cached slices
MOST_ROWS = 200_000  # of the inputs, evenly spaced: shares need no more


def slices_of(area: PredictionsArea, folder: Path, predictions: Path, context: Context) -> tuple[Slice, ...]:
    """The slices of an audit's inputs in which predictions moved; () where the inputs are not known.

    `folder` holds inputs.parquet and differences.parquet, and `predictions` is the output of A's first run. The result
    is cached by the content of both files.
    """
    inputs, differences = folder / "inputs.parquet", folder / "differences.parquet"
    if area.status == "same" or not area.differences or not inputs.exists():
        return ()
    digests = [context.cache.hashes.digests(path).sha256 for path in (inputs, differences)]
    key = digest_text(FORMAT, *digests, *area.key, *_unmoved(area))
    known = context.cache.read_note("slices", key)
    if not isinstance(known, list):
        known = [to_plain(part) for part in _search(area, inputs, differences, predictions, context)]
        context.cache.write_note("slices", key, known)
    return tuple(from_plain(Slice, part) for part in known)


def _search(
    area: PredictionsArea, inputs: Path, differences: Path, predictions: Path, context: Context
) -> tuple[Slice, ...]:
    """Searches for slices with rows that flip, or with rows that differ where no decision flips."""
    names = pq.read_schema(inputs).names
    if not set(area.key) <= set(names):
        return ()
    unmoved, raw_names = _unmoved(area), {show(name, 200): name for name in pq.read_schema(predictions).names}
    flips = any(column.flips for column in area.columns if column.name not in unmoved)
    condition = "flip" if flips else "verdict = 'different'"
    condition += " AND noise IS DISTINCT FROM 'within'"
    if unmoved:
        condition += f' AND "column" NOT IN ({", ".join(literal(raw_names.get(name, name)) for name in unmoved)})'
    rows = f"SELECT DISTINCT row_a FROM {parquet(differences)} WHERE {condition}"  # noqa: S608
    database = Database(context.cache.temporary(), context.settings.memory_limit)
    with closing(database), database.pair(inputs, predictions) as connection:
        table = connection.sql(_query(area.key, names, rows, pq.read_metadata(inputs).num_rows)).to_arrow_table()
    moved = np.asarray(table.column("moved").to_numpy(), dtype=np.bool_)
    return find_slices(_without_key(table, names, area.key), moved, "flip" if flips else "move")


def _unmoved(area: PredictionsArea) -> tuple[str, ...]:
    """The columns whose verdict counts as the same: cells that differ there are noise, and not part of the change."""
    return tuple(column.name for column in area.columns if column.verdict in SAME_VERDICTS)


def _without_key(table: pa.Table, names: list[str], key: tuple[str, ...]) -> pa.Table:
    """The inputs under their own names, without the key."""
    kept = {index: name for index, name in enumerate(names) if name not in key}
    return table.select(list(kept)).rename_columns(list(kept.values()))


def _query(key: tuple[str, ...], names: list[str], moved: str, rows: int) -> str:
    """Evenly spaced rows of the inputs (`a`), each with whether its prediction (in `b`) is among those that `moved`."""
    step = -(-rows // MOST_ROWS)
    columns = ", ".join(f"a.{quoted(name)}" for name in names)
    if not key:
        return (
            f"SELECT {columns}, m.row_a IS NOT NULL AS moved FROM a"  # noqa: S608
            f" LEFT JOIN ({moved}) m ON m.row_a = a.file_row_number WHERE a.file_row_number % {step} = 0"
        )
    on = " AND ".join(f"CAST(a.{quoted(name)} AS VARCHAR) = CAST(p.{quoted(name)} AS VARCHAR)" for name in key)
    keys = f"SELECT b.* FROM b JOIN ({moved}) m ON m.row_a = b.file_row_number"  # noqa: S608
    return (
        f"SELECT {columns}, EXISTS (SELECT 1 FROM ({keys}) p WHERE {on}) AS moved FROM a"  # noqa: S608
        f" WHERE a.file_row_number % {step} = 0"
    )
