"""Predicts with a logged MLflow model: `predict_pyfunc.py INPUTS OUTPUT MODEL`. Written by repro-tui.

It runs inside the sandbox, in the model's own environment, so it may only use what every pyfunc model brings: mlflow,
pandas and numpy, of MLflow 1.30 and later. It keeps the contract of the servers that repro-tui queries:

- The model gets the columns of its signature; without one, all columns but the key and the truth.
- The columns of the key are put beside its answers, unless it answers them itself. ($REPRO_KEY is a JSON list of names,
  $REPRO_TRUTH is one name; the truth is read from the inputs, and never written.)
- Predictions become a Parquet table with one row per input row; a scalar is the value of all rows, and another number
  of rows is an error. Series and the fields of arrays keep their names; what has none is called `prediction`.

Inputs are given the types of the model's signature, because a CSV has none: `007` stays text in a string column and
becomes 7 in an integer column, and 2**53 + 1 is never rounded by way of a float.
"""

import csv
import json
import os
import re
import sys

import numpy as np
import pandas as pd

NUMBERS = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64"}
UNNAMED = "prediction"
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def read(path, schema, keys):
    """Reads the inputs, with text in the key columns of a CSV; the format is recognised by the first bytes."""
    with open(path, "rb") as stream:
        head = stream.read(64).lstrip()
    if head.startswith(b"\x93NUMPY"):
        return np.load(path, allow_pickle=False)
    if head.startswith(b"PAR1"):
        return pd.read_parquet(path)
    if head.startswith(b"ARROW1"):
        return pd.read_feather(path)
    if head.startswith(b"{"):
        return read_lines(path)
    if has_names(schema):
        return read_text(path)
    kept = dict.fromkeys(keys, str)
    return pd.read_csv(path, keep_default_na=False, na_values=[""], float_precision="round_trip", dtype=kept)


def has_names(schema):
    """Whether a model declares the names of its input columns."""
    return schema is not None and schema.has_input_names()


def for_model(inputs, schema, held_back):
    """What the model gets of the inputs: the columns of its signature, or else all that are not held back."""
    if isinstance(inputs, np.ndarray):
        return inputs
    if has_names(schema):
        return in_types_of(schema, inputs)
    return inputs[[name for name in inputs.columns if name not in held_back]]


def key_columns(inputs, keys):
    """The key columns of the inputs; of a CSV, as numbers where every cell is written as a whole number is."""
    absent_keys = [name for name in keys if name not in inputs]
    if absent_keys:
        sys.exit("the inputs have no column " + ", ".join(absent_keys) + ", which is a key")
    return {name: whole(list(inputs[name])) for name in keys}


def whole(values):
    """The values as integers where all of them are text that only an integer is written as."""
    written = all(isinstance(value, str) and re.fullmatch("0|-?[1-9][0-9]{0,17}", value) for value in values)
    return [int(value) for value in values] if written else values


def read_lines(path):
    """Reads JSON Lines with json: pandas would round floats, and parse some columns as dates."""
    with open(path, encoding="utf-8") as stream:
        return pd.DataFrame([json.loads(line) for line in stream if line.strip()])


def read_text(path):
    """Reads a CSV with every value as text, so that 007 stays 007 where the signature declares a string."""
    with open(path, encoding="utf-8-sig", newline="") as stream:
        header, *rows = csv.reader(stream, strict=True)
    return pd.DataFrame([row for row in rows if row], columns=header, dtype=object)


def in_types_of(schema, frame):
    """The columns that the signature names, in its order and types; other columns are not passed to the model."""
    columns = {}
    for spec in schema.inputs:
        if spec.name in frame:
            kind = getattr(spec.type, "name", "")
            columns[spec.name] = in_type(frame[spec.name], kind, getattr(spec, "required", True))
    return pd.DataFrame(columns)


