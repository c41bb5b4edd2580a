"""The columns of a normalised table, whatever file it was read from: their names, their types, and what a text means.

Columns are bool, int64, uint64, float64, text, dates and times, or lists of numbers. All other types become text, and
the metadata of the field says what the values were: a document, bytes or a wide decimal differs from equal text.
"""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa

from repro_tui.support.text import quote, show

WIDEST_128 = 38  # digits of a decimal
KEPT = (
    *(pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating),
    *(pa.types.is_date, pa.types.is_timestamp, pa.types.is_time, pa.types.is_duration),
)
LONGEST_NAME = 200
MOST_COLUMNS = 10_000  # a comparison takes some 15 ms for each
STANDARD = frozenset({"arrow.uuid", "arrow.json", "arrow.bool8", "arrow.opaque"})
# The metadata of a text field whose values were not text.
DOCUMENTS, BYTES, DECIMALS = ({b"holds": kind} for kind in (b"documents", b"bytes", b"decimals"))
NUMBER = " (number)"  # suffix of a number in a document that only text can hold with all of its digits


class TableError(Exception):
    """The file cannot be read as a table; the message says where and why."""


class TableSizeError(TableError):
    """The table is too large to be read; the file itself may be valid."""


def check_names(names: list[str]) -> None:
    """Raises TableError if a column has no name, or two columns have the same name or look the same when shown."""
    if not names:
        raise TableError("the table has no columns")
    if len(names) > MOST_COLUMNS:
        raise TableSizeError(
            f"the table has {len(names):,} columns, and at most {MOST_COLUMNS:,} are compared: write what belongs "
            "together as one column of lists"
        )
    seen: set[str] = set()
    shown: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        first = shown.setdefault(show(name, LONGEST_NAME), name)
        if first != name:
            raise TableError(f"two columns have names that look the same when shown: {show(name, 80)}")
        if not name.strip():
            raise TableError(f"column {number} has no name")
        if name in seen:
            raise TableError(f"two columns are named {quote(name)}")
        seen.add(name)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that a column of this type is normalised to."""
    if isinstance(kind, pa.FixedShapeTensorType):
        nested = plain_type(kind.value_type)
        for _ in kind.shape:
            nested = pa.list_(nested)
        return nested
    if isinstance(kind, pa.BaseExtensionType):
        return pa.string() if extension_parameters(kind) else plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if is_number_list(kind):
        return pa.list_(plain_type(kind.value_type))
    if pa.types.is_decimal(kind):
        return pa.string() if is_wide(kind) or kind.scale < 0 else pa.decimal128(kind.precision, kind.scale)
    return kind if any(keep(kind) for keep in KEPT) else pa.string()


def is_number_list(kind: pa.DataType) -> bool:
    """Whether a column holds lists of numbers, or such lists within lists to any depth."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_list(kind) for is_list in lists):
        return False
    inner = kind.value_type
    return bool(pa.types.is_floating(inner) or pa.types.is_integer(inner) or is_number_list(inner))


def decimal_text(value: Decimal | int | None) -> str | None:
    """The text of a decimal's value, whatever its scale, without trailing zeros."""
    if value is None:
        return None
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_wide(kind: pa.DataType) -> bool:
    """Whether a decimal has more digits than the database holds."""
    return bool(pa.types.is_decimal(kind) and kind.precision > WIDEST_128)


def extension_parameters(kind: pa.DataType) -> str:
    """The parameters of an extension type as text; "" if it has none that change its values' meaning."""
    if kind.extension_name in STANDARD:
        return ""
    serialized = kind.__arrow_ext_serialize__() if hasattr(kind, "__arrow_ext_serialize__") else b""
    return f"({kind.extension_name} {serialized.decode('utf-8', 'replace')})" if serialized else ""
