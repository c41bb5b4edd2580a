"""Reads the files of an image as a tar stream, from a container that is created but never started.

An image can have two million files and tens of gigabytes, so one pass over the stream has to suffice and little may be
kept. `read_image` hands each entry to a Reader as it passes:

- `ImageView` keeps only small files that describe the image (metadata of packages, dpkg's status, os-release), and
  hashes the others. `files_of` then sorts the files: those of Python packages are compared with their package; those
  with the md5 that dpkg recorded become one digest per system package; caches, logs and the like are counted;
  everything else is "loose", the deployment's own code, models and settings, and is listed by path. For example,
  /usr/bin/ls with dpkg's md5 counts towards "coreutils (package)", /usr/bin/ls that somebody replaced is loose.
- `PackageFiles` writes the files of Python packages to a folder, to try other versions of them.

Nothing of the image is executed. The traps: a hard link comes after the file it names, so its content is copied from
what was kept; and in images with merged folders dpkg lists /bin/ls, while the file is in /usr/bin.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol, TypeVar

from repro_tui.clients.docker_engine import never_started
from repro_tui.model.errors import Inconclusive
from repro_tui.model.inventory import PythonPackage
from repro_tui.rebuild.environments.contents.databases import LARGEST_DATABASE, RPM_SQLITE, is_database
from repro_tui.rebuild.environments.contents.inventory import is_content
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_tree
from repro_tui.support.left_out import left_out

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
_KEPT = ("etc/passwd", "etc/os-release", "usr/lib/os-release", "opt/ml/model/MLmodel")
_IN_PACKAGES = "-packages/"  # site-packages and dist-packages, the files that package digests cover
# Where dpkg records the md5 of each file of a package.
_SUMS, _SUMS_END = "var/lib/dpkg/info/", ".md5sums"
PLAIN, PLAIN_FOLDER = ("", "0644 0:0", "0755 0:0"), "0755 0:0"
MOST_LISTED, FOLDER_DEPTH = 20_000, 3
MODE = 0o7777  # without the file type, which some engines include in the mode


class ImageView:
    """The regular files of an image: those that describe it are kept, those of Python packages are hashed.

    With `every`, all other files are hashed too, and their md5, modes, owners and symbolic links are noted. `volumes`
    are places of which it is noted whether there is anything.
    """

    def __init__(self, *, every: bool = False, volumes: Iterable[str] = ()) -> None:
        self._volumes = {path: f"{path.strip('/')}/" for path in volumes}
        self._filled = set[str]()
        self._every, self._links = every, dict[str, str]()
        self._sums, self._marks = dict[str, str](), dict[str, str]()
        self._kept: dict[str, bytes] = {}
        self._digests: dict[str, str] = {}
        self._paths: set[str] = set()

    def paths(self) -> Iterable[str]:
        """Every regular file."""
        return self._paths

    def read(self, path: str, limit: int = LARGEST_KEPT) -> bytes | None:
        """The content of a kept file; None for any other, and for one larger than `limit` bytes."""
        content = self._kept.get(path)
        return content if content is not None and len(content) <= limit else None

    def digest(self, path: str) -> str:
        """The sha256 of a file; "" for one that was not hashed."""
        return self._digests.get(path, "")

    def volumes(self) -> dict[str, bool]:
        """The volumes, and whether there is anything in them; one that is reached through a link counts as if."""
        return {path: path in self._filled or self._is_linked(path) for path in self._volumes}

    def _is_linked(self, path: str) -> bool:
        places = (path, *map(str, PurePosixPath(path).parents))
        return any(self._links.get(place.strip("/"), "").startswith("link to ") for place in places)

    def _note(self, path: str) -> None:
        for volume, prefix in self._volumes.items():
            if path.startswith(prefix) and path.strip("/") != prefix.strip("/"):
                self._filled.add(volume)

    def add_file(self, path: str, content: ByteStream, size: int, marks: str = "") -> None:
        """Reads one regular file of `size` bytes as it passes; `marks` are its mode and owner ("0644 0:0")."""
        self._note(path)
        self._paths.add(path)
        self._marks[path] = marks
        if len(self._paths) > MOST_FILES:
            raise Inconclusive(f"the image has more than {MOST_FILES:,} files", "build a smaller image")
        if size <= (LARGEST_DATABASE if path in RPM_SQLITE else LARGEST_KEPT) and _is_kept(path):
            self._kept[path] = content.read()
            self._hash(path, iter([self._kept[path]]))
        elif self._every or (_IN_PACKAGES in path and not path.endswith(".pyc")):
            self._hash(path, iter(lambda: content.read(1 << 20), b""))

    def _hash(self, path: str, chunks: Iterator[bytes]) -> None:
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        for chunk in chunks:
            sha256.update(chunk)
            if self._every:
                md5.update(chunk)
        self._digests[path] = sha256.hexdigest()
        if self._every:
            self._sums[path] = md5.hexdigest()

    def add_link(self, path: str, target: str) -> None:
        """Notes a hard link to a file that has passed."""
        self._note(path)
        self._paths.add(path)
        if target in self._kept:
            self._kept[path] = self._kept[target]
        for table in (self._digests, self._sums, self._marks):
            if target in table:
                table[path] = table[target]

    def add_symlink(self, path: str, target: str) -> None:
        """Notes a symbolic link."""
        self._note(path)
        self._links[path] = f"link to {target}"

    def add_folder(self, path: str, marks: str) -> None:
        """Notes a folder whose mode or owner is unusual."""
        self._note(path)
        if marks != PLAIN_FOLDER:
            self._links[f"{path}/"] = marks

    def is_plain(self, path: str) -> bool:
        """Whether the mode and owner of a file are those that installers set."""
        return self._marks.get(path, "") in PLAIN

    def link_of(self, path: str) -> str | None:
        """The target of a symbolic link, "" for a file, None where there is neither."""
        if path in self._links:
            return self._links[path].removeprefix("link to ")
        return "" if path in self._paths else None

    def restricted(self) -> Iterator[tuple[str, str]]:
        """The files that not everybody may read and the folders ("root/") that not everybody may enter, with marks.

        Programs that everybody may execute, but not read, such as sudo, are left out.
        """
        for path, marks in self._marks.items():
            if marks and not int(marks[:4], 8) & (stat.S_IROTH | stat.S_IXOTH):
                yield path, marks
        for path, marks in self._links.items():
            if path.endswith("/") and not int(marks[:4], 8) & stat.S_IXOTH:
                yield path, marks

    def md5(self, path: str) -> str:
        """The md5 of a file, which dpkg records for its packages; "" unless every file is hashed."""
        return self._sums.get(path, "")

    def contents(self) -> Iterator[tuple[str, str]]:
        """Each path and its content.

        Of hashed files that is their sha256, mode and owner, of symbolic links their target, and of folders with an
        unusual mode or owner these two.
        """
        yield from ((path, f"{digest} {self._marks[path]}".rstrip()) for path, digest in self._digests.items())
        yield from self._links.items()


def _is_kept(path: str) -> bool:
    summed = path.startswith(_SUMS) and path.endswith(_SUMS_END)
    return summed or path.endswith(_KEPT_ENDINGS) or path in _KEPT or is_database(path)


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """The files of an image that no Python package accounts for, and the number of files left out, by kind.

    `loose` maps each absolute path to its content, mode and owner: the deployment's own files (code, models, settings),
    changed files of packages, and one entry per system package, the digest of its unchanged files. More than
    MOST_LISTED paths are merged by folder: "/a/b/c/" maps to one digest of the files in it.
    """

    loose: dict[str, str]
    left_out: dict[str, int]


def files_of(view: ImageView, packages: dict[str, PythonPackage]) -> ImageFiles:
    """Sorts all files of an image: loose, part of a package, or left out.

    `packages` are the Python packages of the image; `view` must have been read with `every`.
    """
    in_packages = {f"{package.folder}/{path}" for package in packages.values() for path in package.files}
    folders = {package.folder for package in packages.values()}
    sums, paths = _package_sums(view), set(view.paths())
    loose, counts = dict[str, str](), dict[str, int]()
    whole: dict[str, list[tuple[str, str]]] = {}
    for path, content in view.contents():
        package, md5 = sums.get(path.removeprefix("usr/"), ("", ""))
        if kind := left_out(path, paths.__contains__):
            counts[kind] = counts.get(kind, 0) + 1
        elif md5 and md5 == view.md5(path):
            whole.setdefault(package, []).append((path, content))
        elif not (path in in_packages or _is_installer_note(path, folders)) or not view.is_plain(path):
            loose[f"/{path}"] = content
    loose = dict(sorted(loose.items())) if len(loose) <= MOST_LISTED else _by_folder(loose)
    return ImageFiles(loose | {f"{name} (package)": digest_tree(whole[name]) for name in sorted(whole)}, counts)


def _package_sums(view: ImageView) -> dict[str, tuple[str, str]]:
    """The dpkg package of each file and the md5 that it recorded, by path.

    A leading usr/ is removed from the path, because dpkg lists the files of merged folders by their old names.
    """
    owners = {}
    for path in view.paths():
        if path.startswith(_SUMS) and path.endswith(_SUMS_END):
            package = path.removeprefix(_SUMS).removesuffix(_SUMS_END).partition(":")[0]
            for line in (view.read(path) or b"").decode("utf-8", "replace").splitlines():
                md5, _, name = line.partition("  ")
                owners[name.removeprefix("usr/")] = (package, md5)
    return owners


def _is_installer_note(path: str, folders: set[str]) -> bool:
    """Whether a file is an installer's metadata of a Python package, which is compared with its package."""
    info = PurePosixPath(path).parent
    return info.suffix in (".dist-info", ".egg-info") and str(info.parent) in folders and not is_content(path)


