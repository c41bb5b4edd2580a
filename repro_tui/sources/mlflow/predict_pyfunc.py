"""Predicts with a logged MLflow model, in the sandbox: predict_pyfunc.py INPUTS OUTPUT MODEL. Written by repro-tui."""

import csv
import json
import sys

import numpy as np
import pandas as pd

NUMBERS = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64"}
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def read(path, schema):
    """The inputs, recognised by content (Parquet, Arrow, .npy, JSON Lines, CSV), in the types of the signature."""
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
    """JSON Lines as json reads them: pandas would round floats, and take some columns for dates."""
    with open(path, encoding="utf-8") as stream:
        return pd.DataFrame([json.loads(line) for line in stream if line.strip()])


def read_text(path):
    """A CSV as it is written, all text: 007 stays 007 where the signature says that it is text."""
    with open(path, encoding="utf-8-sig", newline="") as stream:
        header, *rows = csv.reader(stream, strict=True)
    return pd.DataFrame([row for row in rows if row], columns=header, dtype=object)


def in_types_of(schema, frame):
    """The columns that the signature names, in its order and types; the others are not the model's to see."""
    columns = {}
    for spec in schema.inputs:
        if spec.name in frame:
            kind = getattr(spec.type, "name", "")
            columns[spec.name] = in_type(frame[spec.name], kind, getattr(spec, "required", True))
    return pd.DataFrame(columns)


def in_type(values, kind, required):
    """One column in a type of the signature. Text of a CSV is parsed; an empty cell is missing, or the empty text."""
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
    """None for what stands for no value."""
    return None if value is None or value == "" or (isinstance(value, float) and value != value) else value


def text(value, required):
    """A text; an empty one is missing where the signature lets the column be so."""
    if absent(value) is None:
        return "" if required else None
    return value if isinstance(value, str) else str(value)


def numbers(values, dtype):
    """Numbers without a detour over floats where they are whole: 2**53 + 1 stays what it is."""
    if None in values:
        return pd.Series([np.nan if value is None else float(value) for value in values], dtype="float64")
    if dtype.startswith("int"):
        values = [int(value) if isinstance(value, str) else value for value in values]
        return pd.Series(values).astype(dtype) if all(value == int(value) for value in values) else pd.Series(values)
    return pd.Series([float(value) for value in values], dtype=dtype)


def table(predictions):
    """What the model gave as a frame, a row for each input."""
    if hasattr(predictions, "toarray"):
        predictions = predictions.toarray()
    if isinstance(predictions, pd.DataFrame):
        found = predictions.reset_index(drop=True)
    elif isinstance(predictions, pd.Series):
        found = predictions.reset_index(drop=True).to_frame("prediction")
    elif isinstance(predictions, dict):
        found = pd.DataFrame({name: column(values) for name, values in predictions.items()})
    elif isinstance(predictions, list) and predictions and all(isinstance(row, dict) for row in predictions):
        found = pd.DataFrame(predictions)
    else:
        found = pd.DataFrame({"prediction": column(predictions)})
    found.columns = [str(name) for name in found.columns]
    return found


def column(values):
    """One column: of several dimensions, each row is a list."""
    if isinstance(values, str | bytes):
        return [values]
    if isinstance(values, list):
        return values
    values = np.asarray(values)
    return [row.ravel().tolist() for row in values] if values.ndim > 1 else np.atleast_1d(values)


def main():
    """Loads, predicts, writes."""
    import mlflow.pyfunc

    inputs, output, model = sys.argv[1:4]
    loaded = mlflow.pyfunc.load_model(model)
    given = read(inputs, loaded.metadata.get_input_schema())
    table(loaded.predict(given)).to_parquet(output, index=False)


if __name__ == "__main__":
    main()
