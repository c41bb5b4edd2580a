"""The rows of a guilty data file as items: ranges of rows in which the two sides differ.

Rows are matched by their number, so both files must have the same number of rows. The differing rows, in order, are
divided into at most 64 ranges; a range is named by its first and last row, between which equal rows may lie.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TypeVar

from repro_tui.explain.inside.base import Inside
from repro_tui.model.workspace import FetchedFile
from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.context import Context
from repro_tui.support.regular import read_regular

T = TypeVar("T")
LARGEST = 256 << 20  # bytes of a file that is compared row by row
MOST_GROUPS = 64
_LINES = (".csv", ".tsv", ".jsonl", ".ndjson", ".txt")


@dataclass(frozen=True, slots=True)
class RowFiles:
    """Two files row by row. `noun` is what a row is called; `mix` returns the bytes of A's file with these rows from B.

    Rows are numbered from 0.
    """

    noun: str
    a: Sequence[object]
    b: Sequence[object]
    mix: Callable[[Sequence[int]], bytes]


def inside_rows(factor: str, path: str, name: str, a: FetchedFile, b: FetchedFile, guilty: Inside) -> Inside | None:
    """The differing rows of a file, in at most 64 ranges; None where its rows cannot be matched.

    The file is `name` in the data item at `path`. `guilty` has the guilty files as its items: the other ones are B's.
    """
    rows = _rows(PurePosixPath(name or path).suffix.lower(), a, b)
    if rows is None:
        return None
    ranges = {_range_name(rows.noun, numbers): numbers for numbers in _ranges(rows)}
    file = f"{path}/{name}" if name else path

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        numbers = sorted(number for item in from_b for number in ranges[item])
        guilty_from_b = guilty.parts(base, frozenset(guilty.items), context)
        return with_content(guilty_from_b, path, name, rows.mix(numbers), context)

    return Inside(
        factor,
        tuple(ranges),
        parts,
        sides=lambda item: (None, None),
        path=lambda item: ("files", file, item),
        where=file,
    )


def with_content(parts: Parts, path: str, name: str, content: bytes, context: Context) -> Parts:
    """The parts of a hybrid with this content as the file `name` of the data item at `path`; it goes into the cache."""
    stored = context.cache.add_object(io.BytesIO(content), context.cancel)
    file = FetchedFile(str(stored.file), stored.size, stored.sha256, stored.md5)
    return replace(
        parts,
        data=tuple(
            replace(item, files={**item.files, name: file}) if item.path == path else item for item in parts.data
        ),
    )


def _rows(suffix: str, a: FetchedFile, b: FetchedFile) -> RowFiles | None:
    if max(a.size, b.size) > LARGEST:
        return None
    if suffix in _LINES:
        return _lines(a, b)
    return _records(a, b) if suffix == ".parquet" else None


def _lines(a: FetchedFile, b: FetchedFile) -> RowFiles | None:
    lines_a, lines_b = (read_regular(file.file, most=LARGEST).splitlines(keepends=True) for file in (a, b))
    if len(lines_a) != len(lines_b):
        return None

    def mix(from_b: Sequence[int]) -> bytes:
        lines = list(lines_a)
        for number in from_b:
            lines[number] = lines_b[number]
        return b"".join(lines)

    return RowFiles("line", lines_a, lines_b, mix)


def _records(a: FetchedFile, b: FetchedFile) -> RowFiles | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table_a, table_b = pq.read_table(a.file), pq.read_table(b.file)
    if table_a.schema != table_b.schema or table_a.num_rows != table_b.num_rows:
        return None

    def mix(from_b: Sequence[int]) -> bytes:
        rows, taken = table_a.num_rows, frozenset(from_b)
        indices = [number + rows if number in taken else number for number in range(rows)]
        out = io.BytesIO()
        pq.write_table(pa.concat_tables([table_a, table_b]).take(pa.array(indices)), out)
        return out.getvalue()

    return RowFiles("row", table_a.to_pylist(), table_b.to_pylist(), mix)


def _ranges(rows: RowFiles) -> list[list[int]]:
    return divided([number for number, (a, b) in enumerate(zip(rows.a, rows.b, strict=True)) if a != b])


def divided(items: list[T]) -> list[list[T]]:
    """The items in at most 64 groups of neighbours, all of one size but the last."""
    size = max(1, -(-len(items) // MOST_GROUPS))
    return [items[start : start + size] for start in range(0, len(items), size)]


def _range_name(noun: str, numbers: Sequence[int]) -> str:
    first, last = numbers[0] + 1, numbers[-1] + 1
    return f"{noun} {first:,}" if first == last else f"{noun}s {first:,} to {last:,}"
