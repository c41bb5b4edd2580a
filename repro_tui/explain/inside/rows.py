"""The rows of a guilty data file as things that can be mixed: runs of rows in which the two sides differ."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from repro_tui.explain.inside.base import Inside
from repro_tui.model.workspace import FetchedFile
from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.context import Context

LARGEST = 256 << 20
MOST_GROUPS = 64
_LINES = (".csv", ".tsv", ".jsonl", ".ndjson", ".txt")


@dataclass(frozen=True, slots=True)
class RowFiles:
    """Two files row by row: what a row is called, what they are, and how a mixture is put together again."""

    word: str
    a: Sequence[object]
    b: Sequence[object]
    joined: Callable[[Sequence[int]], bytes]


def inside_rows(factor: str, path: str, name: str, a: FetchedFile, b: FetchedFile, whole: Inside) -> Inside | None:
    """The differing rows of a file, in at most 64 runs; None where the sides have no rows that belong together.

    `whole` is the search over files that found this one guilty: the other guilty files stay as in B.
    """
    rows = _rows(PurePosixPath(name or path).suffix.lower(), a, b)
    if rows is None:
        return None
    groups = {_words(rows.word, group): group for group in _groups(rows)}
    item = f"{path}/{name}" if name else path

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        chosen = sorted(number for group in from_b for number in groups[group])
        stored = context.cache.add_object(io.BytesIO(rows.joined(chosen)), context.cancel)
        mixed = FetchedFile(str(stored.file), stored.size, stored.sha256, stored.md5)
        found = whole.parts(base, frozenset(whole.items), context)
        return with_file(found, path, name, mixed)

    return Inside(
        factor,
        tuple(groups),
        parts,
        sides=lambda group: (None, None),
        path=lambda group: ("files", item, group),
        where=item,
    )


def with_file(parts: Parts, path: str, name: str, file: FetchedFile) -> Parts:
    """The parts of a hybrid with another file in the data item of that path."""
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
    one, other = (_read(file).splitlines(keepends=True) for file in (a, b))
    if len(one) != len(other):
        return None

    def joined(from_b: Sequence[int]) -> bytes:
        found = list(one)
        for number in from_b:
            found[number] = other[number]
        return b"".join(found)

    return RowFiles("line", one, other, joined)


def _read(file: FetchedFile) -> bytes:
    with open(file.file, "rb") as stream:  # noqa: PTH123
        return stream.read()


def _records(a: FetchedFile, b: FetchedFile) -> RowFiles | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    one, other = pq.read_table(a.file), pq.read_table(b.file)
    if one.schema != other.schema or one.num_rows != other.num_rows:
        return None

    def joined(from_b: Sequence[int]) -> bytes:
        chosen = frozenset(from_b)
        places = [number + one.num_rows if number in chosen else number for number in range(one.num_rows)]
        out = io.BytesIO()
        pq.write_table(pa.concat_tables([one, other]).take(pa.array(places)), out)
        return out.getvalue()

    return RowFiles("row", one.to_pylist(), other.to_pylist(), joined)


def _groups(rows: RowFiles) -> list[list[int]]:
    """The numbers of the rows that differ, in runs; neighbouring runs are joined until there are few enough."""
    differing = [number for number, (one, other) in enumerate(zip(rows.a, rows.b, strict=True)) if one != other]
    size = max(1, -(-len(differing) // MOST_GROUPS))
    return [differing[at : at + size] for at in range(0, len(differing), size)]


def _words(word: str, group: Sequence[int]) -> str:
    first, last = group[0] + 1, group[-1] + 1
    return f"{word} {first:,}" if first == last else f"{word}s {first:,} to {last:,}"
