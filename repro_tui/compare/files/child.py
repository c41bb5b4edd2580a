"""The child process that opens untrusted files (see formats.child): `main` compares the pairs that REQUESTS lists.

Each pair's result is one line of JSON in RESULTS, written when it is known: where this process is ended, the parent
knows at which pair.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from repro_tui.compare.files.base import FileContent
from repro_tui.compare.files.kinds import opened
from repro_tui.support.plain import to_plain
from repro_tui.support.text import show


def main(arguments: Sequence[str]) -> int:
    """Compares the pairs of the file of the first argument, and appends their results to that of the second."""
    requests, results, scratch = map(Path, arguments)
    pairs = json.loads(requests.read_text("ascii"))
    with results.open("a", encoding="ascii") as out:
        for index, file_a, file_b, name in pairs:
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                result = _result(FileContent(Path(file_a), name), FileContent(Path(file_b), name), Path(folder))
            out.write(json.dumps({"index": index, **result}) + "\n")
            out.flush()
    return 0


def _result(a: FileContent, b: FileContent, scratch: Path) -> dict[str, object]:
    try:
        note, differences = opened(a, b, scratch)
    except OSError as error:
        return {"note": f"not opened: {show(error.strerror or type(error).__name__, 200)}"}
    return {
        "note": "; ".join(filter(None, (note, differences.left_out))),
        "is_text": differences.is_text,
        "children": [to_plain(finding) for finding in differences.kept],
    }
