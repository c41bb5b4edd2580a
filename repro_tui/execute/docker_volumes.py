"""What a container has at the places that its image declares as volumes.

The engine makes an anonymous volume for each of them, which has no bound, and would hide data that is mounted around
it. Here a place where the image has nothing gets a bounded tmpfs, one inside a mount of ours shows what that mount has
there, and only one where the image has files stays a volume, into which the engine copies them: what the step adds to
it is watched, as what it writes elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from repro_tui.support.amounts import Amount, amount_in

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.types import Mount


@dataclass(frozen=True, slots=True)
class VolumePlaces:
    """The places of an image's volumes: those for a tmpfs, and mounts that show a part of a mount around them."""

    temporary: tuple[str, ...]
    mounts: tuple[Mount, ...]


def volume_places(
    declared: Iterable[str], filled: Mapping[str, bool], mounts: Sequence[Mount], temporary: Iterable[str]
) -> VolumePlaces:
    """What is mounted over the volumes that an image declares.

    `filled` says whether the image has anything there (not known counts as such). `mounts` and `temporary` are what the
    container has anyway, which the engine prefers to a volume at the same place.
    """
    taken = {str(mount["Target"]) for mount in mounts} | set(temporary)
    free = [path for path in sorted(declared) if _plain(path) not in taken]
    inside = {path: part for path in free if (part := _shown(_plain(path), mounts)) is not None}
    empty = (path for path in free if path not in inside and not filled.get(path, True))
    return VolumePlaces(tuple(_plain(path) for path in empty), tuple(inside.values()))


def _plain(path: str) -> str:
    return str(PurePosixPath(path))


def _shown(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """The mount of what the innermost mount around a path has there; None where there is none."""
    from docker.types import Mount

    around = [
        mount for mount in mounts if mount["Type"] == "bind" and PurePosixPath(path).is_relative_to(mount["Target"])
    ]
    if not around:
        return None
    innermost = max(around, key=lambda mount: len(mount["Target"]))
    source = Path(innermost["Source"])
    part = source / PurePosixPath(path).relative_to(innermost["Target"])
    if not part.is_dir() or not part.resolve().is_relative_to(source.resolve()):
        return None
    return Mount(path, str(part), type="bind", read_only=bool(innermost.get("ReadOnly")))


def amount_in_volumes(client: DockerClient, container: str) -> Callable[[], Amount]:
    """A function that measures what was added to the volumes of a container since it was created."""
    mounts = client.api.inspect_container(container).get("Mounts") or []
    folders = {str(mount["Name"]): str(mount["Source"]) for mount in mounts if mount["Type"] == "volume"}
    if not folders:
        return Amount
    before = _amount(client, folders)

    def added() -> Amount:
        now = _amount(client, folders)
        return Amount(max(0, now.size - before.size), max(0, now.files - before.files))

    return added


def _amount(client: DockerClient, folders: Mapping[str, str]) -> Amount:
    """What volumes hold: counted where this user may read them, and otherwise their size as the engine counts it."""
    try:
        for folder in folders.values():
            next(Path(folder).iterdir(), None)
    except OSError:
        where = f"{client.api.base_url}/v{client.api.api_version}/system/df"
        usage = client.api.get(where, params={"type": "volume"}, timeout=client.api.timeout).json().get("Volumes") or []
        sizes = [int(item["UsageData"]["Size"]) for item in usage if item["Name"] in folders and item.get("UsageData")]
        return Amount(sum(sizes), 0)
    return amount_in(*(Path(folder) for folder in folders.values()))
