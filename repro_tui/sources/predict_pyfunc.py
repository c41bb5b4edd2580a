"""Predicts with a logged MLflow model, in the sandbox: predict_pyfunc.py INPUTS OUTPUT MODEL. Written by repro-tui."""

import sys

import pandas as pd


def read(path, schema):
    """The inputs as a frame: Parquet, JSON Lines or CSV, in the types of the model's signature."""
    with open(path, "rb") as stream:
        head = stream.read(64).lstrip()
    if head.startswith(b"PAR1"):
        frame = pd.read_parquet(path)
    elif head.startswith(b"{"):
        frame = pd.read_json(path, orient="records", lines=True, dtype=False, convert_dates=False)
    else:
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""], float_precision="round_trip")
    if schema is None or not schema.has_input_names():
        return frame
    for column, kind in zip(schema.input_names(), schema.input_types(), strict=True):
        if column in frame and getattr(kind, "name", "") in ("integer", "long", "float", "double", "boolean"):
            frame[column] = frame[column].astype(kind.to_pandas())
        elif column in frame and getattr(kind, "name", "") == "string":
            frame[column] = frame[column].astype(str)
    return frame[[name for name in schema.input_names() if name in frame]]


def table(predictions):
    """What the model gave as a frame, a row for each input."""
    if isinstance(predictions, pd.DataFrame):
        found = predictions.reset_index(drop=True)
    elif isinstance(predictions, pd.Series):
        found = predictions.reset_index(drop=True).to_frame("prediction")
    elif getattr(predictions, "ndim", 1) > 1:
        found = pd.DataFrame({"prediction": [list(map(float, row.ravel())) for row in predictions]})
    else:
        found = pd.DataFrame({"prediction": predictions})
    found.columns = [str(name) for name in found.columns]
    return found


def main():
    """Loads, predicts, writes."""
    import mlflow.pyfunc

    inputs, output, model = sys.argv[1:4]
    loaded = mlflow.pyfunc.load_model(model)
    frame = read(inputs, loaded.metadata.get_input_schema())
    table(loaded.predict(frame)).to_parquet(output, index=False)


if __name__ == "__main__":
    main()
