"""The files that a record names, from where its source keeps them to beside the record that is written."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repro_tui.model.errors import Refused
from repro_tui.model.record import DataItem, Environment, Missing, Record
from repro_tui.support import grammar
from repro_tui.support.cache import walk
from repro_tui.support.hashes import digest_file, digest_tree
from repro_tui.support.paths import resolve_inside
from repro_tui.support.text import show


@dataclass(slots=True)
class Companions:
    """Gives every named file a path below the folder of the record that is written.

    What lies there already, outside of the cache, keeps its place; all else is copied to `name` ("prod.files"), or is
    missing where nothing can be written beside the record (`name` is empty).
    """

    folder: Path
    name: str
    cache: Path
    copies: dict[str, Path] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)

    def place(self, place: str, path: Path) -> str | None:
        """The file's path in the written record; None where it cannot be named there."""
        real = path.resolve()
        if real.is_relative_to(self.folder) and not real.is_relative_to(self.cache.resolve()):
            return str(real.relative_to(self.folder))
        if not self.name:
            self.missing.append(
                Missing(place, f"{real.name} is outside of this folder", "name a file with -o: it is then copied")
            )
            return None
        known = next((target for target, source in self.copies.items() if source == real), None)
        target = known or self._free(real.name)
        self.copies[target] = real
        return target

    def _free(self, name: str) -> str:
        stem, dot, ending = name.partition(".")
        found, number = f"{self.name}/{name}", 2
        while found in self.copies:
            found, number = f"{self.name}/{stem}-{number}{dot}{ending}", number + 1
        return found

    def write(self) -> None:
        """Copies the files, into a folder that is there whole or not at all."""
        if not self.copies:
            return
        target, fresh = self.folder / self.name, self.folder / f".{self.name}.{os.getpid()}.tmp"
        old = self.folder / f".{self.name}.{os.getpid()}.old"
        try:
            fresh.mkdir(mode=0o755)
            for relative, source in self.copies.items():
                _copy(source, fresh / Path(relative).name)
            if target.exists():
                target.rename(old)
            fresh.rename(target)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            if old.exists() and not target.exists():
                old.rename(target)
            raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    if not source.is_dir():
        shutil.copyfile(source, target)
        return
    for path in source.rglob("*"):
        if path.is_symlink():
            raise Refused(f"{show(str(path), 300)} is a link: a folder with links is not copied beside the record")
    shutil.copytree(source, target, copy_function=shutil.copyfile)


def relocated(record: Record, companions: Companions) -> Record:
    """The record with every path as it stands in the record that is written."""
    validation, expected = record.validation, record.expected
    if validation.inputs:
        found = companions.place("validation.inputs", Path(validation.inputs))
        validation = replace(validation, inputs=found, sha256=validation.sha256 if found else None)
    if expected.predictions:
        found = companions.place("expected.predictions", Path(expected.predictions))
        expected = replace(expected, predictions=found)
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
    """With the hashes of what is deployed from this machine and has none recorded, as it is now."""
    unhashed = {item.field for item in record.missing}
    data, given = list(record.data), dict(record.provenance)
    for number, item in enumerate(record.data):
        field, path = f"data.{number}.sha256", _on_this_machine(item.source)
        if field in unhashed and path is not None and companions.name:
            data[number] = replace(item, sha256=_digest(path))
            given[field] = f"{path} as it was when this record was written"
    missing = tuple(item for item in record.missing if given.get(item.field) == record.provenance.get(item.field))
    return replace(record, data=tuple(data), provenance=given, missing=missing)


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
    for name in ("lock", "requirements"):
        value = getattr(environment, name)
        if value and value.startswith("file:"):
            place = f"environment.{name}"
            found = companions.place(place, _below(record, place, value.removeprefix("file:")))
            changes[name] = f"file:{found}" if found else None
    if environment.sif:
        changes["sif"] = companions.place("environment.sif", _below(record, "environment.sif", environment.sif))
    return replace(environment, **changes)


def _data(number: int, item: DataItem, record: Record, companions: Companions) -> DataItem | None:
    scheme, _, rest = item.source.partition(":")
    if scheme == "wandb":
        return replace(item, source=f"wandb:{_run_folder(rest, companions.folder)}")
    if item.source != "file" and scheme not in ("file", "local"):
        return item
    place = f"data.{number}.source"
    if item.source.startswith("file:///") and not (companions.name and _on_this_machine(item.source)):
        return item  # never left out: the image's own would take its place
    rest = rest.removeprefix("//")
    path = Path(rest) if rest.startswith("/") else _below(record, place, rest or item.path)
    found = companions.place(place, path)
    if found is None:
        return None
    return replace(item, source="file" if found == item.path else f"file:{found}")


def _run_folder(place: str, folder: Path) -> str:
    """An offline run's folder below the record by a relative path, so that both can be moved together."""
    run, mark, name = place.rpartition("#")
    if not mark or not Path(run).resolve().is_relative_to(folder):
        return place
    return f"{Path(run).resolve().relative_to(folder)}#{name}"


def _below(record: Record, place: str, relative: str) -> Path:
    try:
        return resolve_inside(Path(record.base), relative)
    except ValueError as error:
        raise Refused(f"{place}: {error}") from error


def _repository(location: str, folder: Path) -> str:
    """A repository around or below the record by a relative path, so that both can be moved together."""
    if grammar.is_remote(location):
        return location
    path = Path(location).resolve()
    if not (path.is_relative_to(folder) or folder.is_relative_to(path)):
        return str(path)
    relative = os.path.relpath(path, folder)
    return f"./{relative}" if grammar.is_remote(relative) else relative
