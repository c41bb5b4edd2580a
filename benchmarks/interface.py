"""How fast the interface is: its first screen, tables of many rows against Textual's DataTable, and bytes per key.

Goals: the first screen within 1.5 times `python -c "import textual.app"` plus 150 ms; a million rows open in half a
second and scroll at 30 frames a second; at most 1 kB is written per key press at 80x24.
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
KEYS = {
    "cursor down": (b"\x1b[B", 60),
    "page down": (b"\x1b[6~", 10),
    "next area": (b"2", 1),
}


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

    def drain(self, seconds: float = 0.3) -> int:
        """Reads until nothing has been written for so many seconds; returns how many bytes were."""
        count = 0
        while select.select([self.terminal], [], [], seconds)[0]:
            count += len(os.read(self.terminal, 65536))
        return count

    def press(self, key: bytes) -> int:
        """The number of bytes that are written for one key."""
        os.write(self.terminal, key)
        return self.drain(0.12)

    def close(self) -> None:
        os.write(self.terminal, b"q")
        with contextlib.suppress(OSError):  # the other end is closed when the program has ended
            self.drain()
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


def first_screen(folder: Path) -> None:
    ours, peer = [], []
    for _ in range(RUNS):
        screen = Screen(folder)
        ours.append(screen.seconds_until(b"decision values flip"))
        screen.close()
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
        peer.append(time.monotonic() - began)
    median, base = statistics.median(ours), statistics.median(peer)
    goal = 1.5 * base + 0.15
    print(
        f"first screen   {median:.2f} s; import textual.app {base:.2f} s; goal {goal:.2f} s; {median / base:.2f} times"
    )


def bytes_per_key(folder: Path) -> None:
    screen = Screen(folder)
    screen.seconds_until(b"decision values flip")
    screen.drain()
    screen.press(b"5")
    screen.drain(0.5)
    screen.press(b"\t")
    for name, (key, times) in KEYS.items():
        written = [screen.press(key) for _ in range(times)]
        median, mean = statistics.median(written), statistics.mean(written)
        print(f"bytes per key  {name:<12} median {median:,.0f}, mean {mean:,.0f}, largest {max(written):,}")
    screen.close()


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
    print("rows          ours: open  frame  MiB      DataTable: open  frame  MiB")
    for rows in (10_000, 100_000, 1_000_000):
        folder = audit(root / f"table-{rows}", rows)
        widgets = ("ours", "datatable") if rows <= DATATABLE_MOST else ("ours",)
        results = [_in_own_process(widget, folder) for widget in widgets]
        cells = [f"{r['open']:9.2f} s {r['frame'] * 1000:5.1f} ms {r['MiB']:5.0f}" for r in results]
        print(f"{rows:>9,}  {'   '.join(cells)}{'' if len(results) > 1 else '   (not tried: it would take minutes)'}")


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
        folder = audit(Path(root, "audit"), 10_000)
        first_screen(folder)
        bytes_per_key(folder)
        tables(Path(root))


if __name__ == "__main__":
    main()
