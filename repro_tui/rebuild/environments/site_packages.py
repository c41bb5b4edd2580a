"""The Python packages of an image as a folder of this machine: taken out as data, mixed, and shown over the image's.

Files that no package owns go with the folder they lie in. Nothing of the image is executed.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from repro_tui.clients.docker_engine import engine
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import BuiltEnvironment
from repro_tui.rebuild.environments.image_files import PackageFiles, read_image
from repro_tui.rebuild.environments.sif import extract_sif
from repro_tui.support.cache import walk
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text

FORMAT = "1"
_INFO = ".dist-info"


@dataclass(frozen=True)
class Site:
    """The folder in which an image has its packages: its path inside, and a copy of it on this machine."""

    path: str
    folder: Path

    @cached_property
    def owners(self) -> dict[str, str]:
        """Every file with the package that owns it, "" where none does; read once for all mixtures."""
        return _owners(self.folder)


def sites_of(
    a: BuiltEnvironment, b: BuiltEnvironment, names: Collection[str], context: Context
) -> tuple[Site, Site] | None:
    """The folders of two images that have these packages; None where they do not all lie at one and the same place.

    Raises Inconclusive where an image cannot be read.
    """
    if a.kind != b.kind or a.kind not in ("image", "sif"):
        return None
    roots = [_extracted(environment, context) for environment in (a, b)]
    places = {place for root in roots for place in _places(root, names)}
    if len(places) != 1:
        return None
    path = places.pop()
    one, other = (Site(f"/{path}", root / path) for root in roots)
    return (one, other) if one.folder.is_dir() and other.folder.is_dir() else None


def _extracted(environment: BuiltEnvironment, context: Context) -> Path:
    key = digest_text(FORMAT, environment.key)
    return context.cache.folder("packages", key, lambda folder: _extract(environment, folder, context), context.cancel)[
        0
    ]


def _places(root: Path, names: Collection[str]) -> Iterator[str]:
    for name, _ in walk(root):
        if name.endswith(f"{_INFO}/METADATA"):
            info = PurePosixPath(name).parent
            if _owner(info.name) in names:
                yield str(info.parent)


def _owner(info: str) -> str:
    return canonicalize_name(info.removesuffix(_INFO).rpartition("-")[0])


def _extract(environment: BuiltEnvironment, folder: Path, context: Context) -> None:
    if environment.kind == "image":
        with engine() as client:
            read_image(client, environment.image_id, context, PackageFiles(folder))
    else:
        extract_sif(Path(environment.folder), folder, context)


def mixed_site(
    system: BuiltEnvironment, sites: tuple[Site, Site], from_b: frozenset[str], rest: int, context: Context
) -> BuiltEnvironment:
    """An image with these packages of B and the others of A over its own.

    `rest` is the side (0 or 1) from which the files come that no package owns.
    """
    owners = [site.owners for site in sites]
    chosen = dict(_chosen(owners, from_b, rest))
    key = digest_text(FORMAT, *(f"{name} {source}" for name, source in sorted(chosen.items())))

    def build(folder: Path) -> None:
        for name, side in chosen.items():
            context.cancel.check()
            target = folder / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(sites[side].folder / name, target)
            except OSError as error:
                raise Inconclusive(f"{name} of one image does not fit beside the packages of the other") from error
            target.chmod(0o644)
        for place, _, _ in os.walk(folder):
            Path(place).chmod(0o755)

    identity = digest_text(key, sites[0].folder.as_posix(), sites[1].folder.as_posix())
    folder, _ = context.cache.folder("sites", identity, build, context.cancel)
    return replace(system, key=digest_text(system.key, identity), site=str(folder), site_path=sites[0].path)


def _chosen(owners: list[dict[str, str]], from_b: frozenset[str], rest: int) -> Iterator[tuple[str, int]]:
    """Every file that the mixture has, with the side it is taken from."""
    for side in (0, 1):
        for name, owner in owners[side].items():
            wanted = rest if not owner else int(owner in from_b)
            if side == wanted:
                yield name, side


def _owners(folder: Path) -> dict[str, str]:
    """Every file of a folder with the package that owns it, "" where none does."""
    found = {name: "" for name, _ in walk(folder)}
    for info in sorted(folder.glob(f"*{_INFO}")):
        owner = _owner(info.name)
        for name in _recorded(info):
            if name in found:
                found[name] = owner
        for name, _ in walk(info):
            found[f"{info.name}/{name}"] = owner
    return found


def _recorded(info: Path) -> Iterator[str]:
    try:
        rows = csv.reader((info / "RECORD").read_text("utf-8", "replace").splitlines())
        yield from (row[0] for row in rows if row)
    except (OSError, csv.Error):
        return
