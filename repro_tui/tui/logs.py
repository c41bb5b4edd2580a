"""The logs of an audit's steps: those of runs are files, those of all other steps are in the journal."""

from __future__ import annotations

from pathlib import Path

from repro_tui.tui.store import ENDED, AuditStore
from repro_tui.tui.text_lines import FileBytes, MemoryBytes, TextBytes

Step = tuple[str, str]  # side ("a", "b", or "" for both) and name, as in the journal
ENGINE = "the engine"  # whose own output is the last resort


def run_log(store: AuditStore, side: str, name: str) -> Path:
    """The file that the log of a run is in, whether or not it is there."""
    return store.folder.path / side / f"run-{name.rpartition(' ')[2]}.log"


def log_file(store: AuditStore, side: str, name: str) -> Path | None:
    """The file of a step's log; None where the journal has it."""
    if name == ENGINE:
        return store.folder.path / "engine.log"
    if side and name.startswith("run "):
        path = run_log(store, side, name)
        return path if path.exists() else None
    return None


def log_of(store: AuditStore, side: str, name: str) -> TextBytes | None:
    """The log of a step; None where there is none (yet)."""
    path = log_file(store, side, name)
    if path is not None:
        try:
            source = FileBytes(path)
        except OSError:
            source = None
        if source is not None and (source.size() or name == ENGINE):
            return source
    step = store.steps.get((side, name))
    return MemoryBytes(lambda: step.log.content) if step is not None and step.log.content else None


def has_log(store: AuditStore, side: str, name: str) -> bool:
    """Whether a step of this side has begun, so that it has a log or will have one."""
    return (side, name) in store.steps


def failed_step(store: AuditStore) -> Step | None:
    """The step that failed: as the report has it, or else the first one in the journal that was not merely ended."""
    if store.report is not None:
        for letter, side in (("a", store.report.sides.a), ("b", store.report.sides.b)):
            if side.failed:
                return _known(store, letter, side.failed)
        return None
    return next(
        (key for key, step in store.steps.items() if step.status == "failed" and not step.text.startswith(ENDED)), None
    )


def _known(store: AuditStore, side: str, name: str) -> Step:
    """The journal's step for a failure of the report, which may be called by its stage ("rebuild")."""
    if (side, name) in store.steps or ("", name) in store.steps:
        return (side, name) if (side, name) in store.steps else ("", name)
    failed = [key for key, step in store.steps.items() if step.status == "failed" and key[0] in (side, "")]
    return failed[0] if failed else (side, name)


def landing_step(store: AuditStore) -> Step | None:
    """The step that a reader wants to see first: the one that failed, or that is running, or else the last one."""
    if (step := failed_step(store)) is not None:
        return step
    running = [key for key, state in store.steps.items() if state.running] if store.running else []
    if running:
        return running[-1]
    return store.last_step if store.last_step[1] else None
