"""DuckDB over two Parquet tables, under a limit of memory: what does not fit goes to a scratch folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

LEAST = 128 << 20
OVERHEAD = 448 << 20  # what Python, its libraries and the batches under comparison take beside the database


@contextmanager
def database(scratch: Path, a: Path, b: Path, memory: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the tables `a` and `b`. `memory` is the limit of the whole process in bytes."""
    scratch.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "memory_limit": f"{max(LEAST, memory - OVERHEAD)}B",
        "temp_directory": str(scratch),
        "preserve_insertion_order": False,
    }
    with duckdb.connect(config=settings) as connection:
        for name, path in (("a", a), ("b", b)):
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {parquet(path)}")  # noqa: S608
        yield connection


def parquet(path: Path) -> str:
    """A Parquet file as a table of SQL, with `file_row_number`."""
    file = str(path).replace("'", "''")
    return f"read_parquet('{file}', file_row_number = true)"


def quoted(name: str) -> str:
    """A column's name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'
