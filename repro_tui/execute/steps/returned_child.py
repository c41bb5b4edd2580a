"""What a called function returned, as columns in JSON Lines: the part of call_child.py that writes. Part of repro-tui.

Like call_child.py, which stands beside it in a run, the Python of the audited environment runs it, 3.6 or later, with
nothing but its standard library.
"""

import importlib
import inspect
import json
from datetime import date, time
from decimal import Decimal

ONE = "prediction"  # the name of a column that has none


class CallMistake(Exception):
    """The step cannot go on; the message is one line that says why."""


def optional(name):
    """A package, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def columns_of(result, names=()):
    """The columns of what a function returned: name to values, and the index of its rows (None: by position)."""
    if is_series(result):
        name = ONE if result.name is None else str(result.name)
        if any(label is not None for label in result.index.names):
            return frame_columns(result.to_frame(name))
        return {name: column_values(result)}, row_index(result)
    if hasattr(result, "columns") and hasattr(result, "index") and hasattr(result, "iloc"):  # a DataFrame
        return frame_columns(result)
    if hasattr(result, "to_pydict"):  # an Arrow table
        return dict(result.to_pydict()), None
    if hasattr(result, "to_dicts"):  # a table of Polars
        return row_columns(result.to_dicts()), None
    if hasattr(result, "dtype") and hasattr(result, "shape") and hasattr(result, "tolist"):
        return array_columns(result), None
    result = as_dict(result)
    if isinstance(result, dict):
        if result and all(is_series(values) for values in result.values()):
            return frame_columns(frame_of(result))
        return dict_columns(result), None
    if isinstance(result, (str, bytes, set, frozenset)) or not hasattr(result, "__iter__"):
        raise CallMistake(
            "the function returned a {}: expected a DataFrame, Series, array, list, dict or generator".format(
                type(result).__name__
            )
        )
    return row_columns(list(result)), None


def as_dict(result):
    """A pydantic model or a dataclass as a dict; anything else as it is."""
    if hasattr(result, "__dataclass_fields__") and not inspect.isclass(result):
        return {name: getattr(result, name) for name in result.__dataclass_fields__}
    if hasattr(result, "model_dump"):
        return result.model_dump()
    return result.dict() if hasattr(result, "parse_obj") else result


def is_series(value):
    """Whether a value is a Series of pandas."""
    return hasattr(value, "to_frame") and hasattr(value, "index")


def frame_of(series):
    """A dict of Series as a DataFrame; their rows must be in the same order."""
    first = next(iter(series.values())).index
    if not all(values.index.equals(first) for values in series.values()):
        raise CallMistake("the function returned a dict of Series whose indexes differ: return a DataFrame")
    return importlib.import_module("pandas").DataFrame(series)


def frame_columns(frame):
    """The columns of a DataFrame, with a named index as columns of its own."""
    named = [name for name in frame.index.names if name is not None]
    index = None if named else row_index(frame)
    if named:
        frame = frame.reset_index()
    names = ["_".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.columns]
    if len(set(names)) != len(names):
        raise CallMistake("the function returned two columns of the same name: {}".format(", ".join(names)))
    return {name: column_values(frame.iloc[:, number]) for number, name in enumerate(names)}, index


def row_index(table):
    """The labels of a table's rows."""
    return table.index.tolist()


def is_permutation(labels, values):
    """Whether labels are these values in any order, each once."""
    try:
        return len(set(values)) == len(values) == len(labels) and set(labels) == set(values)
    except TypeError:  # what cannot be hashed
        return False


def order_of(index, keys, rows):
    """The places of the inputs' rows in a result, by the labels of its index; None where they say nothing.

    They are the numbers of the rows (0, 1, …) or else the values of the only key.
    """
    numbered = all(type(label) is int for label in index) and is_permutation(index, range(rows))
    values = list(range(rows)) if numbered else next(iter(keys.values())) if len(keys) == 1 else []
    if not is_permutation(index, values):
        return None
    places = {label: number for number, label in enumerate(index)}
    return [places[value] for value in values]


def column_values(column):
    """The values of a Series as plain values; a missing value of a nullable type is None."""
    missing = getattr(optional("pandas"), "NA", None)
    return [None if missing is not None and value is missing else value for value in column.tolist()]


def array_columns(array):
    """The columns of an array: its fields, its only column, or the columns prediction_0, prediction_1, …"""
    if getattr(array.dtype, "names", None):
        return {name: array[name].tolist() for name in array.dtype.names}
    if not array.shape:
        raise CallMistake("the function returned an array of one value without rows")
    if len(array.shape) == 2 and array.shape[1] != 1:
        return {"{}_{}".format(ONE, number): array[:, number].tolist() for number in range(array.shape[1])}
    return {ONE: (array[:, 0] if len(array.shape) == 2 else array).tolist()}


