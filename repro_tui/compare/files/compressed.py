"""Compressed files (gzip, zlib as joblib writes it, bzip2, xz): what is inside is compared as its own kind of file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from repro_tui.compare.files.base import FileContent, FileDifferences, UnreadableError, same_bytes
from repro_tui.support.sizes import size_text

LARGEST = 1 << 30
DEEPEST = 3
READ, BLOCK = 1 << 16, 1 << 20  # bytes that are read, and unpacked, at once
EQUAL = "what is inside is equal, only the compression differs"
_SUFFIXES = (".gz", ".bz2", ".xz", ".z", ".zlib", ".lzma")


@dataclass(frozen=True, slots=True)
class Compressed:
    """One way to compress a file."""

    name: str
    magic: tuple[bytes, ...]
    blocks: Callable[[BufferedReader], Iterator[bytes]]

    def matches(self, content: FileContent) -> bool:
        """By its first bytes."""
        return content.head.startswith(self.magic)

    def compare(self, a: FileContent, b: FileContent, differences: FileDifferences) -> str:
        """Adds the differences of what is inside, as they would be if it were not compressed."""
        if differences.depth >= DEEPEST:
            raise UnreadableError("it is compressed several times")
        with tempfile.TemporaryDirectory(dir=differences.scratch) as folder:
            inside_a, inside_b = self._unpacked(a, Path(folder, "a")), self._unpacked(b, Path(folder, "b"))
            if same_bytes(inside_a, inside_b):
                return EQUAL
            differences.depth += 1
            return f"inside: {differences.inner(inside_a, inside_b, differences)}"

    def _unpacked(self, content: FileContent, target: Path) -> FileContent:
        size = 0
        try:
            with content.stream() as stream, target.open("xb") as out:
                for block in self.blocks(stream):
                    size += len(block)
                    if size > LARGEST:
                        raise UnreadableError(f"it has more than {size_text(LARGEST)} inside")
                    out.write(block)
        except (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
            raise UnreadableError(f"it cannot be decompressed ({str(error)[:120]})") from error
        named = Path(content.name)
        return FileContent(target, named.stem if named.suffix.lower() in _SUFFIXES else content.name)


def _gzip_blocks(stream: BufferedReader) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=stream) as unpacked:
        while block := unpacked.read(BLOCK):
            yield block


def _stream_blocks(
    decompressor_of: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor],
) -> Callable[[BufferedReader], Iterator[bytes]]:
    """What is in all streams of a file. What follows them is an error, which the readers of the library ignore."""

    def read(stream: BufferedReader) -> Iterator[bytes]:
        raw = stream.read(READ)
        while raw:
            decompressor = decompressor_of()
            while not decompressor.eof:
                if decompressor.needs_input and not raw and not (raw := stream.read(READ)):
                    raise EOFError("it ends within a block")
                yield decompressor.decompress(raw, BLOCK)
                raw = b""
            raw = decompressor.unused_data or stream.read(READ)

    return read


def _zlib_blocks(stream: BufferedReader) -> Iterator[bytes]:
    decompressor = zlib.decompressobj()
    pending = b""
    while not decompressor.eof:
        pending = decompressor.unconsumed_tail or stream.read(READ)
        if not pending:
            raise EOFError("it ends within a block")
        yield decompressor.decompress(pending, BLOCK)
    if decompressor.unused_data or stream.read(1):
        raise ValueError("more follows its end")


COMPRESSED = (
    Compressed("gzip", (b"\x1f\x8b\x08",), _gzip_blocks),
    Compressed("bzip2", (b"BZh",), _stream_blocks(bz2.BZ2Decompressor)),
    Compressed("xz", (b"\xfd7zXZ\0",), _stream_blocks(lzma.LZMADecompressor)),
    Compressed("zlib", (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), _zlib_blocks),
)
