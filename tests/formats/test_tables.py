"""Tables are read exactly or not at all, in a child process that cannot crash the engine."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import re
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro_tui.formats import csv_bytes, tables_csv
from repro_tui.formats.columns import TableError
from repro_tui.formats.normalise import normalise_file
from repro_tui.formats.tables import normalise
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from tests.conftest import EXAMPLES


def read(folder: Path, content: bytes) -> tuple[str, pa.Table]:
    (folder / "raw").write_bytes(content)
    _, form = normalise(folder / "raw", folder / "out.parquet")
    return form, pq.read_table(folder / "out.parquet")


def cells(folder: Path, content: bytes) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = read(folder, content)[1].to_pydict()
    return columns


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"id,x\n007,NA\n008,null\n", {"id": ["007", "008"], "x": ["NA", "null"]}),
        (b"x\n0.1\n1e-320\n1.7976931348623157e308\n", {"x": [0.1, 1e-320, 1.7976931348623157e308]}),
        (b"x\n9007199254740993\n", {"x": [9007199254740993]}),
        (b"x\n9223372036854775808\n", {"x": [9223372036854775808]}),
        (b"x\n123456789012345678901234567890\n", {"x": ["123456789012345678901234567890"]}),
        (b"x\n9007199254740993\n0.5\n", {"x": ["9007199254740993", "0.5"]}),
        (b"x\ntrue\nfalse\n", {"x": [True, False]}),
        (b"x,y\n1,\n,2\n", {"x": [1, None], "y": [None, 2]}),
        (b"\xef\xbb\xbfx\r\n1\r\n", {"x": [1]}),
        (b'x,y\n"a\nb","c ""q"""\n', {"x": ["a\nb"], "y": ['c "q"']}),
        (b"x\n-0\n1\n", {"x": [-0.0, 1.0]}),
        (b"x,y\n", {"x": [], "y": []}),
        (b"when\n2026-01-05\n", {"when": ["2026-01-05"]}),
        (b"x\n+1\n2\n", {"x": [1.0, 2.0]}),
        (b"x\n01\n2\n", {"x": ["01", "2"]}),
        (b"x\n 1\n2\n", {"x": [" 1", "2"]}),
        (b"x\n1_000\n0x10\n", {"x": ["1_000", "0x10"]}),
        (b"x\n-9223372036854775808\n18446744073709551615\n", {"x": ["-9223372036854775808", "18446744073709551615"]}),
        (b"x\n-1\n-\n", {"x": ["-1", "-"]}),
    ],
)
def test_csv_is_read_exactly(tmp_path: Path, content: bytes, expected: dict[str, list[Any]]) -> None:
    assert cells(tmp_path, content) == expected


CELLS = st.one_of(
    st.sampled_from(
        "0 -0 +0 00 007 -007 +1 1 -1 10 0.5 -0.5 .5 -.5 1. 00.5 -00.5 0x1F 0X1 1e5 0e5 -0e5 0E0 1e400 -1e400 e5 nan "
        "NaN -nan nan(1) inf +inf Infinity iNf true True false FALSE x 1_0 9007199254740993 9223372036854775808 1e15 "
        "18446744073709551615 123456789012345678901 1000000000000000.5 -".split()
    ),
    st.sampled_from(["1e-400", "12345678901234567.0", "1234567890123456"]),
    st.sampled_from(["", " 1", "1 ", "\t1", "1\t", " ", "a b", "in 5, 6", '"', "a\nb", "1,5", " nan", "inf "]),
    st.integers(-(2**65), 2**65).map(str),
    st.floats().map(repr),
)
WHOLE = re.compile(r"0|-?[1-9][0-9]*")
FRACTION = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
ODD = re.compile(r"[+-]?([nN]a[nN]|NAN|inf|Inf|INF|[iI]nfinity)")


