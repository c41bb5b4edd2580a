"""Writing to a file what a screen shows: the finding, the table as it is filtered, or the whole report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.screen import Screen

from repro_tui.model.report import Report
from repro_tui.report.write import target_problem, write_report
from repro_tui.support.plain import write_atomically
from repro_tui.support.registry import names
from repro_tui.tui.dialogs import ChoiceDialog, MessageDialog, PromptDialog, QuestionDialog
from repro_tui.tui.editor import as_json
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.safe import say
from repro_tui.tui.written_table import WrittenTable, write_csv, write_parquet

ENDINGS = {"json": "json", "markdown": "md", "html": "html", "junit": "xml"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be written: how it is offered, the file's name, and what writes it."""

    title: str
    file: str
    write: Callable[[Path], None]


def choices(selected: object, table: WrittenTable | None, store: AuditStore) -> list[Choice]:
    """What can be written: what is under the cursor, the table that is shown, and the report."""
    found: list[Choice] = []
    report = store.report
    if selected is not None:
        found.append(
            Choice("what is under the cursor, JSON", "finding.json", lambda path: _text(path, as_json(selected)))
        )
    if table is not None:
        told = f"the table as it is shown, {table.count:,} rows"
        found.append(Choice(f"{told}, CSV", f"{table.name}.csv", lambda path: write_csv(table, path)))
        found.append(Choice(f"{told}, Parquet", f"{table.name}.parquet", lambda path: write_parquet(table, path)))
    if report is not None:
        found += [
            _whole(name, report, store.folder.request().settings.fail_on) for name in names("repro_tui.reporters")
        ]
    return found


def _whole(name: str, report: Report, fail_on: tuple[str, ...]) -> Choice:
    file = f"report.{ENDINGS.get(name, name)}"
    return Choice(f"the whole report, {name}", file, lambda path: write_report(report, name, str(path), fail_on))


def ask_and_write(screen: Screen[Any], store: AuditStore, found: Sequence[Choice]) -> None:
    """Asks what, then where, then writes; a file that exists is asked about, a link is refused."""
    offered = {choice.title: choice for choice in found}
    if not offered:
        say(screen, "there is nothing to write yet")
        return

    def chosen(title: str | None) -> None:
        if title is not None:
            choice = offered[title]
            name = f"{store.id}-{choice.file}"
            screen.app.push_screen(PromptDialog("Write to", name), lambda path: _ready(screen, choice, path))

    screen.app.push_screen(ChoiceDialog("Write", list(offered)), chosen)


def _ready(screen: Screen[Any], choice: Choice, typed: str | None) -> None:
    if not typed:
        return
    path = Path(typed).expanduser()
    problem = target_problem(str(path))
    if problem:
        screen.app.push_screen(MessageDialog("Not written", [problem]))
        return
    if not path.exists():
        _write(screen, choice, path)
        return
    answers = (("o", "write over it"), ("escape", "leave it"))
    screen.app.push_screen(
        QuestionDialog(f"{path} exists.", answers),
        lambda answer: _write(screen, choice, path) if answer == "o" else None,
    )


def _write(screen: Screen[Any], choice: Choice, path: Path) -> None:
    def work() -> None:
        try:
            choice.write(path)
        except OSError as error:
            told = f"{path}: {error.strerror or error}"
            screen.app.call_from_thread(screen.app.push_screen, MessageDialog("Not written", [told]))
            return
        screen.app.call_from_thread(say, screen, f"written to {path}")

    screen.run_worker(work, thread=True, group="export")


def _text(path: Path, text: str) -> None:
    write_atomically(path.absolute(), text.encode("utf-8", "backslashreplace"), mode=0o644)
