"""The table of docs/safety.md, written from what the probes reached: `python -m tests.systems.isolation.table`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.systems.isolation.probes import PROBES
from tests.systems.isolation.scene import AFTERWARDS, ISOLATIONS, observed_in
from tests.templates import Templates

PAGE = Path(__file__).parents[3] / "docs" / "safety.md"
BLOCKED, OPEN = "blocked", "**open**"
TITLE = "what a run tries"
ROW_OF = {item.name: item.row for item in PROBES} | AFTERWARDS
ROWS = tuple(dict.fromkeys(ROW_OF.values()))


def column(results: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The cells of one isolation, by row: a row is blocked if none of its probes reached anything."""
    through = {ROW_OF[name] for name, result in results.items() if result["reached"]}
    return {row: OPEN if row in through else BLOCKED for row in ROWS}


def documented(isolation: str) -> dict[str, str]:
    """The cells of one isolation in the page, by row."""
    lines = PAGE.read_text("utf-8").splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(f"| {TITLE} |"))
    cells = [_cells(line) for line in lines[start : lines.index("", start)]]
    place = cells[0].index(_heading(isolation))
    return {row[0]: row[place] for row in cells[2:]}


def rendered(columns: Mapping[str, Mapping[str, str]]) -> str:
    """The table with these columns."""
    head = [
        "|".join(["", f" {TITLE} ", *(f" {_heading(name)} " for name in columns), ""]),
        "|---" * (len(columns) + 1) + "|",
    ]
    return "\n".join(
        [*head, *(" | ".join([f"| {row}", *(cells[row] for cells in columns.values())]) + " |" for row in ROWS)]
    )


def _heading(isolation: str) -> str:
    return isolation if isolation in ("Docker", "Apptainer") else f"`{isolation}`"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def main() -> None:
    """Runs every probe in every isolation, and writes the table into the page."""
    with tempfile.TemporaryDirectory() as folder:
        templates = Templates(Path(folder))
        table = rendered({name: column(observed_in(name, templates)) for name in ISOLATIONS})
    before, _, rest = PAGE.read_text("utf-8").partition(f"| {TITLE} |")
    after = rest.partition("\n\n")[2]
    PAGE.write_text(f"{before}{table}\n\n{after}", "utf-8")


if __name__ == "__main__":
    main()
