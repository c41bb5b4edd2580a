"""A Parquet file as rows: filtered and sorted by DuckDB, and read a page at a time.

The idea: `select` writes the numbers of the selected rows, in their order, to a table of the database; the values are
read from the file only when a row is looked at, in pages of PAGE rows, of which the last MOST_PAGES are kept. Opening a
million rows therefore costs one pass over the columns that the filter and the order need, and no memory for values. For
example, `select("delta > 0.5", order="delta DESC")` stores the numbers 7, 3 and 9, and `table[0]` reads row 7.

Three things keep the keys responsive. The earlier selection stays readable while a new one is made. Reading and
selecting have a lock and a cursor each, so that neither waits for the other. And `hold` copies a table of moderate size
into memory after it was shown, since reading a page in another order than the file's searches the whole file.

Conditions are SQL that the user typed: the database may open these files only, and its configuration is locked.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro_tui.tui.expression_errors import expression_problem

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PAGE = 256
MOST_PAGES = 64
BATCH = 100_000
HELD = (20_000, 2_000_000)  # rows: with fewer the file is as fast, more would take too much memory


class NotAnExpression(Exception):
    """The text is not a condition that DuckDB understands; the message says why."""


def quoted(name: str) -> str:
    """A column's name, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def sql_text(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def sql_path(path: Path) -> str:
    """A file's path as an SQL literal, with the characters of glob patterns escaped."""
    return sql_text(re.sub(r"([*?\[])", r"[\1]", str(path)))


def numbered_rows(path: Path) -> str:
    """SQL for all rows of a Parquet file with their numbers `n` (from 0)."""
    import pyarrow.parquet as pq

    if "file_row_number" in map(str.lower, pq.read_schema(path).names):  # DuckDB could not add its own column
        return f"SELECT row_number() OVER () - 1 AS n, * FROM read_parquet({sql_path(path)})"  # noqa: S608
    rows = f"read_parquet({sql_path(path)}, file_row_number = true)"
    return f"SELECT file_row_number AS n, * EXCLUDE (file_row_number) FROM {rows}"  # noqa: S608


class LazyTable:
    """The rows of a query under a filter and an order, as a sequence of tuples of `fields`.

    `source` is an SQL query over the files `paths` that yields a unique row number `n` and the columns `fields`. Before
    the first `select` the table is empty. Thread-safe.
    """

    def __init__(self, paths: Sequence[Path], source: str, fields: Sequence[str]) -> None:
        import duckdb

        self._database: duckdb.DuckDBPyConnection = duckdb.connect()
        allowed = ", ".join(f"{sql_text(str(path))}, {sql_path(path)}" for path in paths)
        self._database.execute(f"SET allowed_paths = [{allowed}]")
        self._database.execute("SET enable_external_access = false")
        self._database.execute("SET lock_configuration = true")
        self._reader, self._selector = self._database.cursor(), self._database.cursor()
        self._read_lock, self._select_lock = threading.Lock(), threading.Lock()
        self.source, self.fields = source, list(fields)
        self._selection, self._number = "", 0  # the name of the table of selected row numbers
        self._held, self._closed = "", False
        self._pages: dict[int, list[tuple[Any, ...]]] = {}
        self.count = 0

    def select(
        self,
        condition: str = "true",
        values: Sequence[object] = (),
        order: str = "n",
        source: str = "",
        names: Sequence[str] = (),
    ) -> int:
        """Selects and orders rows, and returns their number; the earlier selection stays readable until then.

        `condition` and `order` are SQL; `values` are those of the condition's placeholders; `source` replaces the
        table's own query for this selection, to give the condition more columns; `names` are the columns that it may
        use, for the message about a misspelt one. Raises NotAnExpression where the condition is not valid, and keeps
        the earlier selection.
        """
        import duckdb

        with self._select_lock:
            self._number += 1
            name = f"selection_{self._number}"
            query = f"SELECT n FROM ({source or self.source}) WHERE ({condition}) ORDER BY {order}"  # noqa: S608
            try:
                if len(duckdb.extract_statements(query)) != 1:
                    raise NotAnExpression("write one condition, without a semicolon")
                self._selector.execute(f"CREATE TABLE {name} AS {query}", list(values))
                count = int(self._selector.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])  # noqa: S608
            except duckdb.Error as error:
                raise NotAnExpression(expression_problem(str(error), names or self.fields)) from error
            with self._read_lock:
                before, self._selection, self.count = self._selection, name, count
                self._pages.clear()
            if before:
                self._selector.execute(f"DROP TABLE {before}")
        return count

    def hold(self) -> bool:
        """Copies the rows into memory if their number is within HELD, and returns whether it did.

        For a page in an order that is not the file's own the whole file is searched: 35 ms for a million rows, against
        5 ms when they are held.
        """
        with self._select_lock:
            if self._held or self._closed:
                return False
            rows = self._selector.execute(f"SELECT count(*) FROM ({self.source})").fetchall()[0][0]  # noqa: S608
            if not HELD[0] <= rows <= HELD[1]:
                return False
            names = ", ".join(map(quoted, self.fields))
            self._selector.execute(f"CREATE TABLE held AS SELECT n, {names} FROM ({self.source})")  # noqa: S608
            self._held = "SELECT * FROM held"
        return True

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        page = row // PAGE
        with self._read_lock:
            if page not in self._pages:
                if len(self._pages) >= MOST_PAGES:
                    self._pages.pop(next(iter(self._pages)))
                self._pages[page] = self._reader.execute(self._rows(page * PAGE, PAGE)).fetchall()
            return self._pages[page][row - page * PAGE]

    def _rows(self, start: int, count: int) -> str:
        names = ", ".join(f"source.{quoted(name)}" for name in self.fields)
        rows = f"SELECT n, rowid AS position FROM {self._selection} WHERE rowid >= {start} AND rowid < {start + count}"  # noqa: S608
        source = self._held or self.source
        return (
            f"SELECT {names} FROM ({rows}) AS selected JOIN ({source}) AS source ON selected.n = source.n "  # noqa: S608
            "ORDER BY selected.position"
        )

    def columns_of(self, path: Path) -> list[str]:
        """The names of the columns of one of the files, in its order."""
        with self._select_lock:
            rows = self._selector.execute(f"DESCRIBE SELECT * FROM read_parquet({sql_path(path)})").fetchall()  # noqa: S608
        return [row[0] for row in rows]

    def query(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of another query, in which `{source}` stands for the table's own."""
        with self._select_lock:
            return self._selector.execute(sql.format(source=f"({self.source})"), list(values)).fetchall()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All selected rows in their order, for writing them to a file."""
        with self._select_lock:
            yield from self._selector.sql(self._rows(0, self.count)).to_arrow_reader(BATCH)

    def close(self) -> None:
        """Closes the database."""
        with self._select_lock, self._read_lock:
            self._closed = True
            self._database.close()
