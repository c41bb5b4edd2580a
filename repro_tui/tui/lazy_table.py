"""A Parquet file as rows: filtered and sorted by DuckDB, read a page at a time, a million as fast as ten."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro_tui.support.text import show

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PAGE = 256
MOST_PAGES = 64
BATCH = 100_000
HELD = (20_000, 2_000_000)  # rows: below it the file is as fast, above it memory is worth more than speed


class NotAnExpression(Exception):
    """What was typed is no condition that DuckDB understands; its text says why."""


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def sql_text(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def sql_path(path: Path) -> str:
    """A file in SQL, with what would be a pattern taken literally."""
    return sql_text(re.sub(r"([*?\[])", r"[\1]", str(path)))


class LazyTable:
    """Rows of `source` (SQL that yields a row number `n` beside its columns) under a filter and an order.

    Only the chosen row numbers are held; rows are read from the file when they are looked at. Conditions are the
    user's own SQL: the database sees these files and nothing else of the machine, and cannot be told otherwise.
    """

    def __init__(self, paths: Sequence[Path], source: str, fields: Sequence[str]) -> None:
        import duckdb

        self._database: duckdb.DuckDBPyConnection = duckdb.connect()
        allowed = ", ".join(f"{sql_text(str(path))}, {sql_path(path)}" for path in paths)
        self._database.execute(f"SET allowed_paths = [{allowed}]")
        self._database.execute("SET enable_external_access = false")
        self._database.execute("SET lock_configuration = true")
        self._reader, self._chooser = self._database.cursor(), self._database.cursor()
        self._reading, self._choosing = threading.Lock(), threading.Lock()
        self.source, self.fields = source, list(fields)
        self._chosen, self._number = "", 0
        self._held, self._closed = "", False
        self._pages: dict[int, list[tuple[Any, ...]]] = {}
        self.count = 0

    def choose(self, condition: str = "true", values: Sequence[Any] = (), order: str = "n", source: str = "") -> int:
        """Chooses and orders rows, and returns how many there are; the rows chosen before stay readable meanwhile.

        Raises NotAnExpression where the condition is none.
        """
        import duckdb

        with self._choosing:
            self._number += 1
            name = f"chosen_{self._number}"
            query = f"SELECT n FROM ({source or self.source}) WHERE ({condition}) ORDER BY {order}"  # noqa: S608
            try:
                if len(duckdb.extract_statements(query)) != 1:
                    raise NotAnExpression("one condition is wanted")
                self._chooser.execute(f"CREATE TABLE {name} AS {query}", list(values))
                count = int(self._chooser.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])  # noqa: S608
            except duckdb.Error as error:
                raise NotAnExpression(show(str(error).partition("\n")[0], 200)) from error
            with self._reading:
                before, self._chosen, self.count = self._chosen, name, count
                self._pages.clear()
            if before:
                self._chooser.execute(f"DROP TABLE {before}")
        return count

    def hold(self) -> bool:
        """Copies what is shown of a table of `HELD` rows into memory, and returns whether it did.

        The file is searched whole for each page of an order that is not its own: 35 ms for a million rows, 5 ms held.
        """
        with self._choosing:
            if self._held or self._closed:
                return False
            rows = self._chooser.execute(f"SELECT count(*) FROM ({self.source})").fetchall()[0][0]  # noqa: S608
            if not HELD[0] <= rows <= HELD[1]:
                return False
            names = ", ".join(map(quoted, self.fields))
            self._chooser.execute(f"CREATE TABLE held AS SELECT n, {names} FROM ({self.source})")  # noqa: S608
            self._held = "SELECT * FROM held"
        return True

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        page = row // PAGE
        with self._reading:
            if page not in self._pages:
                if len(self._pages) >= MOST_PAGES:
                    self._pages.pop(next(iter(self._pages)))
                self._pages[page] = self._reader.execute(self._rows(page * PAGE, PAGE)).fetchall()
            return self._pages[page][row - page * PAGE]

    def _rows(self, start: int, count: int) -> str:
        names = ", ".join(f"source.{quoted(name)}" for name in self.fields)
        chosen = f"SELECT n, rowid AS place FROM {self._chosen} WHERE rowid >= {start} AND rowid < {start + count}"  # noqa: S608
        return f"SELECT {names} FROM ({chosen}) JOIN ({self._held or self.source}) AS source USING (n) ORDER BY place"  # noqa: S608

    def ask(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The answer to another question over `{source}`."""
        with self._choosing:
            return self._chooser.execute(query.format(source=f"({self.source})"), list(values)).fetchall()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All chosen rows in their order, for writing them to a file."""
        with self._choosing:
            yield from self._chooser.sql(self._rows(0, self.count)).to_arrow_reader(BATCH)

    def close(self) -> None:
        """Closes the database."""
        with self._choosing, self._reading:
            self._closed = True
            self._database.close()