def dict_columns(result):
    """A dict of columns, or of the values of one row. Beside columns, a single value is that of all rows."""
    columns = {str(name): as_list(values) for name, values in result.items()}
    if len(columns) != len(result):
        raise CallMistake("the function returned two columns of the same name: {}".format(", ".join(map(str, result))))
    if all(values is None for values in columns.values()):
        return {str(name): [value] for name, value in result.items()}
    lengths = {name: len(values) for name, values in columns.items() if values is not None}
    if len(set(lengths.values())) != 1:
        raise CallMistake("the function returned a dict of columns that differ in length: {}".format(lengths))
    rows = next(iter(lengths.values()))
    return {
        str(name): [value] * rows if columns[str(name)] is None else columns[str(name)]
        for name, value in result.items()
    }


def as_list(values):
    """A column of a dict as a list; None where it is a single value."""
    if hasattr(values, "tolist"):
        values = values.tolist()
        return values if isinstance(values, list) else None
    return list(values) if isinstance(values, (list, tuple)) else None


def row_columns(rows):
    """The columns of a list of dicts, of lists of equal length, or of single values."""
    rows = [row.tolist() if hasattr(row, "tolist") else as_dict(row) for row in rows]
    if rows and all(isinstance(row, dict) for row in rows):
        names = list(dict.fromkeys(str(name) for row in rows for name in row))
        texts = [{str(name): value for name, value in row.items()} for row in rows]
        return {name: [row.get(name) for row in texts] for name in names}
    widths = {len(row) if isinstance(row, (list, tuple)) else None for row in rows}
    if len(widths) == 1 and None not in widths and widths != {1}:
        return {"{}_{}".format(ONE, number): [row[number] for row in rows] for number in range(widths.pop())}
    if widths == {1}:
        return {ONE: [row[0] for row in rows]}
    if any(isinstance(row, dict) for row in rows) or len(widths) > 1:
        raise CallMistake("the function returned rows of different kinds or lengths")
    return {ONE: rows}


def with_keys(columns, index, keys, inputs):
    """The columns with those of the key in front, and by the order of the inputs where only the index tells it."""
    if not columns:
        raise CallMistake("the function returned no columns")
    rows = len(next(iter(columns.values())))
    if keys and all(name in columns for name in keys):
        return columns
    if rows != inputs:
        raise CallMistake(
            "the function returned {}{} for {} of the inputs: expected one for each, or the key too".format(
                plural(rows), only_row(columns), plural(inputs)
            )
        )
    if any(len(values) != rows for values in (*columns.values(), *keys.values())):
        raise CallMistake("the columns of the result and of the key differ in length")
    order = None if index is None else order_of(index, keys, rows)
    if order is not None:
        columns = {name: [values[number] for number in order] for name, values in columns.items()}
    added = {name: values for name, values in keys.items() if name not in columns}
    added.update(columns)
    return added


def only_row(columns):
    """The values of a dict that was taken for one row: they may say why there are no more."""
    values = {name: value[0] for name, value in columns.items() if len(value) == 1}
    return " ({})".format(shortened(values)) if len(values) > 1 else ""


def shortened(values):
    """Named values in one line of at most 300 characters."""
    text = " ".join(", ".join("{}={!r}".format(name, value) for name, value in values.items()).split())
    return text if len(text) <= 300 else text[:299] + "\u2026"


def plural(rows):
    """A number of rows in words."""
    return "1 row" if rows == 1 else "{:,} rows".format(rows)


def plain(value, name):
    """A value as JSON can hold it, without losing a digit; NaN stays NaN, and None null."""
    if value is None or isinstance(value, (bool, str)) or type(value) in (int, float):
        return value
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()  # NaT is not itself
    if hasattr(value, "tolist"):  # a number or an array of numpy
        return plain(value.tolist(), name)
    if isinstance(value, (list, tuple)):
        return [plain(item, name) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item, name) for key, item in value.items()}
    if isinstance(value, (int, float)):
        return float(value) if isinstance(value, float) else int(value)
    if isinstance(value, (Decimal, date, time)):
        return str(value)
    raise CallMistake(
        "the column {} has a value of type {}, which cannot be written".format(name, type(value).__name__)
    )


def write(columns, path):
    """Writes the columns as JSON Lines."""
    names = list(columns)
    with open(path, "w", encoding="ascii") as target:
        for row in zip(*columns.values()):
            target.write(json.dumps({name: plain(value, name) for name, value in zip(names, row)}) + "\n")
