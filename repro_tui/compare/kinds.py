"""What an output column is: declared by the record, or inferred from its name and values on both sides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from repro_tui.compare.alignment import database, quoted
from repro_tui.model.record import ColumnRule, Kind

_PROBABILITY = re.compile(
    r"(?i)(^|[_.\s])(p|prob|probs|proba|probability|probabilities|confidence|likelihood)($|[_.\s\d])"
)
_LABEL = re.compile(r"(?i)(label|class|decision|pred(iction|icted)?$|category|outcome|flag)")
MOST_LABELS = 100
LONG_TEXT = 40


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of A's and B's values of one column together; `rms` and `sd` are of A's finite values."""

    low: float | None = None
    high: float | None = None
    distinct: int = 0
    length: float = 0.0
    rms: float = 0.0
    sd: float = 0.0


def profile(a: Path, b: Path, columns: dict[str, pa.DataType], scratch: Path) -> dict[str, Profile]:
    """The profile of every column, in one pass over each side."""
    if not columns:
        return {}
    found = {}
    with database(scratch, a, b) as connection:
        for name, kind in columns.items():
            column = quoted(name)
            if _is_number(kind):
                found[name] = _numeric(connection, column)
            elif pa.types.is_string(kind):
                query = f"SELECT approx_count_distinct({column}), avg(length({column})) FROM (SELECT {column} FROM a UNION ALL SELECT {column} FROM b)"  # noqa: S608, E501
                distinct, length = connection.execute(query).fetchall()[0]
                found[name] = Profile(distinct=int(distinct or 0), length=float(length or 0.0))
            else:
                found[name] = Profile()
    return found


def _numeric(connection: duckdb.DuckDBPyConnection, column: str) -> Profile:
    value = f"CAST({column} AS DOUBLE)"
    finite = f"FILTER (isfinite({value}))"
    side = f"SELECT min({value}) {finite}, max({value}) {finite}, approx_count_distinct({column})"
    moments = f", sqrt(avg({value} * {value}) {finite}), stddev_pop({value}) {finite}"

    def run(query: str) -> Any:
        return connection.execute(query).fetchall()[0]

    try:
        low_a, high_a, distinct_a, rms, sd = run(f"{side}{moments} FROM a")
    except Exception as error:
        if "out of range" not in str(error).lower():
            raise
        low_a, high_a, distinct_a = run(f"{side} FROM a")
        rms = sd = 0.0
    low_b, high_b, distinct_b = run(f"{side} FROM b")
    lows, highs = ([v for v in pair if v is not None] for pair in ((low_a, low_b), (high_a, high_b)))
    distinct = max(int(distinct_a or 0), int(distinct_b or 0))
    return Profile(min(lows, default=None), max(highs, default=None), distinct, 0.0, float(rms or 0), float(sd or 0))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def kind_of(name: str, kind: pa.DataType, told: Profile, rule: ColumnRule) -> tuple[Kind, bool]:
    """The column's kind, and whether it was inferred."""
    if rule.kind is not None:
        return rule.kind, False
    return _inferred(name, kind, told), True


def _inferred(name: str, kind: pa.DataType, told: Profile) -> Kind:
    if pa.types.is_list(kind):
        return "embedding"
    if pa.types.is_floating(kind):
        inside = told.low is not None and told.high is not None and told.low >= 0 and told.high <= 1
        whole = told.distinct <= 2 and told.low in (0.0, 1.0, None) and told.high in (0.0, 1.0, None)
        return "probability" if inside and (_PROBABILITY.search(name) or not whole) else "value"
    if pa.types.is_integer(kind):
        few = told.distinct <= MOST_LABELS and bool(_LABEL.search(name))
        return "label" if few or (told.low in (0, 1) and told.high in (0, 1)) else "value"
    if pa.types.is_string(kind):
        return "text" if told.distinct > MOST_LABELS and told.length > LONG_TEXT else "label"
    return "label" if pa.types.is_boolean(kind) else "value"
