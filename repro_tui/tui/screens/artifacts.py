"""The screen of the audit's files: predictions, inputs, differences, logs and records; each opens as table or text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import show
from repro_tui.support.walks import walk
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, some
from repro_tui.tui.editor import text_of_file
from repro_tui.tui.navigation import OpenFile
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import safe, text_of

COLUMNS = [ColumnSpec("file", 24, 2), ColumnSpec("bytes", 14, 0, True), ColumnSpec("what it is", 20, 3)]
KNOWN = {
    "audit.json": "the request: both records and the settings",
    "journal.jsonl": "every event of the audit",
    "report.json": "the report",
    "differences.parquet": "every differing cell of the predictions",
    "inputs.parquet": "the validation inputs",
    "record.json": "this side's record",
    "inventory.json": "this side's environment: packages, system, variables",
    "engine.log": "the output of the engine",
}


def what_it_is(name: str) -> str:
    """What a file of the audit contains; "" for an unknown one."""
    if name in KNOWN:
        return KNOWN[name]
    if name.startswith("run-"):
        return "predictions of this run" if name.endswith(".parquet") else "the output of this run"
    return ""


def _files(root: Path) -> list[tuple[str, os.DirEntry[str]]]:
    """The regular files of an audit; none where it has a shape that no audit has."""
    try:
        return [(name, entry) for name, entry in walk(root) if entry.is_file(follow_symlinks=False)]
    except (Inconclusive, OSError):
        return []


class FileRows:
    """The files below a folder as rows."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = sorted(Path(entry.path) for name, entry in _files(root) if name != "engine.lock")

    def __len__(self) -> int:
        return len(self.paths)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Name, size, content."""
        path = self.paths[row]
        return (
            Text(show(str(path.relative_to(self.root)), 300)),
            Text(f"{path.stat().st_size:,}" if path.exists() else "deleted"),
            text_of(what_it_is(path.name), max(4, widths[2]), "quiet"),
        )


class ArtifactsScreen(AuditScreen):
    """The list of files."""

    CSS_PATH = "artifacts.tcss"
    title_text = "Files"

    def compose(self) -> ComposeResult:
        """The folder's path, and its files."""
        yield TitleBar()
        yield Static("", id="folder", markup=False)
        yield Grid(COLUMNS, id="files", empty="the audit's folder is empty")
        yield KeyBar(some(GRID, "open"), AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the files."""
        super().on_mount()
        self.query_one(Grid).focus()

    def changed(self) -> None:
        """Reads the folder."""
        root = self.store.folder.path
        self.query_one("#folder", Static).update(safe(self.store.shown_folder, "dim"))
        self.query_one(Grid).show_rows(FileRows(root), keep=True)

    def artifact(self) -> Path | None:
        """The file under the cursor."""
        grid = self.query_one(Grid)
        return grid.source.paths[grid.cursor] if isinstance(grid.source, FileRows) and grid.count else None

    def selected(self) -> object:
        """The path of the file under the cursor."""
        path = self.artifact()
        return str(path) if path else None

    def texts(self) -> dict[str, str] | None:
        """The file under the cursor, if it is text."""
        path = self.artifact()
        return text_of_file(path) if path else None

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens a file."""
        path = self.artifact()
        if path is not None:
            self.post_message(OpenFile(path))
