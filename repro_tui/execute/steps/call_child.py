"""Calls a function of the audited code with the inputs as a table: `call_child.py JOB.json`. Part of repro-tui.

The Python of the audited environment runs it, 3.6 or later, with nothing but its standard library; pandas, numpy and
pyarrow are used where they are installed. With pandas, the function gets a DataFrame, else a list of dicts. What it
returns is written as JSON Lines, with exact numbers, and with the key columns of the inputs beside it. A mistake is one
line on standard error, and exit status 1.
"""

import csv
import importlib
import inspect
import json
import os
import re
import sys
import traceback
import warnings
from datetime import date, time
from decimal import Decimal

PARAMETERS = ("params", "parameters", "config")
ONE = "prediction"  # the name of a column that has none
BINARY = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff", b"\x93NUMPY")
WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")


class CallMistake(Exception):
    """The step cannot go on; the message is one line that says why."""


def optional(name):
    """A package, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


# -- inputs ---------------------------------------------------------------------------------------------------------


def read_inputs(path):
    """The inputs as a DataFrame, or as a list of dicts where pandas is not installed (an array where numpy is all)."""
    with open(path, "rb") as stream:
        head = stream.read(4096)
    if head.startswith(b"PAR1"):
        return with_pyarrow(path, "Parquet", lambda: importlib.import_module("pyarrow.parquet").read_table(path))
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return with_pyarrow(path, "Arrow", lambda: read_arrow(path, head))
    if head.startswith(b"\x93NUMPY"):
        return read_npy(path)
    text = head[3:] if head.startswith(b"\xef\xbb\xbf") else head
    return read_json_lines(path) if text.lstrip()[:1] == b"{" else read_csv(path)


def with_pyarrow(path, form, read):
    """A table in a format that only pyarrow reads."""
    if optional("pyarrow") is None:
        raise CallMistake("the inputs are {}, but the environment has no pyarrow: use CSV or JSON Lines".format(form))
    table = read()
    if optional("pandas") is not None:
        return table.to_pandas()
    return [dict(zip(table.column_names, row)) for row in zip(*(column.to_pylist() for column in table.columns))]


def read_arrow(path, head):
    """An Arrow file or stream."""
    ipc = importlib.import_module("pyarrow.ipc")
    with open(path, "rb") as stream:
        return (ipc.open_file if head.startswith(b"ARROW1") else ipc.open_stream)(stream).read_all()


def read_npy(path):
    """An array: its fields or its columns are the columns of the table; more dimensions stay an array."""
    numpy, pandas = optional("numpy"), optional("pandas")
    if numpy is None:
        raise CallMistake("the inputs are .npy, but the environment has no numpy: use CSV or JSON Lines")
    array = numpy.load(path, allow_pickle=False)
    return array if pandas is None or array.ndim > 2 else pandas.DataFrame(array)


def read_json_lines(path):
    """One object per line."""
    with open(path, encoding="utf-8-sig") as stream:
        rows = [json.loads(line) for line in stream if line.strip()]
    pandas = optional("pandas")
    return rows if pandas is None else pandas.DataFrame(rows)


def read_csv(path):
    """A CSV file as pandas reads it, but with exact floats; without pandas, numbers where they are plainly written."""
    pandas = optional("pandas")
    if pandas is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer versions are exact by default, and warn of the option
            try:
                return pandas.read_csv(path, float_precision="round_trip")
            except TypeError:  # the option is gone
                return pandas.read_csv(path)
    return [{name: plain_cell(cell) for name, cell in row.items()} for row in text_rows(path)]


def text_rows(path):
    """The rows of a CSV file as text."""
    with open(path, encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream, strict=True))


def plain_cell(text):
    """A cell as int or float where it is one, None where it is empty, else as text."""
    if not text:
        return None
    if WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if re.fullmatch(r"[-+]?([0-9]*\.?[0-9]+|[0-9]+\.)([eE][-+]?[0-9]+)?", text) else text


def keys_of(path, data, names):
    """The key columns of the inputs: name to values. Those of a CSV are as written, so that 007 stays 007."""
    with open(path, "rb") as stream:
        head = stream.read(4096)
    text = head[3:] if head.startswith(b"\xef\xbb\xbf") else head
    is_text = not head.startswith(BINARY) and text.lstrip()[:1] != b"{"
    keys = {}
    for name in names:
        if is_text:
            cells = [row.get(name) for row in text_rows(path)]
            whole = all(cell and WHOLE.fullmatch(cell) for cell in cells)
            values = [int(cell) for cell in cells] if whole else cells
            if cells and all(cell is None for cell in cells):
                continue
        elif isinstance(data, list):
            values = [row.get(name) for row in data] if data and name in data[0] else None
        else:
            values = column_values(data[name]) if name in getattr(data, "columns", ()) else None
        if values is not None:
            keys[name] = values
    return keys


# -- the call -------------------------------------------------------------------------------------------------------


def find_function(reference):
    """The function that package.module:function names, imported from the working folder or the environment."""
    name, _, path = reference.partition(":")
    try:
        target = importlib.import_module(name)
    except ImportError as error:
        missing = getattr(error, "name", None)
        if missing and (name == missing or name.startswith(missing + ".")):
            raise CallMistake(
                "cannot import {}: there is no module {} in the working folder {} or in the environment".format(
                    name, missing, os.getcwd()
                )
            )
        traceback.print_exc()
        raise CallMistake("cannot import {}: {}".format(name, error))
    for part in path.split("."):
        if not hasattr(target, part):
            raise CallMistake("{} has no {}".format(name, path))
        target = getattr(target, part)
    if not callable(target):
        raise CallMistake("{} is not a function: it is of type {}".format(reference, type(target).__name__))
    return target


def call(function, data, values):
    """What the function returns for the inputs, and for the parameters where it takes them."""
    try:
        taken = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # built in another language
        return function(data)
    keyword = [p.name for p in taken if p.name in PARAMETERS and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    plain = [p for p in taken if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in keyword[:1]]
    if keyword and taken[0].name == keyword[0] and plain:
        return function(values, data)
    if keyword and len(taken) > 1:
        return function(data, **{keyword[0]: values})
    second = plain[1:2]
    return function(data, values) if second and second[0].default is second[0].empty else function(data)


# -- what it returns ------------------------------------------------------------------------------------------------


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
    """A dict of columns, or of the values of one row."""
    columns = {str(name): as_list(values) for name, values in result.items()}
    if len(columns) != len(result):
        raise CallMistake("the function returned two columns of the same name: {}".format(", ".join(map(str, result))))
    if all(values is None for values in columns.values()):
        return {str(name): [value] for name, value in result.items()}
    lengths = {name: len(values) if values is not None else None for name, values in columns.items()}
    if len(set(lengths.values())) != 1:
        raise CallMistake("the function returned a dict of columns that differ in length: {}".format(lengths))
    return columns


def as_list(values):
    """A column of a dict as a list; None where it is a single value."""
    if hasattr(values, "tolist"):
        values = values.tolist()
        return values if isinstance(values, list) else None
    return list(values) if isinstance(values, (list, tuple)) else None


def row_columns(rows):
    """The columns of a list of dicts, of lists of equal length, or of single values."""
    rows = [row.tolist() if hasattr(row, "tolist") else row for row in rows]
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
            "the function returned {} for {} of the inputs: it must return one for each, or return the key too".format(
                plural(rows), plural(inputs)
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


def main(path):
    """Does the job in the file `path`."""
    with open(path, encoding="ascii") as stream:
        job = json.load(stream)
    sys.path[0] = os.getcwd()
    function = find_function(job["call"])
    if inspect.iscoroutinefunction(function):
        raise CallMistake("{} is asynchronous: name a function that returns the predictions".format(job["call"]))
    data = read_inputs(job["inputs"])
    keys = keys_of(job["inputs"], data, job["key"])
    columns, index = columns_of(call(function, data, job["parameters"]))
    write(with_keys(columns, index, keys, len(data)), job["output"])


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except CallMistake as mistake:
        sys.stdout.flush()
        sys.stderr.write("call: {}\n".format(mistake))
        sys.exit(1)
