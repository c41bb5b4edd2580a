"""What is true of every row beside what was predicted: the truth from the inputs or outputs, paired row by row."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro_tui.model.record import ColumnRule, Kind, Validation
from repro_tui.support.text import show

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy import ndarray

NO_TRUTH = (
    "the record does not say what is true: write validation.truth, the column that holds it, or give --truth COLUMN"
)


@dataclass(slots=True)
class Outcomes:
    """One run's outputs and the truth, in one order. `problem` says why they cannot be had ("" where they can)."""

    rows: int
    truth: list[Any] = field(default_factory=list)
    columns: dict[str, tuple[Kind, list[Any]]] = field(default_factory=dict)
    rules: dict[str, ColumnRule] = field(default_factory=dict)
    problem: str = ""

    def classes(self) -> list[Any]:
        """The classes of the truth, in their order; the last of two is the positive one."""
        return sorted(set(self._truth()))

    def labels(self) -> tuple[list[Any], list[Any]]:
        """The truth and the predicted label of every row. Raises ValueError."""
        named = self._of_kind("label")
        if not named and self._of_kind("probability"):
            return self._decided()
        _, values = _only("label", named)
        truth = self._truth()
        predicted = _plain(values)
        if {type(value) for value in truth} != {type(value) for value in predicted}:
            truth, predicted = ([_text(value) for value in side] for side in (truth, predicted))
        return truth, predicted

    def _decided(self) -> tuple[list[Any], list[Any]]:
        """Labels from the one probability, by its threshold."""
        name, values = _only("probability", self._of_kind("probability"))
        rule = self.rules.get(name, ColumnRule())
        threshold = 0.5 if rule.threshold is None else rule.threshold
        low, high = self._two()
        return self._truth(), [high if value >= threshold else low for value in values]

    def scores(self) -> tuple[list[int], ndarray[Any, Any]]:
        """Whether each row is of the positive class, and its probability. Raises ValueError."""
        import numpy as np

        _, high = self._two()
        named = self._of_kind("probability")
        matching = {name: values for name, values in named.items() if names_class(name, high)}
        _, values = _only("probability", matching or named)
        return [int(value == high) for value in self._truth()], np.asarray(values, dtype=np.float64)

    def matrix(self) -> tuple[list[Any], ndarray[Any, Any]]:
        """The truth and the probability of every class, in the classes' order. Raises ValueError."""
        import numpy as np

        named = self._of_kind("probability")
        found = []
        for label in self.classes():
            fitting = [values for name, values in named.items() if names_class(name, label)]
            if len(fitting) != 1:
                raise ValueError(f"no single column holds the probability of {show(str(label), 40)}")
            found.append(fitting[0])
        return self._truth(), np.asarray(found, dtype=np.float64).T

    def numbers(self) -> tuple[ndarray[Any, Any], ndarray[Any, Any]]:
        """The truth and the predicted value of every row, as floats. Raises ValueError."""
        import numpy as np

        named = self._of_kind("value") or self._of_kind("probability") or self._of_kind("label")
        _, values = _only("value", named)
        return np.asarray(self.truth, dtype=np.float64), np.asarray(values, dtype=np.float64)

    def _two(self) -> tuple[Any, Any]:
        classes = self.classes()
        if len(classes) != 2:
            raise ValueError(f"the truth has {len(classes)} classes, and this metric is of two")
        return classes[0], classes[1]

    def _truth(self) -> list[Any]:
        return _plain(self.truth)

    def _of_kind(self, kind: Kind) -> dict[str, list[Any]]:
        return {name: values for name, (found, values) in self.columns.items() if found == kind}


def _only(kind: str, named: dict[str, list[Any]]) -> tuple[str, list[Any]]:
    if len(named) != 1:
        told = ", ".join(show(name, 60) for name in named) or "none"
        raise ValueError(f"the outputs have no single {kind} column ({told}): declare kinds under validation.columns")
    return next(iter(named.items()))


