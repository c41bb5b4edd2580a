"""Bounds on a drift as users write them: `flips <= 0.5 %`, `different <= 20`, `max_abs <= 0.01`."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast

from repro_tui.support.text import quote

Measure = Literal["flips", "different", "max_abs"]
LONGEST = 30  # characters of a number
_TEXT = re.compile(r"\s*([a-z_]+)\s*<=\s*([0-9.]+(?:e[-+]?[0-9]{1,3})?)\s*(%?)\s*")


@dataclass(frozen=True, slots=True)
class Bound:
    """The exact limit of one measure of a column; `is_share`: it is a part of the matched rows, 1 for all of them."""

    measure: Measure
    most: Fraction
    is_share: bool

    @property
    def limit(self) -> str:
        """The limit as text."""
        return f"{float(self.most * 100):g} %" if self.is_share else f"{float(self.most):g}"


def parse_bound(text: str) -> Bound:
    """The bound in a text. Raises ValueError where it is not valid."""
    match = _TEXT.fullmatch(text)
    expected = "expected flips, different or max_abs, <= and a number, such as flips <= 0.5 %"
    if match is None or match[1] not in ("flips", "different", "max_abs"):
        raise ValueError(f"{quote(text)} is not a bound: {expected}")
    try:
        most = Fraction(match[2]) if len(match[2]) <= LONGEST else None
    except ValueError:
        most = None
    if most is None or most > sys.float_info.max:
        raise ValueError(f"{quote(text)} is not a bound: {expected}")
    if match[3] and match[1] == "max_abs":
        raise ValueError(f"{quote(text)} has a percentage, but max_abs is in the unit of its column")
    return Bound(cast("Measure", match[1]), most / 100 if match[3] else most, bool(match[3]))
