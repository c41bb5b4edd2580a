"""Numbers with a spelling that a numeric reader would lose are detected anywhere in a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro_tui.formats import csv_bytes

ODD = [
    *("007", "00", "-0", "-01", "+1", "+.5", "0x1F", "0X1f", "1e-400", "2.5E-310", "1e-1000", "1e-0400", "007.5"),
    *(" 1", "1 ", "\t1", "-1\t", " -inf", "  1", "1  ", "\t\t1", " \t1"),
]
PLAIN = [
    "0",
    "0.5",
    "-0.5",
    "1",
    "-1",
    "10",
    "1e-20",
    "1e5",
    "-1e-5",
    "a b",
    "a-0",
    "a+1",
    "x",
    "true",
    "",
    "A",
]
CELLS = st.lists(st.sampled_from(PLAIN), min_size=1, max_size=40)


def written(folder: Path, cells: list[str], quote: str = "", end: str = "\n") -> Path:
    path = folder / "table.csv"
    rows = [",".join(f"{quote}{cell}{quote}" for cell in cells[at : at + 3]) for at in range(0, len(cells), 3)]
    path.write_bytes((end.join(["a,b,c", *rows]) + end).encode())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv")


@settings(max_examples=300, deadline=None)
@given(
    CELLS,
    st.sampled_from(ODD),
    st.integers(0, 40),
    st.integers(1, 17),
    st.sampled_from(["", '"']),
    st.sampled_from(["\n", "\r\n"]),
)
def test_an_odd_number_is_noticed_wherever_it_stands(
    folder: Path, cells: list[str], odd: str, at: int, window: int, quote: str, end: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_bytes, "WINDOW", window)  # so that it stands on every edge of one
        assert csv_bytes.check_bytes(written(folder, cells, quote, end))
        cells.insert(min(at, len(cells)), odd)
        assert not csv_bytes.check_bytes(written(folder, cells, quote, end))


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_number_at_an_end_of_the_file(folder: Path, odd: str, last: bool) -> None:
    path = folder / "end.csv"
    path.write_text(f"a\n{odd}" if last else f"{odd}\na")
    assert not csv_bytes.check_bytes(path)


@pytest.mark.parametrize("text", ["a\n\0", 'a\n"', 'a\n1\n"b'])
def test_what_is_no_csv_is_refused_with_its_line(folder: Path, text: str) -> None:
    path = folder / "broken.csv"
    path.write_text(text)
    lines = len(re.findall("\n", text)) + 1
    with pytest.raises(csv_bytes.TableError, match=f"line {lines}"):
        csv_bytes.check_bytes(path)


@pytest.mark.parametrize("before", [0, csv_bytes.WINDOW - 8, csv_bytes.WINDOW - 80])
@pytest.mark.parametrize("number", [f"0.{'0' * 400}1", f"0.{'0' * 340}1e-2"], ids=["fixed", "mixed"])
def test_a_number_that_is_all_zeros_for_long_is_noticed(folder: Path, number: str, before: int) -> None:
    path = folder / "zeros.csv"
    path.write_text(f"{'x' * before}\n{number}\n")
    assert not csv_bytes.check_bytes(path)
