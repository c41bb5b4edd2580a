"""Checks what conda packages would write before they are installed.

The library joins the paths of a package to the folder of the environment without looking at them, so a package could
write elsewhere: by `..`, by the name of a command, or below a link that it, or another package, put there first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from repro_tui.support.regular import is_regular, read_regular
from repro_tui.support.text import quote

_COMMAND = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_SITE = re.compile(r"^lib/python[0-9.]+/(?=site-packages/)")


@dataclass
class Contents:
    """What the packages so far would write: every path, and those that are links, each with its package."""

    paths: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def add(self, package: str, extracted: Path) -> None:
        """Adds an extracted package. Raises ValueError for a path or a command that leaves the environment."""
        for path in _paths(extracted):
            place = PurePosixPath(path)
            if not path or place.is_absolute() or ".." in place.parts or "\0" in path or "\\" in path:
                raise ValueError(f"{package} would write to {quote(path)}, outside the environment")
            key = _SITE.sub("", path)
            self.paths[key] = package
            if (extracted / path).is_symlink():
                self.links[key] = package
        for command in _commands(extracted):
            if not _COMMAND.fullmatch(command):
                raise ValueError(f"{package} has a command {quote(command)}, which is not a file name")

    def check(self) -> None:
        """Raises ValueError where a package would write through a link."""
        for path, package in self.paths.items():
            for parent in map(str, PurePosixPath(path).parents):
                if parent in self.links:
                    raise ValueError(f"{package} would write {quote(path)} through a link of {self.links[parent]}")


def _paths(extracted: Path) -> Iterator[str]:
    listing = extracted / "info/paths.json"
    if is_regular(listing):
        yield from (str(entry["_path"]) for entry in json.loads(read_regular(listing))["paths"])
    older = extracted / "info/files"
    if is_regular(older):
        yield from read_regular(older).decode("utf-8").splitlines()


def _commands(extracted: Path) -> Iterator[str]:
    link = extracted / "info/link.json"
    if is_regular(link):
        described = json.loads(read_regular(link)).get("noarch") or {}
        points = described.get("entry_points") or [] if isinstance(described, dict) else []
        yield from (str(point).partition("=")[0].strip() for point in points)
