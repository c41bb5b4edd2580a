"""Values with their types: 1, 1.0, "1" and true all differ, NaN equals NaN, and both zeros differ."""

from __future__ import annotations

import datetime
import math
from typing import SupportsFloat, cast

_NAMES = {
    "NoneType": "null",
    "str": "text",
    "int": "integer",
    "bool": "boolean",
    "dict": "table",
    "SetItems": "set",
    "FrozenSetItems": "frozenset",
    "WithDropped": "value with dropped objects",
}


def type_name(value: object) -> str:
    """The name of a value's type for a reader: null, text, integer, boolean, table, or Python's own."""
    return _NAMES.get(type(value).__name__, type(value).__name__)


def same_value(a: object, b: object) -> bool:
    """Whether two values of different types hold the same, such as 1 and 1.0."""
    if isinstance(a, bool) or isinstance(b, bool):
        return str(a).lower() == str(b).lower() or (not isinstance(a, str) and not isinstance(b, str) and bool(a == b))
    try:
        return bool(a == b) or float(cast("SupportsFloat", a)) == float(cast("SupportsFloat", b))
    except (TypeError, ValueError, OverflowError):
        return str(a) == str(b)


def identical(a: object, b: object) -> bool:
    """Whether two single values have the same type and value."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float) and isinstance(b, float):
        both_nan = math.isnan(a) and math.isnan(b)
        return both_nan or (a == b and math.copysign(1.0, a) == math.copysign(1.0, b))
    if isinstance(a, datetime.datetime | datetime.time) and isinstance(b, datetime.datetime | datetime.time):
        return bool(a == b) and a.utcoffset() == b.utcoffset()  # one instant in two time zones equals itself
    if isinstance(a, set | frozenset) and isinstance(b, set | frozenset):  # {1} equals {true}
        return {(type(item), repr(item)) for item in a} == {(type(item), repr(item)) for item in b}
    return bool(a == b)
