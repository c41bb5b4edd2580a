"""What dead processes of ours have left behind: after the next start there is none of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from repro_tui.support.owner import RUN_FOLDERS, living_owners
from repro_tui.support.process import OWNER_VARIABLE


def orphans(cache: Path, audits: Path | None = None, *, docker: bool = False) -> list[str]:
    """Processes, control groups, folders, temporary files, leases, containers and volumes whose owner is dead.

    `cache` is the folder of the cache, `audits` that of the audits. `docker`: an engine is asked too.
    """
    dead = {path.name for path in _files(cache / "owners") if not path.name.startswith(".")}
    dead -= living_owners(cache / "owners")
    left = [f"owner {name}" for name in sorted(dead)]
    left += _processes(cache)
    left += [
        f"group {path}" for name in sorted(dead) for path in noted_groups(cache / "owners" / name) if path.exists()
    ]
    left += _temporary(cache)
    left += [f"unfinished {path}" for path in _unfinished(cache)]
    left += [f"folder {path}" for pattern in RUN_FOLDERS for path in (audits.rglob(pattern) if audits else ())]
    return left + (list(_docker(cache)) if docker else [])


def noted_groups(file: Path) -> list[Path]:
    """The control groups that an owner has noted."""
    lines = [json.loads(line) for line in file.read_text("ascii").splitlines()]
    return [Path(group) for line in lines for group in line.get("groups", ())]


def marked_processes(owners: set[str]) -> list[int]:
    """The processes that have one of these owners."""
    marks = {f"{OWNER_VARIABLE}={owner}".encode() for owner in owners}
    processes = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marks & set(path.read_bytes().split(b"\0")) and int(path.parent.name) != os.getpid():
                processes.append(int(path.parent.name))
        except OSError:
            continue
    return processes


def _processes(cache: Path) -> list[str]:
    living = living_owners(cache / "owners")
    known = {path.name for path in _files(cache / "owners")}
    return [f"process {pid}" for pid in marked_processes(known - living)]


def _temporary(cache: Path) -> list[str]:
    living = living_owners(cache / "owners")
    return [f"temporary {path}" for path in _files(cache / "temporary") if path.name.partition("-")[0] not in living]


def _unfinished(cache: Path) -> Iterator[Path]:
    """Folders of the cache without a manifest, which were not finished."""
    for path in cache.glob("folders/*/*"):
        if path.is_dir() and not path.with_name(f"{path.name}.manifest").exists():
            yield path


def _docker(cache: Path) -> Iterator[str]:
    import docker

    from repro_tui.clients.docker_engine import CACHE_LABEL, cache_digest

    client = docker.from_env()
    try:
        labels = {"label": f"{CACHE_LABEL}={cache_digest(cache)}"}
        yield from (f"container {item['Id']}" for item in client.api.containers(all=True, filters=labels))
        volumes = client.api.volumes(filters={"dangling": True} | labels)["Volumes"] or []
        yield from (f"volume {item['Name']}" for item in volumes)
    finally:
        client.close()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
