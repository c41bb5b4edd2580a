"""One run's predictions with the truth of every row, which comes from the inputs or the outputs, paired row by row."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeGuard, cast

from repro_tui.model.record import ColumnRule, Kind, Validation
from repro_tui.support.text import plural, show

if TYPE_CHECKING:
    import pyarrow as pa

    from repro_tui.compare.rows.arrays import Floats

Label: TypeAlias = int | str  # a class, as `_plain` has it
NO_TRUTH = "the record does not say which column holds the truth: record validation.truth, or give --truth COLUMN"


@dataclass(slots=True)
class Outcomes:
    """One run's outputs and the truth, in the same order.

    `columns` holds the kind and the values of each output by name, and `rules` what the record declares of them.
    `problem` says why there is no truth to compare with ("" where there is).

    The methods give what a metric needs. They raise ValueError, with the reason as its message, if the outputs do not
    have it.
    """

    rows: int
    truth: list[object] = field(default_factory=list)
    columns: dict[str, tuple[Kind, list[object]]] = field(default_factory=dict)
    rules: dict[str, ColumnRule] = field(default_factory=dict)
    problem: str = ""

    def classes(self) -> list[Label]:
        """The classes of the truth, sorted; of two, the second is the positive one."""
        return sorted(set(self._truth()))

    def labels(self) -> tuple[list[Label], list[Label]]:
        """The truth and the predicted label of every row."""
        named = self._of_kind("label")
        if not named and self._of_kind("probability"):
            return self._decided()
        _, values = _only("label", named)
        truth = self._truth()
        predicted = _plain(values)
        if {type(value) for value in truth} != {type(value) for value in predicted}:
            return [str(value) for value in truth], [str(value) for value in predicted]
        return truth, predicted

    def _decided(self) -> tuple[list[Label], list[Label]]:
        """The truth, and labels decided by the threshold of the only probability."""
        name, values = _only("probability", self._of_kind("probability"))
        rule = self.rules.get(name, ColumnRule())
        threshold = 0.5 if rule.threshold is None else rule.threshold
        low, high = self._two()
        probabilities = cast("list[float]", values)
        return self._truth(), [high if value >= threshold else low for value in probabilities]

    def scores(self) -> tuple[list[int], Floats]:
        """Whether each row is of the positive class (1 or 0), and the probability of that class."""
        import numpy as np

        _, high = self._two()
        named = self._of_kind("probability")
        matching = {name: values for name, values in named.items() if names_class(name, high)}
        _, values = _only("probability", matching or named)
        return [int(value == high) for value in self._truth()], np.asarray(values, dtype=np.float64)

    def matrix(self) -> tuple[list[Label], Floats]:
        """The truth, and the probability of every class (rows by classes, in the order of the classes)."""
        import numpy as np

        named = self._of_kind("probability")
        probabilities = []
        for label in self.classes():
            fitting = [values for name, values in named.items() if names_class(name, label)]
            if len(fitting) != 1:
                raise ValueError(f"no single column holds the probability of {show(str(label), 40)}")
            probabilities.append(fitting[0])
        return self._truth(), np.asarray(probabilities, dtype=np.float64).T

    def numbers(self) -> tuple[Floats, Floats]:
        """The true and the predicted value of every row."""
        import numpy as np

        named = self._of_kind("value") or self._of_kind("probability") or self._of_kind("label")
        _, values = _only("value", named)
        return np.asarray(self.truth, dtype=np.float64), np.asarray(values, dtype=np.float64)

    def _two(self) -> tuple[Label, Label]:
        classes = self.classes()
        if len(classes) != 2:
            raise ValueError(f"this metric needs two classes; the truth has {len(classes)}")
        return classes[0], classes[1]

    def _truth(self) -> list[Label]:
        return _plain(self.truth)

    def _of_kind(self, kind: Kind) -> dict[str, list[object]]:
        return {name: values for name, (own_kind, values) in self.columns.items() if own_kind == kind}


def _only(kind: str, named: dict[str, list[object]]) -> tuple[str, list[object]]:
    """The only column of this kind. Raises ValueError where there is none, or more than one."""
    if len(named) != 1:
        names = ", ".join(show(name, 60) for name in named) or "none"
        raise ValueError(f"the outputs need exactly one {kind} column ({names}): declare kinds in validation.columns")
    return next(iter(named.items()))


def _plain(values: list[object]) -> list[Label]:
    """Booleans and whole numbers as integers, everything else as text, so that both sides have the same type."""
    if _are_whole(values):
        return [int(value) for value in values]
    return [str(value) for value in values]


def _are_whole(values: list[object]) -> TypeGuard[list[int | float]]:
    return all(isinstance(value, bool | int | float) and float(value).is_integer() for value in values)


def names_class(column: str, label: object) -> bool:
    """Whether a column's name begins or ends with a class as a separate part: p_cat and cat_prob for cat, p0 for 0."""
    text = str(label)
    if not text or column == text:
        return column == text
    before, after = column.removesuffix(text), column.removeprefix(text)
    ends = before != column and (not before[-1:].isalnum() or (text.isdigit() and before[-1:].isalpha()))
    return ends or (after != column and not after[:1].isalnum())


