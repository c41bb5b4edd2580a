"""What the text formats of tables (CSV, JSON Lines) share: exact numbers, and the markers of text columns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa

Table = tuple[pa.Schema, Iterator[pa.RecordBatch]]
NOT_TEXT = " (not text)"  # suffix of a value that is not text, in a column that had to become text
TEXT = " (text)"  # suffix of a text that ends as if it had that suffix
SURE_DIGITS = 15  # a float keeps every number of at most this many significant digits


def keeps(text: str) -> bool:
    """Whether a float keeps the number in this text, to its last written digit; NaN and infinity are kept.

    Example: 0.1 is kept, since its float is shown as 0.1 again; 12345678901234567 and 1e-400 are not.
    """
    number = float(text)
    if not math.isfinite(number):
        return not any(letter in "0123456789" for letter in text)
    digits = text.lower().partition("e")[0].lstrip("+-0.").replace(".", "").rstrip("0")
    if len(digits) <= SURE_DIGITS:
        return number != 0 or not digits
    return Decimal(text) == Decimal(number) or Decimal(text) == Decimal(repr(number))


def is_beyond(text: str) -> bool:
    """Whether a number is larger than any float, or nearer to 0 than any float but 0."""
    number = float(text)
    return math.isinf(number) or (number == 0 and not keeps(text))
