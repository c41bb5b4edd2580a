"""Any two files: their sizes, what they are by their first bytes, the first byte that differs, and how many do."""

from __future__ import annotations

from dataclasses import dataclass

from repro_tui.compare.files.base import FileContent, FileDifferences, blocks
from repro_tui.support.text import part, plural

SHOWN = 16  # bytes around the first that differs
_MAGIC = (
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"GGUF", "GGUF"),
    (b"SQLite format 3\0", "SQLite"),
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"PK\x03\x04", "zip"),
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"ORC", "ORC"),
    (b"\x7fELF", "ELF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"%PDF", "PDF"),
    (b"RIFF", "RIFF"),
    (b"\x93NUMPY", "npy"),
    (b"CBM1", "CatBoost"),
)
_SUFFIXES = {".onnx": "ONNX", ".pb": "protocol buffers", ".tflite": "TensorFlow Lite", ".pt": "PyTorch"}


def kind_by_bytes(content: FileContent) -> str:
    """What a file is by its first bytes: `HDF5`, `text`, else `binary`."""
    head = content.head
    if not head:
        return "empty"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[4:8] == b"TFL3":
        return "TensorFlow Lite"
    if head[257:262] == b"ustar":
        return "tar"
    if head[:1] == b"\x80" and head[1:2] in b"\2\3\4\5":
        return "pickle"
    return "text" if is_text(content) else _SUFFIXES.get(content.suffix, "binary")


def is_text(content: FileContent) -> bool:
    """Whether the first bytes are text: UTF-8, or a single-byte encoding without control characters."""
    head = content.head
    if b"\0" in head:
        return False
    controls = sum(byte < 32 and byte not in b"\t\n\v\f\r\x1b" for byte in head)
    if controls * 50 > len(head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end < len(head) - 4:  # else a character is cut
            return controls == 0 and sum(byte > 127 for byte in head) * 3 < len(head)
    return True


@dataclass(frozen=True, slots=True)
class Binary:
    """The last resort, which takes any file."""

    name: str = "bytes"

    def matches(self, content: FileContent) -> bool:
        """Always."""
        return True

    def compare(self, a: FileContent, b: FileContent, differences: FileDifferences) -> str:
        """Adds the first byte that differs, with those around it; the note has how many do, and both sizes."""
        first, differing = _count(a, b)
        kinds = dict.fromkeys(kind_by_bytes(side) for side in (a, b))
        note = " and ".join(kinds)
        same_size = a.size == b.size
        note += f", {plural(a.size, 'byte')} on both sides" if same_size else f", {a.size:,} and {b.size:,} bytes"
        if first is None:
            return f"{note}: the same bytes"
        if first == min(a.size, b.size):
            longer, more = ("A", a.size - b.size) if a.size > b.size else ("B", b.size - a.size)
            count = f"{longer} has {plural(more, 'more byte')} at its end"
        else:
            share = part(differing / max(1, min(a.size, b.size)))
            verb = "differs" if differing == 1 else "differ"
            count = f"{plural(differing, 'byte')} {verb} ({share} of those at the same place)"
        differences.add((f"byte {first:,}",), "changed", _around(a, first), _around(b, first), count)
        return note


def _count(a: FileContent, b: FileContent) -> tuple[int | None, int]:
    """The place of the first byte that differs (None: there is none), and the number of those at the same place."""
    import numpy as np

    first: int | None = None
    differing = place = 0
    with a.stream() as stream_a, b.stream() as stream_b:
        for block_a, block_b in blocks(stream_a, stream_b):
            shorter = min(len(block_a), len(block_b))
            if block_a != block_b:
                unequal = np.frombuffer(block_a, "u1", shorter) != np.frombuffer(block_b, "u1", shorter)
                differing += int(np.count_nonzero(unequal))
                if first is None:
                    first = place + (int(np.argmax(unequal)) if unequal.any() else shorter)
            place += shorter
            if shorter < max(len(block_a), len(block_b)):
                break
    return first, differing


def _around(content: FileContent, place: int) -> str | None:
    """The bytes at a place as hex; None where the file has ended there."""
    with content.stream() as stream:
        stream.seek(place)
        raw = stream.read(SHOWN)
    if not raw:
        return None
    return raw.hex(" ") + (" …" if place + len(raw) < content.size else "")
