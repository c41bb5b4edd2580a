"""Archives in zip's format (npz, PyTorch, Keras, wheels, jars): member by member, each as a file of its own kind.

Members are unpacked into a scratch folder, one at a time and within limits: the declared sizes are not trusted.
"""

from __future__ import annotations

import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from repro_tui.compare.files.base import FileContent, FileDifferences, UnreadableError
from repro_tui.model.finding import Change, Finding
from repro_tui.support.text import plural

MOST_MEMBERS = 10_000
LARGEST_MEMBER = 512 << 20
LARGEST_SUM = 4 << 30  # bytes that are unpacked of one archive
DEEPEST = 3
UNIX = 3  # the system whose modes a member has
EQUAL = "the members are equal, only the archive differs (such as their order, times, modes or compression)"
_ERRORS = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, ValueError, OSError, KeyError)


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip archive."""

    name: str = "zip"

    def matches(self, content: FileContent) -> bool:
        """By its first bytes."""
        return content.head.startswith((b"PK\3\4", b"PK\5\6"))

    def compare(self, a: FileContent, b: FileContent, differences: FileDifferences) -> str:
        """Adds a difference for each member that is on one side only, or whose content differs."""
        if differences.depth >= DEEPEST:
            raise UnreadableError("archives inside archives are only unpacked down to the third")
        with _opened(a) as archive_a, _opened(b) as archive_b:
            members_a, members_b = _members(archive_a), _members(archive_b)
            left = LARGEST_SUM
            shown = _shown_names(a, {*members_a, *members_b})
            for name in dict.fromkeys((*members_a, *members_b)):
                one_a, one_b = members_a.get(name), members_b.get(name)
                if one_a is None or one_b is None:
                    change: Change = "added" if one_a is None else "removed"
                    differences.add((shown[name],), change, _size(one_a), _size(one_b))
                    continue
                if _type(one_a) != _type(one_b):
                    note = f"{_type(one_a)} became {_type(one_b)}"
                    differences.add((shown[name],), "changed", _size(one_a), _size(one_b), note)
                left -= one_a.file_size + one_b.file_size
                if left < 0 or max(one_a.file_size, one_b.file_size) > LARGEST_MEMBER:
                    self._by_checksum(shown[name], one_a, one_b, differences)
                else:
                    _compare_member(shown[name], (archive_a, one_a), (archive_b, one_b), differences)
        return "" if differences.count else EQUAL

    def _by_checksum(self, name: str, a: zipfile.ZipInfo, b: zipfile.ZipInfo, differences: FileDifferences) -> None:
        same = (a.CRC, a.file_size) == (b.CRC, b.file_size)
        note = "too large to be unpacked; " + ("the checksums are the same" if same else "the checksums differ")
        differences.add((name,), "unknown" if same else "changed", _size(a), _size(b), note)


@contextmanager
def _opened(content: FileContent) -> Iterator[zipfile.ZipFile]:
    with content.stream() as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except _ERRORS as error:
            raise UnreadableError(_reason(error)) from error
        with archive:
            yield archive


def _reason(error: Exception) -> str:
    return f"it is not a complete archive ({(str(error).splitlines() or [type(error).__name__])[0][:120]})"


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise UnreadableError(f"it has more than {MOST_MEMBERS:,} members")
    names = {member.filename: member for member in members}
    if len(names) < len(members):
        raise UnreadableError("two of its members have the same name")
    if any(member.orig_filename != member.filename for member in members):  # the library cuts at the first zero byte
        raise UnreadableError("the name of a member has a zero byte")
    roots = {name.partition("/")[0] for name in names if "/" in name}
    inside = all("/" in name for name in names) and "data.pkl" in {name.rpartition("/")[2] for name in names}
    prefix = f"{roots.pop()}/" if len(roots) == 1 and inside else ""
    return {name.removeprefix(prefix): member for name, member in names.items()}  # PyTorch's is the file's own name


def _shown_names(archive: FileContent, names: set[str]) -> dict[str, str]:
    """The members by the names that are shown: an array of an npz by its own, unless another member has that."""
    short = {name: name.removesuffix(".npy") if archive.suffix == ".npz" else name for name in names}
    return {name: shown if shown == name or shown not in names else name for name, shown in short.items()}


def _type(member: zipfile.ZipInfo) -> str:
    """What a member is unpacked as."""
    kind = stat.S_IFMT(member.external_attr >> 16) if member.create_system == UNIX else 0
    return "a folder" if member.is_dir() else "a link" if kind == stat.S_IFLNK else "a file"


def _size(member: zipfile.ZipInfo | None) -> str | None:
    return None if member is None else plural(member.file_size, "byte")


Place = tuple[zipfile.ZipFile, zipfile.ZipInfo]


def _compare_member(name: str, a: Place, b: Place, differences: FileDifferences) -> None:
    with tempfile.TemporaryDirectory(dir=differences.scratch) as folder:
        try:
            same = _unpack(*a, Path(folder, "a")) == _unpack(*b, Path(folder, "b"))
        except _ERRORS as error:
            differences.add((name,), "unknown", _size(a[1]), _size(b[1]), f"not unpacked: {_reason(error)}")
            return
        if same:
            return
        contents = [FileContent(Path(folder, side), a[1].filename) for side in "ab"]
        compare_inside(name, contents[0], contents[1], differences)


def compare_inside(name: str, a: FileContent, b: FileContent, differences: FileDifferences) -> None:
    """Adds the difference of two contents inside a file: itself where it is one, else what is below their name."""
    inside = differences.below()
    note = "; ".join(filter(None, (differences.inner(a, b, inside), inside.left_out)))
    if [finding.path for finding in inside.kept] == [("array",)]:
        differences.add_finding(replace(inside.kept[0], path=(name,)))
        return
    size_a, size_b = (plural(side.size, "byte") for side in (a, b))
    differences.add_finding(Finding((name,), "changed", size_a, size_b, "notice", note, tuple(inside.kept)))


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> bytes:
    """Writes a member's bytes to a file; returns their digest. Raises one of _ERRORS."""
    from blake3 import blake3

    state = blake3()
    size = 0
    with archive.open(member) as stream, target.open("xb") as out:
        while block := stream.read(1 << 20):
            size += len(block)
            if size > LARGEST_MEMBER:
                raise ValueError("it is larger than its header says")
            state.update(block)
            out.write(block)
    return state.digest()