def read_outcomes(predictions: Path, inputs: Path, validation: Validation, key: tuple[str, ...]) -> Outcomes:
    """The outcomes of one run.

    `validation.truth` names the column of the truth, which is read from the inputs, or else from the outputs; inputs
    are paired by the columns of the `key`, or by position if they lack one. Never raises for what the tables hold: the
    result has a `problem` instead.
    """
    import pyarrow.parquet as pq

    outputs = pq.read_table(predictions)
    outcomes = Outcomes(outputs.num_rows, rules=validation.columns)
    if validation.truth is None:
        outcomes.problem = NO_TRUTH
        return outcomes
    truth, outcomes.problem = _truth(outputs, inputs, validation.truth, key)
    if outcomes.problem:
        return outcomes
    outcomes.truth = truth
    empty = sum(value is None or value != value for value in truth)
    if empty:
        have = "has" if empty == 1 else "have"
        outcomes.problem = f"{plural(empty, 'row')} {have} no true answer in the column {show(validation.truth, 80)}"
    outcomes.columns = {
        name: (_kind(name, outputs.column(name), validation), outputs.column(name).to_pylist())
        for name in outputs.column_names
        if name not in (*key, validation.truth)
    }
    return outcomes


def _truth(outputs: pa.Table, inputs: Path, name: str, key: tuple[str, ...]) -> tuple[list[object], str]:
    """The truth in the order of the outputs, and why it cannot be read ("" where it can)."""
    import pyarrow.parquet as pq

    in_inputs = pq.read_schema(inputs).names if inputs.is_file() else []
    if name in in_inputs:
        usable_key = key if set(key) <= set(in_inputs) else ()
        return _paired(outputs, pq.read_table(inputs, columns=[*usable_key, name]), name, usable_key)
    if name in outputs.column_names:
        return outputs.column(name).to_pylist(), ""
    shown = show(name, 80)
    return [], f"validation.truth names the column {shown}, which neither the validation inputs nor the outputs have"


def _paired(outputs: pa.Table, inputs: pa.Table, name: str, key: tuple[str, ...]) -> tuple[list[object], str]:
    """The truth in the order of the outputs: paired by key, or by position where the key is ()."""
    values = inputs.column(name).to_pylist()
    if not key:
        if len(values) == outputs.num_rows:
            return values, ""
        rows = f"{plural(len(values), 'row')} and the outputs {outputs.num_rows:,}"
        return [], f"the inputs have {rows}, and there is no key to pair them by: record validation.key"
    truth_of = dict(zip(_rows(inputs, key), values, strict=True))
    if len(truth_of) != len(values):
        return [], "some rows of the inputs have the same key: record a validation.key that is unique for every row"
    keys = _rows(outputs, key)
    absent = sum(row not in truth_of for row in keys)
    if absent or len(keys) != len(truth_of):
        count = max(absent, abs(len(keys) - len(truth_of)))
        return [], f"{plural(count, 'row')} of inputs and outputs cannot be paired by their key"
    return [truth_of[row] for row in keys], ""


def _rows(table: pa.Table, key: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The keys of all rows, as texts."""
    return list(zip(*([str(value) for value in table.column(name).to_pylist()] for name in key), strict=True))


def _kind(name: str, column: pa.ChunkedArray, validation: Validation) -> Kind:
    """The kind of an output column, declared or inferred from all of its values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from repro_tui.compare.columns.kinds import Profile, kind_of

    profile = Profile()
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        limits = pc.min_max(column).as_py()
        profile = Profile(limits["min"], limits["max"], pc.count_distinct(column).as_py())
    elif pa.types.is_string(column.type):
        length = pc.mean(pc.utf8_length(column)).as_py()
        profile = Profile(distinct=pc.count_distinct(column).as_py(), length=float(length or 0.0))
    return kind_of(name, column.type, profile, validation.columns.get(name, ColumnRule()))[0]
