"""The tolerance of a column: which one applies, and the text that describes it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from repro_tui.compare.columns.nested import leaf_type
from repro_tui.model.record import ColumnRule, Kind
from repro_tui.model.request import Settings, Tolerance

# (rtol, atol) by compute type, as measured on real models; integers and everything else are exact.
DEFAULTS = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "fp8": (1e-1, 1e-1),
}
EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52, "fp8": 2.0**-3}
PROBABILITY_ATOL = 1e-5
ROUNDING_UNITS, REDUCTION_UNITS = 4, 32


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule that one column is judged by: |a-b| <= atol + rtol*max(|a|,|b|), and the unit of rounding.

    `epsilon` is the relative unit of rounding of the type (0.0: none), of which `units` are allowed; `origin` says
    where the tolerance comes from, and `no_flips` that a decision that flips is drift whatever the distance. `scale` is
    the typical size of the column's values: numbers far below it are rounded in units of it.

    In `documents` the rule applies to each number with a fraction, and where `by_size` is set, `atol` is multiplied by
    the typical size (at most 1) of the values at the number's path.
    """

    atol: float
    rtol: float
    epsilon: float
    units: int
    origin: str
    no_flips: bool = False
    scale: float = 0.0
    documents: bool = False
    by_size: bool = False

    @property
    def words(self) -> str:
        """The rule as it is printed next to the verdict."""
        if self.atol == 0 and self.rtol == 0:
            return f"exact ({self.origin})"
        if self.documents:
            size = " * min(1, the size of its path's values)" if self.by_size else ""
            rule = f"|a-b| <= {self.atol:g}{size} + {self.rtol:g}*max(|a|,|b|)"
            return f"numbers with a fraction: {rule}; all else exact ({self.origin})"
        flips = ", and no decision flips" if self.no_flips else ""
        relative = f" + {self.rtol:g}*max(|a|,|b|)" if self.rtol else ""
        return f"|a-b| <= {self.atol:g}{relative}{flips} ({self.origin})"


def ruling(types: tuple[pa.DataType, pa.DataType]) -> pa.DataType:
    """The type that sets the tolerance, whichever side has it: whole numbers, or else the floats with fewer digits."""
    return max(types, key=lambda kind: EPSILON.get(stored_type(kind), 1.0))


def stored_type(kind: pa.DataType) -> str:
    """The float type that a column is stored in ("" for exact types); for lists, that of their elements."""
    kind = leaf_type(kind)
    for name, check in (
        ("float16", pa.types.is_float16),
        ("float32", pa.types.is_float32),
        ("float64", pa.types.is_float64),
    ):
        if check(kind):
            return name
    return ""


def rule_for(
    name: str,
    arrow: pa.DataType,
    kind: Kind,
    declared: ColumnRule,
    settings: Settings,
    *,
    whole: bool = False,
    typical: float = 0.0,
) -> Rule:
    """The rule of a column: the command line overrides the record, which overrides the default of the column's type.

    `name` is the column's, `arrow` the type that sets the tolerance (see `ruling`) and `declared` what the record says
    of the column. `whole` says that all of its numbers are whole, so that those of a ranking are items, which are
    exact. `typical` is the typical size of its values (0.0: not known): below 1, it scales the default absolute
    tolerance, so that values cannot pass because they are small. A tolerance that is given is never scaled.
    """
    items = kind == "ranking" and whole
    documents = kind == "json"
    compute = "" if items else declared.compute_type or ("float64" if documents else stored_type(arrow))
    rtol, atol = DEFAULTS.get(compute, (0.0, 0.0))
    origin = f"default for {compute}" if compute else "whole numbers, text and dates are exact"
    if kind == "probability" and compute:
        rtol, atol, origin = 0.0, PROBABILITY_ATOL, "default for probabilities"
    if atol and 0 < typical < 1:
        atol, origin = atol * typical, f"{origin}, for values about {typical:.1g}"
    by_size = documents
    given = (
        (Tolerance(declared.atol, declared.rtol), "from the record"),
        (settings.tolerance, "from the command line"),
        (settings.column_tolerances.get(name, Tolerance()), "from the command line"),
    )
    for tolerance, source in given:
        if tolerance.atol is not None or tolerance.rtol is not None:
            atol = tolerance.atol if tolerance.atol is not None else atol
            rtol = tolerance.rtol if tolerance.rtol is not None else rtol
            by_size = by_size and tolerance.atol is None
            origin = source
    units = REDUCTION_UNITS if declared.reduction else ROUNDING_UNITS
    decides = kind == "probability" or (kind == "ranking" and pa.types.is_list(arrow) and not items)
    return Rule(atol, rtol, EPSILON.get(compute, 0.0), units, origin, decides, typical, documents, by_size)
