"""Live endpoints in a comparison: only their answers are known."""

from __future__ import annotations

from repro_tui.model.finding import Finding
from repro_tui.model.workspace import Workspace


def is_live(workspace: Workspace) -> bool:
    """Whether the side is a live endpoint, which was only queried."""
    return workspace.environment.kind == "endpoint"


def unknown_of_live(a: Workspace, b: Workspace, *path: str) -> tuple[Finding, ...]:
    """An unknown finding at `path` for each side that is a live endpoint: it cannot be compared with the other side."""
    sides = ((side, workspace) for side, workspace in (("A", a), ("B", b)) if is_live(workspace))
    return tuple(
        Finding(path, "unknown", note=f"{side}: {workspace.environment.inventory.unknown['environment']}")
        for side, workspace in sides
    )
