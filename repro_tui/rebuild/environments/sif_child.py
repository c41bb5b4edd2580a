"""The child that reads a SIF's file system: the arguments are FILE OFFSET OUT [packages].

Writes the inventory of what it holds to OUT as JSON, or its Python packages below the folder OUT, or prints one line
that begins with `sif: ` and says what is wrong. Nothing of it is executed or mounted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from repro_tui.model.inventory import Inventory
from repro_tui.rebuild.environments.image_files import ImageView, PackageFiles, Reader
from repro_tui.rebuild.environments.inventory import inventory_of
from repro_tui.support.hashes import digest_tree
from repro_tui.support.plain import write_json
from repro_tui.support.text import show

UNREADABLE = 3
# What Apptainer writes of the build: it differs between builds of one content.
_OF_THE_BUILD = (".singularity.d/labels.json", ".singularity.d/Singularity")


def main(arguments: Sequence[str]) -> int:
    """Reads the first argument, writes the third."""
    path, offset, out = Path(arguments[0]), int(arguments[1]), Path(arguments[2])
    try:
        if list(arguments[3:]) == ["packages"]:
            _read(path, offset, PackageFiles(out))
        else:
            write_json(out, read_inventory(path, offset), indent=None)
    except ImportError as error:
        print(f"sif: its compression needs {error.name}: install it with  pip install 'repro-tui[sif]'")
        return UNREADABLE
    except (MemoryError, RecursionError):
        print("sif: reading it takes more memory than the limit of its reader")
        return 1
    except Exception as error:  # noqa: BLE001  (the library raises whatever a damaged image makes of it)
        print("sif: " + show(f"{type(error).__name__}: {error}", 500))
        return 1
    return 0


def read_inventory(path: Path, offset: int) -> Inventory:
    """What the file system at this offset (bytes) of a file holds, and one digest of all of it."""
    view = ImageView()
    entries = _read(path, offset, view)
    found = inventory_of(view)
    content = digest_tree(entry for entry in entries if entry[0] not in _OF_THE_BUILD)
    return replace(found, image={"content": f"{len(entries)} files and links, {content[:16]}"})


def _read(path: Path, offset: int, reader: Reader) -> list[tuple[str, str]]:
    """Hands every file to the reader; returns their names, each with what tells it from another."""
    from PySquashfsImage import SquashFsImage
    from PySquashfsImage.file import File

    # A file's name need not be UTF-8, which the library takes for granted.
    File.name = property(lambda file: file._name.decode("utf-8", "surrogateescape"))
    with path.open("rb") as stream, SquashFsImage(stream, offset, closefd=False) as image:
        return [(name, _take(reader, name, file)) for name, file in _walk(image.root)]


def _walk(root: Any) -> Iterator[tuple[str, Any]]:
    pending = [("", root)]
    while pending:
        prefix, folder = pending.pop()
        for file in folder.iterdir():
            if file.is_dir:
                pending.append((f"{prefix}{file.name}/", file))
            else:
                yield prefix + file.name, file


def _take(view: Reader, name: str, file: Any) -> str:
    """Hands one file to the view; returns what tells it from another."""
    if file.is_symlink:
        return f"link {file.readlink()!r}"
    if not file.is_file:
        return f"special {file.mode:o} {file.size}"
    content = _Content(file.iter_bytes())
    view.take(name, content, file.size)
    return f"{file.mode:o} {content.digest()}"


class _Content:
    """A file's bytes as a stream to read from, hashed as they pass."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._state = blocks, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next block, whatever its size; all of them without a size."""
        found = b"".join(self._blocks) if size < 0 else next(self._blocks, b"")
        self._state.update(found)
        return found

    def digest(self) -> str:
        """The sha256 of all of it."""
        while self.read(1):
            pass
        return self._state.hexdigest()
