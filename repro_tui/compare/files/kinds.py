"""The kinds of files, in the order in which they are tried: by content first, the last one takes anything."""

from __future__ import annotations

from pathlib import Path

from repro_tui.compare.files.archives import Archive
from repro_tui.compare.files.base import FileContent, FileDifferences, FileKind, UnreadableError, same_bytes
from repro_tui.compare.files.binary import Binary, kind_by_bytes
from repro_tui.compare.files.compressed import COMPRESSED
from repro_tui.compare.files.documents import DOCUMENTS
from repro_tui.compare.files.notebooks import Notebook
from repro_tui.compare.files.numpy_files import Npy
from repro_tui.compare.files.pickles import Pickle
from repro_tui.compare.files.safetensors_files import Safetensors
from repro_tui.compare.files.texts import Text
from repro_tui.support.text import plural, show

BINARY: FileKind = Binary()
TEXT: FileKind = Text()
KINDS: tuple[FileKind, ...] = (
    Npy(),
    Archive(),
    Safetensors(),
    Pickle(),
    *COMPRESSED,
    Notebook(),
    *DOCUMENTS,
    TEXT,
)


def compare_contents(a: FileContent, b: FileContent, differences: FileDifferences) -> str:
    """Adds the differences of two contents of any kind; returns a note on the whole.

    A kind that cannot read them is named in the note with the reason, and the next one is tried. Raises OSError.
    """
    reasons: list[str] = []
    for kind in (*KINDS, BINARY):
        if not (kind.matches(a) and kind.matches(b)):
            continue
        before = differences.count, len(differences.kept), differences.room[0]
        try:
            note = kind.compare(a, b, differences)
        except (UnreadableError, MemoryError) as error:
            reason = str(error) or "it needs too much memory"
            differences.count, differences.room[0] = before[0], before[2]
            del differences.kept[before[1] :]
            reasons.append(f"cannot be read as {kind.name}: {show(reason, 200)}")
            continue
        count = differences.count - before[0]
        counted = plural(count, "difference") if count and kind is not BINARY else ""
        return "; ".join(filter(None, (*_kinds(kind, a, b), note, counted, *reasons)))
    raise AssertionError("Binary takes any content")


def _kinds(kind: FileKind, a: FileContent, b: FileContent) -> list[str]:
    """What the two contents are; for bytes, the note says it, unless they are of two kinds."""
    if kind is not BINARY:
        return [kind.name]
    names = [next((kind.name for kind in KINDS if kind.matches(side)), kind_by_bytes(side)) for side in (a, b)]
    return [f"A is {names[0]}, B is {names[1]}"] if names[0] != names[1] else []


def opened(a: FileContent, b: FileContent, scratch: Path) -> tuple[str, FileDifferences]:
    """The differences of two versions of a file, and a note on the whole. Raises OSError."""
    differences = FileDifferences(scratch, compare_contents)
    if same_bytes(a, b):
        return "the same bytes", differences
    return compare_contents(a, b, differences), differences
