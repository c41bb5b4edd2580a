"""Source distributions: found by uv on its indexes, fetched as data, and built to wheels in the sandbox.

uv itself is asked where a package's source is. Its settings say that the package needs nothing, so it has no reason to
build it, and answers with a lock file of one package: URL, hash and upload time. Nothing of the package is executed.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import tomllib
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast
from urllib.parse import unquote

from packaging.requirements import Requirement

from repro_tui.formats.projects import build_requirements
from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.environments.builds.box import check_may_build
from repro_tui.rebuild.environments.builds.wheel import BuildSource, built_wheel
from repro_tui.rebuild.environments.pythons.interpreters import run_uv
from repro_tui.rebuild.environments.uv import Resolving, check_uv
from repro_tui.rebuild.environments.venv import SOURCE_WHEELS
from repro_tui.support.context import Context, Step
from repro_tui.support.paths import real_path
from repro_tui.support.regular import open_regular
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show
from repro_tui.support.urls import split_url

LARGEST, LARGEST_UNPACKED, MOST_MEMBERS = 2 << 30, 8 << 30, 200_000
LARGEST_DECLARATION = 1 << 20
FETCH_S = 60.0
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.(tar\.gz|tgz|tar\.bz2|tar\.xz|zip)")
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")
_LOOK_UP = "pip compile --quiet --no-deps --format pylock.toml".split()


@dataclass(frozen=True, slots=True)
class Sdist:
    """A source distribution on an index: where it is, its sha256, and its upload time (RFC 3339; None: unknown)."""

    name: str
    version: str
    url: str
    sha256: str
    uploaded: str | None

    @property
    def described(self) -> str:
        """Its name in messages."""
        return f"{self.name} {self.version}"

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return _name_of(self.url)


def _name_of(url: str) -> str:
    return PurePosixPath(unquote(split_url(url).path)).name


def wheel_of_sdist(
    requirement: str, hashes: Collection[str], resolving: Resolving, step: Step, context: Context
) -> tuple[str, str]:
    """The version of a package that has no wheel, and the pin of the wheel that is built of its source.

    `hashes` are the recorded ones (`sha256:…`; none: nothing is recorded), of which it must have one. Raises
    Inconclusive where the package has no source, where the source is another one, or where it cannot be built.
    """
    check_may_build(show(Requirement(requirement), 120), context)
    sdist = _look_up(requirement, resolving, context)
    if hashes and f"sha256:{sdist.sha256}" not in hashes:
        raise Inconclusive(
            f"the source of {sdist.described} on the index has another hash than the recorded ones",
            "record the hashes of the intended files",
        )
    step.progress(f"fetching the source of {show(sdist.described, 120)}")
    file = _fetched(sdist, context)
    with open_regular(file) as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()  # not every index has one
    requires = build_requirements(declarations(file))
    source = BuildSource(
        sdist.described,
        file,
        sha256,
        SOURCE_WHEELS,
        requires,
        sdist.uploaded or resolving.as_of,
        expected=f"{sdist.name}=={sdist.version}",
    )
    return sdist.version, built_wheel(source, resolving.interpreter, step, context)


def _look_up(requirement: str, resolving: Resolving, context: Context) -> Sdist:
    name = Requirement(requirement).name
    source, config = (context.cache.temporary().with_suffix(suffix) for suffix in (".in", ".toml"))
    source.write_text(f"{requirement}\n", "utf-8")
    config.write_text(f'[[dependency-metadata]]\nname = "{name}"\n', "utf-8")
    until = ["--exclude-newer", resolving.as_of] if resolving.as_of and "==" not in requirement else []
    options = [*until, "--config-file", str(config), "--python", resolving.interpreter.executable]
    try:
        done = run_uv([*_LOOK_UP, *options, str(source)], context, configured=True)
    finally:
        source.unlink(missing_ok=True)
        config.unlink(missing_ok=True)
    check_uv(f"the source of {show(requirement, 120)} cannot be found", done, context)
    return _read_lock(done.text, source.parent)


def _read_lock(text: str, folder: Path) -> Sdist:
    """The source distribution in a pylock.toml of one package."""
    body = text[text.find("lock-version") :]
    (package,) = cast(list[dict[str, Any]], tomllib.loads(body)["packages"])
    sdist = package.get("sdist") or {}
    name, version = str(package["name"]), str(package.get("version", ""))
    url = str(sdist.get("url") or "")
    if not url and "path" in sdist:
        url = real_path(folder / str(sdist["path"])).as_uri()
    sha256 = str(sdist.get("hashes", {}).get("sha256", ""))
    if not _FILE.fullmatch(_name_of(url)):
        raise Inconclusive(
            f"{show(name, 120)} {show(version, 60)} has neither a wheel for this Python and platform nor a source",
            "record a version that has one, another environment.python, or an image",
        )
    when = sdist.get("upload-time")
    uploaded = f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(when, datetime) else None
    return Sdist(name, version, url, sha256, uploaded)


def _fetched(sdist: Sdist, context: Context) -> Path:
    """The file, from the cache or fetched now, with its sha256 checked."""

    def fetch(folder: Path) -> None:
        target = folder / sdist.file_name
        with target.open("wb") as stream:
            _download(sdist, stream, context)
        with open_regular(target) as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if sdist.sha256 and actual != sdist.sha256:
            raise Inconclusive(f"the source of {sdist.described} is damaged: it has another hash", "try again")

    key = sdist.sha256 or hashlib.sha256(sdist.url.encode()).hexdigest()
    folder, _ = context.cache.folder("sdists", key, fetch, context.cancel)
    return folder / sdist.file_name


def _download(sdist: Sdist, target: IO[bytes], context: Context) -> None:
    size = 0
    try:
        for block in _blocks(sdist.url):
            context.cancel.check()
            size += len(block)
            if size > LARGEST:
                reason = f"the source of {sdist.described} is larger than {size_text(LARGEST)}"
                raise Inconclusive(reason, "record a version of the package that has a wheel")
            target.write(block)
    except OSError as error:  # those of requests are some
        reason = context.redactor.scrub(str(error))
        raise Inconclusive(
            f"the source of {sdist.described} cannot be fetched: {show(reason, 300)}",
            "check the network and the package index that uv uses (UV_DEFAULT_INDEX, proxies)",
        ) from error


def _blocks(url: str) -> Iterator[bytes]:
    parts = split_url(url)
    if parts.scheme == "file":
        with open_regular(unquote(parts.path)) as stream:
            while block := stream.read(1 << 20):
                yield block
        return
    import requests

    trusted = os.environ.get("SSL_CERT_FILE") or True
    plain = {"Accept-Encoding": "identity"}
    with requests.get(
        url, stream=True, timeout=FETCH_S, verify=trusted, headers=plain, auth=_credentials(url)
    ) as response:
        response.raise_for_status()
        yield from response.iter_content(1 << 20)


def _credentials(url: str) -> tuple[str, str] | None:
    """The user and password of the user's own index on the same server; None where it names none (or .netrc does)."""
    for name in _INDEXES:
        for location in re.split(r"[\s,]+", os.environ.get(name, "")):
            index, file = split_url(location[max(location.find("http"), 0) :]), split_url(url)
            if index.username and (index.scheme, index.hostname, index.port) == (file.scheme, file.hostname, file.port):
                return unquote(index.username), unquote(index.password or "")
    return None


