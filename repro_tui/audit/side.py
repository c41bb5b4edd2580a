"""One side of a running audit: rebuilt once, then run as often as the comparison needs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from repro_tui.audit.redaction import hidden_record
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Record
from repro_tui.model.report import SideReport
from repro_tui.model.run import Run
from repro_tui.model.workspace import Part, Workspace
from repro_tui.support.context import Context
from repro_tui.support.plain import to_plain, write_json
from repro_tui.support.space import remedy
from repro_tui.support.text import show


@dataclass(slots=True)
class SideState:
    """The state of one side. `failed` names the step at which it was lost ("": it was not), with reason and remedy."""

    record: Record
    context: Context
    workspace: Workspace | None = None
    runs: list[Run] = field(default_factory=list)
    parts: tuple[Part, ...] = ()
    failed: str = ""
    what: str = ""
    do: str = ""

    def rebuild(self) -> None:
        """Rebuilds the workspace; a side that cannot be rebuilt is lost, with the reason."""
        from repro_tui.rebuild.workspace import rebuild

        write_json(self.context.folder / "record.json", hidden_record(self.record, self.context.redactor))
        try:
            self.workspace = rebuild(self.record, self.context)
            self.parts = self.workspace.parts
            self._keep_inventory(self.workspace.environment.inventory)
        except Inconclusive as error:
            self.parts = error.parts
            self.lose(error.step or "rebuild", error.what, remedy(error.what, error.do))
        except Refused as error:
            self.lose("rebuild", str(error), "correct the record")

    def _keep_inventory(self, inventory: Inventory) -> None:
        hide = self.context.redactor.variable
        variables = {name: hide(name, value) for name, value in inventory.variables.items()}
        write_json(self.context.folder / "inventory.json", replace(inventory, variables=variables))

    def run_once(self, number: int, inputs: Path) -> Run | None:
        """Runs the predict step once; None if the side was lost before or cannot be run. Raises Cancelled."""
        from repro_tui.execute.choose import runner_for

        if self.failed or self.workspace is None:
            return None
        try:
            runner = runner_for(self.workspace.environment.kind, self.context.settings, self.context)
            run = runner.run(self.workspace, inputs, number, self.context)
        except (Inconclusive, Refused, OSError) as error:
            reason = getattr(error, "what", str(error))
            self.lose(f"run {number}", reason, remedy(reason, getattr(error, "do", "")))
            return None
        self.runs.append(run)
        if run.status != "succeeded":
            self.lose(f"run {number}", run.what, run.do)
        return run

    def lose(self, step: str, reason: str, do: str) -> None:
        """Marks the side as lost. The first reason is kept; of parallel runs, that of the lowest run number."""
        if not self.failed or _run_number(step) < _run_number(self.failed):
            self.failed, self.what, self.do = step, reason, do

    def report(self) -> SideReport:
        """This side for the report: with paths relative to the audit's folder and without secret values."""
        hidden = hidden_record(self.record, self.context.redactor)
        plain = to_plain(hidden)
        for key in ("missing", "warnings", "reference", "name"):
            plain.pop(key)
        runs = tuple(sorted(self.runs, key=lambda run: run.number))
        scrub = self.context.redactor.scrub
        return SideReport(
            name=show(self.record.name),
            reference=show(hidden.reference),
            record=plain,
            missing=self.record.missing,
            rebuild=self.parts,
            runs=tuple(_portable(run, self.context.folder.parent) for run in runs),
            isolation=next((run.isolation for run in runs if run.isolation), None),
            failed=self.failed,
            what=scrub(self.what),
            do=scrub(self.do),
        )


def _run_number(step: str) -> int:
    """The number of a run's step; 0 for the other steps, which come before any run."""
    return int(step.removeprefix("run ")) if step.startswith("run ") else 0


def _portable(run: Run, root: Path) -> Run:
    return replace(run, predictions=_below(run.predictions, root), log=_below(run.log, root))


def _below(path: str, root: Path) -> str:
    return str(Path(path).relative_to(root)) if path and Path(path).is_relative_to(root) else ""
