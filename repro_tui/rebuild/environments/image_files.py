"""The files of an image, read as a stream of tar from a container that is made but never started."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from repro_tui.clients.docker_engine import audit_labels
from repro_tui.model.errors import Inconclusive
from repro_tui.model.inventory import PythonPackage
from repro_tui.rebuild.environments.inventory import is_content
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
_KEPT = ("etc/os-release", "usr/lib/os-release", "var/lib/dpkg/status", "lib/apk/db/installed", "opt/ml/model/MLmodel")
_KEPT_BELOW = "var/lib/dpkg/status.d/"
_OF_PACKAGES = "-packages/"  # site-packages and dist-packages: what the packages' digests are made of
# Where a package manager writes down the md5 of each of its files.
_SUMS, _SUMS_END = "var/lib/dpkg/info/", ".md5sums"
PLAIN, PLAIN_FOLDER = ("", "0644 0:0", "0755 0:0"), "0755 0:0"
MOST_LISTED, FOLDER_DEPTH = 20_000, 3
MODE = 0o7777  # without the type of the file, which engines write along


class ImageView:
    """The regular files of an image; those that describe it are kept, those of packages are hashed as they pass.

    `every`: all others are hashed too, and modes, owners and symbolic links are noted.
    """

    def __init__(self, *, every: bool = False) -> None:
        self._every, self._links = every, dict[str, str]()
        self._sums, self._marks = dict[str, str](), dict[str, str]()
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
        """A file's sha256; empty for one that was not to be hashed."""
        return self._digests.get(path, "")

    def take(self, path: str, content: Any, size: int, marks: str = "") -> None:
        """Takes one file as it passes in the stream; `marks` are its mode and owner."""
        self._paths.add(path)
        self._marks[path] = marks
        if len(self._paths) > MOST_FILES:
            raise Inconclusive(f"the image has more than {MOST_FILES:,} files", "record a smaller image")
        if size <= LARGEST_KEPT and _is_kept(path):
            self._kept[path] = content.read()
            self._hash(path, iter([self._kept[path]]))
        elif self._every or (_OF_PACKAGES in path and not path.endswith(".pyc")):
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

    def link(self, path: str, target: str) -> None:
        """Takes a second name of a file that has passed."""
        self._paths.add(path)
        if target in self._kept:
            self._kept[path] = self._kept[target]
        for known in (self._digests, self._sums, self._marks):
            if target in known:
                known[path] = known[target]

    def symlink(self, path: str, target: str) -> None:
        """Takes a symbolic link."""
        self._links[path] = f"link to {target}"

    def folder(self, path: str, marks: str) -> None:
        """Takes a folder with its mode and owner."""
        if marks != PLAIN_FOLDER:
            self._links[f"{path}/"] = marks

    def is_plain(self, path: str) -> bool:
        """Whether a file's mode and owner are those that installers give."""
        return self._marks.get(path, "") in PLAIN

    def md5(self, path: str) -> str:
        """A file's md5, by which packages know theirs; "" where not every file is hashed."""
        return self._sums.get(path, "")

    def contents(self) -> Iterator[tuple[str, str]]:
        """Every file that was hashed with its sha256, mode and owner, every symbolic link with where it leads, and each
        folder of another mode or owner than most have."""
        yield from ((path, f"{digest} {self._marks[path]}".rstrip()) for path, digest in self._digests.items())
        yield from self._links.items()


def _is_kept(path: str) -> bool:
    summed = path.startswith(_SUMS) and path.endswith(_SUMS_END)
    return summed or path.endswith(_KEPT_ENDINGS) or path in _KEPT or path.startswith(_KEPT_BELOW)


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """The files of an image that no package accounts for, and of each kind that was left out how many.

    `loose` is absolute path to content, mode and owner: the deployment's own files (code, models, settings), those of
    packages that were changed, and one entry for each package of the system, of all files that are as it brought them.
    More than MOST_LISTED are told by folder, "/a/b/c/" to one digest of the files in it.
    """

    loose: dict[str, str]
    left_out: dict[str, int]


