"""One DuckDB for the comparisons of a module: to open it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from repro_tui.compare.rows.database import Database

OPENED_AS_IT_IS = "test_database"


@pytest.fixture(scope="module", autouse=True)
def shared_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each comparison has connections to a database of the module with its limit of memory; temporary tables are its
    own."""
    if request.path.stem == OPENED_AS_IT_IS:
        yield
        return
    made: dict[int, duckdb.DuckDBPyConnection] = {}
    folder: Path = tmp_path_factory.mktemp("database")
    really_open = Database._open

    def opened(database: Database) -> duckdb.DuckDBPyConnection:
        if database.room not in made:
            made[database.room] = really_open(Database(folder / str(database.room), database.memory))
        database.scratch.mkdir(parents=True, exist_ok=True)
        return made[database.room].cursor()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Database, "_open", opened)
        yield
    for database in made.values():
        database.close()