def declarations(file: Path) -> dict[str, bytes]:
    """The pyproject.toml, setup.cfg and setup.py at the top of a source distribution, read as data.

    Raises Inconclusive where the archive cannot be read, or unpacks to far more than it should.
    """
    try:
        reading = _from_zip(file) if file.suffix == ".zip" else _from_tar(file)
        return dict(reading)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, ValueError, RuntimeError) as error:
        reason = f"{show(file.name, 120)} cannot be read: {show(str(error), 200)}"
        raise Inconclusive(reason, "record a version of the package that has a wheel, or another index") from error


def _is_declaration(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) == 2 and parts[1] in ("pyproject.toml", "setup.cfg", "setup.py")


def _from_tar(file: Path) -> Iterator[tuple[str, bytes]]:
    size = 0
    with tarfile.open(file, "r|*") as archive:
        for count, info in enumerate(archive):
            size += info.size
            if size > LARGEST_UNPACKED or count > MOST_MEMBERS:
                raise ValueError("it unpacks to far more than a package has")
            if info.isfile() and _is_declaration(info.name) and info.size <= LARGEST_DECLARATION:
                stream = archive.extractfile(info)
                if stream is not None:
                    yield PurePosixPath(info.name).name, stream.read()


def _from_zip(file: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist()[:MOST_MEMBERS]:
            if _is_declaration(info.filename) and info.file_size <= LARGEST_DECLARATION:
                yield PurePosixPath(info.filename).name, archive.read(info)
