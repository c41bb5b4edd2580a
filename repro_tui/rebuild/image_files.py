"""The files of an image, read as a stream of tar from a container that is made but never started."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

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
_HASHED = ("-packages/",)  # site-packages and dist-packages: what the packages' digests are made of


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
        elif any(part in path for part in _HASHED) and not path.endswith(".pyc"):
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


def read_image(client: DockerClient, image_id: str, context: Context) -> ImageView:
    """Reads an image's files. Nothing of it is executed, and nothing is written to disk."""
    container = client.api.create_container(
        image_id, command=["/never-started"], network_disabled=True, labels=audit_labels(context)
    )
    try:
        view = ImageView()
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
