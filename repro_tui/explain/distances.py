"""Distances between the answers of a function, and the score of an answer between those for A and for B.

With a and b as vectors, labels one-hot, the score of an answer s is <s - a, b - a> / |b - a|^2: 0 at A, 1 at B. It is
computed from three squared distances, as <s - a, b - a> = (|b - a|^2 + |s - a|^2 - |b - s|^2) / 2, so that labels need
no vectors: every different label adds 2 to a squared distance.

Distances are exact where floats are not: integers above 2^53, fractions, decimals and long doubles are subtracted
before they are converted, and all differences are divided by the largest one between A and B, so that no square
overflows or vanishes.

Example: for answers of 2^60 and 2^60 + 1 the difference is 1, and not 0. For a = [0, 0], b = [1, 3] and s = [1, 0] the
squared distances are 10, 1 and 9, and the score is (10 + 1 - 9) / 20 = 0.1.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from numbers import Number
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from repro_tui.model.errors import Refused

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float64]
    Answer: TypeAlias = npt.NDArray[Any]  # numbers of any type, objects that are numbers, or labels

FLOAT = 8  # bytes
EXACT = 2**53  # not all integers above it are floats
MOST = sys.float_info.max


class ExactNumber(Protocol):
    """A number of any type: int, Fraction, Decimal, numpy's. Most of them have `as_integer_ratio`."""

    def __float__(self) -> float: ...

    def __int__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class AnswerEnds:
    """The answers for A and B, between which the answers for hybrids are measured.

    `unit` is the largest difference between the two, in which all differences are given; `whole` is the squared
    distance of the two in that unit.
    """

    a: Answer
    b: Answer
    unit: float
    whole: float

    @classmethod
    def between(cls, a: Answer, b: Answer) -> AnswerEnds:
        """Raises Refused where the two cannot be compared."""
        unit = _unit(a, b)
        whole = _squared_distance(a, b, unit)
        if not math.isfinite(whole):
            raise Refused(
                "the answers for A and B have NaN or infinity in different places, and have no distance: "
                "let evaluate replace these values"
            )
        return cls(a, b, unit, whole)

    def measure(self, answer: Answer) -> tuple[float, float, float]:
        """The score of an answer, and its distances from A's and B's in parts of the whole distance.

        NaN where the answer has NaN or infinity where those for A and B do not. Raises Refused where its shape or type
        is a different one.
        """
        to_a = _squared_distance(self.a, answer, self.unit)
        to_b = _squared_distance(answer, self.b, self.unit)
        score = (self.whole + to_a - to_b) / (2 * self.whole)
        return score, math.sqrt(to_a / self.whole), math.sqrt(to_b / self.whole)


def as_array(answer: object) -> Answer:
    """An answer as an array of numbers, each as exact as it was returned, or of labels: see `_is_numeric`."""
    import numpy as np

    array = np.asarray(answer)
    if array.dtype.kind in "mM":  # times: nanoseconds, and NaT as NaN
        nanoseconds = array.astype(f"{array.dtype.kind}8[ns]")
        return np.where(np.isnat(nanoseconds), np.nan, nanoseconds.astype(np.int64).astype(object))
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], axis=-1)
    small = array.dtype.kind in "iu" or (array.dtype.kind == "f" and not (np.abs(array) >= EXACT).any())
    if small or isinstance(answer, np.ndarray | np.generic):
        return array
    exact = np.asarray(answer, dtype=object)  # numpy converts integers to floats where a list has both
    return exact if exact.shape == array.shape else array.astype(object)


def _is_numeric(array: Answer) -> bool:
    return array.dtype.kind in "iuf" or (
        array.dtype.kind == "O"
        and all(isinstance(element, Number) and not isinstance(element, bool) for element in array.flat)
    )


def _differences(a: Answer, b: Answer) -> Floats:
    """b - a as floats, exactly: numbers that no float can represent are subtracted before the conversion.

    NaN where only one of two numbers is finite. Raises Refused where the two are not of one shape and type.
    """
    import numpy as np

    if a.shape != b.shape:
        raise Refused(
            f"evaluate returned answers of different shapes, {a.shape} and {b.shape}: return one shape always"
        )
    if _is_numeric(a) != _is_numeric(b):
        raise Refused("evaluate returned numbers for one hybrid and labels for another: return one of them always")
    floats_a, floats_b = _as_floats(a), _as_floats(b)
    if floats_a is not None and floats_b is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(floats_a) & np.isfinite(floats_b)
            differences = np.where(finite, np.clip(floats_b - floats_a, -MOST, MOST), np.nan)
        equal = (floats_a == floats_b) | (np.isnan(floats_a) & np.isnan(floats_b))
        return np.where(equal, 0.0, differences)
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        return np.asarray(b.astype(object) - a.astype(object)).astype(np.float64)
    pairs = [_difference(x, y) for x, y in zip(a.flat, b.flat, strict=True)]
    return np.asarray(pairs, dtype=np.float64).reshape(a.shape)


def _as_floats(array: Answer) -> Floats | None:
    """Numbers as floats; None where one would lose digits."""
    import numpy as np

    if array.dtype.kind == "f":
        return array.astype(np.float64) if array.dtype.itemsize <= FLOAT else None
    large = array.dtype.kind == "O" or (array.size and max(abs(int(array.min())), abs(int(array.max()))) > EXACT)
    return None if large else array.astype(np.float64)


def _difference(a: ExactNumber, b: ExactNumber) -> float:
    """b - a for two numbers of any type."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return 0.0 if _are_same(a, b) else math.nan
    exact = _fraction(b) - _fraction(a)
    size = float(abs(exact)) if abs(exact) < MOST else MOST
    return size if exact >= 0 else -size


def _fraction(value: ExactNumber) -> Fraction:
    """A number with all of its digits."""
    ratio = getattr(value, "as_integer_ratio", None)
    return Fraction(*map(int, ratio())) if ratio else Fraction(int(value))


def _are_same(a: object, b: object) -> bool:
    """Whether two values are equal; a value that is not equal to itself, such as NaN, is the same as another such."""
    return bool(a == b or (a != a and b != b))


def _are_different_labels(a: object, b: object) -> bool:
    return type(a) is not type(b) or not _are_same(a, b)


def _unit(a: Answer, b: Answer) -> float:
    """The largest difference between A and B; in this unit, no square is too large or too small for a float."""
    import numpy as np

    if not _is_numeric(a):
        return 1.0
    sizes = np.abs(_differences(a, b))
    largest = float(np.max(sizes[np.isfinite(sizes)], initial=0.0))
    return largest or 1.0


def _squared_distance(a: Answer, b: Answer, unit: float) -> float:
    """|b - a|^2 in squares of the unit; labels are one-hot, so that every different label counts 2."""
    import numpy as np

    if a.shape == b.shape and not _is_numeric(a) and not _is_numeric(b):
        if a.dtype.kind == b.dtype.kind != "O":
            return 2.0 * float(np.count_nonzero(a != b))
        return 2.0 * sum(_are_different_labels(x, y) for x, y in zip(a.flat, b.flat, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sum(np.square(_differences(a, b) / unit)))
