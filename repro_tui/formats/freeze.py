"""Requirements that a tracker recorded, without what no package index can provide.

Trackers record what was installed on the author's machine: packages installed from a folder or a wheel there, lines of
conda's builds, Debian's `pkg-resources`, and packages that only the tracker needs. Each such line is replaced where its
version is known from the name of its file, kept without a version where conda built a public package, and else left
out. Nothing is dropped in silence: `Freeze` names every line that changed.

Example: `own @ file:///home/ada/dist/own-1.2-py3-none-any.whl` becomes `own==1.2`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion

from repro_tui.support.redact import strip_urls
from repro_tui.support.text import plural, show
from repro_tui.support.urls import split_url

MOST_NAMED = 5
# Packages that are only there because W&B is: pathtools and docker-pycreds have no wheels.
WANDB_PARTS = frozenset({"wandb", "wandb-core", "pathtools", "docker-pycreds"})
_GHOST = "pkg-resources==0.0.0"  # Debian's pip listed it, and no index has it
_CONDA_BUILD = re.compile(r"/(croot|conda-bld|feedstock_root|tmp/build)/")
_FILE = re.compile(r"[^\s@]+\.(whl|tar\.gz|zip)(#.*)?")


@dataclass(slots=True)
class Freeze:
    """The lines that a package index can provide; the others, each with what became of it.

    `replaced` are pairs of the recorded line and its replacement, `unlisted` lines that no index has, and `tracker` the
    packages that only the tracker needs.
    """

    lines: list[str] = field(default_factory=list)
    replaced: list[tuple[str, str]] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    tracker: list[str] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        """The lines as a requirements file."""
        return "".join(f"{line}\n" for line in self.lines).encode()

    def warnings(self) -> Iterator[str]:
        """Sentences on what was replaced, and on the packages of the tracker."""
        if self.replaced:
            pairs = [f"{_safe(line)} by {new}" for line, new in self.replaced]
            yield f"replaced, because no package index has it: {plural(len(pairs), 'requirement')} ({_named(pairs)})"
        if self.tracker:
            yield (
                f"left out of the requirements, because only the tracker needs them: {', '.join(self.tracker)}; if the "
                "predict step imports them, record a requirements file that has them"
            )

    @property
    def gap(self) -> str:
        """What was left out because no package index has it; "" for nothing."""
        if not self.unlisted:
            return ""
        lines = f"{plural(len(self.unlisted), 'line')} ({_named(map(_safe, self.unlisted))})"
        return f"left out of the requirements because no package index has it: {lines}"


def read_freeze(text: str, parts: Collection[str] = ()) -> Freeze:
    """The requirements in the text of a freeze. `parts` are packages to leave out, by their normalised names."""
    freeze, names = Freeze(), set()
    for line in _logical(text.removeprefix("\ufeff")):
        kept = _kept(line)
        if kept is None:
            freeze.unlisted.append(line)
            continue
        name = canonicalize_name(Requirement(kept.partition(" --hash")[0]).name)
        if name in parts:
            freeze.tracker.append(name)
        elif name not in names:
            names.add(name)
            freeze.lines.append(kept)
            freeze.replaced += [(line, kept)] if kept != line else []
    return freeze


def _logical(text: str) -> Iterator[str]:
    """The lines without comments, with continued ones joined."""
    for line in text.replace("\\\n", " ").splitlines():
        if bare := " ".join(re.sub(r"(^|\s)#.*$", "", line).split()):
            yield bare


def _kept(line: str) -> str | None:
    """The line, or what replaces it; None where no index can provide it."""
    if line.startswith("-") or line.replace("_", "-") == _GHOST:
        return None
    if _FILE.fullmatch(line):  # a wheel by its path alone
        return _by_file_name(line, "")
    if not _is_requirement(line.partition(" --hash")[0]):
        return None
    requirement = Requirement(line.partition(" --hash")[0])
    if not requirement.url:
        return line
    if not requirement.url.startswith("file:"):
        return None
    known = _by_file_name(requirement.url, requirement.name)
    return known or (requirement.name if _CONDA_BUILD.search(requirement.url) else None)


def _by_file_name(location: str, name: str) -> str | None:
    """NAME==VERSION from the name of a wheel or a source distribution; None where it does not tell them."""
    file = PurePosixPath(unquote(split_url(location).path)).name
    try:
        own_name, version = (parse_wheel_filename if file.endswith(".whl") else parse_sdist_filename)(file)[:2]
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    pin = f"{name or own_name}=={version}"
    return pin if _is_requirement(pin) and (not name or canonicalize_name(name) == own_name) else None


def _is_requirement(text: str) -> bool:
    """Whether a text is a requirement: a file's name may begin with a dash."""
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _safe(line: str) -> str:
    return show(strip_urls(line), 100)


def _named(lines: Collection[str] | Iterator[str]) -> str:
    named = list(lines)
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return ", ".join(named[:MOST_NAMED]) + more
