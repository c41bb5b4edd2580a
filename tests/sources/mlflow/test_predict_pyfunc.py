"""The helper that runs pyfunc models keeps the contract of the servers that are queried: known answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from repro_tui.sources.mlflow import predict_pyfunc as helper


@pytest.mark.parametrize(
    ("answers", "columns"),
    [
        (pd.Series([1.0, 2.0]), {"prediction": [1.0, 2.0]}),
        (pd.Series([1.0, 2.0], index=[7, 8], name="score"), {"score": [1.0, 2.0]}),
        (pd.DataFrame([[1], [2]]), {"prediction": [1, 2]}),
        (pd.DataFrame({"a": [1, 2], 0: [3, 4]}), {"a": [1, 2], "0": [3, 4]}),
        (np.array([1, 2]), {"prediction": [1, 2]}),
        (np.array([[1, 2], [3, 4]]), {"prediction": [[1, 2], [3, 4]]}),
        (np.array([(1, 2.0), (3, 4.0)], dtype=[("n", int), ("x", float)]), {"n": [1, 3], "x": [2.0, 4.0]}),
        ([{"a": 1}, {"a": 2}], {"a": [1, 2]}),
        (["x", "y"], {"prediction": ["x", "y"]}),
        ("text", {"prediction": ["text", "text"]}),
        (3.5, {"prediction": [3.5, 3.5]}),
        (np.float64(3.5), {"prediction": [3.5, 3.5]}),
        ({"a": np.array([1, 2]), "b": 5}, {"a": [1, 2], "b": [5, 5]}),
    ],
)
def test_answers_become_one_row_per_input_row_under_their_names(answers: Any, columns: dict[str, list[Any]]) -> None:
    assert helper.table(answers, 2).to_dict("list") == columns


@pytest.mark.parametrize("answers", [pd.Series([1.0]), [1, 2, 3], np.zeros((3, 2)), {"a": [1]}, None])
def test_another_number_of_rows_is_an_error(answers: Any) -> None:
    with pytest.raises(SystemExit, match=r"rows for 2 input rows|no value"):
        helper.table(answers, 2)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "20", "-3", "0"], [1, 20, -3, 0]),
        (["1", "007"], ["1", "007"]),
        (["a", "1"], ["a", "1"]),
        ([1, 2], [1, 2]),
        (["9" * 19], ["9" * 19]),
        (["1", ""], ["1", ""]),
    ],
)
def test_keys_are_numbers_only_where_all_are_written_as_numbers(cells: list[Any], values: list[Any]) -> None:
    assert helper.whole(cells) == values
