"""The code of a notebook as one source text, without the lines that only IPython understands."""

from __future__ import annotations

import json


def notebook_source(content: bytes) -> str | None:
    """The Python of a notebook's code cells; None where it is not a notebook. Magics and shell lines are left out."""
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list):
        return None
    sources = [
        _text(cell.get("source")) for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"
    ]
    return "\n".join(_python(source) for source in sources if not source.lstrip().startswith("%%"))


def _text(source: object) -> str:
    return "".join(str(line) for line in source) if isinstance(source, list) else str(source or "")


def _python(source: str) -> str:
    lines = source.split("\n")
    return "\n".join(_plain(line) for line in lines)


def _plain(line: str) -> str:
    """The line, or `pass` in its place where it is IPython's."""
    stripped = line.lstrip()
    return line[: len(line) - len(stripped)] + "pass" if stripped.startswith(("%", "!", "?")) else line
