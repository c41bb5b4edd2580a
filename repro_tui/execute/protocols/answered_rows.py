"""How many rows a server has answered while it is queried: counted from the files that its responses are written to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

EACH_S = 1.0  # seconds between two reports
RowsDone = Callable[[int, int], None]  # the rows that are done, of all


def ignore_rows(done: int, total: int) -> None:
    """Reports nothing."""


@contextmanager
def answered_rows(folder: Path, counts: Sequence[tuple[str, int]], report: RowsDone) -> Iterator[None]:
    """Reports the answered rows about once a second until the block is left.

    `counts` are the files of the responses in `folder` with their rows, in the order in which they are requested. The
    last file that is there may still be written, so its rows are not counted.
    """
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(folder, counts, report, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(folder: Path, counts: Sequence[tuple[str, int]], report: RowsDone, ended: threading.Event) -> None:
    total, done, number = sum(rows for _, rows in counts), 0, 0
    while not ended.wait(EACH_S):
        before = done
        while number + 1 < len(counts) and (folder / counts[number + 1][0]).exists():
            done += counts[number][1]
            number += 1
        if done != before:
            report(done, total)
