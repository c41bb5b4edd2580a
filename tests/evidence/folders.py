"""Folders of audits for the tests of evidence, written as the engine writes them."""

from __future__ import annotations

from pathlib import Path

from repro_tui.audit.folder import AuditFolder
from repro_tui.evidence.manifest import write_manifest
from tests.tui.folders import finished


def ended(path: Path) -> AuditFolder:
    """An audit that has ended, with its manifest."""
    folder = finished(path)
    write_manifest(folder.path)
    return folder
