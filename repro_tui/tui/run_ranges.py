"""How one row of the predictions varies over the runs of a side, read from the audit's folder a run at a time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repro_tui.model.run import Run
from repro_tui.support.text import show
from repro_tui.tui.one_row import row_at, row_of

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """One output of one row over the runs of a side: a value a run, by the run's number."""

    values: tuple[tuple[int, Any], ...]
    label: bool = False

    @property
    def counts(self) -> list[tuple[str, int]]:
        """The different values as text, and how many runs have each, the commonest first."""
        return Counter(show(value, 2000) for _, value in self.values).most_common()

    @property
    def varies(self) -> bool:
        """Whether not all runs have one value."""
        return len({repr(value) for _, value in self.values}) > 1

    @property
    def span(self) -> tuple[float, float] | None:
        """The smallest and the largest number; None where these are no numbers."""
        numbers = [value for _, value in self.values if _is_number(value) and math.isfinite(value)]
        return (min(numbers), max(numbers)) if numbers and not self.label else None

    def words(self, width: int) -> str:
        """The range of numbers, or the different values with the runs that have each, as far as there is room."""
        if not self.varies:
            return f"same in {len(self.values)} runs"
        if self.span is not None:
            return _between(*self.span) + self._without_number()
        told = ", ".join(f"{text} ×{runs}" for text, runs in self.counts)
        if len(told) <= width:
            return told
        if len(self.counts) == len(self.values):
            return f"another in all {len(self.values)}"
        return f"{len(self.counts)} values: {' '.join(f'×{runs}' for _, runs in self.counts)}"

    def _without_number(self) -> str:
        others = Counter(show(value, 20) for _, value in self.values if not _is_number(value) or math.isnan(value))
        return "".join(f", {text} ×{runs}" for text, runs in others.items())


@dataclass(frozen=True, slots=True)
class Ranges:
    """Both sides' ranges by output column; `problems` says which runs have no part in them, and why."""

    a: Mapping[str, Range] = field(default_factory=dict)
    b: Mapping[str, Range] = field(default_factory=dict)
    runs: tuple[int, int] = (0, 0)
    problems: tuple[str, ...] = ()

    def of(self, column: str) -> tuple[Range | None, Range | None] | None:
        """A column's ranges, where either varies."""
        found = self.a.get(column), self.b.get(column)
        return found if any(one is not None and one.varies for one in found) else None

    def sentence(self) -> str:
        """Over how many runs these are, and whether anything varies; "" where no side has two runs."""
        told = [f"{runs} of {side}" for runs, side in zip(self.runs, "AB", strict=True) if runs > 1]
        if not told:
            return ""
        varies = any(self.of(name) for name in {**self.a, **self.b})
        return f"{'ranges over every run' if varies else 'the same in every run'} ({', '.join(told)})"


def apart(a: Range | None, b: Range | None) -> str:
    """Whether any run of A has what a run of B has: `overlap` or `apart`; "" where one is not known."""
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
    """The ranges of the row that stands at `rows` in the first runs of A and B (0-based), found elsewhere by its key.

    Where there is no key it stands at the same place in every run. `labels` are columns that are counted, not measured.
    """
    paths = [[(run.number, folder / run.predictions) for run in side if run.predictions] for side in runs]
    if max(map(len, paths), default=0) < 2:
        return Ranges()
    wanted = _key_of([side[0][1] if side else None for side in paths], rows, key)
    if wanted is None:
        return Ranges(problems=("no range over runs: the runs that were compared are not in this folder",))
    problems: list[str] = []
    found = [dict(_side(side, row, wanted, name, problems)) for side, row, name in zip(paths, rows, "AB", strict=True)]
    a, b = (_columns(side, key, labels) if len(side) > 1 else {} for side in found)
    return Ranges(a, b, (len(found[0]), len(found[1])), tuple(problems))


def _key_of(firsts: Sequence[Path | None], rows: Sequence[int | None], key: Sequence[str]) -> Row | None:
    """What names the row, with its own types; {} where rows go by position, None where it cannot be known."""
    if not key:
        return {}
    for path, row in zip(firsts, rows, strict=True):
        found = row_at(path, row)
        if found and set(key) <= set(found):
            return {name: found[name] for name in key}
    return None


def _side(
    paths: Sequence[tuple[int, Path]], row: int | None, key: Row, side: str, problems: list[str]
) -> Iterator[tuple[int, Row]]:
    """The row in each run; what is not there is told."""
    missing = [number for number, path in paths if not path.exists()]
    if missing:
        problems.append(f"not in this folder: {_runs(missing)} of {side}")
    lost = []
    for number, path in paths:
        if number in missing:
            continue
        found = _find(path, row, key)
        if found:
            yield number, found
        else:
            lost.append(number)
    if lost:
        problems.append(f"this row is not in {_runs(lost)} of {side}")


def _find(path: Path, row: int | None, key: Row) -> Row:
    """The row where it stands in the first run, if it is that row; else wherever its key is."""
    found = row_at(path, row)
    if not key or (found and all(found.get(name) == value for name, value in key.items())):
        return found
    return row_of(path, key)


def _columns(side: Mapping[int, Row], key: Sequence[str], labels: frozenset[str]) -> dict[str, Range]:
    names = dict.fromkeys(name for row in side.values() for name in row if name not in key)
    return {
        name: Range(tuple((number, row.get(name)) for number, row in side.items()), name in labels) for name in names
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _between(low: float, high: float) -> str:
    """Both ends in as few digits as tell them apart, four at the least."""
    for digits in range(4, 17):
        one, other = f"{low:.{digits}g}", f"{high:.{digits}g}"
        if one != other:
            return f"{one} .. {other}"
    return f"{low!r} .. {high!r}"


def _runs(numbers: Sequence[int]) -> str:
    return f"run{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
