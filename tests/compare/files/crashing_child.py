"""The child that opens files, which a file of the name `crash` ends as a crash of a library would."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import pytest

from repro_tui.compare.files import child


def main(arguments: Sequence[str]) -> int:
    """Opens the pairs until one is named `crash`."""
    whole = child.FileContent

    def content(path: object, name: str) -> object:
        if name == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        return whole(path, name)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(child, "FileContent", content)
        return child.main(arguments)