def _plain(values: list[Any]) -> list[Any]:
    """Truth values and whole numbers as integers, everything else as text, so that both sides have one type."""
    if all(isinstance(value, bool | int | float) and float(value).is_integer() for value in values):
        return [int(value) for value in values]
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    return str(value)


def names_class(column: str, label: Any) -> bool:
    """Whether a column is named for a class: p_cat and cat_prob for cat, p0 for 0."""
    text = str(label)
    if not text or column == text:
        return column == text
    before, after = column.removesuffix(text), column.removeprefix(text)
    ends = before != column and (not before[-1:].isalnum() or (text.isdigit() and before[-1:].isalpha()))
    return ends or (after != column and not after[:1].isalnum())


def read_outcomes(predictions: Path, inputs: Path, validation: Validation, key: tuple[str, ...]) -> Outcomes:
    """The outcomes of one run. The truth is a column of the inputs, or else of the outputs."""
    import pyarrow.parquet as pq

    outputs = pq.read_table(predictions)
    found = Outcomes(outputs.num_rows, rules=validation.columns)
    if validation.truth is None:
        found.problem = NO_TRUTH
        return found
    truth, found.problem = _truth(outputs, inputs, validation.truth, key)
    if found.problem:
        return found
    found.truth = truth
    empty = sum(value is None or value != value for value in truth)
    if empty:
        found.problem = f"{empty:,} rows have no {show(validation.truth, 80)}"
    found.columns = {
        name: (_kind(name, outputs.column(name), validation), outputs.column(name).to_pylist())
        for name in outputs.column_names
        if name not in (*key, validation.truth)
    }
    return found


def _truth(outputs: pa.Table, inputs: Path, name: str, key: tuple[str, ...]) -> tuple[list[Any], str]:
    import pyarrow.parquet as pq

    shown = show(name, 80)
    if inputs.is_file() and name in pq.read_schema(inputs).names:
        keyed = bool(key) and set(key) <= set(pq.read_schema(inputs).names)
        table = pq.read_table(inputs, columns=[*(key if keyed else ()), name])
        return _paired(outputs, table, name, key if keyed else ())
    if name in outputs.column_names:
        return outputs.column(name).to_pylist(), ""
    return [], f"neither the validation inputs nor the outputs have the column {shown} that validation.truth names"


def _paired(outputs: pa.Table, table: pa.Table, name: str, key: tuple[str, ...]) -> tuple[list[Any], str]:
    """The truth in the order of the outputs: by key where both have it, else by position."""
    values = table.column(name).to_pylist()
    if not key:
        if len(values) != outputs.num_rows:
            return (
                [],
                f"the inputs have {len(values):,} rows and the outputs {outputs.num_rows:,}, and no key pairs them",
            )
        return values, ""
    known = dict(zip(_rows(table, key), values, strict=True))
    if len(known) != len(values):
        return [], "the key does not name one row of the inputs each"
    wanted = _rows(outputs, key)
    absent = sum(row not in known for row in wanted)
    if absent or len(wanted) != len(known):
        return [], f"{max(absent, abs(len(wanted) - len(known))):,} rows of inputs and outputs do not pair by their key"
    return [known[row] for row in wanted], ""


def _rows(table: pa.Table, key: tuple[str, ...]) -> list[tuple[str, ...]]:
    return list(zip(*([str(value) for value in table.column(name).to_pylist()] for name in key), strict=True))


def _kind(name: str, column: pa.ChunkedArray, validation: Validation) -> Kind:
    from repro_tui.compare.columns.kinds import Profile, kind_of

    return kind_of(name, column.type, _profile(column, Profile), validation.columns.get(name, ColumnRule()))[0]


def _profile(column: pa.ChunkedArray, shape: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        limits = pc.min_max(column).as_py()
        return shape(limits["min"], limits["max"], pc.count_distinct(column).as_py())
    if pa.types.is_string(column.type):
        length = pc.mean(pc.utf8_length(column)).as_py()
        return shape(distinct=pc.count_distinct(column).as_py(), length=float(length or 0.0))
    return shape()
