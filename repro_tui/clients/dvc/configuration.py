"""DVC's configuration: of the system, the user, the commit and the local repository, each overriding the one before."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.support.redact import is_secret_name
from repro_tui.support.regular import is_regular, read_regular
from repro_tui.support.text import show
from repro_tui.support.urls import split_url

LARGEST = 1 << 20
_SECTION = re.compile(r"""remote\s+(?P<quote>["'])(?P<name>.*)(?P=quote)""")
_COMMENT = re.compile(r"\s+#.*$")
DEEPEST = 4
GOOGLE = "Google's credentials"
_PATHS = frozenset(("credentialpath", "keyfile"))  # relative to the folder of the file, as DVC reads them
# Options that decide where requests go, and whether the way there is encrypted.
_OF_RECIPIENT = ("endpointurl", "account_name", "port", "use_ssl", "ssl_verify", "custom_auth_header")


@dataclass(frozen=True, slots=True)
class DvcPlace:
    """A DVC project: its folder in the commit's tree and in the local repository (None where there is none).

    `location` is the git repository that the commit is of.
    """

    tree: Path | None
    local: Path | None
    location: str = ""


@dataclass(frozen=True, slots=True)
class DvcRemote:
    """A remote: its name, its URL (absolute where it was relative to a file of the configuration) and its options.

    `withheld` has the options that hold secrets and were not used, because the commit sends them to another host than
    the configuration that they were given for.
    """

    name: str
    url: str
    options: dict[str, str]
    withheld: tuple[str, ...] = ()

    def reason(self, withheld: str) -> str:
        """Why a secret is withheld."""
        if withheld == GOOGLE:
            return "only the commit names the endpointurl: set it in .dvc/config.local if that server may have them"
        return "it was given for another host"


@dataclass(slots=True)
class DvcConfiguration:
    """What the files of the configuration say, merged."""

    core: dict[str, str] = field(default_factory=dict)
    cache: dict[str, str] = field(default_factory=dict)
    sections: dict[str, dict[str, str]] = field(default_factory=dict)

    def remotes(self) -> list[str]:
        """The names of the remotes, the default one first. All are searched: their objects are checked."""
        default = self.core.get("remote", "")
        return list(dict.fromkeys([*([default] if default in self.sections else []), *self.sections]))

    def options(self, name: str, depth: int = DEEPEST) -> dict[str, str]:
        """The options of a remote, with those of the remote that its URL `remote://NAME/PATH` begins at."""
        own = self.sections.get(name, {})
        url = own.get("url", "")
        if not url.startswith("remote://") or not depth:
            return own
        base, _, path = url.removeprefix("remote://").partition("/")
        inherited = self.options(base, depth - 1)
        return {**inherited, **own, "url": f"{inherited.get('url', '').rstrip('/')}/{path}"}


def read_configuration(place: DvcPlace) -> DvcConfiguration:
    """The configuration that is in force at the commit. Raises Inconclusive where a file of it is malformed."""
    return _merged([*_user_files(), *_committed(place.tree, place.local), *_local(place.local)])


def remotes_of(place: DvcPlace) -> list[DvcRemote]:
    """The remotes at the commit, the default one first. Raises Inconclusive where the configuration is malformed."""
    configuration, committed = read_configuration(place), _merged(_committed(place.tree, place.local))
    own = _merged([*_user_files(), *_committed(place.local), *_local(place.local)])
    personal = _merged([*_user_files(), *_local(place.local)])
    remotes = []
    for name in configuration.remotes():
        options = configuration.options(name)
        url, foreign = options.get("url", ""), _recipient(own.options(name)) != _recipient(options)
        withheld = [key for key in options if foreign and is_secret_name(key) and key not in committed.options(name)]
        kept = {key: value for key, value in options.items() if key != "url" and key not in withheld}
        if _asks_google(url) and not _is_trusted(options.get("endpointurl", ""), personal.options(name)):
            if kept.get("allow_anonymous_login", "").lower() != "true":
                withheld = [*(key for key in withheld if key != "credentialpath"), GOOGLE]
            kept = {**kept, "allow_anonymous_login": "true"}
        if url:
            remotes.append(DvcRemote(name, url, kept, tuple(withheld)))
    return remotes


def _asks_google(url: str) -> bool:
    return url.startswith(("gs://", "gcs://"))


def _is_trusted(endpoint: str, personal: Mapping[str, str]) -> bool:
    """Whether an endpoint may see the user's token for Google Cloud, with which who has it could read all else.

    Others than Google's own must stand in a file that no commit has.
    """
    host = split_url(endpoint).hostname or ""
    google = endpoint.startswith("https://") and host.endswith(".googleapis.com")
    return not endpoint or google or personal.get("endpointurl") == endpoint


def cache_folder(place: DvcPlace) -> Path | None:
    """The local repository's own cache of DVC objects."""
    folder = read_configuration(place).cache.get("dir") or "cache"
    return place.local / ".dvc" / folder if place.local else None


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the configuration, and the folder in which the relative paths of its options begin."""

    path: Path
    folder: Path


def _user_files() -> list[_File]:
    home = Path(os.environ.get("HOME", "/nonexistent"))
    system = Path(os.environ.get("DVC_SYSTEM_CONFIG_DIR") or "/etc/xdg/dvc")
    personal = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "dvc"
    folders = (system, Path(os.environ.get("DVC_GLOBAL_CONFIG_DIR") or personal))
    return [_File(folder / "config", folder) for folder in folders]


def _committed(folder: Path | None, local: Path | None = None) -> list[_File]:
    """The file in a commit's tree; a key beside it is in the local repository, and not in the commit."""
    return [_File(folder / ".dvc" / "config", (local or folder) / ".dvc")] if folder else []


def _local(folder: Path | None) -> list[_File]:
    return [_File(folder / ".dvc" / "config.local", folder / ".dvc")] if folder else []


def _merged(files: list[_File]) -> DvcConfiguration:
    configuration = DvcConfiguration()
    for file in files:
        for section, options in _read(file.path).items():
            match = _SECTION.fullmatch(section) or _SECTION.fullmatch(section[1:-1])
            if match:
                paths = {name: str(file.folder / Path(options[name]).expanduser()) for name in _PATHS & options.keys()}
                configuration.sections.setdefault(match["name"], {}).update(options | paths)
            elif section.strip("'\"") in ("core", "cache"):
                getattr(configuration, section.strip("'\"")).update(options)
    return configuration


def _read(file: Path) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",), default_section="\0")
    if not is_regular(file) or file.stat().st_size > LARGEST:
        return {}
    # DVC indents options, and configparser reads an indented line as a continuation.
    lines = [line.strip() for line in read_regular(file, most=LARGEST).decode("utf-8", "replace").splitlines()]
    try:
        parser.read_string("\n".join(lines))
    except configparser.Error as error:
        raise Inconclusive(f"{show(str(file), 200)} is not a valid DVC configuration", "correct its syntax") from error
    return {name: {key: _value(text) for key, text in parser.items(name)} for name in parser.sections()}


def _value(text: str) -> str:
    """A value without its quotes, and without a comment after it."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return _COMMENT.sub("", text).strip("'\"")


def _recipient(options: dict[str, str]) -> tuple[str, ...]:
    """Who gets what a remote is asked with, and how well that is kept from others on the way."""
    url = options.get("url", "")
    parts = split_url(url) if "://" in url else split_url("")
    return (parts.scheme, parts.netloc.rpartition("@")[2], *(options.get(name, "") for name in _OF_RECIPIENT))
