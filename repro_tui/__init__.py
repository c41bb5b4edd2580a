"""A terminal reproducibility auditor for machine-learning deployments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repro_tui.audit.folder import AuditFolder

__version__ = "0.1.0"


def open_audit(path: str | Path) -> AuditFolder:
    """A past or running audit by its folder or report.json, for notebooks and scripts.

    `.report()` is the report as dataclasses, `.to_pandas()` every differing cell as a frame. Raises
    repro_tui.model.errors.Refused where there is no audit.
    """
    from repro_tui.audit import folder

    return folder.open_audit(Path(path))
