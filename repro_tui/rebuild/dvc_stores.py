"""The stores that have DVC's objects: the local cache of the repository, and the remotes that the commit configures."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.data_remote import fetch_object, open_system
from repro_tui.rebuild.data_store import Fetching
from repro_tui.support.cache import Stored
from repro_tui.support.context import Context
from repro_tui.support.redact import strip_url
from repro_tui.support.text import show

LARGEST_CONFIG = 1 << 20


@dataclass(frozen=True, slots=True)
class DvcStore:
    """One store of objects: a local folder, or the root of an fsspec URL."""

    root: str

    @property
    def name(self) -> str:
        """The store's path or URL, without credentials and safe to show."""
        return show(strip_url(self.root) if "://" in self.root else self.root, 200)

    def fetch(self, md5: str, context: Context) -> Stored | None:
        """The object with this md5 (and `.dir` for a folder's listing), in the layout of DVC 3 or DVC 2.

        None where the store does not have it. Raises Inconclusive where a remote cannot be reached.
        """
        for layout in ("files/md5/", ""):
            relative = f"{layout}{md5[:2]}/{md5[2:]}"
            stored = self._remote(relative, context) if "://" in self.root else self._local(relative, context)
            if stored:
                return stored
        return None

    def _local(self, relative: str, context: Context) -> Stored | None:
        try:
            with (Path(self.root) / relative).open("rb") as stream:
                return context.cache.add_object(stream, context.cancel)
        except OSError:
            return None

    def _remote(self, relative: str, context: Context) -> Stored | None:
        url = f"{self.root.rstrip('/')}/{relative}"
        system, path = open_system(url)
        try:
            present = system.exists(path)
        except Exception as error:
            raise Inconclusive(
                f"the DVC remote {self.name} cannot be reached: {type(error).__name__}",
                "check the network, and the credentials that its client reads",
            ) from error
        return fetch_object(system, path, url, context) if present else None


def stores_of(fetching: Fetching) -> list[DvcStore]:
    """The stores to search, in order: the local cache, then the remotes with the default one first.

    They are configured by `.dvc/config` of the commit; `config.local` of a local repository overrides it.
    """
    roots = _dvc_root(fetching)
    if roots is None:
        return []
    committed, local = roots
    configuration = _configuration(
        committed / ".dvc" / "config" if committed else None, local / ".dvc" / "config.local" if local else None
    )
    stores = []
    if local:
        cache = _option(configuration, "cache", "dir") or "cache"
        stores.append(DvcStore(str(local / ".dvc" / cache)))
    remotes = (_store(_url(configuration, name), local) for name in _remotes(configuration))
    return stores + list(dict.fromkeys(store for store in remotes if store))


def _remotes(configuration: configparser.ConfigParser) -> list[str]:
    """The names of the remotes, the default one first. All are searched: what they return is checked by its hash."""
    default = _option(configuration, "core", "remote")
    sections = (section.strip("'") for section in configuration.sections())
    others = [section[8:-1] for section in sections if section.startswith('remote "') and section.endswith('"')]
    return list(dict.fromkeys([default, *others] if default else others))


def _url(configuration: configparser.ConfigParser, name: str, depth: int = 4) -> str:
    """The URL of a remote. `remote://NAME/PATH` is resolved against the remote NAME, at most `depth` times."""
    url = _option(configuration, f'remote "{name}"', "url")
    if url.startswith("remote://") and depth:
        base, _, path = url.removeprefix("remote://").partition("/")
        base_url = _url(configuration, base, depth - 1)
        return f"{base_url.rstrip('/')}/{path}" if base_url else ""
    return url


def _store(url: str, local: Path | None) -> DvcStore | None:
    """A remote as a store; a relative path is relative to the .dvc folder of the local repository."""
    if "://" in url:
        return DvcStore(url)
    return DvcStore(str((local or Path("/")) / ".dvc" / url)) if url and (Path(url).is_absolute() or local) else None


def _dvc_root(fetching: Fetching) -> tuple[Path | None, Path | None] | None:
    """The folder of the DVC project, in the commit's tree and in the local repository (None where there is none)."""
    code, record = fetching.code, fetching.record
    if code is None or record.code is None:
        return (Path(record.base), Path(record.base)) if record.base else None
    repository = Path(record.code.repository) if Path(record.code.repository).is_dir() else None
    start = PurePosixPath(code.subdirectory)
    for folder in (start, *start.parents):
        if (Path(code.folder) / folder / ".dvc").is_dir():
            return Path(code.folder) / folder, repository / folder if repository else None
    return (None, repository) if repository else None


def _configuration(*files: Path | None) -> configparser.ConfigParser:
    configuration = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    for file in files:
        if file and file.is_file() and file.stat().st_size <= LARGEST_CONFIG:
            # DVC indents options, and configparser reads an indented line as a continuation.
            lines = file.read_text("utf-8", "replace").splitlines()
            try:
                configuration.read_string("\n".join(line.strip() for line in lines))
            except configparser.Error as error:
                raise Inconclusive(
                    f"{show(str(file), 200)} is not a valid DVC configuration", "correct its syntax"
                ) from error
    return configuration


def _option(configuration: configparser.ConfigParser, section: str, option: str) -> str:
    """An option of a section, whose name DVC may write in quotes: ['remote "storage"']."""
    for name in (section, f"'{section}'"):
        if configuration.has_option(name, option):
            return configuration.get(name, option).strip("'\"")
    return ""
