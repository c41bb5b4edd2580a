"""DuckDB over two Parquet tables, under a limit of memory: what does not fit goes to a scratch folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

LEAST = 128 << 20
OVERHEAD = 448 << 20  # what Python, its libraries and the batches under comparison take beside the database


def room_of(memory: int) -> int:
    """What the database may take in bytes, where `memory` is the limit of the whole process."""
    return max(LEAST, memory - OVERHEAD)


@contextmanager
def database(scratch: Path, a: Path, b: Path, memory: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the tables `a` and `b`, each row with its `file_row_number`. `memory` is the limit of the whole
    process in bytes."""
    scratch.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "memory_limit": f"{room_of(memory)}B",
        "temp_directory": str(scratch),
        "preserve_insertion_order": False,
    }
    with duckdb.connect(config=settings) as connection:
        for name, path in (("a", a), ("b", b)):
            connection.execute(f"CREATE VIEW {name} AS SELECT *, file_row_number FROM {table(path)}")  # noqa: S608
        yield connection


def table(path: Path, alias: str = "t") -> str:
    """A Parquet file as a table of SQL, its columns under the names that `identifier` gives them."""
    columns = ", ".join(quoted(name) for name in pq.read_schema(path).names)
    return f"{parquet(path)} AS {alias}({columns})"


def parquet(path: Path) -> str:
    """A Parquet file of our own as a table of SQL, its columns under their own names."""
    file = re.sub(r"([*?\[])", r"[\1]", str(path))  # what would be a pattern is taken literally
    return f"read_parquet({literal(file)})"


def literal(text: str) -> str:
    """A text as SQL takes it."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column's name as it is within the database, to which `x` and `X` are one, and which has names of its own."""
    return "=" + "".join(f"^{ord(c):x};" if c == "^" or c.lower() != c else c for c in name)


def quoted(name: str) -> str:
    """A column's name as SQL takes it."""
    return '"' + identifier(name).replace('"', '""') + '"'
