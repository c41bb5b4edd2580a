"""How one row of the predictions varies over the runs of each side, read from the audit's folder one run at a time.

For each output column of the row a `Range` holds one value per run. Numbers have a span, their smallest and largest
value; labels and other values are counted. With the scores 0.2, 0.25 in A and 0.5, 0.75 in B the ranges are
"0.2 .. 0.25" and "0.5 .. 0.75", and they are apart: no run of A reached a value of a run of B.

The row is found in each run by its key, with the types of the key's columns, as runs may write their rows in different
orders; without a key, by its number. The row of the compared run says what its key is. A run whose file is not in the
folder, or that lacks the row, is named in `problems` and not counted. Cost: a lookup per run, without a whole file in
memory.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

from repro_tui.model.run import Run
from repro_tui.support.text import plural, show
from repro_tui.tui.one_row import row_at, row_of

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Range:
    """One output of one row over the runs of a side: (run number, value) pairs; `label` values are not measured."""

    values: tuple[tuple[int, object], ...]
    label: bool = False

    @property
    def counts(self) -> list[tuple[str, int]]:
        """The different values as text with the number of their runs, the most common first."""
        return Counter(show(value, 2000) for _, value in self.values).most_common()

    @property
    def varies(self) -> bool:
        """Whether the runs have different values."""
        return len({repr(value) for _, value in self.values}) > 1

    @property
    def span(self) -> tuple[float, float] | None:
        """The smallest and the largest finite number; None for labels, and where there is none."""
        numbers = [value for _, value in self.values if _is_number(value) and math.isfinite(value)]
        return (min(numbers), max(numbers)) if numbers and not self.label else None

    def text(self, width: int) -> str:
        """The span, or the values with the number of their runs, or only the numbers where `width` is too small."""
        if not self.varies:
            return f"same in {plural(len(self.values), 'run')}"
        if self.span is not None:
            return _between(*self.span) + self._non_numbers()
        counted = ", ".join(f"{text} ×{runs}" for text, runs in self.counts)
        if len(counted) <= width:
            return counted
        if len(self.counts) == len(self.values):
            return f"differs in all {len(self.values)}"
        return f"{len(self.counts)} values: {' '.join(f'×{runs}' for _, runs in self.counts)}"

    def _non_numbers(self) -> str:
        """The values that the span leaves out, counted."""
        others = Counter(show(value, 20) for _, value in self.values if not _is_number(value) or math.isnan(value))
        return "".join(f", {text} ×{runs}" for text, runs in others.items())


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges of one row by output column, for both sides.

    `runs` are the numbers of runs that have the row, and `problems` says which runs are missing, and why.
    """

    a: Mapping[str, Range] = field(default_factory=dict)
    b: Mapping[str, Range] = field(default_factory=dict)
    runs: tuple[int, int] = (0, 0)
    problems: tuple[str, ...] = ()

    def varying(self, column: str) -> tuple[Range | None, Range | None] | None:
        """A column's ranges in A and B; None where neither varies."""
        sides = self.a.get(column), self.b.get(column)
        return sides if any(side is not None and side.varies for side in sides) else None

    def sentence(self) -> str:
        """How many runs the ranges cover, and whether anything varies; "" where no side has two runs."""
        counts = [f"{runs} of {side}" for runs, side in zip(self.runs, "AB", strict=True) if runs > 1]
        if not counts:
            return ""
        varies = any(self.varying(name) for name in {**self.a, **self.b})
        return f"{'ranges over all runs' if varies else 'the same in all runs'} ({', '.join(counts)})"


def apart(a: Range | None, b: Range | None) -> str:
    """Whether the two ranges "overlap" or are "apart"; "" where one of them is not known."""
    if a is None or b is None:
        return ""
    if a.span and b.span:
        meet = a.span[0] <= b.span[1] and b.span[0] <= a.span[1]
    else:
        meet = bool({text for text, _ in a.counts} & {text for text, _ in b.counts})
    return "overlap" if meet else "apart"


def ranges(
    folder: Path,
    runs: tuple[Sequence[Run], Sequence[Run]],
    rows: tuple[int | None, int | None],
    key: Sequence[str],
    labels: frozenset[str],
) -> Ranges:
    """The ranges of one row over all runs of A and of B.

    `rows` are its numbers (from 0) in the first run of A and of B; None: that side does not have it. In the other runs
    it is found by the columns `key`, or by the same number where there are none. `labels` are the columns whose values
    are counted, not measured. A side with one run has no ranges.
    """
    paths = [[(run.number, folder / run.predictions) for run in side if run.predictions] for side in runs]
    if max(map(len, paths), default=0) < 2:
        return Ranges()
    row_key = _key_of([side[0][1] if side else None for side in paths], rows, key)
    if row_key is None:
        return Ranges(problems=("no ranges over runs: the runs that were compared are not in this folder",))
    problems: list[str] = []
    rows_a, rows_b = (
        dict(_rows_by_run(side, row, row_key, name, problems))
        for side, row, name in zip(paths, rows, "AB", strict=True)
    )
    a, b = (_columns(side, key, labels) if len(side) > 1 else {} for side in (rows_a, rows_b))
    return Ranges(a, b, (len(rows_a), len(rows_b)), tuple(problems))


def _key_of(firsts: Sequence[Path | None], rows: Sequence[int | None], key: Sequence[str]) -> Row | None:
    """The key of the row with its own types; {} where rows are matched by position, None where it is not known."""
    if not key:
        return {}
    for path, row in zip(firsts, rows, strict=True):
        values = row_at(path, row)
        if values and set(key) <= set(values):
            return {name: values[name] for name in key}
    return None


def _rows_by_run(
    paths: Sequence[tuple[int, Path]], row: int | None, key: Row, side: str, problems: list[str]
) -> Iterator[tuple[int, Row]]:
    """The row in each run, by the run's number; runs without it are added to `problems`."""
    missing = [number for number, path in paths if not path.exists()]
    if missing:
        problems.append(f"not in this folder: {_runs(missing)} of {side}")
    lacking = []
    for number, path in paths:
        if number in missing:
            continue
        values = _find(path, row, key)
        if values:
            yield number, values
        else:
            lacking.append(number)
    if lacking:
        problems.append(f"this row is not in {_runs(lacking)} of {side}")


def _find(path: Path, row: int | None, key: Row) -> Row:
    """The row with this number if it has this key, as in the first run; else the row with the key."""
    values = row_at(path, row)
    if not key or (values and all(values.get(name) == value for name, value in key.items())):
        return values
    return row_of(path, key)


def _columns(side: Mapping[int, Row], key: Sequence[str], labels: frozenset[str]) -> dict[str, Range]:
    names = dict.fromkeys(name for row in side.values() for name in row if name not in key)
    return {
        name: Range(tuple((number, row.get(name)) for number, row in side.items()), name in labels) for name in names
    }


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _between(low: float, high: float) -> str:
    """Both ends with as many digits as tell them apart, at least four."""
    for digits in range(4, 17):
        low_text, high_text = f"{low:.{digits}g}", f"{high:.{digits}g}"
        if low_text != high_text:
            return f"{low_text} .. {high_text}"
    return f"{low!r} .. {high!r}"


def _runs(numbers: Sequence[int]) -> str:
    return f"run{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
