"""Pictures of heavy audits at the three sizes: what moved, why, and what next is seen within three keys on each.

The audits are made once for all pictures, as nothing on these screens writes to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from repro_tui.audit.folder import AuditFolder, engine_lock
from repro_tui.model.report import Report
from repro_tui.tui.app import Auditor
from tests.tui.driving import written
from tests.tui.heavy import CULPRIT, heavy, with_scripts
from tests.tui.heavy_runs import failed_build, failed_run, graded, searching
from tests.tui.test_screens import SIZES, settled

MAKERS: dict[str, Callable[[Path], AuditFolder]] = {
    "heavy": lambda path: heavy(path, CULPRIT),
    "scripts": with_scripts,
    "build": failed_build,
    "crash": failed_run,
    "R0": lambda path: graded(path, "R0"),
    "R6": lambda path: graded(path, "R6"),
    "search": searching,
}
# The audit, the keys to the screen, and what a tired reader has to see there at 80x24: what moved or failed, why as far
# as it is known, and what next.
SCREENS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "overview": (
        "heavy",
        (),
        ("segment_59 moves by up to 1.194", "prompt.system", "Next: unless the change is intended"),
    ),
    "packages": ("heavy", ("2",), ("≠ 225 changed", "≠ numpy 1.0.0 1.1.0", "n next")),
    "parameters": ("heavy", ("3",), ("≠ 67.0 % prompt › system", "characters the same", "B the new policy.")),
    "data": ("heavy", ("4",), ("≠ 33.0 % ▸ models/credit.pkl", "▸ images", "intercept")),
    "predictions": ("heavy", ("5",), ("column (60)", "2,000 cells over tolerance, worst first")),
    "files": ("heavy", ("6", "end", "up", "up"), ("≠ train.py +122 -122", "difference 1 of 122", "again=True")),
    "cause": ("heavy", ("7",), ("explains 67.0 % of the change", "together restores A.")),
    "scripts": ("scripts", ("3",), ("確認してから新",)),
    "build": ("build", (), ("B failed at environment", "nvcc was not found: set CUDA_HOME", "→ Record an image")),
    "crash": ("crash", (), ("B failed at run 1", "RuntimeError: the weights have no decoder", "→ See run-1.log")),
    "R0": ("R0", (), ("R0: the record is incomplete", "? predict: record predict.command", "Next: record code")),
    "R6": ("R6", (), ("R6: the predictions are byte-identical", "400 rows", "Next: nothing to do")),
    "search": ("search", ("7",), ("400 hybrids of A and B tried so far", "packages: 120 candidates left")),
}


WIDE = {"overview": ("environment and 338 more differences", "data images", "code 312 commits")}  # at 200x50


class ReadOnce(AuditFolder):
    """An audit's folder whose report is read once for all pictures, as reading the heavy one takes longest."""

    @cached_property
    def _report(self) -> Report | None:
        return super().report()

    def report(self) -> Report | None:
        """The report."""
        return self._report


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, AuditFolder]]:
    """Every heavy audit, of which one is running."""
    root = tmp_path_factory.mktemp("heavy")
    with ExitStack() as stack:
        folders: dict[str, AuditFolder] = {}
        for name, make in MAKERS.items():
            (root / name).mkdir()
            folders[name] = ReadOnce(make(root / name / "audit").path)
        stack.enter_context(engine_lock(folders["search"].path))
        yield folders


@pytest.fixture
def folder_of(made: dict[str, AuditFolder], monkeypatch: pytest.MonkeyPatch) -> Any:
    """An audit by its name; the current folder is the one above it, so that pictures show no temporary path."""

    def folder(name: str) -> AuditFolder:
        monkeypatch.chdir(made[name].path.parent)
        return made[name]

    return folder


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", list(SCREENS))
def test_heavy(screen: str, size: tuple[int, int], folder_of: Any, snap_compare: Any) -> None:
    audit, keys, texts = SCREENS[screen]

    async def reach(pilot: Any) -> None:
        await settled(list(keys))(pilot)
        shown = " ".join(" ".join(line.lstrip("█") for line in written(pilot.app).splitlines()).split())
        for text in texts if size == SIZES[0] else WIDE.get(screen, ()) if size == SIZES[2] else ():
            assert text in shown, written(pilot.app)

    assert snap_compare(Auditor(folder_of(audit)), terminal_size=size, run_before=reach)
