"""The table of docs/sources/README.md, generated from the records of the contract cases.

`python -m tests.contract.table` updates it, and keeps the rows of sources whose system is not available.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from unittest import mock

from repro_tui.model.record import Record
from repro_tui.sources.resolve import load_record
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from repro_tui.support.registry import names
from tests.contract.case import FIELDS, case_module, cell
from tests.templates import Templates

PAGE = Path(__file__).parents[2] / "docs" / "sources" / "README.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def row(source: str, record: Record) -> str:
    """The row of a source."""
    return f"| `{source}` | {' | '.join(cell(record, field) for field in FIELDS)} |"


def committed() -> dict[str, str]:
    """The rows of the page, by source."""
    text = PAGE.read_text("utf-8") if PAGE.is_file() else ""
    table = text.partition(BEGIN)[2].partition(END)[0]
    return {match.group(1): match.group() for match in re.finditer(r"^\| `(\w+)` \|.*$", table, re.MULTILINE)}


def load(source: str, folder: Path, templates: Templates) -> Record | None:
    """The record of a source's case; None where its system is not available."""
    import pytest

    module = case_module(source)
    if module is None:
        return None
    try:
        with (
            contextlib.contextmanager(module.build_case)(folder, templates) as case,
            mock.patch.dict(os.environ, case.variables),
        ):
            return load_record(case.reference, Context(Cache(folder.parent / "cache"), here=case.here))
    except pytest.skip.Exception as skipped:
        print(f"{source}: {skipped}")
        return None


def main() -> None:
    """Updates the table."""
    rows = committed()
    for source in sorted(names("repro_tui.sources")):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "store").mkdir()
            record = load(source, Path(folder) / "store", Templates(Path(folder) / "templates"))
        if record is not None:
            rows[source] = row(source, record)
    head = f"| source | {' | '.join(FIELDS.values())} |\n|{'---|' * (len(FIELDS) + 1)}"
    text = PAGE.read_text("utf-8")
    table = "\n".join([head, *(rows[name] for name in sorted(rows))])
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    PAGE.write_text(f"{text[:start]}\n\n{table}\n\n{text[end:]}", "utf-8")


if __name__ == "__main__":
    main()
