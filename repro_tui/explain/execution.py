"""Runs hybrids: each is built, executed in the sandbox, and kept in the cache by the content of its parts.

A hybrid that was run before, in this audit or in an earlier one, costs nothing. Every hybrid that was requested is
written to `explain/ledger.jsonl` in the audit's folder, and emitted as an event.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro_tui.execute.choose import runner_for
from repro_tui.execute.command import held_back
from repro_tui.explain.budget import Budget
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.event import Event
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context, ignore_events
from repro_tui.support.hashes import digest_text
from repro_tui.support.text import show

FORMAT = "1"  # of an entry in the cache
STEP = "explain"
MOST_NAMES = 4
_TRANSIENT = ("timed-out", "out-of-memory")  # it may end differently next time: such a run is not cached


@dataclass(frozen=True, slots=True)
class HybridRequest:
    """A hybrid to be run. `from_b` names what it has from B, for people; `build_workspace` rebuilds it.

    `known` are runs that exist already. `build_workspace` raises Inconclusive or Refused where the parts do not fit
    together.
    """

    from_b: tuple[str, ...]
    build_workspace: Callable[[Context], Workspace]
    known: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class HybridResult:
    """The normalised predictions of a hybrid's runs, or why there are none."""

    runs: tuple[Path, ...] = ()
    why: str = ""


@dataclass(slots=True)
class Executor:
    """Runs hybrids within cores, memory and budget.

    `runs` counts the runs that were executed, and `cached` those that an earlier search had left in the cache.
    """

    context: Context
    inputs: Path
    workers: int
    budget: Budget
    runs: int = 0
    cached: int = 0
    _results: dict[tuple[str, int], HybridResult] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.context.folder.mkdir(exist_ok=True, mode=0o700)

    def results(self, requests: Sequence[HybridRequest], runs: int = 1) -> list[HybridResult]:
        """The results of these hybrids, each run `runs` times, in the order of the requests.

        As many run at the same time as cores and memory allow. Raises Cancelled, and BudgetSpent where the budget does
        not allow a run that is not cached.
        """
        with ThreadPoolExecutor(max(1, min(self.workers, len(requests)))) as pool:
            futures = [pool.submit(self._result, request, runs) for request in requests]
        return [future.result() for future in futures]

    def _result(self, request: HybridRequest, runs: int) -> HybridResult:
        if len(request.known) >= runs:
            return HybridResult(request.known[:runs])
        try:
            workspace = request.build_workspace(replace(self.context, emit=ignore_events))
        except (Inconclusive, Refused, OSError) as error:
            return HybridResult(why=f"it cannot be built: {self._safe(error)}")
        predictions: list[Path] = []
        for repetition in range(runs):
            result = self._single_run(workspace, repetition)
            if result.why:
                return result
            predictions += result.runs
        return HybridResult(tuple(predictions))

    def _single_run(self, workspace: Workspace, repetition: int) -> HybridResult:
        """One run of a workspace: known already, from the cache, or executed now."""
        key = (workspace.key, repetition)
        with self._lock:
            result = self._results.get(key)
        if result is None:
            result = self._from_cache(workspace, repetition)
            with self._lock:
                self._results[key] = result
        return result

    def _from_cache(self, workspace: Workspace, repetition: int) -> HybridResult:
        settings = self.context.settings
        digest = self.context.cache.hashes.digests(self.inputs).sha256
        fixed = f"{settings.seed} {settings.network} {settings.isolation} {settings.user} {settings.limits}"
        columns = str(held_back(workspace, settings))
        key = digest_text(FORMAT, workspace.key, digest, fixed, columns, str(repetition))
        try:
            folder, cached = self.context.cache.folder(
                "hybrids", key, lambda folder: self._run(workspace, folder), self.context.cancel
            )
        except _TransientFailure as error:
            return HybridResult(why=str(error))
        with self._lock:
            self.cached += cached
        why = json.loads((folder / "run.json").read_text("ascii"))["why"]
        return HybridResult(why=why) if why else HybridResult((folder / "predictions.parquet",))

    def _run(self, workspace: Workspace, folder: Path) -> None:
        """Executes the workspace once, and leaves its predictions, or why it has none, in `folder`."""
        with self._lock:
            self.budget.spend_run()
            self.runs += 1
            number = self.runs
        context = replace(self.context, emit=ignore_events)
        try:
            runner = runner_for(workspace.environment.kind, context.settings, context)
            run = runner.run(workspace, self.inputs, number, context)
        except (Inconclusive, Refused, OSError) as error:
            raise _TransientFailure(f"it cannot be run: {self._safe(error)}") from error
        if run.status in _TRANSIENT:
            raise _TransientFailure(run.what)
        if run.predictions:
            shutil.move(run.predictions, folder / "predictions.parquet")
        why = "" if run.status == "succeeded" else show(context.redactor.scrub(run.what), 300)
        (folder / "run.json").write_text(json.dumps({"why": why}), "ascii")

    def _safe(self, error: Exception) -> str:
        return show(self.context.redactor.scrub(str(error)), 300)

    def progress(self, text: str) -> None:
        """Emits what is being searched now, with what is left of the budget."""
        left = f", {self.budget.left} left" if self.budget.left else ""
        self.context.emit(Event("step", step=STEP, status="progress", text=show(text, 300) + left))

    def log_hybrid(self, stage: str, from_b: Sequence[str], summary: str, **measured: float | None) -> None:
        """Writes one line of the ledger, and emits it as an event. `measured` are further fields of that line."""
        entry = {"stage": stage, "from_b": list(from_b), "told": summary, "runs": self.runs, **measured}
        with self._lock, (self.context.folder / "ledger.jsonl").open("a", encoding="ascii") as ledger:
            ledger.write(json.dumps(entry) + "\n")
        text = f"{stage}: B's {_short_list(from_b)}: {summary}"
        self.context.emit(Event("log", step=STEP, text=show(text, 500), detail={"ledger": entry}))


def _short_list(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:MOST_NAMES]) or "nothing"
    return f"{shown} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else shown


class _TransientFailure(Exception):
    """A run that may succeed the next time: its failure is not cached."""
