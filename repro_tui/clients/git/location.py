"""Where a repository is: a path or a URL, what of it may be shown, and its git folder where it is on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlunsplit

from repro_tui.clients.git.access import Access
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import real_path
from repro_tui.support.redact import strip_url
from repro_tui.support.regular import is_regular, open_regular, read_regular
from repro_tui.support.text import quote, show
from repro_tui.support.urls import split_url

_URL = re.compile(r"(file|https|ssh)://[^\s]+")
_SCP = re.compile(r"([A-Za-z0-9_.-]+@)?[A-Za-z0-9_.-]+:[^:\s][^\s]*")
_PROMISOR = re.compile(r"(?mi)^\s*(partialclone|promisor)\s*=")


def check_location(location: str) -> str:
    """The absolute path of a repository, or its URL.

    Raises Refused where `location` is neither, and Inconclusive if the path does not exist.
    """
    shown = show(show_location(location), 200)
    if not location or location.startswith("-") or "::" in location or any(ord(c) < 32 for c in location):
        raise Refused(f"repository {quote(shown)} is neither a path nor a URL that git may use (https, ssh or file)")
    if "://" in location:
        if not _URL.fullmatch(location) or not split_url(location).scheme:
            raise Refused(f"repository {shown}: only https, ssh and file URLs are supported")
        return location
    path = Path(location)
    if path.exists():
        return str(path.absolute())
    if _SCP.fullmatch(location):
        return location
    raise Inconclusive(f"the repository {shown} does not exist", "record the path or URL of a git repository")


def clone_folder(location: str, context: Context) -> Path:
    """The folder of a repository's bare clone, whether it exists or not; nothing is read."""
    remote = "://" in location or (_SCP.fullmatch(location) and not Path(location).exists())
    place = without_credentials(location)[0] if remote else str(Path(location).absolute())
    return context.cache.root / "git" / f"{digest_text(place)}.git"


def show_location(location: str) -> str:
    """A repository's path or URL without user and password."""
    if "://" in location:
        return strip_url(location)
    return location.rpartition("@")[2] if _SCP.fullmatch(location) else location


def without_credentials(location: str) -> tuple[str, Access]:
    """A location that may stand in a command line, and the access that its user and password give.

    The user stays in ssh URLs, which need it. An ssh password is left out: ssh takes none from a URL.
    """
    if not location.startswith(("https://", "ssh://")):
        return location, Access()
    parts = split_url(location)
    userinfo, _, host = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    if parts.scheme == "ssh":
        return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host)), Access(host)
    return urlunsplit(parts._replace(netloc=host)), Access(host, unquote(user), unquote(password))


# -- repositories on this machine ---------------------------------------------------------------------------------


def local_git_dir(location: str) -> Path | None:
    """The git folder that a repository on this machine keeps its objects in; None for another machine's.

    Only files are read: a linked worktree's `.git` names a folder whose `commondir` names the repository's own.
    """
    path = Path(location.removeprefix("file://"))
    if not path.is_absolute() or not path.is_dir():
        return None
    place = path / ".git"
    if place.is_file():
        place = path / _first_line(place).removeprefix("gitdir:").strip()
    elif not place.is_dir():
        place = path
    common = _first_line(place / "commondir") if (place / "commondir").is_file() else ""
    folder = real_path(place / common)
    return folder if (folder / "objects").is_dir() else None


def is_shallow(location: str) -> bool:
    """Whether a repository on this machine is a shallow clone."""
    folder = local_git_dir(location)
    return bool(folder and (folder / "shallow").is_file())


def is_partial(location: str) -> bool:
    """Whether a repository on this machine is a partial clone, which lacks files until something asks for them."""
    folder = local_git_dir(location)
    config = folder / "config" if folder else None
    if config is None or not is_regular(config) or config.stat().st_size > 1 << 20:
        return False
    return bool(_PROMISOR.search(read_regular(config).decode("utf-8", "replace")))


def _first_line(file: Path) -> str:
    with open_regular(file) as stream:
        return stream.read(4096).decode("utf-8", "replace").partition("\n")[0].strip()
