"""Writes a table again with its rows in another order, in the same format: from RAW to OUT.

Runs in a child process, since the bytes are untrusted. Prints the number of rows, or one line that begins with
`table: ` and says what is wrong. Rows of text are moved as raw bytes, so that their cells stay unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.formats.child import python_child
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from repro_tui.support.regular import open_regular
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MOST_BYTES = 512 << 20
MEMORY = 6 << 30
TIMEOUT_S = 600.0


def order(rows: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """A permutation of the rows: the old row number at each new position. It depends only on `rows` and `seed`."""
    import numpy as np

    return np.random.default_rng(seed).permutation(rows)


def reordered(raw: Path, target: Path, context: Context, seed: int = 0) -> int:
    """Writes the table in `raw` to `target` in another order; returns its number of rows. Raises Inconclusive."""
    if raw.stat().st_size > MOST_BYTES:
        raise Inconclusive(f"the inputs are larger than {size_text(MOST_BYTES)}", "use smaller inputs")
    done = python_child(
        "repro_tui.formats.reorder",
        [raw, target, str(seed)],
        cache=context.cache,
        cancel=context.cancel,
        memory=MEMORY,
        timeout_s=TIMEOUT_S,
    )
    last = done.text.strip().rpartition("\n")[2]
    if done.exit_code == 0:
        return int(last)
    reason = show(last.removeprefix("table: "), 300) or "the inputs could not be read"
    raise Inconclusive(reason, "correct the validation inputs, or leave out what has to read their rows")


def _reorder(raw: Path, out: Path, seed: int) -> int:
    from repro_tui.formats.tables import recognise

    write: dict[str, Callable[[Path, Path, int], int]] = {
        "CSV": _csv,
        "JSON Lines": _json_lines,
        "Parquet": _parquet,
        "Arrow": _arrow,
        ".npy": _npy,
    }
    return write[recognise(raw)[0]](raw, out, seed)


def _csv(raw: Path, out: Path, seed: int) -> int:
    with open_regular(raw) as stream:
        records = list(_records(stream))
    return _lines(records[1:], out, records[0], seed)


def _records(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Yields records: lines, joined if a quoted field spans several."""
    pending = b""
    for line in stream:
        pending += line
        if pending.count(b'"') % 2 == 0:
            if pending.strip():
                yield pending
            pending = b""
    if pending:
        yield pending


def _json_lines(raw: Path, out: Path, seed: int) -> int:
    with open_regular(raw) as stream:
        return _lines([line for line in stream if line.strip()], out, b"", seed)


def _lines(rows: list[bytes], out: Path, head: bytes, seed: int) -> int:
    with out.open("xb") as target:
        target.write(head)
        for row in (rows[number] for number in order(len(rows), seed).tolist()):
            target.write(row if row.endswith(b"\n") else row + b"\n")
    return len(rows)


def _parquet(raw: Path, out: Path, seed: int) -> int:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(raw).read()
    pq.write_table(table.take(order(len(table), seed)), out)
    return len(table)


def _arrow(raw: Path, out: Path, seed: int) -> int:
    from pyarrow import ipc

    with open_regular(raw) as stream:
        as_file = stream.read(6) == b"ARROW1"
        stream.seek(0)
        table = (ipc.open_file if as_file else ipc.open_stream)(stream).read_all()
    new = ipc.new_file if as_file else ipc.new_stream
    with new(str(out), table.schema) as writer:
        writer.write_table(table.take(order(len(table), seed)))
    return len(table)


def _npy(raw: Path, out: Path, seed: int) -> int:
    import numpy as np

    values = np.load(raw, allow_pickle=False, mmap_mode="r")
    with out.open("xb") as target:
        np.save(target, values[order(len(values), seed)], allow_pickle=False)
    return len(values)


def main(arguments: Sequence[str]) -> int:
    """Reads the file of the first argument and writes that of the second; the third argument is the seed."""
    try:
        print(_reorder(Path(arguments[0]), Path(arguments[1]), int(arguments[2])))
    except Exception as error:  # noqa: BLE001 - readers raise many types for bytes that are not a table
        message = " ".join(f"{type(error).__name__}: {error}".split())[:2000]
        print("table: " + message.encode("ascii", "backslashreplace").decode("ascii"))
        return 1
    return 0
