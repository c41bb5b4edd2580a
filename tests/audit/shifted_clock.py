"""A clock that tests set: programs with its variables read another time of day, and the monotonic clock as it is."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import need

COMPILER = shutil.which("cc") or shutil.which("tcc")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clock as a library. That of Debian's faketime cannot be used: under it, each monotonic sleep is an error."""
    need("compiler", COMPILER is not None, "there is no C compiler: install gcc or tcc")
    file = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).parents[1] / "clock.c"
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", str(file), str(source)], check=True)
    return file


@pytest.fixture
def clock(library: Path, tmp_path: Path) -> Clock:
    return Clock(library, tmp_path / "offset")


@dataclass(frozen=True)
class Clock:
    """A clock that the programs with its variables read, and that may be set at any time."""

    library: Path
    file: Path

    def set(self, offset_s: int) -> dict[str, str]:
        """Sets the clock, and returns the variables."""
        self.file.write_text(f"{offset_s:+d}")
        return {"LD_PRELOAD": str(self.library), "CLOCK_FILE": str(self.file)}
