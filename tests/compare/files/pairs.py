"""Two versions of a file, and what is seen in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from repro_tui.compare.files.base import FileContent, FileDifferences
from repro_tui.compare.files.kinds import opened
from repro_tui.model.finding import Finding


@dataclass(frozen=True)
class Seen:
    """What two versions of a file were seen to differ in."""

    note: str
    differences: FileDifferences

    @property
    def findings(self) -> dict[str, Finding]:
        """The findings by their paths, with slashes."""
        return {"/".join(finding.path): finding for finding in self.differences.kept}

    @property
    def values(self) -> dict[str, tuple[object, object]]:
        """Both values by path."""
        return {path: (finding.a, finding.b) for path, finding in self.findings.items()}


def seen(folder: Path, name: str, a: bytes, b: bytes) -> Seen:
    """The difference of two contents of a file of that name."""
    contents = []
    for side, content in (("a", a), ("b", b)):
        file = folder / f"{side}-file"
        file.write_bytes(content)
        contents.append(FileContent(file, name))
    return Seen(*opened(*contents, folder))
