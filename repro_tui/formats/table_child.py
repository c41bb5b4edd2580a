"""The child process that reads an untrusted table RAW and writes it as Parquet to OUT (see formats.child).

More arguments are the names of the columns of a CSV without a header line. Prints one line of JSON (rows, format,
notes), or one line that begins with `table: ` and says what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

TOO_LARGE = 3  # the exit status where the file may be valid, but is too large to be read


def main(arguments: Sequence[str]) -> int:
    """Reads the file of the first argument and writes that of the second; the others are the columns' names."""
    import pyarrow as pa

    pa.set_cpu_count(2)
    from repro_tui.formats.columns import TableError, TableSizeError
    from repro_tui.formats.tables import normalise

    try:
        notes: list[str] = []
        rows, form = normalise(Path(arguments[0]), Path(arguments[1]), arguments[2:], notes)
    except TableError as error:
        print("table: " + " ".join(str(error).split())[:2000].encode("ascii", "backslashreplace").decode("ascii"))
        return TOO_LARGE if isinstance(error, TableSizeError) else 1
    print(json.dumps({"rows": rows, "format": form, "notes": notes}))
    return 0
