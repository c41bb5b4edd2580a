"""The child process that reads an untrusted table RAW and writes it as Parquet to OUT (see formats.child).

Prints one line of JSON (rows, format), or one line that begins with `table: ` and says what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

OUT_OF_MEMORY = 3  # the exit status where the table is not at fault


def main(arguments: Sequence[str]) -> int:
    """Reads the file of the first argument and writes that of the second."""
    import pyarrow as pa

    pa.set_cpu_count(2)
    from repro_tui.formats.columns import TableError
    from repro_tui.formats.tables import normalise

    try:
        rows, form = normalise(Path(arguments[0]), Path(arguments[1]))
    except TableError as error:
        print("table: " + " ".join(str(error).split())[:2000].encode("ascii", "backslashreplace").decode("ascii"))
        return 1
    except (MemoryError, pa.ArrowMemoryError):
        print("table: reading the table takes more memory than its reader is allowed")
        return OUT_OF_MEMORY
    print(json.dumps({"rows": rows, "format": form}))
    return 0
