"""The audit's folder, which the engine writes and every view reads. It is portable and self-contained."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from repro_tui.audit.journal import MOST_JOURNAL, MOST_LINE
from repro_tui.model.errors import Refused
from repro_tui.model.event import Event
from repro_tui.support.file_lock import has_open, is_locked
from repro_tui.support.paths import audits_root
from repro_tui.support.plain import from_plain
from repro_tui.support.regular import is_regular, open_regular, read_regular
from repro_tui.support.text import quote, show

if TYPE_CHECKING:
    from pandas import DataFrame

    from repro_tui.model.heading import Heading
    from repro_tui.model.inventory import Inventory
    from repro_tui.model.report import Report
    from repro_tui.model.request import Request

_NAME_ONE = "name the folder of an audit, or its report.json (repro-tui list shows your audits)"
MOST_EARLY_LOG = 1 << 20  # bytes of what an engine writes before it knows its folder
MOST_DOCUMENT = 128 << 20  # bytes of a request or a report
T = TypeVar("T")
State = Literal["running", "finished", "stopped"]


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """One line of the list of audits. `verdict` and `exit_status` are None until it has finished."""

    id: str
    path: Path
    a: str
    b: str
    started: str
    state: State
    verdict: str | None = None
    exit_status: int | None = None

    @property
    def outcome(self) -> str:
        """The one word for it in every list: its verdict, or else its state."""
        return self.verdict or ("unknown" if self.state == "finished" else self.state)


class AuditFolder:
    """One audit on disk; reading it changes nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def differences(self) -> Path:
        """The file with every differing cell."""
        return self.path / "differences.parquet"

    @property
    def engine_log(self) -> Path | None:
        """The file of the engine's own output; None where there is no such file, or nothing in it to see."""
        file = self.path / "engine.log"
        try:
            return file.absolute() if file.stat().st_size else None
        except OSError:
            return None

    def to_pandas(self) -> DataFrame:
        """Every differing cell, one row each, with the columns of differences.parquet (see docs/report.md)."""
        import pandas as pd

        return pd.read_parquet(self.differences)

    def request(self) -> Request:
        """The request of the audit, without secret values. Raises Refused if it cannot be read."""
        from repro_tui.model.request import Request

        return _read(self.path / "audit.json", Request, "audit.json")

    def heading(self) -> Heading:
        """Both sides and the start of the audit, from its request. Raises Refused if they cannot be read."""
        from repro_tui.model.heading import Heading

        return _read(self.path / "audit.json", Heading, "audit.json")

    def report(self) -> Report | None:
        """The finished report, or None while there is none. Raises Refused if it cannot be read."""
        file = self.path / "report.json"
        return read_report(file) if os.path.lexists(file) else None

    def inventory(self, side: str) -> Inventory:
        """The contents of the environment of side "a" or "b". Raises Refused where it was not built or is not read."""
        from repro_tui.model.inventory import Inventory

        path = self.path / side / "inventory.json"
        if not os.path.lexists(path):
            reason = f"side {side.upper()} of the audit {self.path.name} has no environment that was looked into"
            raise Refused(f"{reason}: it was not built, or its endpoint does not show it")
        return _read(path, Inventory, f"{side}/inventory.json")

    def events(self, after: int = 0) -> tuple[list[Event], int]:
        """The journal's events from byte `after` on, and the byte to continue at.

        An incomplete last line is left for the next call. Raises Refused if the journal cannot be read.
        """
        path = self.path / "journal.jsonl"
        try:
            with open_regular(path, most=MOST_JOURNAL, links=False) as stream:
                stream.seek(after)
                content = stream.read(MOST_JOURNAL)
        except FileNotFoundError:
            return [], after
        except OSError as error:
            raise _unreadable(path, "journal.jsonl", error) from error
        whole = content[: content.rfind(b"\n") + 1]
        return list(_events(whole)), after + len(whole)

    def state(self) -> State:
        """Whether its engine is running, has finished, or stopped without a report (it was stopped, or it died)."""
        if os.path.lexists(self.path / "report.json"):
            return "finished"
        return "running" if self.engine_alive() else "stopped"

    def engine_alive(self) -> bool:
        """Whether an engine holds this folder's lock."""
        return is_locked(self.path / "engine.lock") is True

    def engine_pid(self) -> int | None:
        """The process id of the engine, if it is running and a process that this user may signal.

        Others may have written this folder, and name any process in it: the engine is one that has the lock file open.
        """
        if not self.engine_alive():
            return None
        file = self.path / "engine.lock"
        with contextlib.suppress(OSError, ValueError):
            pid = int(read_regular(file, most=100, links=False))  # below 2, it names groups
            return pid if pid > 1 and has_open(pid, file) else None
        return None


