"""The output columns of the predictions as rows, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from repro_tui.model.predictions import Column
from repro_tui.tui.names import ShortNames
from repro_tui.tui.widgets.grid import ColumnSpec
from repro_tui.tui.widgets.verdict_colours import verdict_look

NAME = "column"
COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec(NAME, 14, 2),
    ColumnSpec("kind", 11),
    ColumnSpec("verdict", 17),
    ColumnSpec("equal", 9, 0, True),
    ColumnSpec("within", 9, 0, True),
    ColumnSpec("different", 9, 0, True),
    ColumnSpec("max |Δ|", 9, 0, True),
    ColumnSpec("flips", 7, 0, True),
]
LEFT_OUT_WHEN_NARROW = ("kind", "within")
SHOWN_WHEN_WIDENED = ("", NAME, "verdict", "flips")
ROOM_FOR_ALL = 100


def fitting_columns(width: int, *, widened: bool) -> list[ColumnSpec]:
    """The columns of the table that there is room for; `widened` leaves the room to the names."""
    left_out = LEFT_OUT_WHEN_NARROW if width < ROOM_FOR_ALL else ()
    return [c for c in COLUMNS if (c.title in SHOWN_WHEN_WIDENED if widened else c.title not in left_out)]


class ColumnRows:
    """The output columns as rows, in the columns `shown` of COLUMNS; all names of `names` are shortened as one list."""

    def __init__(self, columns: Sequence[Column], shown: Sequence[ColumnSpec], names: ShortNames) -> None:
        self.columns, self.names = list(columns), names
        self.shown = [spec.title.split(" ")[0] if spec.title.startswith(NAME) else spec.title for spec in shown]

    def __len__(self) -> int:
        return len(self.columns)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """One column's verdict and counts."""
        c = self.columns[row]
        look = verdict_look(c.verdict)
        numbers = (f"{c.equal:,}", f"{c.within_tolerance:,}", f"{c.different:,}")
        cells = (
            Text(look.glyph, style=look.style),
            Text(self.names(c.name, widths[self.shown.index(NAME)])),
            Text(c.kind),
            Text(c.verdict, style=look.style),
            *(Text(number) for number in numbers),
            Text("" if c.max_abs is None else f"{c.max_abs:.3g}"),
            Text("" if c.flips is None else f"{c.flips:,}"),
        )
        return [cell for cell, spec in zip(cells, COLUMNS, strict=True) if spec.title in self.shown]
