"""Jupyter notebooks: the sources of the cells as line diffs, and what else differs by path; outputs are told apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from repro_tui.compare.files.base import FileContent, FileDifferences, UnreadableError, cut_texts
from repro_tui.compare.files.documents import JSON, compare_values, json_of, read_with
from repro_tui.compare.lines import MOST_LINES, compare_lines
from repro_tui.model.finding import Finding
from repro_tui.support.text import plural

MOST_CELLS = 2_000
LARGEST = 64 << 20
SEPARATE = ("source", "cell_type", "outputs", "id", "execution_count")  # compared apart from the rest of a cell
Cell = dict[str, object]


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook of format 4."""

    name: str = "notebook"

    def matches(self, content: FileContent) -> bool:
        """JSON that is named as a notebook."""
        return content.suffix == ".ipynb" and JSON.matches(content)

    def compare(self, a: FileContent, b: FileContent, differences: FileDifferences) -> str:
        """Adds a difference for each cell whose source changed, and those of all else; the note counts cells."""
        sides = [_read(side) for side in (a, b)]
        (rest_a, cells_a), (rest_b, cells_b) = sides
        outputs = _compare_cells(cells_a, cells_b, differences)
        compare_values(rest_a, rest_b, differences)
        numbers = sum(_numbering(left) != _numbering(right) for left, right in zip(cells_a, cells_b, strict=False))
        notes = [f"the outputs of {plural(outputs, 'cell')} differ"] if outputs else []
        notes += [f"the ids or execution counts of {plural(numbers, 'cell')} differ"] if numbers else []
        return "; ".join(notes) if differences.count or notes else JSON.compare(a, b, differences)


def _read(content: FileContent) -> tuple[dict[str, object], list[Cell]]:
    document = read_with(json_of, content.read(LARGEST))
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(cells, list) or len(cells) > MOST_CELLS:
        raise UnreadableError("it has no list of cells, or too many")
    if not all(isinstance(cell, dict) and _is_cell(cell) for cell in cells):
        raise UnreadableError("a cell is not one of a notebook")
    return {name: value for name, value in document.items() if name != "cells"}, cells


def _compare_cells(a: Sequence[Cell], b: Sequence[Cell], differences: FileDifferences) -> int:
    """Adds the cells that differ; returns the number of those with the same source whose outputs differ."""
    sources_a, sources_b = ([_key(cell) for cell in cells] for cells in (a, b))
    outputs = 0
    for tag, from_a, to_a, from_b, to_b in SequenceMatcher(None, sources_a, sources_b, autojunk=False).get_opcodes():
        paired = min(to_a - from_a, to_b - from_b)
        for offset in range(paired):
            left, right = a[from_a + offset], b[from_b + offset]
            outputs += _text(left.get("outputs")) != _text(right.get("outputs"))
            _compare_cell(from_b + offset, left, right, tag == "equal", differences)
        for index in range(from_a + paired, to_a):
            differences.add((f"cell {index + 1}",), "removed", _source(a[index]), None, _kind(a[index]))
        for index in range(from_b + paired, to_b):
            differences.add((f"cell {index + 1}",), "added", None, _source(b[index]), _kind(b[index]))
    return outputs


def _compare_cell(index: int, a: Cell, b: Cell, same_source: bool, differences: FileDifferences) -> None:
    name = f"cell {index + 1}"
    if not same_source:
        source_a, source_b = _source(a), _source(b)
        kinds = " became ".join(dict.fromkeys((_kind(a), _kind(b))))
        if max(source_a.count("\n"), source_b.count("\n")) > MOST_LINES:
            shown_a, shown_b, _ = cut_texts(source_a, source_b)
            differences.add((name,), "changed", shown_a, shown_b, f"{kinds}; too long for a line diff")
        else:
            raw_a, raw_b = (source.encode("utf-8", "surrogatepass") for source in (source_a, source_b))
            lines = compare_lines((), raw_a, raw_b)
            note = f"{kinds}; {lines.note}"
            shown_a, shown_b, _ = cut_texts(source_a, source_b)
            differences.add_finding(Finding((name,), "changed", shown_a, shown_b, "notice", note, lines.findings))
    rest = [{key: value for key, value in cell.items() if key not in SEPARATE} for cell in (a, b)]
    compare_values({name: rest[0]}, {name: rest[1]}, differences)


def _is_cell(cell: Cell) -> bool:
    """Whether the source and the type are texts, which is all that is compared of them."""
    source = cell.get("source")
    parts = source if isinstance(source, list) else [source]
    return all(isinstance(part, str) for part in (*parts, cell.get("cell_type")))


def _numbering(cell: Cell) -> str:
    return _text([cell.get("id"), cell.get("execution_count")])


def _text(value: object) -> str:
    """A value as text, in which 1, 1.0 and true differ."""
    return json.dumps(value, sort_keys=True)


def _source(cell: Cell) -> str:
    source = cell["source"]
    return "".join(source) if isinstance(source, list) else str(source)


def _key(cell: Cell) -> str:
    return f"{_kind(cell)}\n{_source(cell)}"


def _kind(cell: Cell) -> str:
    return str(cell["cell_type"])