def read_report(file: Path) -> Report:
    """The report in a file of any name. Raises Refused if it cannot be read, or contradicts itself."""
    from repro_tui.gate.status import contradiction
    from repro_tui.model.report import Report

    report = _read(file, Report, "report.json")
    if wrong := contradiction(report):
        raise _unreadable(file, "report.json", ValueError(wrong))
    return report


def _read(path: Path, kind: type[T], name: str) -> T:
    try:
        return from_plain(kind, _known_schema(_document(path)))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, name, error) from error


def _document(path: Path) -> object:
    """The JSON value of a file of an audit, which others may have made. Raises OSError, ValueError, RecursionError."""
    value: object = json.loads(read_regular(path, most=MOST_DOCUMENT, links=False))
    return value


def _unreadable(path: Path, name: str, error: Exception) -> Refused:
    reason = error.strerror if isinstance(error, OSError) else error
    reason = "it is nested too deeply" if isinstance(error, RecursionError) else show(str(reason), 300)
    problem = f"{show(str(path), 300)} cannot be read as an audit's {name}: {reason}"
    return Refused(f"{problem}; copy the folder or run the audit again")


def _known_schema(value: object) -> object:
    if isinstance(value, dict) and value.get("schema", 1) != 1:
        raise ValueError(f"its schema is {quote(value['schema'])}, but this version only reads schema 1")
    return value


def _events(lines: bytes) -> Iterator[Event]:
    for line in lines.splitlines():
        # Skipped: a line that a crash left incomplete, and what no engine writes.
        with contextlib.suppress(ValueError, RecursionError):
            if len(line) <= MOST_LINE:
                yield from_plain(Event, json.loads(line))


@contextlib.contextmanager
def engine_lock(folder: Path) -> Iterator[None]:
    """Held by the engine while it runs, so that any view can check whether it is alive."""
    with (folder / "engine.lock").open("a+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.truncate(0)
        stream.write(str(os.getpid()).encode("ascii"))
        stream.flush()
        yield


def open_folder(path: str | Path) -> AuditFolder:
    """The audit in a folder, or with the given report.json. Raises Refused if there is none."""
    path, shown = Path(path), show(str(path), 300)
    folder = path.parent if path.name == "report.json" and is_regular(path) else path
    if not os.path.isdir(folder):  # noqa: PTH112 - false where the path is too long
        raise Refused(f"{shown} is neither an audit's folder nor a report.json: {_NAME_ONE}")
    if not is_regular(folder / "audit.json") and not is_regular(folder / "report.json"):
        raise Refused(f"{shown} has no audit.json and no report.json, so it is not an audit's folder: {_NAME_ONE}")
    return AuditFolder(folder)


def report_file(text: str, here: Path) -> Path:
    """The report that a text names: a file of any name, an audit's folder, or its id. It need not exist."""
    path = _named(text, here)
    return path / "report.json" if os.path.isdir(path) else path  # noqa: PTH112 - false where the path is too long


def named_audit(name: str) -> AuditFolder:
    """The audit of a folder, a report.json, or an id as `repro-tui list` shows it. Raises Refused if there is none."""
    return open_folder(_named(name, Path()))


def _named(text: str, here: Path) -> Path:
    """The path that a text names, which may be the id of an audit of this user where there is no such path."""
    path, by_id = here / text, audits_root() / text
    is_id = not os.path.lexists(path) and "/" not in text and os.path.isdir(by_id)  # noqa: PTH112
    return by_id if is_id else path


def list_audits() -> list[AuditSummary]:
    """The audits of this user, newest first. A folder that cannot be read is left out."""
    root = audits_root()
    if not root.is_dir():
        return []
    summaries = (_summary(path) for path in sorted(root.iterdir(), reverse=True) if is_regular(path / "audit.json"))
    return [summary for summary in summaries if summary]


def _summary(path: Path) -> AuditSummary | None:
    try:
        request = _table(_document(path / "audit.json"))
        folder = AuditFolder(path)
        state = folder.state()
        report = _table(_document(path / "report.json")) if state == "finished" else {}
        a, b = (str(_table(request[side])["name"]) for side in ("a", "b"))
        verdict, status = report.get("verdict"), report.get("exit_status")
        ended = (str(verdict) if verdict else None, status if isinstance(status, int) else None)
        return AuditSummary(str(request["id"]), path, a, b, str(request["started"]), state, *ended)
    except (OSError, ValueError, KeyError, RecursionError):
        return None


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("it is not a table")  # noqa: TRY004
    return value
