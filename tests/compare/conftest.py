"""One DuckDB for the comparisons of a module: to open it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from repro_tui.compare.database import Database

OPENED_AS_IT_IS = "test_database"


@pytest.fixture(scope="module", autouse=True)
def shared_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each comparison has connections to the module's own database, whose temporary tables are not another's."""
    if request.path.stem == OPENED_AS_IT_IS:
        yield
        return
    made: list[duckdb.DuckDBPyConnection] = []
    folder: Path = tmp_path_factory.mktemp("database")
    really_open = Database._open

    def opened(database: Database) -> duckdb.DuckDBPyConnection:
        if not made:
            made.append(really_open(Database(folder, database.memory)))
        database.scratch.mkdir(parents=True, exist_ok=True)
        return made[0].cursor()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Database, "_open", opened)
        yield
    for database in made:
        database.close()
