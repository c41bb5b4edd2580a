"""The child that reads untrusted tables: `python -m repro_tui.support.table_child RAW OUT`.

Prints one line of JSON (rows, format), or one line that begins with `table: ` and says what is wrong.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from repro_tui.support.arrow import without_pandas


def main() -> int:
    """Reads the first argument, writes the second."""
    import pyarrow as pa

    pa.set_cpu_count(2)
    pa.set_memory_pool(pa.system_memory_pool())  # the others reserve address space, of which there is a limit
    without_pandas()
    from repro_tui.support.tables import TableError, normalise

    try:
        rows, form = normalise(Path(sys.argv[1]), Path(sys.argv[2]))
    except TableError as error:
        print("table: " + " ".join(str(error).split())[:2000].encode("ascii", "backslashreplace").decode("ascii"))
        return 1
    except (MemoryError, pa.ArrowMemoryError):
        print("table: reading it takes more memory than the limit of its reader")
        return 1
    print(json.dumps({"rows": rows, "format": form}))
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # threads of Arrow that are still starting would have its teardown abort the process