def files_of(view: ImageView, packages: dict[str, PythonPackage]) -> ImageFiles:
    """The image's files, all of them: by themselves, as a package's, or as left out."""
    in_packages = {f"{package.folder}/{path}" for package in packages.values() for path in package.files}
    folders = {package.folder for package in packages.values()}
    sums, paths = _sums(view), set(view.paths())
    loose, counts = dict[str, str](), dict[str, int]()
    whole: dict[str, list[tuple[str, str]]] = {}
    for path, content in view.contents():
        package, md5 = sums.get(path.removeprefix("usr/"), ("", ""))
        if kind := left_out(path, paths.__contains__):
            counts[kind] = counts.get(kind, 0) + 1
        elif md5 and md5 == view.md5(path):
            whole.setdefault(package, []).append((path, content))
        elif not (path in in_packages or _is_note(path, folders)) or not view.is_plain(path):
            loose[f"/{path}"] = content
    loose = dict(sorted(loose.items())) if len(loose) <= MOST_LISTED else _by_folder(loose)
    return ImageFiles(loose | {f"{name} (package)": digest_tree(whole[name]) for name in sorted(whole)}, counts)


def _sums(view: ImageView) -> dict[str, tuple[str, str]]:
    """Which package of dpkg brought a file, and its md5, by path; with usr/ taken off, since merged folders are listed
    by their old names."""
    found = {}
    for path in view.paths():
        if path.startswith(_SUMS) and path.endswith(_SUMS_END):
            package = path.removeprefix(_SUMS).removesuffix(_SUMS_END).partition(":")[0]
            for line in (view.read(path) or b"").decode("utf-8", "replace").splitlines():
                md5, _, name = line.partition("  ")
                found[name.removeprefix("usr/")] = (package, md5)
    return found


def _is_note(path: str, folders: set[str]) -> bool:
    """Whether a file is the installer's own note of a package of Python, which is compared with its package."""
    info = PurePosixPath(path).parent
    return info.suffix in (".dist-info", ".egg-info") and str(info.parent) in folders and not is_content(path)


def _by_folder(loose: dict[str, str]) -> dict[str, str]:
    folders: dict[str, list[tuple[str, str]]] = {}
    for path, digest in loose.items():
        parts = path.split("/")[1:-1][:FOLDER_DEPTH]
        folders.setdefault("/".join(["", *parts, ""]), []).append((path, digest))
    return {folder: digest_tree(entries) for folder, entries in sorted(folders.items())}


class PackageFiles:
    """Writes the packages' files of an image below a folder, as they pass in the stream."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def take(self, path: str, content: Any, size: int, marks: str = "") -> None:
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

    def symlink(self, path: str, target: str) -> None:
        """Leaves symbolic links out: packages are installed without any."""

    def folder(self, path: str, marks: str) -> None:
        """Leaves folders to the files in them."""


class Reader(Protocol):
    """Takes the files of an image as they pass in the stream."""

    def take(self, path: str, content: Any, size: int, marks: str = "") -> None:
        """Takes one regular file; `marks` are its mode and owner."""
        ...

    def link(self, path: str, target: str) -> None:
        """Takes a second name of a file that has passed."""
        ...

    def symlink(self, path: str, target: str) -> None:
        """Takes a symbolic link."""
        ...

    def folder(self, path: str, marks: str) -> None:
        """Takes a folder with its mode and owner."""
        ...


R = TypeVar("R", bound=Reader)


def view_image(client: DockerClient, image_id: str, context: Context) -> ImageView:
    """What describes an image's files. Nothing is written to disk."""
    return read_image(client, image_id, context, ImageView(every=True))


def read_image(client: DockerClient, image_id: str, context: Context, view: R) -> R:
    """Hands an image's files to a reader. Nothing of the image is executed."""
    container = client.api.create_container(
        image_id, command=["/never-started"], network_disabled=True, labels=audit_labels(context)
    )
    try:
        stream = _Stream(client.api.export(container["Id"]), context.cancel)
        with tarfile.open(fileobj=stream, mode="r|", errorlevel=1) as archive:  # type: ignore[call-overload]
            for member in archive:
                marks = f"{member.mode & MODE:04o} {member.uid}:{member.gid}"
                if member.isreg():
                    view.take(member.name.removeprefix("./"), archive.extractfile(member), member.size, marks)
                elif member.islnk():
                    view.link(member.name.removeprefix("./"), member.linkname.removeprefix("./"))
                elif member.issym():
                    view.symlink(member.name.removeprefix("./"), member.linkname)
                elif member.isdir():
                    view.folder(member.name.removeprefix("./"), marks)
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
