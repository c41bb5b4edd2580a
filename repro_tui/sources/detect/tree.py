"""The files of a commit below one folder, as text. Whatever cannot be read is listed, and never stops the detection."""

from __future__ import annotations

import codecs
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from repro_tui.clients.git import Repository
from repro_tui.clients.git.tree import FILE, PROGRAM, in_folder
from repro_tui.formats.documents import parse_document
from repro_tui.model.errors import Refused
from repro_tui.model.workspace import TreeFile
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show

LARGEST_TEXT = 1 << 20
LARGEST_YAML = 128 << 10  # a larger one takes seconds to parse
MOST_READ = 3_000
OUTSIDE = 100  # the distance from which a folder is neither the code's own nor above it
# Folders that hold other people's code, or what a build made.
FOREIGN = frozenset({"node_modules", "site-packages", "venv", ".venv", "env", ".tox", "dist-packages", "vendor"})
_UNSAFE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_READ_ENDINGS = (".py", ".ipynb", ".toml", ".txt", ".cfg", ".yml", ".yaml", ".json", ".dvc", ".lock", ".in")
_READ_NAMES = frozenset({"MLproject", "Pipfile", "Dockerfile", ".python-version"})


@dataclass(slots=True)
class ProjectTree:
    """The regular files of a commit below `folder` ("." is the whole tree), by their path below it.

    `unsafe` counts the names that no record can hold (control characters, bytes that are not UTF-8); `unread` has the
    files that could not be understood, each with the reason.
    """

    repository: Repository
    commit: str
    folder: str = "."
    files: dict[str, TreeFile] = field(default_factory=dict)
    unsafe: int = 0
    unread: dict[str, str] = field(default_factory=dict)
    _content: dict[str, bytes] | None = None
    _tables: dict[str, dict[str, object]] = field(default_factory=dict)

    @classmethod
    def at(cls, repository: Repository, commit: str, folder: str = ".") -> ProjectTree:
        """The tree of a commit. Raises Inconclusive where the commit cannot be read."""
        tree = cls(repository, commit, posixpath.normpath(folder))
        prefix = "" if tree.folder == "." else f"{tree.folder}/"
        for path, file in in_folder(repository.files(commit), tree.folder).items():
            inside = path.removeprefix(prefix)
            if _UNSAFE.search(inside):
                tree.unsafe += 1
            elif file.mode in (FILE, PROGRAM) and not FOREIGN.intersection(inside.split("/")[:-1]):
                tree.files[inside] = file
        return tree

    def named(self, *names: str) -> list[str]:
        """The paths of the files with one of these names, the nearest to the root first."""
        return sorted((path for path in self.files if basename(path) in names), key=depth_first)

    def ending(self, *endings: str) -> list[str]:
        """The paths of the files with one of these endings (lower case), the nearest to the root first."""
        return sorted((path for path in self.files if path.lower().endswith(endings)), key=depth_first)

    def content(self, path: str) -> bytes:
        """The bytes of a small file; b"" of one that is not there, too large, or one of too many."""
        if self._content is None:
            self._content = self._read_all()
        if path not in self._content and not _is_wanted(path) and self._is_small(path):
            self._content |= self._read([path])
        return self._content.get(path, b"")

    def _is_small(self, path: str) -> bool:
        return path in self.files and self.files[path].size <= LARGEST_TEXT

    def head(self, path: str, largest: int) -> bytes:
        """The bytes of a file of at most `largest` bytes; b"" of a larger one."""
        return self._read([path]).get(path, b"") if self.files[path].size <= largest else b""

    def text(self, path: str) -> str:
        """The text of a small file in UTF-8 or, by its byte-order mark, in UTF-16 or UTF-32."""
        return decoded(self.content(path))

    def table(self, path: str, suffix: str = "") -> dict[str, object]:
        """The table in a TOML, YAML or JSON file; empty, and listed as unread, where it is not one."""
        if path not in self._tables:
            self._tables[path] = self._parsed(path, suffix or _suffix(path))
        return self._tables[path]

    def _parsed(self, path: str, suffix: str) -> dict[str, object]:
        if suffix in (".yaml", ".yml") and len(self.content(path)) > LARGEST_YAML:
            self.unread[path] = f"is larger than {size_text(LARGEST_YAML)}"
            return {}
        try:
            return parse_document(self.text(path).encode("utf-8", "replace"), suffix, basename(path))
        except Refused as error:
            self.unread[path] = "; ".join(mistake.message for mistake in error.mistakes)
            return {}

    def _read_all(self) -> dict[str, bytes]:
        """All small files that the detection may want, read by one process."""
        return self._read(list(self._wanted()))

    def _wanted(self) -> Iterator[str]:
        count = 0
        for path in sorted(self.files, key=depth_first):
            if _is_wanted(path) and self._is_small(path):
                count += 1
                if count > MOST_READ:
                    self.unread[f"files beyond the first {MOST_READ:,}"] = "were not read"
                    return
                yield path

    def _read(self, paths: list[str]) -> dict[str, bytes]:
        prefix = "" if self.folder == "." else f"{self.folder}/"
        chosen = {f"{prefix}{path}": self.files[path] for path in paths}
        blobs = self.repository.read_files(self.commit, chosen)
        return {path.removeprefix(prefix): content for path, content in blobs.items()}


def _is_wanted(path: str) -> bool:
    """Whether a file is read together with all others of its kind, and never by itself."""
    return path.endswith(_READ_ENDINGS) or basename(path) in _READ_NAMES


def decoded(content: bytes) -> str:
    """Bytes as text: by the byte-order mark, else UTF-8."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    return content.decode(encoding, "replace")


def basename(path: str) -> str:
    """The last part of a path."""
    return path.rpartition("/")[2]


def parent(path: str) -> str:
    """The folder of a path; "." at the root."""
    return path.rpartition("/")[0] or "."


def depth_first(path: str) -> tuple[int, str]:
    """Sorts what is nearest to the root first."""
    return path.count("/"), path


def distance(folder: str, code: str) -> int:
    """How far a folder is from the code: 0 is the same, then the folders above it, then all others."""
    if folder == code:
        return 0
    parts = [] if folder == "." else folder.split("/")
    own = [] if code == "." else code.split("/")
    if own[: len(parts)] == parts:
        return len(own) - len(parts)
    shared = next((n for n, (a, b) in enumerate(zip(parts, own, strict=False)) if a != b), min(len(parts), len(own)))
    return OUTSIDE + len(parts) + len(own) - 2 * shared


def shown(path: str) -> str:
    """A path for a message."""
    return show(path, 120)


def _suffix(path: str) -> str:
    name = basename(path)
    if name.endswith((".lock", ".dvc")) or name == "MLproject":
        return ".yaml"
    return f".{name.rpartition('.')[2]}" if "." in name else ".toml"
