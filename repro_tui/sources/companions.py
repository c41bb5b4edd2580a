"""Copies the files that a record names into a folder next to the record file that is being written."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repro_tui.model.errors import Refused
from repro_tui.model.record import LOCAL_KINDS, DataItem, Environment, Missing, Record
from repro_tui.support import grammar
from repro_tui.support.cache import remove_tree
from repro_tui.support.hashes import digest_file, digest_tree
from repro_tui.support.paths import beside_record, real_path
from repro_tui.support.regular import copy_regular
from repro_tui.support.text import show
from repro_tui.support.walks import walk


@dataclass(slots=True)
class Companions:
    """Assigns each named file a path below `folder`, the folder of the record file that is being written.

    A file that is already in that folder (and not in the cache) is named where it is. Any other file is copied to the
    subfolder `name` ("prod.files"); if `name` is empty, nothing can be copied and the file is reported as missing.
    `copies` maps each target, relative to `folder`, to the file that `write` will copy there.
    """

    folder: Path
    name: str
    cache: Path
    copies: dict[str, Path] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)

    def locate(self, field: str, path: Path) -> str | None:
        """The path by which the written record can name a file; None where it cannot, which is recorded as missing."""
        real = real_path(path)
        if real.is_relative_to(self.folder) and not real.is_relative_to(real_path(self.cache)):
            return str(real.relative_to(self.folder))
        if not self.name:
            self.missing.append(
                Missing(field, f"{real.name} is outside the current folder", "pass -o FILE: it is then copied")
            )
            return None
        known = next((target for target, source in self.copies.items() if source == real), None)
        target = known or self._free(real.name)
        self.copies[target] = real
        return target

    def _free(self, name: str) -> str:
        stem, dot, suffix = name.partition(".")
        target, number = f"{self.name}/{name}", 2
        while target in self.copies:
            target, number = f"{self.name}/{stem}-{number}{dot}{suffix}", number + 1
        return target

    def write(self) -> None:
        """Copies the files. The folder is replaced as a whole: a failure leaves the previous one in place."""
        if not self.copies:
            return
        target, staging = self.folder / self.name, self.folder / f".{self.name}.{os.getpid()}.tmp"
        previous = self.folder / f".{self.name}.{os.getpid()}.old"
        try:
            staging.mkdir(mode=0o755)
            for relative, source in self.copies.items():
                _copy(source, staging / Path(relative).name)
            if target.exists():
                target.rename(previous)
            staging.rename(target)
            _discard(previous)
        except BaseException:
            if previous.exists() and not target.exists():
                previous.rename(target)
            raise
        finally:
            _discard(staging)


def _discard(folder: Path) -> None:
    with contextlib.suppress(OSError):
        remove_tree(folder)


def _copy(source: Path, target: Path) -> None:
    if not source.is_dir():
        copy_regular(source, target)
        return
    target.mkdir()
    for name, entry in walk(source):
        if entry.is_symlink():
            shown = show(entry.path, 300)
            raise Refused(f"{shown} is a symbolic link, which cannot be copied: replace it with the file itself")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        copy_regular(Path(entry.path), target / name)


def relocated(record: Record, companions: Companions) -> Record:
    """The record with every path relative to the folder of the record file that is being written."""
    validation, expected = record.validation, record.expected
    if validation.inputs:
        relative = companions.locate("validation.inputs", Path(validation.inputs))
        validation = replace(validation, inputs=relative, sha256=validation.sha256 if relative else None)
    if expected.predictions:
        relative = companions.locate("expected.predictions", Path(expected.predictions))
        expected = replace(expected, predictions=relative)
    record = _measured(record, companions)
    data = [_data(number, item, record, companions) for number, item in enumerate(record.data)]
    return replace(
        record,
        validation=validation,
        expected=expected,
        code=record.code and replace(record.code, repository=_repository(record.code.repository, companions.folder)),
        environment=_environment(record, companions),
        data=tuple(item for item in data if item is not None),
    )


def _measured(record: Record, companions: Companions) -> Record:
    """The record with the current sha256 of each local data item that has no recorded hash."""
    unhashed = {item.field for item in record.missing}
    data, provenance = list(record.data), dict(record.provenance)
    for number, item in enumerate(record.data):
        hash_field, path = f"data.{number}.sha256", _on_this_machine(item.source)
        if hash_field in unhashed and path is not None and companions.name:
            data[number] = replace(item, sha256=_digest(path))
            provenance[hash_field] = f"the file {path}, hashed when this record was written"
    missing = tuple(item for item in record.missing if provenance.get(item.field) == record.provenance.get(item.field))
    return replace(record, data=tuple(data), provenance=provenance, missing=missing)


def _on_this_machine(source: str) -> Path | None:
    path = Path(source.removeprefix("file://"))
    return path if source.startswith("file:///") and path.exists() else None


def _digest(path: Path) -> str:
    if path.is_file():
        return digest_file(path).sha256
    return digest_tree((name, digest_file(Path(entry.path)).sha256) for name, entry in walk(path))


def _environment(record: Record, companions: Companions) -> Environment:
    environment = record.environment
    changes: dict[str, Any] = {}
    for name in LOCAL_KINDS:
        value = getattr(environment, name)
        if value and value.startswith("file:"):
            field = f"environment.{name}"
            relative = companions.locate(field, _below(record, field, value.removeprefix("file:")))
            changes[name] = f"file:{relative}" if relative else None
    if environment.sif:
        changes["sif"] = companions.locate("environment.sif", _below(record, "environment.sif", environment.sif))
    return replace(environment, **changes)


def _data(number: int, item: DataItem, record: Record, companions: Companions) -> DataItem | None:
    scheme, _, rest = item.source.partition(":")
    if scheme == "wandb":
        return replace(item, source=f"wandb:{_run_folder(rest, companions.folder)}")
    if item.source != "file" and scheme not in ("file", "local"):
        return item
    field = f"data.{number}.source"
    if item.source.startswith("file:///") and not (companions.name and _on_this_machine(item.source)):
        return item  # dropping it would silently run with the copy inside the image
    rest = rest.removeprefix("//")
    path = Path(rest) if rest.startswith("/") else _below(record, field, rest or item.path)
    relative = companions.locate(field, path)
    if relative is None:
        return None
    return replace(item, source="file" if relative == item.path else f"file:{relative}")


def _run_folder(location: str, folder: Path) -> str:
    """The folder of an offline run, as a relative path if it is below the record: both can then be moved together."""
    run, mark, name = location.rpartition("#")
    if not mark or not real_path(Path(run)).is_relative_to(folder):
        return location
    return f"{real_path(Path(run)).relative_to(folder)}#{name}"


def _below(record: Record, field: str, relative: str) -> Path:
    try:
        return beside_record(record.base, relative)
    except ValueError as error:
        raise Refused(f"{field}: {error}") from error


def _repository(location: str, folder: Path) -> str:
    """A repository as a relative path if it contains, or is below, the record: both can then be moved together."""
    if grammar.is_remote(location):
        return location
    path = real_path(Path(location))
    if not (path.is_relative_to(folder) or folder.is_relative_to(path)):
        return str(path)
    relative = os.path.relpath(path, folder)
    return f"./{relative}" if grammar.is_remote(relative) else relative