def as_read(texts: list[str]) -> list[Any]:
    """The expected column: a number that is not written canonically, or would lose a digit, stays text."""
    filled = [text for text in texts if text]
    numbers: Any = None
    if any(filled and set(filled) <= pair for pair in ({"true", "false"}, {"True", "False"}, {"TRUE", "FALSE"})):
        return [None if not text else text.lower() == "true" for text in texts]
    if all(map(WHOLE.fullmatch, filled)) and filled:
        low, high = min(map(int, filled)), max(map(int, filled))
        numbers = int if low >= -(2**63) and high < 2 ** (63 if low < 0 else 64) else None
    if numbers is None and all(
        (FRACTION.fullmatch(text) and math.isfinite(float(text))) or ODD.fullmatch(text) for text in filled
    ):
        long = [text for text in filled if re.fullmatch(r"[+-]?[0-9]{16,}(\.0*)?([eE][+-]?[0-9]+)?", text)]
        lost = any(Decimal(text) not in (Decimal(float(text)), Decimal(repr(float(text)))) for text in long)
        lost = lost or any(float(text) == 0 and Decimal(text) != 0 for text in filled if FRACTION.fullmatch(text))
        numbers = None if lost else float
    return [None if not text else numbers(text) if numbers else text for text in texts]


@settings(max_examples=8 * EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(CELLS, min_size=1, max_size=6), later=st.lists(CELLS, max_size=3), window=st.integers(1, 9))
def test_every_cell_is_read_by_the_rules(
    tmp_path: Path, texts: list[str], later: list[str], window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Odd cells in the first rows, which decide the types, or after them, with windows of any size."""
    monkeypatch.setattr(csv_bytes, "WINDOW", window)
    monkeypatch.setattr(tables_csv, "BLOCK", 32)
    values = [*texts, *[texts[0]] * 30, *later]
    out = io.StringIO()
    csv.writer(out).writerows([["x", "y"], *([text, "z"] for text in values)])
    values_read = cells(tmp_path, out.getvalue().encode())["x"]
    assert [repr(cell) for cell in values_read] == [repr(cell) for cell in as_read(values)]


def test_a_column_is_typed_over_all_of_its_rows(tmp_path: Path) -> None:
    rows = b"".join(b"%d\n" % n for n in range(2_000_000)) + b"x1\n"
    assert read(tmp_path, b"v\n" + rows)[1].schema.field("v").type == pa.string()


@pytest.mark.parametrize(
    ("early", "late", "expected"),
    [
        ("7", "0.5", [7.0, 0.5]),
        ("7", "0.50x", ["7", "0.50x"]),
        ("", "9007199254740993", [None, 9007199254740993]),
        ("0.5", "9007199254740993", ["0.5", "9007199254740993"]),
        ("true", "yes", ["true", "yes"]),
        ("12", "18446744073709551615", [12, 18446744073709551615]),
    ],
)
def test_types_are_those_of_all_rows_and_not_of_the_first(
    tmp_path: Path, early: str, late: str, expected: list[Any]
) -> None:
    filling = "x" * 1000
    rows = [f"{filling},{early}"] * 20_000 + [f"{filling},{late}"]
    column = read(tmp_path, "\n".join(["text,v", *rows, ""]).encode())[1].column("v")
    assert [column[0].as_py(), column[-1].as_py()] == expected
    assert column.null_count == (20_000 if expected[0] is None else 0)


def test_the_line_of_a_mistake_is_told_far_into_a_file(tmp_path: Path) -> None:
    rows = b"x,y\n" + b"a,1\n" * 3_000_000
    for mistake, message in ((b"a,\0\n", "line 3000002 contains a NUL byte"), (b'"a,1\n', "is on line 3000002")):
        with pytest.raises(TableError, match=message):
            read(tmp_path, rows + mistake + b"b,2\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 fields"),
        (b"a,b\n1,2,3\n", "line 2 has 3 fields"),
        (b'a,b\n1,"x\n', "line 2"),
        (b"a,b\n1,\0\n", "line 2 contains a NUL"),
        (b"a\n\xff\n", "byte 2 is not UTF-8"),
        (b"a,a\n1,2\n", "two columns are named 'a'"),
        (b"a,\n1,2\n", "column 2 has no name"),
        (b'{"a": 1}\n{"a": 1, "a": 2}\n', "line 2: the key 'a' occurs twice"),
        (b'{"a": 1}\n[1]\n', "line 2 is not a JSON object"),
        (b'{"a": 1}\n{"a": \n', "line 2"),
        (b"PAR1 and nothing else", "Parquet"),
        (b"\x93NUMPY\x01\x00", ".npy"),
    ],
)
def test_what_is_no_table_is_told_with_its_place(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(TableError) as caught:
        read(tmp_path, content)
    assert message in str(caught.value)


def test_json_lines(tmp_path: Path) -> None:
    content = b'{"a": 1, "v": [1, 2.5], "n": {"y": 1, "x": 2}}\n\n{"b": "t", "a": 2.5, "n": null}\n'
    form, table = read(tmp_path, content)
    assert form == "JSON Lines"
    assert table.to_pydict() == {
        "a": [1.0, 2.5],
        "v": [[1.0, 2.5], None],
        "n": ['{"x": 2, "y": 1}', None],
        "b": [None, "t"],
    }


def test_lists_of_any_depth(tmp_path: Path) -> None:
    """Empty lists fit any type; lists that are not all numbers become JSON."""
    content = b'{"t": [[1, 2.5], []], "e": [], "m": [1, "x"]}\n{"t": [], "e": [3], "m": [[1], 2]}\n'
    table = read(tmp_path, content)[1]
    assert table.to_pydict() == {
        "t": [[[1.0, 2.5], []], []],
        "e": [[], [3.0]],
        "m": ['[1, "x"]', "[[1], 2]"],
    }
    nested = pa.table({"t": pa.array([[[1], None], None], pa.large_list(pa.list_(pa.int32())))})
    pq.write_table(nested, tmp_path / "p")
    assert read(tmp_path, (tmp_path / "p").read_bytes())[1].to_pydict() == nested.to_pydict()


def test_whole_numbers_in_lists_keep_their_digits(tmp_path: Path) -> None:
    """As floats, 2^53 and 2^53 + 1 are one number; numbers that int64 cannot hold become JSON."""
    content = (
        b'{"w": [9007199254740993, null], "n": [[1], null], "b": [18446744073709551615], "h": [1]}\n'
        b'{"w": [1], "n": [[2, null], [3]], "b": [1], "h": [2.5]}\n'
    )
    table = read(tmp_path, content)[1]
    assert table.to_pydict() == {
        "w": [[2**53 + 1, None], [1]],
        "n": [[[1], None], [[2, None], [3]]],
        "b": ["[18446744073709551615]", "[1]"],
        "h": [[1.0], [2.5]],
    }
    assert [str(field.type) for field in table.schema][:2] == [
        "list<element: int64>",
        "list<element: list<element: int64>>",
    ]
    with pytest.raises(TableError, match="9007199254740993 loses digits in a column of floats"):
        read(tmp_path, b'{"v": [0.5, 9007199254740993]}\n')


def test_arrays(tmp_path: Path) -> None:
    of_row = pa.list_(pa.float32())
    for shape, kind in (((4,), pa.float32()), ((4, 3), of_row), ((4, 2, 2), pa.list_(of_row))):
        np.save(tmp_path / "a.npy", np.arange(np.prod(shape), dtype=">f4").reshape(shape))
        form, table = read(tmp_path, (tmp_path / "a.npy").read_bytes())
        assert (form, table.num_rows, table.schema.field("value").type) == (".npy", 4, kind)
    np.save(tmp_path / "o.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(TableError, match="cannot be read"):
        read(tmp_path, (tmp_path / "o.npy").read_bytes())


def test_arrow_and_parquet_keep_their_types(tmp_path: Path) -> None:
    table = pa.table(
        {"f": pa.array([1, 2], pa.float16()), "d": pa.array(["x", "y"]).dictionary_encode(), "b": [b"\x01", None]}
    )
    with pa.OSFile(str(tmp_path / "f"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pa.OSFile(str(tmp_path / "s"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    pq.write_table(table, tmp_path / "p")
    for name, form in (("f", "Arrow"), ("s", "Arrow"), ("p", "Parquet")):
        recognised, read_back = read(tmp_path, (tmp_path / name).read_bytes())
        assert recognised == form
        assert [str(field.type) for field in read_back.schema] == ["halffloat", "string", "string"]
        assert read_back.to_pydict() == {"f": [1.0, 2.0], "d": ["x", "y"], "b": ["0x01", None]}


@pytest.mark.parametrize("form", ["Parquet", "Arrow"])
def test_text_that_is_not_utf_8_is_told(tmp_path: Path, form: str) -> None:
    offsets = pa.py_buffer(struct.pack("<3i", 0, 2, 4))
    table = pa.table({"x": pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"\xff\xfeok")])})
    if form == "Parquet":
        pq.write_table(table, tmp_path / "raw")
    else:
        with pa.ipc.new_file(tmp_path / "raw", table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(TableError, match=f"not valid {form}: .*UTF8"):
        normalise(tmp_path / "raw", tmp_path / "out.parquet")


def test_a_truncated_parquet_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": range(1000)}), tmp_path / "p")
    with pytest.raises(TableError, match="Parquet"):
        read(tmp_path, (tmp_path / "p").read_bytes()[:-100])


def test_a_table_that_claims_too_many_rows_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro_tui.formats.tables.MOST_CELLS", 1000)
    pq.write_table(pa.table({"a": range(1001)}), tmp_path / "p")
    with pytest.raises(TableError, match="declares 1,001 rows"):
        read(tmp_path, (tmp_path / "p").read_bytes())


def test_a_parquet_bomb_is_stopped_in_its_child(tmp_path: Path, context: Context) -> None:
    """One text of 4 MB, repeated a million times: a few kilobytes on disk, and 4 TB when expanded."""
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, dtype=np.int32)), pa.array(["x" * 4_000_000]))
    pq.write_table(pa.table({"a": column}), tmp_path / "bomb", compression="zstd")
    assert (tmp_path / "bomb").stat().st_size < 100_000
    with pytest.raises(Inconclusive) as error:
        normalise_file(tmp_path / "bomb", tmp_path / "out", context)
    assert error.value.do == "use a smaller table, or Parquet"


def test_a_table_gets_no_more_memory_than_its_child_may_have(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gigabyte when expanded, which passes every bound of the size."""
    monkeypatch.setattr("repro_tui.formats.normalise.CHILD_MEMORY", 700 << 20)
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000, dtype=np.int32)), pa.array(["x" * 1_000_000]))
    pq.write_table(pa.table({"a": column}), tmp_path / "large", compression="zstd")
    with pytest.raises(Inconclusive) as error:
        normalise_file(tmp_path / "large", tmp_path / "out", context)
    assert error.value.do == "use a smaller table, or Parquet"


