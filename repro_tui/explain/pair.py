"""The input of the search for a cause: A and B of an audit whose predictions have been compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from repro_tui.compare.columns.choose import family
from repro_tui.compare.columns.tolerance import rule_for, ruling
from repro_tui.compare.projection import ProjectedColumn
from repro_tui.model.predictions import SAME_VERDICTS, PredictionsArea
from repro_tui.model.record import ColumnRule, Kind, Record
from repro_tui.model.request import Settings
from repro_tui.model.run import Run
from repro_tui.model.workspace import Workspace


@dataclass(frozen=True, slots=True)
class AuditedPair:
    """Records, workspaces and runs of both sides (A, B), and the comparison of their predictions (`area`)."""

    records: tuple[Record, Record]
    workspaces: tuple[Workspace, Workspace]
    runs: tuple[tuple[Run, ...], tuple[Run, ...]]
    area: PredictionsArea
    settings: Settings

    def predictions(self, side: int) -> tuple[Path, ...]:
        """The normalised predictions of the runs of one side (0 for A, 1 for B).

        Of B, runs whose output is that of A's first run come last: the first run of B has to show the drift.
        """
        first = self.runs[0][0].output_sha256
        runs = sorted(self.runs[side], key=lambda run: side == 1 and run.output_sha256 == first)
        return tuple(Path(run.predictions) for run in runs)

    @property
    def noisy(self) -> bool:
        """Whether runs of one side differ from each other."""
        return not (self.area.noise.deterministic_a and self.area.noise.deterministic_b)

    @property
    def masked(self) -> bool:
        """Whether to search for differences that cancel each other: that was requested, and there is no drift.

        It needs two sides that can be rebuilt and that repeat their predictions.
        """
        same = self.area.verdict in SAME_VERDICTS - {"within-noise"}
        live = any(side.environment.kind == "endpoint" for side in self.workspaces)
        return self.settings.explain_masked and same and not live and not self.noisy

    @property
    def columns(self) -> tuple[ProjectedColumn, ...]:
        """The output columns that can be measured, each with the rule by which the comparison judged it."""
        a, b = (pq.read_schema(self.predictions(side)[0]) for side in (0, 1))
        validation = self.records[0].validation
        columns = []
        for column in self.area.columns:
            if column.verdict == "not-comparable" or column.name not in a.names or column.name not in b.names:
                continue
            if family(a.field(column.name).type) != family(b.field(column.name).type):
                continue  # the comparison converted their values, and a hybrid may have either type
            kind: Kind = column.kind or "value"  # type: ignore[assignment]
            declared = validation.columns.get(column.name, ColumnRule())
            stored = ruling((a.field(column.name).type, b.field(column.name).type))
            rule = rule_for(column.name, stored, kind, declared, self.settings)
            judged = replace(rule, atol=column.atol or 0.0, rtol=column.rtol or 0.0)
            columns.append(ProjectedColumn(column.name, judged, exact=kind == "label"))
        return tuple(columns)


def nothing_to_explain(pair: AuditedPair) -> str:
    """Why there is no drift whose cause could be searched for; "" where there is one."""
    verdict = pair.area.verdict
    if verdict == "drift":
        return _live_endpoints(pair.workspaces)
    if verdict in SAME_VERDICTS - {"within-noise"}:
        return f"the predictions are the same ({verdict}): there is nothing to explain"
    if verdict == "within-noise":
        return (
            f"A and B differ no more than repeated runs of one side do ({verdict}): "
            "the differences are the predict step's own nondeterminism, so no factor is named"
        )
    if verdict == "undecided":
        return (
            "it is not known whether A and B differ by more than the predict step's own nondeterminism "
            f"({verdict}), so no factor is named"
        )
    return "the predictions cannot be compared, so there is no drift to explain"


def _live_endpoints(workspaces: tuple[Workspace, Workspace]) -> str:
    live = [side for side, built in zip("AB", workspaces, strict=True) if built.environment.kind == "endpoint"]
    if len(live) == 2:
        return "A and B are live endpoints, whose parts cannot be exchanged"
    return f"{live[0]} is a live endpoint, whose parts cannot be exchanged" if live else ""