def _by_folder(loose: dict[str, str]) -> dict[str, str]:
    folders: dict[str, list[tuple[str, str]]] = {}
    for path, digest in loose.items():
        parts = path.split("/")[1:-1][:FOLDER_DEPTH]
        folders.setdefault("/".join(["", *parts, ""]), []).append((path, digest))
    return {folder: digest_tree(entries) for folder, entries in sorted(folders.items())}


class PackageFiles:
    """Writes the files of an image's Python packages below a folder as they pass."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add_file(self, path: str, content: ByteStream, size: int, marks: str = "") -> None:
        """Writes one file. Bytecode is left out, because Python generates it again."""
        if _IN_PACKAGES not in path or path.endswith(".pyc") or ".." in PurePosixPath(path).parts:
            return
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            shutil.copyfileobj(content, out, 1 << 20)
        target.chmod(0o644)

    def add_link(self, path: str, target: str) -> None:
        """Writes a hard link to a file that has passed."""
        source = self.root / target
        if _IN_PACKAGES in path and ".." not in PurePosixPath(path + "/" + target).parts and source.is_file():
            new_name = self.root / path
            new_name.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, new_name)

    def add_symlink(self, path: str, target: str) -> None:
        """Ignores symbolic links: packages are installed without any."""

    def add_folder(self, path: str, marks: str) -> None:
        """Ignores folders: they are created for the files in them."""


class ByteStream(Protocol):
    """The content of a file that passes in the stream."""

    def read(self, size: int = -1, /) -> bytes:
        """About `size` bytes (from a SIF a block of any size), b"" at the end; the whole rest if `size` is negative."""
        ...


class Reader(Protocol):
    """Receives the entries of an image as they pass in the stream. Paths have no leading slash."""

    def add_file(self, path: str, content: ByteStream, size: int, marks: str = "") -> None:
        """Receives one regular file of `size` bytes; `marks` are its mode and owner ("0644 0:0")."""
        ...

    def add_link(self, path: str, target: str) -> None:
        """Receives a hard link; its target has passed."""
        ...

    def add_symlink(self, path: str, target: str) -> None:
        """Receives a symbolic link."""
        ...

    def add_folder(self, path: str, marks: str) -> None:
        """Receives a folder with its mode and owner."""
        ...


R = TypeVar("R", bound=Reader)


def view_image(client: DockerClient, image_id: str, context: Context, volumes: Iterable[str] = ()) -> ImageView:
    """Reads all files of an image, without writing anything to disk. Raises Inconclusive where they cannot be read."""
    return read_image(client, image_id, context, ImageView(every=True, volumes=volumes))


def read_image(client: DockerClient, image_id: str, context: Context, reader: R) -> R:
    """Hands the files of an image to a reader, which is returned. Nothing in the image is executed.

    Raises Inconclusive where the engine's archive cannot be read.
    """
    try:
        with never_started(client, image_id, context) as container:
            stream = _Stream(client.api.export(container), context.cancel)
            with tarfile.open(fileobj=stream, mode="r|", errorlevel=1) as archive:  # type: ignore[call-overload]
                _hand_over(archive, reader)
            stream.drain()
        return reader
    except tarfile.TarError as error:
        raise Inconclusive(
            f"the files of the image cannot be read: {error}", "remove the image, and pull or build it again"
        ) from error


def _hand_over(archive: tarfile.TarFile, reader: Reader) -> None:
    for member in archive:
        marks = f"{member.mode & MODE:04o} {member.uid}:{member.gid}"
        if member.isreg():
            content = archive.extractfile(member)
            assert content is not None  # as of every regular file
            reader.add_file(member.name.removeprefix("./"), content, member.size, marks)
        elif member.islnk():
            reader.add_link(member.name.removeprefix("./"), member.linkname.removeprefix("./"))
        elif member.issym():
            reader.add_symlink(member.name.removeprefix("./"), member.linkname)
        elif member.isdir():
            reader.add_folder(member.name.removeprefix("./"), marks)


class _Stream:
    """The chunks that the engine sends, as a file for tarfile to read from."""

    def __init__(self, chunks: Iterator[bytes], cancel: CancelToken) -> None:
        self._chunks, self._cancel, self._rest = chunks, cancel, b""

    def drain(self) -> None:
        """Reads the padding after the end of the archive, so that the connection can be reused."""
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
