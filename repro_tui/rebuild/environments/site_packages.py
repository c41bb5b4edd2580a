"""Mixes the Python packages of two images, to find the package that makes their predictions differ.

The packages of both images are extracted to folders of this machine, once. A hybrid is a third folder with some
packages of B and the others of A, and is mounted over the packages of an image when the predict step runs.

Every file belongs to the package whose RECORD lists it, and moves with it. Files that no RECORD lists (left by a build
step, for example) all come from one side, `rest`. With numpy from B and `rest` = 0, the hybrid has A's scipy, B's
numpy and A's unowned files; a file that both sides have is thus taken exactly once. Nothing of either image is
executed.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from repro_tui.clients.docker_engine import engine
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import BuiltEnvironment
from repro_tui.rebuild.environments.contents.image_files import PackageFiles, read_image
from repro_tui.rebuild.environments.sif import extract_sif
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.regular import copy_regular, read_regular
from repro_tui.support.system_errors import system_remedy
from repro_tui.support.text import show
from repro_tui.support.walks import folders_below, walk

FORMAT = "1"
_INFO = ".dist-info"


@dataclass(frozen=True)
class Site:
    """The packages folder of an image: its path inside the image, and its copy on this machine."""

    path: str
    folder: Path

    @cached_property
    def owners(self) -> dict[str, str]:
        """The owner of every file ("" where no package owns it); read once for all hybrids."""
        return _owners(self.folder)


def sites_of(
    a: BuiltEnvironment, b: BuiltEnvironment, names: Collection[str], context: Context
) -> tuple[Site, Site] | None:
    """The packages folders of two images that contain the packages `names`.

    None where these packages are not all in one folder, with the same path in both images.

    Raises Inconclusive where an image cannot be read.
    """
    if a.kind != b.kind or a.kind not in ("image", "sif"):
        return None
    roots = [_extracted(environment, context) for environment in (a, b)]
    paths = {path for root in roots for path in _site_paths(root, names)}
    if len(paths) != 1:
        return None
    path = paths.pop()
    site_a, site_b = (Site(f"/{path}", root / path) for root in roots)
    return (site_a, site_b) if site_a.folder.is_dir() and site_b.folder.is_dir() else None


def _extracted(environment: BuiltEnvironment, context: Context) -> Path:
    key = digest_text(FORMAT, environment.key)
    return context.cache.folder("packages", key, lambda folder: _extract(environment, folder, context), context.cancel)[
        0
    ]


def _site_paths(root: Path, names: Collection[str]) -> Iterator[str]:
    for name, _ in walk(root):
        if name.endswith(f"{_INFO}/METADATA"):
            info = PurePosixPath(name).parent
            if _package_of(info.name) in names:
                yield str(info.parent)


def _package_of(info: str) -> str:
    return canonicalize_name(info.removesuffix(_INFO).rpartition("-")[0])


def _extract(environment: BuiltEnvironment, folder: Path, context: Context) -> None:
    if environment.kind == "image":
        with engine(context.settings.limits.stall_time) as client:
            read_image(client, environment.image_id, context, PackageFiles(folder))
    else:
        extract_sif(Path(environment.folder), folder, context)


def mixed_site(
    system: BuiltEnvironment, sites: tuple[Site, Site], from_b: frozenset[str], rest: int, context: Context
) -> BuiltEnvironment:
    """The environment `system` with the packages `from_b` of B, and all others of A, mounted over its own.

    `rest` is the side (0 for A, 1 for B) whose unowned files are used. Raises Inconclusive where the files of both
    sides do not fit into one folder.
    """
    owners = [site.owners for site in sites]
    origins = dict(_origins(owners, from_b, rest))
    key = digest_text(FORMAT, *(f"{name} {source}" for name, source in sorted(origins.items())))

    def build(folder: Path) -> None:
        for name, side in origins.items():
            context.cancel.check()
            target = folder / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                copy_regular(sites[side].folder / name, target)
            except OSError as error:
                raise Inconclusive(
                    f"{show(name, 200)} of one image does not fit next to the packages of the other: {error.strerror}",
                    system_remedy(error),
                ) from error
            target.chmod(0o644)
        for subfolder in folders_below(folder):
            subfolder.chmod(0o755)

    identity = digest_text(key, sites[0].folder.as_posix(), sites[1].folder.as_posix())
    folder, _ = context.cache.folder("sites", identity, build, context.cancel)
    return replace(system, key=digest_text(system.key, identity), site=str(folder), site_path=sites[0].path)


def _origins(owners: list[dict[str, str]], from_b: frozenset[str], rest: int) -> Iterator[tuple[str, int]]:
    """Every file of the hybrid, with the side it is taken from."""
    for side in (0, 1):
        for name, owner in owners[side].items():
            side_of_file = rest if not owner else int(owner in from_b)
            if side == side_of_file:
                yield name, side


def _owners(folder: Path) -> dict[str, str]:
    """The owner of every file of a folder; "" where no package owns it."""
    owners = {name: "" for name, _ in walk(folder)}
    for info in sorted(folder.glob(f"*{_INFO}")):
        owner = _package_of(info.name)
        for name in _files_in_record(info):
            if name in owners:
                owners[name] = owner
        for name, _ in walk(info):
            owners[f"{info.name}/{name}"] = owner
    return owners


def _files_in_record(info: Path) -> Iterator[str]:
    try:
        rows = csv.reader(read_regular(info / "RECORD").decode("utf-8", "replace").splitlines())
        yield from (row[0] for row in rows if row)
    except (OSError, csv.Error):
        return
