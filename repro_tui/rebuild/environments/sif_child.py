"""The child process that reads the file system of a SIF image: `sif_child FILE OFFSET OUT [packages]`.

It writes the inventory to the file OUT as JSON or, with `packages`, the Python packages below the folder OUT. On
failure it prints one line that begins with `sif: ` and states the problem. It is a process of its own because the
library that parses SquashFS may need any amount of memory or time for a damaged image. Nothing is executed or mounted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from repro_tui.model.inventory import Inventory
from repro_tui.rebuild.environments.contents.image_files import ImageView, PackageFiles, Reader
from repro_tui.rebuild.environments.contents.inventory import inventory_of
from repro_tui.support.extras import bring_module
from repro_tui.support.hashes import digest_tree
from repro_tui.support.plain import write_json
from repro_tui.support.regular import open_regular
from repro_tui.support.text import show

UNREADABLE = 3
# Written by Apptainer about the build: it differs between builds of the same content.
_BUILD_METADATA = (".singularity.d/labels.json", ".singularity.d/Singularity")


class _Entry(Protocol):
    """A file, folder or link of the image, as the library gives it."""

    name: str
    mode: int
    size: int
    is_dir: bool
    is_file: bool
    is_symlink: bool

    def iterdir(self) -> Iterator[_Entry]: ...
    def iter_bytes(self) -> Iterator[bytes]: ...
    def readlink(self) -> object: ...


def main(arguments: Sequence[str]) -> int:
    """Reads the image at the offset, and writes the output. Returns the exit status."""
    path, offset, out = Path(arguments[0]), int(arguments[1]), Path(arguments[2])
    try:
        if list(arguments[3:]) == ["packages"]:
            _read(path, offset, PackageFiles(out))
        else:
            write_json(out, read_inventory(path, offset), indent=None)
    except ImportError as error:
        print(f"sif: {_unreadable_compression(error.name or '')}")
        return UNREADABLE
    except (MemoryError, RecursionError):
        print("sif: reading it needs more memory than the reader is allowed")
        return 1
    except Exception as error:  # noqa: BLE001  (the library raises any error on a damaged image)
        print("sif: " + show(f"{type(error).__name__}: {error}", 500))
        return 1
    return 0


def _unreadable_compression(module: str) -> str:
    """What to do where the module of the image's compression is absent. Of lz4 and lzo no installation helps."""
    if module == "zstandard":
        return f"it is compressed with zstd, whose decompressor is not installed: {bring_module(module)}"
    return f"its compression needs {module}, which is not supported: build it again with gzip or zstd"


def read_inventory(path: Path, offset: int) -> Inventory:
    """The inventory of the file system at this offset, in bytes, with one digest of all its contents."""
    view = ImageView()
    entries = _read(path, offset, view)
    inventory = inventory_of(view)
    content = digest_tree(entry for entry in entries if entry[0] not in _BUILD_METADATA)
    return replace(inventory, image={"content": f"{len(entries)} files and links, {content[:16]}"})


def _read(path: Path, offset: int, reader: Reader) -> list[tuple[str, str]]:
    """Hands every file to the reader. Returns the path of each with an identity of its content."""
    from PySquashfsImage import SquashFsImage
    from PySquashfsImage.file import File

    # The library assumes that file names are UTF-8, which they need not be.
    File.name = property(lambda file: file._name.decode("utf-8", "surrogateescape"))
    with open_regular(path) as stream, SquashFsImage(stream, offset, closefd=False) as image:
        return [(name, _add_file(reader, name, file)) for name, file in _walk(image.root)]


def _walk(root: _Entry) -> Iterator[tuple[str, _Entry]]:
    pending = [("", root)]
    while pending:
        prefix, folder = pending.pop()
        for file in folder.iterdir():
            if file.is_dir:
                pending.append((f"{prefix}{file.name}/", file))
            else:
                yield prefix + file.name, file


def _add_file(reader: Reader, name: str, file: _Entry) -> str:
    """Hands one file to the reader. Returns an identity of its content: link target, mode and sha256."""
    if file.is_symlink:
        return f"link {file.readlink()!r}"
    if not file.is_file:
        return f"special {file.mode:o} {file.size}"
    content = _Content(file.iter_bytes())
    reader.add_file(name, content, file.size)
    return f"{file.mode:o} {content.digest()}"


class _Content:
    """The bytes of a file as a stream, hashed as they are read."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._state = blocks, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next block, of whatever size; the whole rest if `size` is negative."""
        block = b"".join(self._blocks) if size < 0 else next(self._blocks, b"")
        self._state.update(block)
        return block

    def digest(self) -> str:
        """The sha256 of the whole file, which is read to its end."""
        while self.read(1):
            pass
        return self._state.hexdigest()
