"""Calls a function of the audited code with the inputs as a table: `call_child.py JOB.json`. Part of repro-tui.

The Python of the audited environment runs it, 3.6 or later, with nothing but its standard library; pandas, numpy and
pyarrow are used where they are installed. With pandas, the function gets a DataFrame, else a list of dicts. What it
returns is written as JSON Lines, with exact numbers, and with the key columns of the inputs beside it. A mistake is one
line on standard error, and exit status 1.
"""

import ast
import asyncio
import csv
import importlib
import inspect
import json
import os
import re
import sys
import traceback
import typing
import warnings

if __name__ == "__main__":
    from returned_child import CallMistake, column_values, columns_of, optional, with_keys, write
else:
    from repro_tui.execute.steps.returned_child import (
        CallMistake,
        column_values,
        columns_of,
        optional,
        with_keys,
        write,
    )

PARAMETERS = ("params", "parameters", "config")
BINARY = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff", b"\x93NUMPY")
WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")


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
    """The function that package.module:function names, imported from the working folder or the environment.

    A class on the way to a method is made: with the literal arguments that are written, or with none.
    """
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
    target = followed(target, ast.parse(path, mode="eval").body, name)
    if not callable(target):
        raise CallMistake("{} is not a function: it is of type {}".format(reference, type(target).__name__))
    return target


def followed(target, node, module):
    """What a path of names, each perhaps called with literals, leads to from a module."""
    if isinstance(node, ast.Call):
        made = followed(target, node.func, module)
        arguments = [ast.literal_eval(value) for value in node.args]
        return made(*arguments, **{item.arg: ast.literal_eval(item.value) for item in node.keywords})
    name = node.id if isinstance(node, ast.Name) else node.attr
    if isinstance(node, ast.Attribute):
        target = followed(target, node.value, module)
        if inspect.isclass(target) and inspect.isfunction(inspect.getattr_static(target, name, None)):
            target = instance(target)
    if not hasattr(target, name):
        raise CallMistake("{} has no {}".format(getattr(target, "__name__", type(target).__name__), name))
    return getattr(target, name)


def instance(made):
    """An object of a class that is written without arguments."""
    try:
        inspect.signature(made).bind()
    except TypeError as error:
        raise CallMistake(
            '{0} cannot be made without arguments ({1}): write them, as in {0}("models/model.pkl")'.format(
                made.__name__, error
            )
        )
    except ValueError:  # built in another language
        pass
    return made()


def called(function, data, values):
    """What the function returns for the inputs: for all at once, or row by row if it is declared for one."""
    kind = declared_row(function)
    if kind is None:
        return awaited(call(function, data, values))
    return [awaited(call(function, as_row(kind, row), values)) for row in rows_of(data)]


def awaited(result):
    """The result of an asynchronous function, or the result itself."""
    if not inspect.isawaitable(result):
        return result
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(result)
    finally:
        loop.close()


def declared_row(function):
    """The class of one row that the function's first argument is declared as: a pydantic model or a dataclass."""
    try:
        taken = [name for name in inspect.signature(function).parameters if name not in PARAMETERS]
        kind = typing.get_type_hints(function).get(taken[0]) if taken else None
    except Exception:  # names in annotations that cannot be resolved
        return None
    is_model = hasattr(kind, "model_validate") or hasattr(kind, "parse_obj") or hasattr(kind, "__dataclass_fields__")
    return kind if inspect.isclass(kind) and is_model else None


def as_row(kind, row):
    """A row of the inputs as the class that the function is declared for; a dataclass gets the columns that it has."""
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is not None and not hasattr(kind, "model_validate"):
        return kind(**{name: value for name, value in row.items() if name in fields})
    return kind.model_validate(row) if hasattr(kind, "model_validate") else kind.parse_obj(row)


def rows_of(data):
    """The inputs as dicts of plain values; an empty cell is None."""
    rows = data.to_dict("records") if hasattr(data, "to_dict") else data
    return [{str(name): None if value != value else value for name, value in row.items()} for row in rows]


def call(function, data, values):
    """What the function returns for the inputs, and for the parameters where it takes them."""
    try:
        taken = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # built in another language
        return function(data)
    named = [p for p in taken if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name not in PARAMETERS]
    if len(named) == 1 and not any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in taken):
        parameters = {p.name: values for p in taken if p.name in PARAMETERS}
        return function(**{named[0].name: data}, **parameters)
    keyword = [p.name for p in taken if p.name in PARAMETERS and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    plain = [p for p in taken if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in keyword[:1]]
    if keyword and taken[0].name == keyword[0] and plain:
        return function(values, data)
    if keyword and len(taken) > 1:
        return function(data, **{keyword[0]: values})
    second = plain[1:2]
    return function(data, values) if second and second[0].default is second[0].empty else function(data)


def main(path):
    """Does the job in the file `path`."""
    with open(path, encoding="ascii") as stream:
        job = json.load(stream)
    sys.path[0] = os.getcwd()
    function = find_function(job["call"])
    data = read_inputs(job["inputs"])
    keys = keys_of(job["inputs"], data, job["key"])
    columns, index = columns_of(called(function, data, job["parameters"]))
    write(with_keys(columns, index, keys, len(data)), job["output"])


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except CallMistake as mistake:
        sys.stdout.flush()
        sys.stderr.write("call: {}\n".format(mistake))
        sys.exit(1)
