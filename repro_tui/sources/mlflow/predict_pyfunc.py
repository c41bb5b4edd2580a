"""Predicts with a logged MLflow model: `predict_pyfunc.py INPUTS OUTPUT MODEL`. Written by repro-tui.

It runs inside the sandbox, in the model's own environment, so it may only use what every pyfunc model brings: mlflow,
pandas and numpy. Inputs are given the types of the model's signature, because a CSV has none: `007` stays text in a
string column and becomes 7 in an integer column, and 2**53 + 1 is never rounded by way of a float. Predictions become
a Parquet table with one row per input row; unnamed ones are called `prediction`.
"""

import csv
import json
import sys

import numpy as np
import pandas as pd

NUMBERS = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64"}
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def read(path, schema):
    """Reads the inputs in the types of the signature; the format is recognised by the first bytes of the file."""
    with open(path, "rb") as stream:
        head = stream.read(64).lstrip()
    if head.startswith(b"\x93NUMPY"):
        return np.load(path, allow_pickle=False)
    if head.startswith(b"PAR1"):
        frame = pd.read_parquet(path)
    elif head.startswith(b"ARROW1"):
        frame = pd.read_feather(path)
    elif head.startswith(b"{"):
        frame = read_lines(path)
    elif schema is None or not schema.has_input_names():
        return pd.read_csv(path, keep_default_na=False, na_values=[""], float_precision="round_trip")
    else:
        frame = read_text(path)
    return frame if schema is None or not schema.has_input_names() else in_types_of(schema, frame)


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


def table(predictions):
    """The predictions as a DataFrame with one row per input row."""
    if hasattr(predictions, "toarray"):
        predictions = predictions.toarray()
    if isinstance(predictions, pd.DataFrame):
        frame = predictions.reset_index(drop=True)
    elif isinstance(predictions, pd.Series):
        frame = predictions.reset_index(drop=True).to_frame("prediction")
    elif isinstance(predictions, dict):
        frame = pd.DataFrame({name: column(values) for name, values in predictions.items()})
    elif isinstance(predictions, list) and predictions and all(isinstance(row, dict) for row in predictions):
        frame = pd.DataFrame(predictions)
    else:
        frame = pd.DataFrame({"prediction": column(predictions)})
    frame.columns = [str(name) for name in frame.columns]
    return frame


def column(values):
    """The values as one column; in an array of several dimensions each row becomes a list."""
    if isinstance(values, str | bytes):
        return [values]
    if isinstance(values, list):
        return values
    values = np.asarray(values)
    return [row.ravel().tolist() for row in values] if values.ndim > 1 else np.atleast_1d(values)


def main():
    """Loads the model, predicts, and writes the predictions as Parquet."""
    import mlflow.pyfunc

    inputs, output, model = sys.argv[1:4]
    loaded = mlflow.pyfunc.load_model(model)
    given = read(inputs, loaded.metadata.get_input_schema())
    table(loaded.predict(given)).to_parquet(output, index=False)


if __name__ == "__main__":
    main()
