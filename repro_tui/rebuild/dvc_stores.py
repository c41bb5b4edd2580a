"""Where DVC's objects lie: the repository's local cache, and the remotes of the commit's configuration."""

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
        """The store, safe to show."""
        return show(strip_url(self.root) if "://" in self.root else self.root, 200)

    def fetch(self, md5: str, context: Context) -> Stored | None:
        """The object of that md5 (with `.dir` for a folder's listing), in DVC 3's layout or DVC 2's; None if absent."""
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
            raise Inconclusive(f"the DVC remote {self.name} cannot be asked: {type(error).__name__}") from error
        return fetch_object(system, path, url, context) if present else None


def stores_of(fetching: Fetching) -> list[DvcStore]:
    """The stores to ask, in order, by the commit's configuration with a local repository's config.local over it."""
    root = _dvc_root(fetching)
    if root is None:
        return []
    committed, local = root
    configuration = _configuration(
        committed / ".dvc" / "config" if committed else None, local / ".dvc" / "config.local" if local else None
    )
    stores = []
    if local:
        cache = _option(configuration, "cache", "dir") or "cache"
        stores.append(DvcStore(str(local / ".dvc" / cache)))
    found = (_store(_url(configuration, name), local) for name in _remotes(configuration))
    return stores + list(dict.fromkeys(store for store in found if store))


def _remotes(configuration: configparser.ConfigParser) -> list[str]:
    """The names of the remotes, the default one first: an output may be in another, and what it has is hashed."""
    default = _option(configuration, "core", "remote")
    sections = (section.strip("'") for section in configuration.sections())
    others = [section[8:-1] for section in sections if section.startswith('remote "') and section.endswith('"')]
    return list(dict.fromkeys([default, *others] if default else others))


def _url(configuration: configparser.ConfigParser, name: str, depth: int = 4) -> str:
    """A remote's place; `remote://NAME/PATH` is below another remote."""
    url = _option(configuration, f'remote "{name}"', "url")
    if url.startswith("remote://") and depth:
        other, _, path = url.removeprefix("remote://").partition("/")
        below = _url(configuration, other, depth - 1)
        return f"{below.rstrip('/')}/{path}" if below else ""
    return url


def _store(url: str, local: Path | None) -> DvcStore | None:
    """A remote as a store; a relative path is below the .dvc folder of the repository on this machine."""
    if "://" in url:
        return DvcStore(url)
    return DvcStore(str((local or Path("/")) / ".dvc" / url)) if url and (Path(url).is_absolute() or local) else None


def _dvc_root(fetching: Fetching) -> tuple[Path | None, Path | None] | None:
    """The DVC project's folder: in the commit's tree, and in the repository on this machine where it is local."""
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
            # DVC indents options; configparser would take an indented line for a continuation.
            lines = file.read_text("utf-8", "replace").splitlines()
            try:
                configuration.read_string("\n".join(line.strip() for line in lines))
            except configparser.Error as error:
                raise Inconclusive(f"{show(str(file), 200)} is not a configuration of DVC", "correct it") from error
    return configuration


def _option(configuration: configparser.ConfigParser, section: str, option: str) -> str:
    """An option of a section, which DVC may write in quotes: ['remote "storage"']."""
    for name in (section, f"'{section}'"):
        if configuration.has_option(name, option):
            return configuration.get(name, option).strip("'\"")
    return ""
