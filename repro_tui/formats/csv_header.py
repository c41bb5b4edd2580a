"""The header of a CSV file: the names of its columns, and how many lines it has.

A file has no header line only where the record says so: `predict.columns` then names its columns. Nothing is guessed.
If the first line has exactly these names, it is the header line all the same.

pandas writes an index without a name as a first column without one (`,score`). Where it counts the rows from 0, it says
nothing and is dropped, so that a table with it and one without it still match; else it is a column named `index`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro_tui.formats.columns import TableError, check_names
from repro_tui.support.regular import open_text

INDEX = "index"
DROPPED = "the table has an index column without a name, which counts the rows and was left out"
KEPT = "the table has an index column without a name, which does not count the rows: it is the column index"
UNNAMED = "the table has no header line: predict.columns names its columns"


@dataclass(frozen=True, slots=True)
class Header:
    """The names of all columns, and the number of lines to skip before the rows.

    `has_index`: the first column has no name in the file. `without_line`: the names are those that were recorded.
    """

    names: list[str]
    lines: int
    has_index: bool = False
    without_line: bool = False


def read_header(raw: Path, columns: Sequence[str] = ()) -> Header:
    """The header of a CSV file, whose columns were recorded as `columns` if it has no header line ("": by position).

    Raises TableError for names that are missing, equal or look the same.
    """
    with open_text(raw, "utf-8-sig") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            first = next(reader, [])
        except csv.Error as error:
            raise TableError(f"line 1: {error}") from error
        header = _recorded(first, columns, reader.line_num) if columns else _written(first, reader.line_num)
    check_names(header.names)
    return header


def _recorded(first: list[str], columns: Sequence[str], lines: int) -> Header:
    if len(first) != len(columns):
        raise TableError(f"line 1 has {len(first)} fields, but predict.columns names {len(columns)}")
    if first == list(columns):
        return Header(first, lines)
    if any(cell == name for cell, name in zip(first, columns, strict=True) if name):
        raise other_header(first, columns)  # where all columns are text, nothing else tells it from a row
    names = [name or f"column_{number}" for number, name in enumerate(columns, 1)]
    return Header(names, 0, without_line=True)


def other_header(cells: Iterable[str], names: Iterable[str]) -> TableError:
    """The error of a header line with other names than the recorded ones."""
    first, recorded = ", ".join(cells), ", ".join(names)
    return TableError(f"line 1 is a header line ({first}), but predict.columns names other columns: {recorded}")


def _written(names: list[str], lines: int) -> Header:
    has_index = len(names) > 1 and not names[0] and all(name.strip() for name in names[1:])
    if has_index and INDEX in names:
        raise TableError(f"column 1 has no name, and cannot be named {INDEX}, since another column is")
    return Header([INDEX, *names[1:]] if has_index else names, lines, has_index)
