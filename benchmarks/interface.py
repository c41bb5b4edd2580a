"""How fast the interface is: its first screen, tables of many rows against Textual's DataTable, and bytes per key.

Goals: the first screen within 1.5 times `python -c "import textual.app"` plus 150 ms; a million rows open within 2.5
times, and a page of them is drawn within 0.17 times that import (0.5 s and 33 ms where it takes 0.2 s); at 80x24, a key
that moves the cursor writes 1 kB at most, and another area 12 kB.

The first screen and the bytes are those of the heavy audit of the tests: 300 packages, 400 parameters, 1,500 changed
files, 20,000 data files and 60 output columns. Times are CPU time, of all threads, as others use the machine too. Every
one is a ratio to that of the import in the same turn: the median, with the interval that has the true median in 95 % of
all cases (order statistics, no assumption on how times are distributed). Bytes do not depend on the machine; a key has
been answered when nothing is written while every thread of the program sleeps.

Needs Linux, which says in /proc what a process has used so far.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import math
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repro_tui.tui.screens.predictions import PredictionsScreen
    from repro_tui.tui.widgets.grid import Grid

sys.path.insert(0, str(Path(__file__).parents[1]))
RUNS, TABLE_RUNS = 15, 7
DATATABLE_MOST = 100_000
DOWN, PAGE_DOWN, TAB = b"\x1b[B", b"\x1b[6~", b"\t"
QUIET_S, LOOK_S = 0.4, 0.02
SENTENCE = b"decision values flip"
AREAS = {"environment": b"2", "parameters": b"3", "data": b"4", "code": b"6", "predictions": b"5", "cause": b"7"}
LISTS = ("environment", "parameters", "code")  # of data there are two rows
KEY_GOAL, AREA_GOAL = 1_000, 12_000


def audit(folder: Path, rows: int) -> Path:
    """Writes the folder of an audit with this many differing cells."""
    from tests.tui.folders import finished

    finished(folder, rows=rows)
    return folder


class Screen:
    """The program in a pseudo-terminal of 80x24, and every byte that it writes."""

    def __init__(self, folder: Path) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="")
            os.execv(sys.executable, [sys.executable, "-m", "repro_tui", "show", str(folder)])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def wait_for(self, text: bytes) -> float:
        """Waits until this text is on the screen; returns the CPU seconds that the program has used."""
        seen = b""
        while text not in seen:
            seen += os.read(self.terminal, 65536)
        return cpu_seconds(self.pid)

    def drain(self) -> int:
        """Reads until nothing is written while the program sleeps; returns how many bytes were."""
        count, quiet = 0, 0.0
        while quiet < QUIET_S:
            if select.select([self.terminal], [], [], LOOK_S)[0]:
                count += len(os.read(self.terminal, 65536))
                quiet = 0.0
            else:
                quiet = quiet + LOOK_S if sleeps(self.pid) else 0.0
        return count

    def press(self, key: bytes) -> int:
        """The number of bytes that are written for one key."""
        os.write(self.terminal, key)
        return self.drain()

    def close(self) -> None:
        os.write(self.terminal, b"q")
        with contextlib.suppress(OSError):  # the other end is closed when the program has ended
            self.drain()
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


def cpu_seconds(pid: int) -> float:
    """The CPU time of all threads of a process that is still running."""
    return sum(int(text.split()[0]) for text in of_threads(pid, "schedstat")) / 1e9


def sleeps(pid: int) -> bool:
    """Whether no thread of a process runs, or waits for a processor."""
    return all(text.rpartition(")")[2].split()[0] == "S" for text in of_threads(pid, "stat"))


def of_threads(pid: int, name: str) -> Iterator[str]:
    """What the system says of each thread of a process."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            yield Path(task, name).read_text()