def in_type(values, kind, required):
    """Converts one column to a type of the signature. Text is parsed; an empty cell is missing (or "" in a string)."""
    if kind in NUMBERS:
        return numbers([absent(value) for value in values], NUMBERS[kind])
    if kind == "boolean":
        return pd.Series([BOOLEANS.get(str(value).lower(), absent(value)) for value in values])
    if kind == "datetime":
        return pd.to_datetime(pd.Series([absent(value) for value in values])).astype("datetime64[ns]")
    if kind == "string":
        return pd.Series([text(value, required) for value in values], dtype=object)
    if kind == "binary":
        return values
    return pd.Series([json.loads(value) if isinstance(value, str) else value for value in values], dtype=object)


def absent(value):
    """The value, or None where it is empty or NaN."""
    return None if value is None or value == "" or (isinstance(value, float) and value != value) else value


def text(value, required):
    """The value as text; an empty one is missing if the column is optional."""
    if absent(value) is None:
        return "" if required else None
    return value if isinstance(value, str) else str(value)


def numbers(values, dtype):
    """Converts to numbers; integers without gaps never pass through a float, which would round 2**53 + 1."""
    if None in values:
        return pd.Series([np.nan if value is None else float(value) for value in values], dtype="float64")
    if dtype.startswith("int"):
        values = [int(value) if isinstance(value, str) else value for value in values]
        return pd.Series(values).astype(dtype) if all(value == int(value) for value in values) else pd.Series(values)
    return pd.Series([float(value) for value in values], dtype=dtype)


def table(predictions, rows):
    """The predictions as a DataFrame with one row per input row."""
    if hasattr(predictions, "toarray"):
        predictions = predictions.toarray()
    if isinstance(predictions, pd.DataFrame):
        frame = predictions.reset_index(drop=True)
    elif isinstance(predictions, dict):
        frame = pd.DataFrame({name: column(values, rows) for name, values in predictions.items()})
    elif isinstance(predictions, list) and predictions and all(isinstance(row, dict) for row in predictions):
        frame = pd.DataFrame(predictions)
    elif getattr(getattr(predictions, "dtype", None), "names", None):
        frame = pd.DataFrame({name: column(predictions[name], rows) for name in predictions.dtype.names})
    else:
        name = getattr(predictions, "name", None)
        frame = pd.DataFrame({UNNAMED if name is None else name: column(predictions, rows)})
    if len(frame) != rows:
        sys.exit(f"the model returned {len(frame):,} rows for {rows:,} input rows")
    frame.columns = [str(name) for name in frame.columns]
    return frame.rename(columns={"0": UNNAMED}) if list(frame.columns) == ["0"] else frame


def column(values, rows):
    """The values as one column; in an array of several dimensions each row becomes a list."""
    if isinstance(values, pd.Series):
        return values.reset_index(drop=True)
    if values is None:
        sys.exit("the model returned no value")
    if isinstance(values, list):
        return values
    if isinstance(values, (str, bytes)) or np.ndim(values) == 0:
        return [values] * rows
    values = np.asarray(values)
    return [row.ravel().tolist() for row in values] if values.ndim > 1 else values


def main():
    """Loads the model, predicts, and writes the predictions as Parquet."""
    import mlflow.pyfunc

    inputs, output, model = sys.argv[1:4]
    keys, truth = json.loads(os.environ.get("REPRO_KEY") or "[]"), os.environ.get("REPRO_TRUTH")
    loaded = mlflow.pyfunc.load_model(model)
    schema = loaded.metadata.get_input_schema()
    given = read(inputs, schema, keys)
    beside = {} if isinstance(given, np.ndarray) else key_columns(given, keys)
    answers = table(loaded.predict(for_model(given, schema, {truth, *keys})), len(given))
    for place, name in enumerate(name for name in keys if name in beside and name not in answers):
        answers.insert(place, name, beside[name])
    answers.to_parquet(output, index=False)


if __name__ == "__main__":
    main()
