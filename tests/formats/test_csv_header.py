"""The header of a CSV: recorded names where there is no header line, and the index column that pandas writes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from repro_tui.formats.columns import TableError
from repro_tui.formats.csv_header import DROPPED, KEPT, UNNAMED
from repro_tui.formats.normalise import normalise as normalise_in_child
from repro_tui.formats.tables import normalise
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_file


def read(folder: Path, text: str, *columns: str) -> tuple[dict[str, list[object]], list[str]]:
    (folder / "raw").write_text(text)
    notes: list[str] = []
    normalise(folder / "raw", folder / "out", columns, notes)
    content: dict[str, list[object]] = pq.read_table(folder / "out").to_pydict()
    return content, notes


@pytest.mark.parametrize(
    ("text", "columns", "expected", "notes"),
    [
        (",a,b\n0,1,x\n1,2,y\n", (), {"a": [1, 2], "b": ["x", "y"]}, [DROPPED]),
        ('"","a"\n"0","x,y"\n"1","z"\n', (), {"a": ["x,y", "z"]}, [DROPPED]),
        (",a\n", (), {"a": []}, [DROPPED]),
        (",a\n1,7\n2,8\n", (), {"index": [1, 2], "a": [7, 8]}, [KEPT]),
        (",a\n1,7\n0,8\n", (), {"index": [1, 0], "a": [7, 8]}, [KEPT]),
        (",a\n00,7\n1,8\n", (), {"index": ["00", "1"], "a": [7, 8]}, [KEPT]),
        (",a\nx,7\n", (), {"index": ["x"], "a": [7]}, [KEPT]),
        (",a\n,7\n", (), {"index": [None], "a": [7]}, [KEPT]),
        ("1,0.5\n2,007\n", ("id", "p"), {"id": [1, 2], "p": ["0.5", "007"]}, [UNNAMED]),
        ("\ufeff1,0.5\n", ("id", ""), {"id": [1], "column_2": [0.5]}, [UNNAMED]),
        ("cat\ndog\n", ("label",), {"label": ["cat", "dog"]}, [UNNAMED]),
        ("id,p\n1,2\n", ("id", "p"), {"id": [1], "p": [2]}, []),
        ("a,0.5\nb,x\n", ("id", "p"), {"id": ["a", "b"], "p": ["0.5", "x"]}, [UNNAMED]),
    ],
)
def test_a_header_is_what_the_file_or_the_record_says(
    tmp_path: Path, text: str, columns: tuple[str, ...], expected: dict[str, list[object]], notes: list[str]
) -> None:
    assert read(tmp_path, text, *columns) == (expected, notes)


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("1,2,3\n", ("a", "b"), "line 1 has 3 fields, but predict.columns names 2"),
        ("1,2\n1\n", ("a", "b"), "line 2 has 1 fields, but predict.columns names 2"),
        ("id,score\n1,2\n", ("id", "p"), "line 1 is a header line (id, score), but predict.columns names"),
        (
            "id,answer\nr1,yes\nr2,no\n",
            ("id", "label"),
            "line 1 is a header line (id, answer), but",
        ),
        (",index\n0,1\n", (), "column 1 has no name, and cannot be named index"),
        (",,a\n0,0,1\n", (), "column 1 has no name"),
        (",a\n0,1\n1\n", (), "line 3 has 1 fields, but the header has 2"),
        ("x\ny\n", ("a", "b"), "line 1 has 1 fields"),
    ],
)
def test_a_header_is_never_guessed(tmp_path: Path, text: str, columns: tuple[str, ...], message: str) -> None:
    with pytest.raises(TableError, match="^" + message.replace("(", "\\(").replace(")", "\\)")):
        read(tmp_path, text, *columns)


def test_a_table_of_pandas_is_the_same_with_and_without_its_index(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [3, 1, 2], "score": [0.1, 0.2, 0.30000000000000004]})
    with_index, without = frame.to_csv(), frame.to_csv(index=False)
    assert read(tmp_path, with_index)[0] == read(tmp_path, without)[0]
    assert read(tmp_path, frame.sort_values("id").to_csv())[0]["index"] == [1, 2, 0]


def test_an_index_is_counted_over_all_blocks(tmp_path: Path) -> None:
    rows = [f"{number},{'x' * 200}" for number in range(60_000)]
    assert set(read(tmp_path, "\n".join([",a", *rows]))[0]) == {"a"}
    rows[-1] = rows[-1].replace("59999", "59998")
    assert set(read(tmp_path, "\n".join([",a", *rows]))[0]) == {"index", "a"}


def test_the_cache_knows_the_names_apart(tmp_path: Path, context: Context) -> None:
    raw = tmp_path / "raw"
    raw.write_text("1,2\n")
    digest = digest_file(raw).sha256
    first = normalise_in_child(raw, digest, tmp_path / "a", context, ("x", "y"))
    assert (first.rows, first.notes) == (1, (UNNAMED,))
    assert normalise_in_child(raw, digest, tmp_path / "b", context).rows == 0
    assert pq.read_table(tmp_path / "a").column_names == ["x", "y"]
