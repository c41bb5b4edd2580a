"""Where a commit's submodules are fetched from.

The superproject's own `.git/modules/NAME` comes first, where it is on this machine; else the URL in the commit's
.gitmodules, which may be relative to the superproject's. A repository of another machine cannot name one of this one.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlunsplit

from repro_tui.clients.git.location import local_git_dir, show_location
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.support.paths import is_inside
from repro_tui.support.text import quote, show
from repro_tui.support.urls import split_url

if TYPE_CHECKING:
    from repro_tui.clients.git.repository import Repository

FILE_NAME = ".gitmodules"
_SCP = re.compile(r"[^/:]+:[^:].*")


@dataclass(frozen=True, slots=True)
class Submodule:
    """A submodule as the commit's .gitmodules has it."""

    name: str
    path: str
    url: str


def submodules_of(repository: Repository, commit: str) -> dict[str, Submodule]:
    """The submodules in the commit's .gitmodules, by path."""
    settings: dict[str, dict[str, str]] = {}
    for key, value in repository.settings(commit, FILE_NAME).items():
        if key.startswith("submodule.") and key.count(".") >= 2:
            name, _, option = key.removeprefix("submodule.").rpartition(".")
            settings.setdefault(name, {})[option] = value
    modules = (Submodule(name, item.get("path", ""), item.get("url", "")) for name, item in settings.items())
    return {module.path: module for module in modules if module.path}


def open_submodule(superproject: Repository, module: Submodule | None, path: str, commit: str) -> Repository:
    """The repository of a submodule, which has `commit`. Raises Inconclusive that names the submodule."""
    shown = show(path, 200)
    advice = f"run git submodule update --init --recursive in the repository that is recorded ({superproject.name})"
    if module is None:
        raise Inconclusive(
            f"{shown} is a submodule at commit {commit[:12]}, and no {FILE_NAME} says where it is from",
            f"add it to {FILE_NAME}, or remove it from the commit (git rm --cached)",
        )
    reasons = []
    for place in _places(superproject, module):
        try:
            return _opened(superproject, place, commit)
        except (Inconclusive, Refused) as error:
            reasons.append(error.what if isinstance(error, Inconclusive) else str(error))
    reason = reasons[-1] if reasons else f"its URL {quote(show_location(module.url))} is a path on another machine"
    raise Inconclusive(f"the submodule {shown} (commit {commit[:12]}) was not fetched: {reason}", advice)


def _opened(superproject: Repository, place: str, commit: str) -> Repository:
    access = superproject.access.at(place) if place.startswith("https://") else None
    opened = type(superproject).open(place, superproject.context, access)
    opened.need(commit)
    return opened


def _places(superproject: Repository, module: Submodule) -> list[str]:
    local = local_git_dir(superproject.location)
    places = []
    if local and is_inside(module.name) and (local / "modules" / module.name / "HEAD").is_file():
        places.append(str(local / "modules" / module.name))
    url = _absolute(superproject, module.url, local)
    remote = url.startswith(("https://", "ssh://")) or ("://" not in url and _is_scp(url))
    return [*places, url] if url and (remote or local) else places


def _absolute(superproject: Repository, url: str, local: Path | None) -> str:
    """A submodule's URL; a relative one begins at the superproject's origin, or at the superproject itself."""
    if not url.startswith(("./", "../")):
        return url
    base = (_origin(superproject, local) if local else "") or superproject.location
    if "://" in base:
        parts = split_url(base)
        return urlunsplit(parts._replace(path=posixpath.normpath(f"{parts.path}/{url}")))
    if _is_scp(base):
        host, _, path = base.partition(":")
        return f"{host}:{posixpath.normpath(path + '/' + url)}"
    return posixpath.normpath(f"{base}/{url}")


def _origin(superproject: Repository, local: Path) -> str:
    """The URL that a repository of this machine was cloned from, read as data."""
    done = superproject.run("config", "--no-includes", "--file", str(local / "config"), "--get", "remote.origin.url")
    url = done.output.decode("utf-8", "replace").strip()
    return url if "://" in url or url.startswith("/") or _is_scp(url) else ""


def _is_scp(url: str) -> bool:
    return bool(_SCP.fullmatch(url))
