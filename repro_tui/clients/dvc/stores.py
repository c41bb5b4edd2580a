"""The stores that have DVC's objects: the local cache of the repository, and the remotes that the commit configures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlunsplit

from repro_tui.clients.dvc.configuration import DvcPlace, DvcRemote, cache_folder, remotes_of
from repro_tui.clients.dvc.options import client_arguments
from repro_tui.clients.remote_files import fetch_object, is_absent, open_system
from repro_tui.model.errors import Inconclusive
from repro_tui.support.cache import Stored
from repro_tui.support.context import Context
from repro_tui.support.redact import is_secret_name, strip_url
from repro_tui.support.regular import open_regular
from repro_tui.support.text import show
from repro_tui.support.urls import split_url

_PULL = ", or run dvc pull in a clone that can reach it: the cache of the recorded repository is searched first"
LAYOUTS = ("files/md5/", "")  # of DVC 3, and of DVC 2
VERSIONED = ("version_aware", "worktree")


@dataclass(frozen=True, slots=True)
class DvcStore:
    """One store of objects: a local folder, or the root of a URL with the arguments of its fsspec client.

    `left_out` has the options of the remote that its client cannot be given.
    """

    root: str
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)
    left_out: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The store's path or URL, without credentials and safe to show."""
        return show(strip_url(self.root) if "://" in self.root else self.root, 200)

    @property
    def parallel(self) -> int:
        """How many of its objects may be fetched at once."""
        return 4 if self.root.startswith(("ssh://", "sftp://")) else 16  # a connection each

    def fetch(self, md5: str, context: Context) -> Stored | None:
        """The object with this md5 (and `.dir` for a folder's listing), in the layout of DVC 3 or DVC 2.

        None where the store does not have it. Raises Inconclusive where a remote cannot be reached.
        """
        for layout in LAYOUTS:
            relative = f"{layout}{md5[:2]}/{md5[2:]}"
            stored = self._remote(relative, context) if "://" in self.root else self._local(relative, context)
            if stored:
                return stored
        return None

    def _local(self, relative: str, context: Context) -> Stored | None:
        try:
            with open_regular(Path(self.root) / relative) as stream:
                return context.cache.add_object(stream, context.cancel)
        except OSError:
            return None

    def _remote(self, relative: str, context: Context) -> Stored | None:
        """Opens the object at once, instead of asking first whether it is there."""
        url = f"{self.root.rstrip('/')}/{relative}"
        try:
            system, path = open_system(url, self.arguments)
            return fetch_object(system, path, url, context)
        except Inconclusive as error:
            if is_absent(error.__cause__):
                return None
            left_out = f" (options that are not honoured: {', '.join(self.left_out)})" if self.left_out else ""
            raise Inconclusive(
                f"the DVC remote {self.name} cannot be read{left_out}: {error.what}", f"{error.do}{_PULL}"
            ) from error


def stores_of(place: DvcPlace, context: Context) -> list[DvcStore]:
    """The stores to search, in order: the local cache, then the remotes with the default one first.

    They are configured by `.dvc/config` of the commit, below which are the system's and the user's own configuration,
    and above which is `config.local` of a local repository. Raises Inconclusive where an option is malformed.
    """
    folder = cache_folder(place)
    stores = [DvcStore(str(folder))] if folder else []
    for remote in remotes_of(place):
        for name, value in remote.options.items():
            if is_secret_name(name):
                context.redactor.learn(value)
        store = _store(remote, place)
        if store and store not in stores:
            stores.append(store)
    return stores


def _without(url: str, arguments: Mapping[str, Any]) -> str:
    """The URL without the user and port that the remote's options replace: fsspec refuses two of either."""
    if not {"username", "port"} & arguments.keys():
        return url
    parts = split_url(url)
    user, mark, host = parts.netloc.rpartition("@")
    host = host.rpartition(":")[0] if "port" in arguments and parts.port else host
    return urlunsplit(parts._replace(netloc=host if "username" in arguments else f"{user}{mark}{host}"))


def _store(remote: DvcRemote, place: DvcPlace) -> DvcStore | None:
    """A remote as a store; a relative path is relative to the .dvc folder of the local repository."""
    if "://" in remote.url:
        arguments, left_out = client_arguments(remote.url.partition("://")[0].lower(), remote.options)
        withheld = tuple(f"{name} ({remote.reason(name)})" for name in remote.withheld)
        return DvcStore(_without(remote.url, arguments), arguments, left_out + withheld)
    path = Path(remote.url)
    if not path.is_absolute() and not place.local:
        return None
    left_out = client_arguments("file", remote.options)[1]
    return DvcStore(str((place.local or Path("/")) / ".dvc" / path), left_out=left_out)
