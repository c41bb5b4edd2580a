"""The first screen imports and reads only what it shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from textual.app import App, ComposeResult
from textual.content import Content

from repro_tui.audit.folder import open_folder
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.prose import Item, Prose
from tests.tui.folders import finished

NOT_AT_FIRST = (
    "repro_tui.model.record repro_tui.model.workspace repro_tui.support.redact repro_tui.support.tracebacks "
    "repro_tui.tui.dialogs repro_tui.tui.difference.pane repro_tui.tui.screens.area textual.widgets._text_area "
    "numpy pyarrow duckdb pandas pydantic docker git"
).split()
FIRST = """
import asyncio, sys
from pathlib import Path
from repro_tui.audit.folder import open_folder
from repro_tui.cli import main, show
from repro_tui.tui.app import Auditor

async def first() -> None:
    async with Auditor(open_folder(Path(sys.argv[1]))).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        print(*sorted(sys.modules), file=sys.stderr)

asyncio.run(first())
"""


def test_the_first_screen_imports_nothing_that_it_does_not_show(tmp_path: Path) -> None:
    folder = finished(tmp_path / "audit").path
    done = subprocess.run([sys.executable, "-c", FIRST, str(folder)], capture_output=True, text=True, check=True)
    modules = done.stderr.split()
    assert "repro_tui.tui.screens.overview" in modules
    assert not set(NOT_AT_FIRST) & set(modules)


def test_the_names_of_both_sides_need_only_the_heading_of_a_request(tmp_path: Path) -> None:
    """They are read once; a request that cannot be read leaves the report's own names."""
    folder = finished(tmp_path / "audit").path
    whole = AuditStore(open_folder(folder))
    assert whole.names() == ("prod@4f1c4f1", "staging@9e2b9e2")
    request = json.loads((folder / "audit.json").read_text())
    assert whole.references() == (request["a"]["reference"], request["b"]["reference"])
    (folder / "audit.json").write_text(json.dumps({"a": {"name": 1}}))
    assert whole.names() == ("prod@4f1c4f1", "staging@9e2b9e2")
    broken = AuditStore(open_folder(folder))
    assert broken.names() == ("A", "B")
    broken.read()
    assert broken.names() == ("prod", "staging")


async def test_prose_is_wrapped_for_the_width_that_it_has() -> None:
    class FirstPage(App[None]):
        CSS = "Screen { layout: vertical; } Prose { padding: 0 1; }"

        def compose(self) -> ComposeResult:
            yield Prose([Item(Content("• "), "word " * 30), "plain"])

    app = FirstPage()
    async with app.run_test(size=(42, 20)) as pilot:
        prose = app.query_one(Prose)
        for width, height in ((42, 6), (82, 3)):
            await pilot.resize_terminal(width, 20)
            while app.size.width != width or prose.size.width != width - 2:
                await pilot.pause(0.01)
            rows = str(prose.render()).split("\n")
            assert prose.size.height == len(rows) == height
            assert max(map(len, rows)) <= width - 2
            assert all(row.startswith("  ") for row in rows[1:-1])
        prose.show_parts(["one line"])
        await pilot.pause()
        assert prose.size.height == 1
