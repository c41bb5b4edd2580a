"""The differing cells of an audit as evidence: their digest, and which of them an earlier audit did not have.

The digest is one of content, not of a file: of each cell its key, column, change and both values, in any order. Marks
of noise, and how Parquet stores them, do not count. It is the sum of the cells' own digests (64 bits of MD5), so that
nothing is sorted: a guard against chance, not against somebody who forges cells. A million cells take 1.3 s of CPU.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from repro_tui.compare.columns.differences import LONGEST_VALUE, MOST_CELLS, SCHEMA
from repro_tui.compare.rows.database import Database, parquet
from repro_tui.model.predictions import PredictionsArea
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.text import show

FILE = "differences.parquet"
# What tells a cell apart: each value with its length, so that none runs into the next; an absent one is a dash.
_FIELDS = ("key", '"column"', "change", "a", "b")
_PARTS = (f"coalesce(length({field})::VARCHAR || ':' || {field}, '-')" for field in _FIELDS)
_CELL = f"concat({', '.join(_PARTS)})"
_SAME_CELL = 'SELECT key, "column", change, a, b FROM'


def with_evidence(area: PredictionsArea, folder: Path, context: Context) -> PredictionsArea:
    """The area with the digest of all differing cells, if it drifts; "" where these are not kept whole.

    `folder` is the audit's.
    """
    file = folder / FILE
    if area.verdict != "drift" or not file.is_file() or not is_whole(area, file):
        return area
    database = Database(context.cache.temporary(), context.settings.memory_limit)
    try:
        with database.connection() as connection:
            total = f"coalesce(sum(md5_number_lower({_CELL})::HUGEINT), 0)::VARCHAR"
            longest = "coalesce(max(greatest(coalesce(length(a), 0), coalesce(length(b), 0))), 0)"
            query = f"SELECT count(*), {longest}, {total} FROM {parquet(file)}"  # noqa: S608 - our own file
            count, length, total = connection.execute(query).fetchone() or (0, 0, "")
    finally:
        database.close()
        remove_tree(database.scratch)
    if length > LONGEST_VALUE:  # such values were cut
        return area
    digest = hashlib.sha256(f"{count} {total}".encode("ascii")).hexdigest()
    return replace(area, evidence=f"sha256:{digest}")


def is_whole(area: PredictionsArea, file: Path) -> bool:
    """Whether a file has all differing cells of an area."""
    return area.differences < MOST_CELLS and pq.read_metadata(file).num_rows == area.differences


def new_cells(
    area: PredictionsArea, folder: Path, before: PredictionsArea, old: Path, context: Context
) -> dict[str, int] | None:
    """The number of differing cells, by column, that an earlier audit did not have just so; None where it is not known.

    `folder` and `old` are the folders of this audit and of that one, `before` is that one's area.
    """
    files = folder / FILE, old / FILE
    if not all(file.is_file() for file in files) or not (is_whole(area, files[0]) and is_whole(before, files[1])):
        return None
    if pq.read_schema(files[1]).names != SCHEMA.names:
        return None
    database = Database(context.cache.temporary(), context.settings.memory_limit)
    try:
        with database.connection() as connection:
            now, then = (f"{_SAME_CELL} {parquet(file)}" for file in files)
            query = f'SELECT "column", count(*) FROM ({now} EXCEPT {then}) GROUP BY "column"'  # noqa: S608
            rows = connection.execute(query).fetchall()
    finally:
        database.close()
        remove_tree(database.scratch)
    return {show(name, 200): count for name, count in rows}
