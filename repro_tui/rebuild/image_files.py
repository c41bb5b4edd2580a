"""The files of an image, read as a stream of tar from a container that is made but never started."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from repro_tui.model.errors import Inconclusive
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.docker_engine import audit_labels

if TYPE_CHECKING:
    from docker import DockerClient

MOST_FILES = 2_000_000
LARGEST_KEPT = 16 << 20
_KEPT_ENDINGS = (
    ".dist-info/METADATA",
    ".dist-info/RECORD",
    ".dist-info/direct_url.json",
    ".egg-info/PKG-INFO",
    "/patchlevel.h",
    "pyvenv.cfg",
)
_KEPT = ("etc/os-release", "usr/lib/os-release", "var/lib/dpkg/status", "lib/apk/db/installed", "opt/ml/model/MLmodel")
_KEPT_BELOW = "var/lib/dpkg/status.d/"
_OF_PACKAGES = "-packages/"  # site-packages and dist-packages: what the packages' digests are made of


class ImageView:
    """The regular files of an image; those that describe it are kept, those of packages are hashed as they pass."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}
        self._digests: dict[str, str] = {}
        self._paths: set[str] = set()

    def paths(self) -> Iterable[str]:
        """Every regular file."""
        return self._paths

    def read(self, path: str, limit: int = LARGEST_KEPT) -> bytes | None:
        """A file that was kept."""
        found = self._kept.get(path)
        return found if found is not None and len(found) <= limit else None

    def digest(self, path: str) -> str:
        """A file's sha256; empty for one that is not of a package."""
        return self._digests.get(path, "")

    def take(self, path: str, content: Any, size: int) -> None:
        """Takes one file as it passes in the stream."""
        self._paths.add(path)
        if len(self._paths) > MOST_FILES:
            raise Inconclusive(f"the image has more than {MOST_FILES:,} files", "record a smaller image")
        if size <= LARGEST_KEPT and (path.endswith(_KEPT_ENDINGS) or path in _KEPT or path.startswith(_KEPT_BELOW)):
            self._kept[path] = content.read()
            self._digests[path] = hashlib.sha256(self._kept[path]).hexdigest()
        elif _OF_PACKAGES in path and not path.endswith(".pyc"):
            state = hashlib.sha256()
            while chunk := content.read(1 << 20):
                state.update(chunk)
            self._digests[path] = state.hexdigest()

    def link(self, path: str, target: str) -> None:
        """Takes a second name of a file that has passed."""
        self._paths.add(path)
        if target in self._kept:
            self._kept[path] = self._kept[target]
        if target in self._digests:
            self._digests[path] = self._digests[target]


class PackageFiles:
    """Writes the packages' files of an image below a folder, as they pass in the stream."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def take(self, path: str, content: Any, size: int) -> None:
        """Writes one file; byte code is left out, Python makes it anew."""
        if _OF_PACKAGES not in path or path.endswith(".pyc") or ".." in PurePosixPath(path).parts:
            return
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            shutil.copyfileobj(content, out, 1 << 20)
        target.chmod(0o644)

    def link(self, path: str, target: str) -> None:
        """A second name of a file that has passed."""
        source = self.root / target
        if _OF_PACKAGES in path and ".." not in PurePosixPath(path + "/" + target).parts and source.is_file():
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, place)


class Reader(Protocol):
    """Takes the files of an image as they pass in the stream."""

    def take(self, path: str, content: Any, size: int) -> None:
        """Takes one regular file."""
        ...

    def link(self, path: str, target: str) -> None:
        """Takes a second name of a file that has passed."""
        ...


R = TypeVar("R", bound=Reader)


def view_image(client: DockerClient, image_id: str, context: Context) -> ImageView:
    """What describes an image's files. Nothing is written to disk."""
    return read_image(client, image_id, context, ImageView())


def read_image(client: DockerClient, image_id: str, context: Context, view: R) -> R:
    """Hands an image's files to a reader. Nothing of the image is executed."""
    container = client.api.create_container(
        image_id, command=["/never-started"], network_disabled=True, labels=audit_labels(context)
    )
    try:
        stream = _Stream(client.api.export(container["Id"]), context.cancel)
        with tarfile.open(fileobj=stream, mode="r|", errorlevel=1) as archive:  # type: ignore[call-overload]
            for member in archive:
                if member.isreg():
                    view.take(member.name.removeprefix("./"), archive.extractfile(member), member.size)
                elif member.islnk():
                    view.link(member.name.removeprefix("./"), member.linkname.removeprefix("./"))
        stream.drain()
        return view
    except tarfile.TarError as error:
        raise Inconclusive(f"the files of the image cannot be read: {error}", "pull or build it again") from error
    finally:
        client.api.remove_container(container["Id"], force=True, v=True)


class _Stream:
    """The engine's chunks as a file to read from."""

    def __init__(self, chunks: Iterator[bytes], cancel: CancelToken) -> None:
        self._chunks, self._cancel, self._rest = chunks, cancel, b""

    def drain(self) -> None:
        """Reads the padding after the archive's end, so that the connection is given back."""
        for _ in self._chunks:
            self._cancel.check()

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only at the end."""
        parts, have = [self._rest], len(self._rest)
        while have < size:
            self._cancel.check()
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            parts.append(chunk)
            have += len(chunk)
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]
