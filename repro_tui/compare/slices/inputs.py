"""The validation inputs beside whether the row's prediction moved: what slices are looked for in."""

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

FORMAT = "2"
MOST_ROWS = 200_000  # of the inputs, evenly spaced: an answer about shares needs no more


def slices_of(area: PredictionsArea, folder: Path, predictions: Path, context: Context) -> tuple[Slice, ...]:
    """The slices of an audit's inputs in which predictions moved; none where the inputs are not known.

    `folder` holds inputs.parquet and differences.parquet, and `predictions` is A's first run. What was found is
    remembered by the content of both.
    """
    inputs, differences = folder / "inputs.parquet", folder / "differences.parquet"
    if area.status == "same" or not area.differences or not inputs.exists():
        return ()
    digests = [context.cache.hashes.digests(path).sha256 for path in (inputs, differences)]
    key = digest_text(FORMAT, *digests, *area.key, *_still(area))
    known = context.cache.read_note("slices", key)
    if not isinstance(known, list):
        known = [to_plain(found) for found in _find(area, inputs, differences, predictions, context)]
        context.cache.write_note("slices", key, known)
    return tuple(from_plain(Slice, found) for found in known)


def _find(
    area: PredictionsArea, inputs: Path, differences: Path, predictions: Path, context: Context
) -> tuple[Slice, ...]:
    still, raw = _still(area), {show(name, 200): name for name in pq.read_schema(predictions).names}
    flips = any(column.flips for column in area.columns if column.name not in still)
    names = pq.read_schema(inputs).names
    if not set(area.key) <= set(names):
        return ()
    chosen = "flip" if flips else "verdict = 'different'"
    chosen += " AND noise IS DISTINCT FROM 'within'"
    chosen += f' AND "column" NOT IN ({", ".join(literal(raw.get(name, name)) for name in still)})' if still else ""
    moved = f"SELECT DISTINCT row_a FROM {parquet(differences)} WHERE {chosen}"  # noqa: S608
    database = Database(context.cache.temporary(), context.settings.memory_limit)
    with closing(database), database.pair(inputs, predictions) as connection:
        table = connection.sql(_query(area.key, names, moved, pq.read_metadata(inputs).num_rows)).to_arrow_table()
    which = np.asarray(table.column("moved").to_numpy(), dtype=np.bool_)
    return find_slices(_only(table, names, area.key), which, "flip" if flips else "move")


def _still(area: PredictionsArea) -> tuple[str, ...]:
    """The columns that are the same: what moves in them, as noise does, says nothing of the difference."""
    return tuple(column.name for column in area.columns if column.verdict in SAME_VERDICTS)


def _only(table: pa.Table, names: list[str], key: tuple[str, ...]) -> pa.Table:
    """The inputs but their key."""
    return table.select([n for n, name in enumerate(names) if name not in key]).rename_columns(
        [name for name in names if name not in key]
    )


def _query(key: tuple[str, ...], names: list[str], moved: str, rows: int) -> str:
    """Evenly spaced inputs (`a`), each with whether its prediction (of `b`) is among those that moved."""
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
