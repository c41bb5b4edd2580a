"""A and B of an audit that has been compared, as the search for a cause is handed them."""

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
    """Records, workspaces and runs of both sides, and what the comparison of their predictions found."""

    records: tuple[Record, Record]
    workspaces: tuple[Workspace, Workspace]
    runs: tuple[tuple[Run, ...], tuple[Run, ...]]
    area: PredictionsArea
    settings: Settings

    def predictions(self, side: int) -> tuple[Path, ...]:
        """The normalised predictions of one side's runs; of B's those first that are not A's first, as it drifts."""
        first = self.runs[0][0].output_sha256
        runs = sorted(self.runs[side], key=lambda run: side == 1 and run.output_sha256 == first)
        return tuple(Path(run.predictions) for run in runs)

    @property
    def noisy(self) -> bool:
        """Whether runs of one side differ from each other."""
        return not (self.area.noise.deterministic_a and self.area.noise.deterministic_b)

    @property
    def masked(self) -> bool:
        """Whether differences that cancel each other are to be looked for: nothing drifts, and it was asked for."""
        same = self.area.verdict in SAME_VERDICTS - {"within-noise"}
        live = any(side.environment.kind == "endpoint" for side in self.workspaces)
        return self.settings.explain_masked and same and not live and not self.noisy

    @property
    def columns(self) -> tuple[ProjectedColumn, ...]:
        """The output columns that can be measured, each with its rule."""
        a, b = (pq.read_schema(self.predictions(side)[0]) for side in (0, 1))
        validation = self.records[0].validation
        found = []
        for column in self.area.columns:
            if column.verdict == "not-comparable" or column.name not in a.names or column.name not in b.names:
                continue
            if family(a.field(column.name).type) != family(b.field(column.name).type):
                continue  # their values were brought together for the comparison, and hybrids may have either type
            kind: Kind = column.kind or "value"  # type: ignore[assignment]
            declared = validation.columns.get(column.name, ColumnRule())
            stored = ruling((a.field(column.name).type, b.field(column.name).type))
            rule = rule_for(column.name, stored, kind, declared, self.settings)
            judged = replace(rule, atol=column.atol or 0.0, rtol=column.rtol or 0.0)
            found.append(ProjectedColumn(column.name, judged, exact=kind == "label"))
        return tuple(found)


def nothing_to_explain(pair: AuditedPair) -> str:
    """Why there is no drift whose cause could be looked for; "" where there is one."""
    verdict = pair.area.verdict
    if verdict == "drift":
        live = [side for side, one in zip("AB", pair.workspaces, strict=True) if one.environment.kind == "endpoint"]
        return f"{' and '.join(live)} is a live endpoint, of which no part can be exchanged" if live else ""
    if verdict in SAME_VERDICTS - {"within-noise"}:
        return f"the predictions are the same ({verdict}): there is nothing to explain"
    if verdict in ("within-noise", "undecided"):
        return (
            f"each side differs from itself from run to run, and A from B no more than that ({verdict}): "
            "it is the predict step's own nondeterminism, and no factor is named"
        )
    return "the predictions cannot be compared: no cause can be looked for"
