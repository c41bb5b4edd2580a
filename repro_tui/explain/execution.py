"""Runs hybrids: each is built, executed in the sandbox, and kept in the cache by the content of its parts.

A mixture that was asked before, in this audit or in an earlier one, costs nothing. Everything that was asked is written
to `explain/ledger.jsonl` in the audit's folder, and told as it happens.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repro_tui.execute.choose import runner_for
from repro_tui.explain.budget import Budget
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.event import Event
from repro_tui.model.workspace import Workspace
from repro_tui.support.context import Context, ignore_events
from repro_tui.support.hashes import digest_text
from repro_tui.support.text import show

FORMAT = "1"
STEP = "explain"
MOST_TOLD = 4
_PASSING = ("timed-out", "out-of-memory")  # another day it may end otherwise: such a run is not kept


@dataclass(frozen=True, slots=True)
class HybridRequest:
    """A hybrid to be run: what it has from B, in words, and how it is made. `known` are runs that there are already."""

    from_b: tuple[str, ...]
    make: Callable[[Context], Workspace]
    known: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class HybridResult:
    """The normalised predictions of a hybrid's runs, or why there are none."""

    runs: tuple[Path, ...] = ()
    why: str = ""


@dataclass(slots=True)
class Executor:
    """Runs hybrids within cores, memory and budget. `runs` counts those that were executed, `cached` the others."""

    context: Context
    inputs: Path
    workers: int
    budget: Budget
    runs: int = 0
    cached: int = 0
    _ended: dict[tuple[str, int], HybridResult] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.context.folder.mkdir(exist_ok=True, mode=0o700)

    def outcomes(self, asked: Sequence[HybridRequest], wanted: int = 1) -> list[HybridResult]:
        """What each of these yields in `wanted` runs, in their order, as many at once as there is room for.

        Raises Cancelled, and BudgetSpent where there is no budget for a run that has to be made.
        """
        with ThreadPoolExecutor(max(1, min(self.workers, len(asked)))) as pool:
            futures = [pool.submit(self._outcome, one, wanted) for one in asked]
        return [future.result() for future in futures]

    def _outcome(self, asked: HybridRequest, wanted: int) -> HybridResult:
        if len(asked.known) >= wanted:
            return HybridResult(asked.known[:wanted])
        try:
            workspace = asked.make(replace(self.context, emit=ignore_events))
        except (Inconclusive, Refused, OSError) as error:
            return HybridResult(why=f"it cannot be built: {self._words(error)}")
        found: list[Path] = []
        for repetition in range(wanted):
            outcome = self._once(workspace, repetition)
            if outcome.why:
                return outcome
            found += outcome.runs
        return HybridResult(tuple(found))

    def _once(self, workspace: Workspace, repetition: int) -> HybridResult:
        """One run of a workspace: known already, from the cache, or made now."""
        key = (workspace.key, repetition)
        with self._lock:
            known = self._ended.get(key)
        if known is None:
            known = self._from_cache(workspace, repetition)
            with self._lock:
                self._ended[key] = known
        return known

    def _from_cache(self, workspace: Workspace, repetition: int) -> HybridResult:
        settings = self.context.settings
        digest = self.context.cache.hashes.digests(self.inputs).sha256
        fixed = f"{settings.seed} {settings.network} {settings.isolation} {settings.limits}"
        key = digest_text(FORMAT, workspace.key, digest, fixed, str(repetition))
        try:
            folder, cached = self.context.cache.folder(
                "hybrids", key, lambda folder: self._run(workspace, folder), self.context.cancel
            )
        except _Passing as error:
            return HybridResult(why=str(error))
        with self._lock:
            self.cached += cached
        told = json.loads((folder / "run.json").read_text("ascii"))
        return HybridResult(why=told["why"]) if told["why"] else HybridResult((folder / "predictions.parquet",))

    def _run(self, workspace: Workspace, folder: Path) -> None:
        """Executes it once, and leaves what it wrote, or why it wrote nothing, in `folder`."""
        with self._lock:
            self.budget.take()
            self.runs += 1
            number = self.runs
        context = replace(self.context, emit=ignore_events)
        try:
            runner = runner_for(workspace.environment.kind, context.settings, context)
            run = runner.run(workspace, self.inputs, number, context)
        except (Inconclusive, Refused, OSError) as error:
            raise _Passing(f"it cannot be run: {self._words(error)}") from error
        if run.status in _PASSING:
            raise _Passing(run.what)
        if run.predictions:
            shutil.move(run.predictions, folder / "predictions.parquet")
        why = "" if run.status == "succeeded" else show(context.redactor.scrub(run.what), 300)
        (folder / "run.json").write_text(json.dumps({"why": why}), "ascii")

    def _words(self, error: Exception) -> str:
        return show(self.context.redactor.scrub(str(error)), 300)

    def progress(self, words: str) -> None:
        """Tells what is being looked for now, with what is left of the budget."""
        left = f", {self.budget.left} left" if self.budget.left else ""
        self.context.emit(Event("step", step=STEP, status="progress", text=show(words, 300) + left))

    def tell(self, stage: str, from_b: Sequence[str], told: str, **detail: Any) -> None:
        """Writes one line of the ledger, and tells it to whoever watches."""
        entry = {"stage": stage, "from_b": list(from_b), "told": told, "runs": self.runs, **detail}
        with self._lock, (self.context.folder / "ledger.jsonl").open("a", encoding="ascii") as ledger:
            ledger.write(json.dumps(entry) + "\n")
        words = f"{stage}: B's {_short(from_b)}: {told}"
        self.context.emit(Event("log", step=STEP, text=show(words, 500), detail={"ledger": entry}))


def _short(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    shown = ", ".join(names[:MOST_TOLD]) or "nothing"
    return f"{shown} and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else shown


class _Passing(Exception):
    """A run that failed in a way that need not be so the next time: it is not kept in the cache."""
