"""Live endpoints in a comparison: nothing is known of them but what they answer."""

from __future__ import annotations

from repro_tui.model.finding import Finding
from repro_tui.model.workspace import Workspace


def is_live(workspace: Workspace) -> bool:
    """Whether the side was only asked."""
    return workspace.environment.kind == "endpoint"


def of_live(a: Workspace, b: Workspace, *path: str) -> tuple[Finding, ...]:
    """What is not known of the sides that were only asked: what the other side has is no difference to them."""
    sides = ((side, workspace) for side, workspace in (("A", a), ("B", b)) if is_live(workspace))
    return tuple(
        Finding(path, "unknown", note=f"{side}: {workspace.environment.inventory.unknown['environment']}")
        for side, workspace in sides
    )