def test_a_crash_of_the_child_is_a_sentence(tmp_path: Path, context: Context) -> None:
    footer = struct.pack("<I", 1 << 30) + b"PAR1"
    (tmp_path / "raw").write_bytes(b"PAR1" + b"\xff" * 64 + footer)
    with pytest.raises(Inconclusive) as error:
        normalise_file(tmp_path / "raw", tmp_path / "out", context)
    assert error.value.do == "correct the file: it must be valid CSV, Parquet, JSON Lines, Arrow or .npy"


def test_the_same_bytes_are_read_once(tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw").write_text("a\n1\n2\n")
    assert normalise_file(tmp_path / "raw", tmp_path / "one", context) == 2
    monkeypatch.setattr("repro_tui.support.process.run", lambda *a, **k: pytest.fail("read twice"))
    assert normalise_file(tmp_path / "raw", tmp_path / "two", context) == 2
    assert pq.read_table(tmp_path / "two").to_pydict() == {"a": [1, 2]}


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(st.one_of(st.binary(max_size=200), st.text(alphabet='a1,."\n\r{}[]:-e\0é', max_size=80).map(str.encode)))
def test_any_bytes_are_a_table_or_a_table_error(tmp_path: Path, content: bytes) -> None:
    with contextlib.suppress(TableError):
        assert read(tmp_path, content)[1].num_columns > 0
