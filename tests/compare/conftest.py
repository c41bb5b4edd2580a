"""One DuckDB for the comparisons of a module: opening it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from repro_tui.compare.rows.database import Database

OPENS_ITS_OWN = "test_database"


@pytest.fixture(scope="module", autouse=True)
def shared_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each comparison connects to the module's database with its memory limit; its temporary tables are its own."""
    if request.path.stem == OPENS_ITS_OWN:
        yield
        return
    databases: dict[int, duckdb.DuckDBPyConnection] = {}
    folder: Path = tmp_path_factory.mktemp("database")
    really_open = Database._open

    def opened(database: Database) -> duckdb.DuckDBPyConnection:
        if database.room not in databases:
            databases[database.room] = really_open(Database(folder / str(database.room), database.memory))
        database.scratch.mkdir(parents=True, exist_ok=True)
        return databases[database.room].cursor()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Database, "_open", opened)
        yield
    for database in databases.values():
        database.close()
