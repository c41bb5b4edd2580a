"""How fast the interface is: its first screen, tables of many rows against Textual's DataTable, and bytes per key.

Goals: the first screen within 1.5 times `python -c "import textual.app"` plus 150 ms; a million rows open within 2.5
times, and a page of them is drawn within 0.17 times that import (0.5 s and 33 ms where it takes 0.2 s); at 80x24, a key
that moves the cursor writes 1 kB at most, and another area 12 kB.

The first screen and the bytes are those of the heavy audit of the tests: 300 packages, 400 parameters, 1,500 changed
files, 20,000 data files and 60 output columns. Every time is a ratio to the import, measured in turn with it, so that a
busy machine slows both. Bytes do not depend on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
RUNS = 5
DATATABLE_MOST = 100_000
DOWN, PAGE_DOWN, TAB, QUIET_S = b"\x1b[B", b"\x1b[6~", b"\t", 0.6
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
        self.began = time.monotonic()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="")
            os.execv(sys.executable, [sys.executable, "-m", "repro_tui", "show", str(folder)])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def seconds_until(self, text: bytes) -> float:
        """The seconds from the start until this text is on the screen."""
        seen = b""
        while text not in seen:
            seen += os.read(self.terminal, 65536)
        return time.monotonic() - self.began

    def drain(self, seconds: float = QUIET_S) -> int:
        """Reads until nothing has been written for so many seconds; returns how many bytes were."""
        count = 0
        while select.select([self.terminal], [], [], seconds)[0]:
            count += len(os.read(self.terminal, 65536))
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


def imported() -> float:
    """The seconds of `import textual.app` in a process of its own."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
    return time.monotonic() - began


def first_screen(folder: Path) -> None:
    ours, peer = [], []
    for _ in range(RUNS):
        screen = Screen(folder)
        ours.append(screen.seconds_until(b"decision values flip"))
        screen.close()
        peer.append(imported())
    ratio = statistics.median(mine / base for mine, base in zip(ours, peer, strict=True))
    median, base = statistics.median(ours), statistics.median(peer)
    goal = 1.5 * base + 0.15
    print(f"first screen: {ratio:.2f} times the import ({median:.2f} s of {base:.2f} s; goal {goal / base:.2f} times)")


def bytes_per_key(folder: Path) -> None:
    """Other areas, and the cursor in their lists, which the difference beside them follows."""
    screen = Screen(folder)
    screen.seconds_until(b"decision values flip")
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
        began = time.monotonic()
        app.show_screen("predictions")
        screen = app.screen
        while not (isinstance(screen, PredictionsScreen) and screen.query("#cells") and grid_of(screen).count):
            await asyncio.sleep(0.001)
            screen = app.screen
        await pilot.pause()
        opened = time.monotonic() - began
        grid = screen.query_one("#cells", Grid)
        step = max(1, grid.count // 100)
        began = time.monotonic()
        for page in range(100):
            grid.move_to(page * step)
            app.screen._compositor.render_strips()
            await asyncio.sleep(0)
        scrolled = (time.monotonic() - began) / 100
    return {"open": opened, "frame": scrolled, "MiB": peak() - before}


def grid_of(screen: object) -> object:
    from repro_tui.tui.widgets.grid import Grid

    return screen.query_one("#cells", Grid)  # type: ignore[attr-defined]


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
        began = time.monotonic()
        rows = zip(*pq.read_table(folder / "differences.parquet", columns=names).to_pydict().values(), strict=True)
        table: DataTable[object] = app.query_one(DataTable)
        table.add_columns(*names)
        table.add_rows(rows)
        await pilot.pause()
        opened = time.monotonic() - began
        step = max(1, table.row_count // 100)
        began = time.monotonic()
        for page in range(100):
            table.move_cursor(row=page * step)
            app.screen._compositor.render_strips()
            await asyncio.sleep(0)
        scrolled = (time.monotonic() - began) / 100
    return {"open": opened, "frame": scrolled, "MiB": peak() - before}


def tables(root: Path) -> None:
    """Opening a table and drawing a page of it, as multiples of the import: goals 2.5 and 0.17."""
    print("rows          ours: open  page   MiB      DataTable: open  page   MiB (times the import)")
    for rows in (10_000, 100_000, 1_000_000):
        folder = audit(root / f"table-{rows}", rows)
        widgets = ("ours", "datatable") if rows <= DATATABLE_MOST else ("ours",)
        cells = []
        for widget in widgets:
            runs = [(imported(), _in_own_process(widget, folder)) for _ in range(RUNS if widget == "ours" else 1)]
            opened, page = (statistics.median(r[name] / base for base, r in runs) for name in ("open", "frame"))
            cells.append(f"{opened:11.2f} {page:6.3f} {max(r['MiB'] for _, r in runs):5.0f}")
        print(f"{rows:>9,}  {'   '.join(cells)}{'' if len(cells) > 1 else '   (not tried: it would take minutes)'}")


def _in_own_process(widget: str, folder: Path) -> dict[str, float]:
    """Measures a widget in a process of its own, so that its memory counts alone."""
    command = [sys.executable, __file__, "--one", widget, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", nargs=2)
    arguments = parser.parse_args().one
    if arguments:
        widget, folder = arguments
        print(json.dumps(asyncio.run((ours if widget == "ours" else datatable)(Path(folder)))))
        return
    with tempfile.TemporaryDirectory() as root:
        from tests.tui.heavy import CULPRIT, heavy

        folder = heavy(Path(root, "audit"), CULPRIT).path
        first_screen(folder)
        bytes_per_key(folder)
        tables(Path(root))


if __name__ == "__main__":
    main()
