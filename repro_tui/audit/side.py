"""One side of a running audit: rebuilt once, then run as often as the comparison needs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro_tui.audit.redaction import hidden_record, learn_parameters
from repro_tui.model.declared import Declared
from repro_tui.model.errors import Ended, Inconclusive, Refused
from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Record
from repro_tui.model.report import SideReport
from repro_tui.model.run import Run
from repro_tui.model.workspace import BuiltEnvironment, FetchedData, Part, Workspace
from repro_tui.support.cancel import ChildToken
from repro_tui.support.context import Context
from repro_tui.support.plain import to_plain, write_json
from repro_tui.support.space import remedy
from repro_tui.support.system_errors import system_reason, system_remedy
from repro_tui.support.text import plural, show

GRACE_S = 2.0  # how long a run may go on after the other side was lost
FIRST_S = 1.0  # how long a side's second run waits for its first one, which may fail at once


@dataclass(slots=True)
class SideState:
    """The state of one side. `failed` names the step at which it was lost ("": it was not), with reason and remedy.

    `declared` is what was read before the rebuild. `environment` and `data` are what the rebuild made, also where
    another part of it failed. `partner` is the side that it is compared with: once one of the two is lost, no further
    run of either is started, and a run that is under way is ended if it does not end soon.
    """

    record: Record
    context: Context
    workspace: Workspace | None = None
    declared: Declared | None = None
    environment: BuiltEnvironment | None = None
    data: tuple[FetchedData, ...] | None = None
    partner: SideState | None = None
    running: ChildToken = field(init=False)
    first_run_ended: threading.Event = field(default_factory=threading.Event)
    runs: list[Run] = field(default_factory=list)
    parts: tuple[Part, ...] = ()
    failed: str = ""
    what: str = ""
    do: str = ""

    def __post_init__(self) -> None:
        self.running = self.context.cancel.child()

    def keep_record(self) -> None:
        """Writes the record to the side's folder, without secret values."""
        hidden = hidden_record(self.record, self.context.redactor)
        write_json(self.context.folder / "record.json", self.context.redactor.scrub_all(to_plain(hidden)))

    def declare(self) -> None:
        """Reads what the record and its commit declare, and warns of what will not be rebuilt. Raises Cancelled."""
        from repro_tui.rebuild.declared.side import declare, described

        with self.context.step("declared", f"reading {described(self.record)}") as step:
            self.declared = declare(self.record, self.context)
            learn_parameters(self.declared.parameters, self.context.redactor)
            for warning in self.declared.warnings:
                step.warn(warning)
            step.how = summary_of(self.declared)

    def rebuild(self) -> None:
        """Rebuilds the workspace; a side that cannot be rebuilt is lost, with the reason."""
        from repro_tui.rebuild.workspace import rebuild

        try:
            self.workspace = rebuild(self.record, self.context)
            learn_parameters(self.workspace.parameters, self.context.redactor)
            self.parts = self.workspace.parts
            self.environment, self.data = self.workspace.environment, self.workspace.data
            self._keep_inventory(self.workspace.environment.inventory)
        except Inconclusive as error:
            self.parts, self.environment, self.data = error.parts, error.environment, error.data
            self.lose(error.step or "rebuild", error.what, remedy(error.what, error.do))
        except Refused as error:
            self.lose("rebuild", str(error), "correct the record")

    def _keep_inventory(self, inventory: Inventory) -> None:
        hide = self.context.redactor.variable
        variables = {name: hide(name, value) for name, value in inventory.variables.items()}
        kept = to_plain(replace(inventory, variables=variables))
        write_json(self.context.folder / "inventory.json", self.context.redactor.scrub_all(kept))

    def run_once(self, number: int, inputs: Path) -> Run | None:
        """Runs the predict step once; None if a side was lost before, or this one cannot be run. Raises Cancelled.

        With enough cores, the first runs are made at the same time; but a step that fails at once is not run again.
        """
        if number > 1 and not self.runs:
            self.first_run_ended.wait(FIRST_S)
        try:
            return self._run(number, inputs)
        finally:
            self.first_run_ended.set()

    def _run(self, number: int, inputs: Path) -> Run | None:
        from repro_tui.execute.choose import runner_for

        if self.failed or self.workspace is None or (self.partner and self.partner.failed):
            return None
        context = replace(self.context, cancel=self.running)
        try:
            runner = runner_for(self.workspace.environment.kind, context.settings, context)
            run = runner.run(self.workspace, inputs, number, context)
        except Ended:
            return None
        except (Inconclusive, Refused) as error:
            reason = getattr(error, "what", str(error))
            self.lose(f"run {number}", reason, remedy(reason, getattr(error, "do", "")))
            return None
        except OSError as error:
            self.lose(f"run {number}", system_reason(error, f"run {number}"), system_remedy(error))
            return None
        self.runs.append(run)
        if run.status != "succeeded":
            self.lose(f"run {number}", run.what, run.do)
        return run

    def lose(self, step: str, reason: str, do: str) -> None:
        """Marks the side as lost. The first reason is kept; of parallel runs, that of the lowest run number."""
        if not self.failed or _run_number(step) < _run_number(self.failed):
            self.failed, self.what, self.do = step, reason, do
        # Nothing can come before the failure of the first run; a later one leaves the earlier ones time for theirs.
        self.end_runs(self.context.side, 0.0 if _run_number(step) <= 1 else GRACE_S)
        if self.partner:
            self.partner.end_runs(self.context.side, GRACE_S)

    def end_runs(self, lost: str, grace: float) -> None:
        """Ends the runs that are under way after so many seconds: the side `lost` has failed."""
        reason = f"ended, because {lost.upper()} had failed"
        timer = threading.Timer(grace, self.running.end, (reason,))
        timer.daemon = True
        timer.start()

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


def summary_of(declared: Declared) -> str:
    """What was declared, in a few words."""
    tree, packages = declared.code.tree, declared.environment.inventory.python_packages
    counts = [plural(len(tree.files), "file")] if tree else []
    counts += [plural(len(packages), "package")] if packages else []
    counts += [plural(len(declared.data), "data item")] if declared.data else []
    return ", ".join(counts) or "nothing that can be read before it is built"


def _run_number(step: str) -> int:
    """The number of a run's step; 0 for the other steps, which come before any run."""
    return int(step.removeprefix("run ")) if step.startswith("run ") else 0


def _portable(run: Run, root: Path) -> Run:
    return replace(run, predictions=_below(run.predictions, root), log=_below(run.log, root))


def _below(path: str, root: Path) -> str:
    return str(Path(path).relative_to(root)) if path and Path(path).is_relative_to(root) else ""
