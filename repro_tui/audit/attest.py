"""Signs the result of an audit that has ended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.audit.folder import AuditFolder
from repro_tui.evidence.manifest import ATTESTATION, read_manifest
from repro_tui.evidence.statement import statement_of
from repro_tui.model.errors import Inconclusive
from repro_tui.support.plain import write_atomically
from repro_tui.support.text import show

if TYPE_CHECKING:
    from repro_tui.evidence.envelope import Signer


def attest(folder: AuditFolder, signer: Signer) -> Path:
    """Writes a signed statement on an audit's result beside its manifest, and returns its path.

    Raises Inconclusive where the folder has no report or is not as it was when the audit ended: what was touched is not
    signed. Raises Refused where a file of it cannot be read, and OSError.
    """
    from repro_tui.evidence.check import check_evidence

    manifest, _ = read_manifest(folder.path)
    report = folder.report()
    if report is None:
        raise Inconclusive(f"{show(str(folder.path), 300)} has no report.json", "run the audit again")
    touched = check_evidence(folder.path, None).touched
    if touched:
        place = show(str(folder.path), 300)
        reason = f"{show(touched[0].name, 200)} in {place} was {touched[0].change} after its audit ended"
        raise Inconclusive(reason, "run the audit again: only an audit as it ended is signed")
    images = {side: _image(folder, side) for side in ("a", "b")}
    statement = statement_of(report, manifest, report.gate.areas, images)
    target = folder.path / ATTESTATION
    write_atomically(target, signer.sign(statement), mode=0o644)
    return target


def _image(folder: AuditFolder, side: str) -> str:
    """The id of the image that a side ran in; "" where it ran in none, or where it is not known."""
    known = (folder.path / side / "inventory.json").exists()
    return folder.inventory(side).image.get("id", "") if known else ""
