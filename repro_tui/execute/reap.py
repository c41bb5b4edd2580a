"""Leases: every engine holds one while it is alive; what a dead engine left behind is removed at the next start."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from repro_tui.support.file_lock import is_locked, locked_file


@contextlib.contextmanager
def hold_lease(context: Context) -> Iterator[None]:
    """Holds this audit's lease, a locked file in the cache; the kernel unlocks it even if the engine is killed."""
    path = _folder(context.cache) / context.audit_id
    with locked_file(path):
        try:
            yield
        finally:
            if not path.read_bytes() or remove_containers([context.audit_id], context):
                path.unlink(missing_ok=True)
            # Otherwise the lease stays, and the next start removes the containers, once a Docker engine is running.


def reap(context: Context) -> None:
    """Removes what dead audits have left behind: containers, leases, and old temporary files of the cache.

    Local runs need no cleanup: the kernel ends them with their engine.
    """
    dead = [path for path in _leases(context.cache) if _is_dead(path)]
    marked = [path for path in dead if path.read_bytes()]
    kept = marked if marked and not remove_containers([path.name for path in marked], context) else []
    for path in set(dead) - set(kept):
        path.unlink(missing_ok=True)
    context.cache.sweep()


def remove_containers(audit_ids: list[str], context: Context) -> bool:
    """Removes the remaining containers of these audits of this cache; False if the Docker engine cannot do so now."""
    from repro_tui.clients.docker_engine import AUDIT_LABEL, CACHE_LABEL, cache_digest, engine
    from repro_tui.execute.docker_container import remove

    try:
        with engine(context.settings.limits.stall_time) as client:
            for audit in audit_ids:
                labels = [f"{AUDIT_LABEL}={audit}", f"{CACHE_LABEL}={cache_digest(context.cache.root)}"]
                for container in client.api.containers(all=True, filters={"label": labels}):
                    remove(client, container["Id"])
    except Inconclusive:
        return False
    return True


def living(cache: Cache) -> list[str]:
    """The ids of the audits whose engines are running on this cache."""
    return [path.name for path in _leases(cache) if not _is_dead(path)]


def _leases(cache: Cache) -> list[Path]:
    return [path for path in _folder(cache).iterdir() if not path.name.startswith(".")]


def _folder(cache: Cache) -> Path:
    folder = cache.root / "leases"
    folder.mkdir(exist_ok=True)
    return folder


def _is_dead(path: Path) -> bool:
    return is_locked(path) is False
