"""DuckDB over Parquet tables, with a memory limit: what does not fit is spilled to a scratch folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

LEAST = 128 << 20  # bytes that the database gets in any case
OVERHEAD = 448 << 20  # bytes that Python, its libraries and the batches under comparison need besides the database


class Database:
    """The database of one comparison, with a memory limit.

    It is opened on first use, since opening it costs more than a small comparison, and closed at the end of the
    comparison with everything that it holds. `scratch` is the folder it spills to, and `memory` the limit of the whole
    process in bytes.
    """

    def __init__(self, scratch: Path, memory: int) -> None:
        self.scratch, self.memory = scratch, memory
        self._opened: duckdb.DuckDBPyConnection | None = None

    @property
    def room(self) -> int:
        """The memory limit of the database itself, in bytes."""
        return max(LEAST, self.memory - OVERHEAD)

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A new connection, which the caller closes.

        Temporary tables and views belong to the connection and vanish with it, so that several can be used at once.
        """
        if self._opened is None:
            self._opened = self._open()
        connection = self._opened.cursor()
        connection.execute("SET enable_progress_bar = false")  # it would overwrite the interface
        return connection

    @contextmanager
    def pair(self, a: Path, b: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with the views `a` and `b` of two Parquet files; each row has its 0-based `file_row_number`."""
        with self.connection() as connection:
            for name, path in (("a", a), ("b", b)):
                view = f"CREATE TEMP VIEW {name} AS SELECT *, file_row_number FROM {table(path)}"  # noqa: S608
                connection.execute(view)
            yield connection

    def _open(self) -> duckdb.DuckDBPyConnection:
        self.scratch.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(
            config={
                "memory_limit": f"{self.room}B",
                "temp_directory": str(self.scratch),
                "preserve_insertion_order": False,
            }
        )

    def close(self) -> None:
        """Closes the database and frees its memory."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def table(path: Path, alias: str = "t") -> str:
    """A Parquet file as a table in SQL, with its columns renamed by `identifier`."""
    columns = ", ".join(quoted(name) for name in pq.read_schema(path).names)
    return f"{parquet(path)} AS {alias}({columns})"


def parquet(path: Path) -> str:
    """A Parquet file as a table in SQL, with its columns under their own names: only for files that we write."""
    file = re.sub(r"([*?\[])", r"[\1]", str(path))  # DuckDB would read these characters as a pattern
    return f"read_parquet({literal(file)})"


def literal(text: str) -> str:
    """A text as a string literal in SQL."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column's name as the database sees it, so that no two names collide.

    DuckDB ignores case, and reserves names such as `rowid`. Names therefore begin with `=`, and characters that have a
    lower case are written as their code: `x` becomes `=x`, and `X` becomes `=^58;`.
    """
    return "=" + "".join(f"^{ord(c):x};" if c == "^" or c.lower() != c else c for c in name)


def quoted(name: str) -> str:
    """A column's name as a quoted identifier in SQL."""
    return '"' + identifier(name).replace('"', '""') + '"'