def imported() -> float:
    """The CPU seconds of `import textual.app` in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", "import textual.app"])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Ratio:
    """The median of some ratios, and the interval that has the true one in 95 % of all cases, if they are enough."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio_of(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """The ratios of the first numbers to the second ones."""
    ratios = sorted(mine / base for mine, base in pairs)
    outside, rank = 1, 0  # of 2 ** n ways to fall on one side of the median, those beyond the rank
    while outside + math.comb(len(ratios), rank + 1) <= 0.025 * 2 ** len(ratios):
        rank += 1
        outside += math.comb(len(ratios), rank)
    return Ratio(statistics.median(ratios), ratios[rank], ratios[-1 - rank])


def first_screen(folder: Path) -> None:
    pairs = []
    for _ in range(RUNS):
        base = imported()
        screen = Screen(folder)
        pairs.append((screen.wait_for(SENTENCE), base))
        screen.close()
    ours, base = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
    print(f"first screen: {ratio_of(pairs)} times the import; goal {1.5 + 0.15 / base:.2f}: 1.5 times and 150 ms")
    least_ours, least_base = (min(seconds) for seconds in zip(*pairs, strict=True))
    print(f"  CPU seconds: median {ours:.2f} of {base:.2f}, least {least_ours:.2f} of {least_base:.2f}")


def bytes_per_key(folder: Path) -> None:
    """Other areas, and the cursor in their lists, which the difference beside them follows."""
    screen = Screen(folder)
    screen.wait_for(SENTENCE)
    screen.drain()
    for name, key in AREAS.items():
        print(f"bytes of {name:<12} {screen.press(key):>6,} (goal {AREA_GOAL:,})")
        if name in LISTS:
            _told(f"a row down in {name}", [screen.press(DOWN) for _ in range(20)])
            _told(f"a page down in {name}", [screen.press(PAGE_DOWN) for _ in range(3)])
            _told(f"n in {name}", [screen.press(b"n") for _ in range(5)])
        if name == "predictions":
            screen.press(TAB)
            _told("a row down in the cells", [screen.press(DOWN) for _ in range(30)])
            _told("a page down in the cells", [screen.press(PAGE_DOWN) for _ in range(5)])
    screen.close()


def _told(name: str, written: list[int]) -> None:
    goal = f" (goal {KEY_GOAL:,})" if "row" in name else ""
    print(f"bytes of {name}: median {statistics.median(written):,.0f}, largest {max(written):,}{goal}")


def peak() -> float:
    """The peak memory of this process in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def ours(folder: Path) -> dict[str, float]:
    """Opens the differing cells and scrolls through a hundred pages of them."""
    from repro_tui.audit.folder import open_folder
    from repro_tui.tui.app import Auditor
    from repro_tui.tui.screens.predictions import PredictionsScreen
    from repro_tui.tui.widgets.grid import Grid

    app = Auditor(open_folder(folder))
    async with app.run_test(size=(120, 40)) as pilot:
        before = peak()
        began = time.process_time()
        app.show_screen("predictions")
        screen = app.screen
        while not (isinstance(screen, PredictionsScreen) and screen.query("#cells") and grid_of(screen).count):
            await asyncio.sleep(0.01)
            screen = app.screen
        await pilot.pause()
        opened = time.process_time() - began
        grid = screen.query_one("#cells", Grid)
        step = max(1, grid.count // 100)
        began = time.process_time()
        for page in range(100):
            grid.move_to(page * step)
            app.screen._compositor.render_strips()
            await asyncio.sleep(0)
        scrolled = (time.process_time() - began) / 100
    return {"open": opened, "frame": scrolled, "MiB": peak() - before}


def grid_of(screen: PredictionsScreen) -> Grid:
    from repro_tui.tui.widgets.grid import Grid

    return screen.query_one("#cells", Grid)


async def datatable(folder: Path) -> dict[str, float]:
    """The same rows in Textual's DataTable."""
    import pyarrow.parquet as pq
    from textual.app import App, ComposeResult
    from textual.widgets import DataTable

    names = ["key", "column", "a", "b", "abs_delta", "rel_delta"]

    class Peer(App[None]):
        def compose(self) -> ComposeResult:
            yield DataTable()

    app = Peer()
    async with app.run_test(size=(120, 40)) as pilot:
        before = peak()
        began = time.process_time()
        rows = zip(*pq.read_table(folder / "differences.parquet", columns=names).to_pydict().values(), strict=True)
        table: DataTable[object] = app.query_one(DataTable)
        table.add_columns(*names)
        table.add_rows(rows)
        await pilot.pause()
        opened = time.process_time() - began
        step = max(1, table.row_count // 100)
        began = time.process_time()
        for page in range(100):
            table.move_cursor(row=page * step)
            app.screen._compositor.render_strips()
            await asyncio.sleep(0)
        scrolled = (time.process_time() - began) / 100
    return {"open": opened, "frame": scrolled, "MiB": peak() - before}


def tables(root: Path) -> None:
    """Opening a table and drawing a page of it, as multiples of the import: goals 2.5 and 0.17."""
    for rows in (10_000, 100_000, 1_000_000):
        folder = audit(root / f"table-{rows}", rows)
        for widget in ("ours", "datatable") if rows <= DATATABLE_MOST else ("ours",):
            runs = [(imported(), _in_own_process(widget, folder)) for _ in range(TABLE_RUNS if widget == "ours" else 1)]
            opened, page = (ratio_of([(run[name], base) for base, run in runs]) for name in ("open", "frame"))
            memory = max(run["MiB"] for _, run in runs)
            print(f"{rows:>9,} rows in {widget}: open {opened}, a page {page} times the import, {memory:.0f} MiB")


def _in_own_process(widget: str, folder: Path) -> dict[str, float]:
    """Measures a widget in a process of its own, so that its memory counts alone."""
    command = [sys.executable, __file__, "--one", widget, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", nargs=2)
    parser.add_argument("--part", choices=["first", "bytes", "tables"], help="only this part")
    arguments = parser.parse_args()
    if arguments.one:
        widget, folder = arguments.one
        print(json.dumps(asyncio.run((ours if widget == "ours" else datatable)(Path(folder)))))
        return
    with tempfile.TemporaryDirectory() as root:
        from tests.tui.heavy import CULPRIT, heavy

        heavy_audit = heavy(Path(root, "audit"), CULPRIT).path
        if arguments.part in (None, "first"):
            first_screen(heavy_audit)
        if arguments.part in (None, "bytes"):
            bytes_per_key(heavy_audit)
        if arguments.part in (None, "tables"):
            tables(Path(root))


if __name__ == "__main__":
    main()
