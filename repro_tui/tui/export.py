"""Writes what a screen shows to a file: the finding, the table as it is filtered, or the whole report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.screen import Screen

from repro_tui.model.errors import ReproError
from repro_tui.model.report import Report
from repro_tui.report.write import ANNOTATIONS, ending_of, target_problem, write_report
from repro_tui.support.plain import write_atomically
from repro_tui.support.registry import names
from repro_tui.support.system_errors import system_message
from repro_tui.support.text import plural
from repro_tui.tui.dialogs import ChoiceDialog, MessageDialog, PromptDialog, QuestionDialog
from repro_tui.tui.editor import as_json
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.safe import notify
from repro_tui.tui.written_table import WrittenTable, write_csv, write_parquet


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that can be written: its title in the dialog, the end of the proposed file name, and what writes it."""

    title: str
    file: str
    write: Callable[[Path], None]


def choices(selected: object, table: WrittenTable | None, store: AuditStore) -> list[Choice]:
    """What can be written: the selection (as JSON), the table, and the report in each of its formats."""
    options: list[Choice] = []
    report = store.report
    if selected is not None:
        options.append(
            Choice(
                "the value under the cursor, JSON", "finding.json", lambda path: _write_text(path, as_json(selected))
            )
        )
    if table is not None:
        title = f"the table as shown, {plural(table.count, 'row')}"
        options.append(Choice(f"{title}, CSV", f"{table.name}.csv", lambda path: write_csv(table, path)))
        options.append(Choice(f"{title}, Parquet", f"{table.name}.parquet", lambda path: write_parquet(table, path)))
    if report is not None:
        formats = [name for name in names("repro_tui.reporters") if name not in ANNOTATIONS]
        options += [_report_choice(name, report) for name in formats]
    return options


def _report_choice(name: str, report: Report) -> Choice:
    file = f"report{ending_of(name)}"
    return Choice(f"the whole report, {name}", file, lambda path: write_report(report, name, str(path)))


def ask_and_write(screen: Screen[None], store: AuditStore, options: Sequence[Choice]) -> None:
    """Asks what to write and where, then writes it; asks before it overwrites a file, and refuses a link."""
    offered = {choice.title: choice for choice in options}
    if not offered:
        notify(screen, "There is nothing to write yet.")
        return

    def ask_path(title: str | None) -> None:
        if title is not None:
            choice = offered[title]
            name = f"{store.id}-{choice.file}"
            screen.app.push_screen(PromptDialog("Write to", name), lambda path: _check_and_write(screen, choice, path))

    screen.app.push_screen(ChoiceDialog("Write", list(offered)), ask_path)


def _check_and_write(screen: Screen[None], choice: Choice, typed: str | None) -> None:
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
    answers = (("o", "overwrite it"), ("escape", "keep it"))
    screen.app.push_screen(
        QuestionDialog(f"{path} exists.", answers),
        lambda answer: _write(screen, choice, path) if answer == "o" else None,
    )


def _write(screen: Screen[None], choice: Choice, path: Path) -> None:
    def work() -> None:
        try:
            choice.write(path)
        except (OSError, ReproError) as error:
            reason = system_message(error, str(path)) if isinstance(error, OSError) else f"{path}: {error}"
            screen.app.call_from_thread(screen.app.push_screen, MessageDialog("Not written", [reason]))
            return
        screen.app.call_from_thread(notify, screen, f"Written to {path}.")

    screen.run_worker(work, thread=True, group="export")


def _write_text(path: Path, text: str) -> None:
    write_atomically(path.absolute(), text.encode("utf-8", "backslashreplace"), mode=0o644)
