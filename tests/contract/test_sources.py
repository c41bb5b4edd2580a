"""The promises of every source, tested on a real store of each. A registered source without a case fails."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from repro_tui.audit.redaction import hidden_record
from repro_tui.model.errors import Refused
from repro_tui.model.record import Record
from repro_tui.sources.resolve import PREFIXES, load_record, source_of
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_file
from repro_tui.support.plain import from_plain, to_plain
from repro_tui.support.redact import Redactor
from repro_tui.support.registry import names
from tests.contract.case import CANARY, SourceCase, below, case_module, filled
from tests.contract.table import committed, row
from tests.templates import Templates

SOURCES = sorted(names("repro_tui.sources"))
NEEDED = ("code", "environment", "predict")
HOSTILE = ("", "-x", "--output=x", "\x1b]52;c;eA==\x07", "a\nb", "a\0b", "../" * 40 + "x", "x" * 5000)
MOVING = {"-wal", "-shm"}  # side files of SQLite

events: list[str] = []
watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if watching and event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "pickle.find_class"):
        events.append(f"{event} {_program(arguments)}")


def _program(arguments: tuple[Any, ...]) -> str:
    """The name of the program that is started, without the one that ties it to this process."""
    program = Path(os.fsdecode(arguments[0])).name
    if program != "setpriv":
        return program
    return Path(os.fsdecode(arguments[1][arguments[1].index("--") + 1])).name


sys.addaudithook(_watch)


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    global watching
    events.clear()
    watching = True
    try:
        yield events
    finally:
        watching = False


class Loaded:
    """A case, its record, and what happened while it was loaded."""

    def __init__(self, case: SourceCase, root: Path) -> None:
        self.case, self.cache = case, root / "cache"
        self.context = Context(Cache(self.cache), here=case.here)
        self.before = contents(root / "store")
        with watched() as seen:
            self.record: Record = load_record(case.reference, self.context)
            self.started = set(seen)
        self.after = contents(root / "store")


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {str(path): digest_file(path).sha256 for path in files if path.name[-4:] not in MOVING}


@pytest.fixture(scope="module", params=SOURCES)
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, templates: Templates
) -> Iterator[Loaded]:
    module = case_module(request.param)
    assert module is not None, f"write tests/contract/cases_{request.param}.py: every source needs a case"
    root = tmp_path_factory.mktemp(request.param)
    store = root / "store"
    store.mkdir()
    with pytest.MonkeyPatch.context() as patch, contextlib.contextmanager(module.build_case)(store, templates) as case:
        for name, value in case.variables.items():
            patch.setenv(name, value)
        patch.chdir(root)
        yield Loaded(case, root)


def test_the_reference_is_read_by_its_source(loaded: Loaded, request: pytest.FixtureRequest) -> None:
    assert source_of(loaded.case.reference) == request.node.callspec.params["loaded"]
    assert loaded.record.reference == loaded.case.reference
    assert loaded.record.name


def test_every_field_says_where_it_was_read(loaded: Loaded) -> None:
    provenance = loaded.record.provenance
    unexplained = [
        name
        for name in filled(loaded.record)
        if not any(below(name, field) or below(field, name) for field in provenance)
    ]
    assert unexplained == []
    assert all(place.strip() and "\n" not in place for place in provenance.values())


def test_what_is_not_recorded_has_a_reason_and_a_remedy(loaded: Loaded) -> None:
    has = filled(loaded.record)
    for item in loaded.record.missing:
        assert all((item.field, item.why, item.do)), item
        assert item.field not in has, f"{item.field} is both recorded and missing"
    for field in NEEDED:
        present = any(below(name, field) for name in has)
        assert present or any(below(item.field, field) for item in loaded.record.missing), field


def test_nothing_is_guessed(loaded: Loaded) -> None:
    """Commits are full ids, data items have a path and a source, and named files exist."""
    record = loaded.record
    assert record.code is None or len(record.code.commit) in (40, 64)
    for item in record.data:
        assert item.path
        assert item.source
    assert record.validation.inputs is None or Path(record.validation.inputs).is_file()
    assert record.expected.predictions is None or Path(record.expected.predictions).is_file()


def test_loading_executes_nothing(loaded: Loaded) -> None:
    allowed = {"git", "env", *loaded.case.programs}  # git is started by env, which clears its environment
    assert {event for event in loaded.started if event.rpartition(" ")[2] not in allowed} == set()


def test_loading_writes_nothing_outside_the_cache(loaded: Loaded) -> None:
    assert loaded.after == loaded.before
    assert sorted(path.name for path in loaded.cache.parent.iterdir()) == ["cache", "store"]


def test_a_record_can_be_written_and_read_again(loaded: Loaded) -> None:
    assert from_plain(Record, json.loads(json.dumps(to_plain(loaded.record)))) == loaded.record
    assert load_record(loaded.case.reference, loaded.context) == loaded.record


def test_a_secret_does_not_show(loaded: Loaded) -> None:
    shown = json.dumps(to_plain(hidden_record(loaded.record, Redactor())))
    assert CANARY not in shown
    assert b64encode(CANARY.encode()).decode().rstrip("=") not in shown


def test_hostile_references_are_refused_in_one_line(loaded: Loaded) -> None:
    source = source_of(loaded.case.reference)
    prefix = next((prefix for prefix, name in PREFIXES.items() if name == source), "")
    generic = [prefix + text for text in HOSTILE] if prefix and "//" not in prefix else []
    assert generic or loaded.case.hostile
    for reference in (*generic, *loaded.case.hostile):
        with pytest.raises(Refused) as refused:
            load_record(reference, loaded.context)
        message = str(refused.value)
        assert message.isprintable(), reference
        assert len(message) < 3000


def test_the_table_of_the_docs_is_what_was_read(loaded: Loaded, request: pytest.FixtureRequest) -> None:
    source = request.node.callspec.params["loaded"]
    assert committed().get(source) == row(source, loaded.record), "run  python -m tests.contract.table"


def test_the_table_has_every_source() -> None:
    assert sorted(committed()) == sorted(names("repro_tui.sources"))
