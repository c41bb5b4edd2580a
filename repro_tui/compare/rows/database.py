"""DuckDB over Parquet tables, under a limit of memory: what does not fit goes to a scratch folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

LEAST = 128 << 20
OVERHEAD = 448 << 20  # what Python, its libraries and the batches under comparison take beside the database


class Database:
    """The database of one comparison: opened when it is first asked, since that costs more than a small comparison
    does, and closed at its end with all that it holds. `memory` is the limit of the whole process in bytes.
    """

    def __init__(self, scratch: Path, memory: int) -> None:
        self.scratch, self.memory = scratch, memory
        self._opened: duckdb.DuckDBPyConnection | None = None

    @property
    def room(self) -> int:
        """What the database may take in bytes."""
        return max(LEAST, self.memory - OVERHEAD)

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A further connection, which its user closes. What is temporary is its own, and goes with it, so that several
        may be in use at once."""
        if self._opened is None:
            self._opened = self._open()
        connection = self._opened.cursor()
        connection.execute("SET enable_progress_bar = false")  # it would be drawn over the interface
        return connection

    @contextmanager
    def pair(self, a: Path, b: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with the tables `a` and `b`, each row with its `file_row_number`."""
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
        """Closes the database, and gives back its memory."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


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
