"""The folder of an audit of many output columns with similar names, of which every third one drifts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.predictions import Column
from tests.tui.folders import finished, predictions


def name_of(number: int) -> str:
    return f"feature_contribution_{number}"


def wide(path: Path, columns: int = 60, rows: int = 300) -> AuditFolder:
    """An audit of `columns` columns, with `rows` differing cells among the drifting ones, and runs of 100 rows."""
    area = replace(predictions(), columns=tuple(_column(number) for number in range(columns)), counts={"drift": 20})
    folder = finished(path, own_predictions=area, rows=rows)
    cells = pq.read_table(path / "differences.parquet")
    index = cells.schema.get_field_index("column")
    names = pa.array([name_of(3 * (row % (columns // 3))) for row in range(rows)], cells.schema.field(index).type)
    pq.write_table(cells.set_column(index, cells.schema.field(index), names), path / "differences.parquet")
    outputs = {name_of(number): [float(row * number) for row in range(100)] for number in range(columns)}
    table = pa.table({"id": [f"A{row}" for row in range(100)], "note": ["x" * 50] * 100, **outputs})
    pq.write_table(table, path / "a" / "run-1.parquet")
    return folder


def _column(number: int) -> Column:
    drifts = number % 3 == 0
    return Column(
        name=name_of(number),
        kind="number",
        verdict="drift" if drifts else "identical",
        equal=400 - number if drifts else 400,
        different=number if drifts else 0,
        max_abs=number / 100 if drifts else 0.0,
        type_a="double",
        type_b="double",
        rule="|a-b| <= 1e-05",
    )
