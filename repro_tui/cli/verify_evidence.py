"""`repro-tui verify-evidence FOLDER`: whether an audit's folder is as it was, and who signed it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from repro_tui.evidence.check import EvidenceCheck


@click.command("verify-evidence")
@click.argument("folder", metavar="FOLDER")
@click.option("--key", metavar="FILE", help="The signer's public key, in PEM. Without it, no signature is checked.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, /, folder: str, key: str | None, as_json: bool) -> None:
    """Check that an audit's folder is as it was when the audit ended, and that it was signed with a key.

    FOLDER is an audit's folder or its id, as `repro-tui list` shows it. Every file in it is compared with the manifest
    that the audit wrote. Only the signature, which --attest makes, shows who wrote that manifest.

    Exit status: 0 as it was, 1 touched, or not signed with this key, 2 refused, 3 it cannot be checked: there is no
    manifest, or a signature and no --key.
    """
    from repro_tui.audit.folder import named_audit
    from repro_tui.evidence.check import check_evidence
    from repro_tui.evidence.envelope import load_public_key
    from repro_tui.support.plain import dumps

    audit = named_audit(folder)
    result = check_evidence(audit.path, load_public_key(key) if key else None)
    if as_json:
        plain = json.loads(dumps(result)) | {"folder": str(audit.path), "exit_status": result.exit_status}
        click.echo(json.dumps(plain, indent=2))
    else:
        for line in _lines(result):
            click.echo(line)
    ctx.exit(result.exit_status)


def _lines(result: EvidenceCheck) -> list[str]:
    from repro_tui.evidence.manifest import ATTESTATION
    from repro_tui.support.text import plural, show

    lines = [
        f"{show(item.name, 300)}: {item.change}{f': {show(item.detail, 300)}' if item.detail else ''}"
        for item in result.touched
    ]
    if not lines:
        lines = [f"{plural(result.files, 'file')}: as when the audit ended"]
    signature = {
        "valid": f"signed with the key {result.key[:12]}…",
        "invalid": f"{ATTESTATION}: {show(result.reason, 300)}",
        "missing": f"not signed: there is no {ATTESTATION}",
        "not-checked": "signed, but not checked: name the signer's public key with --key",
        "none": "not signed: whoever can write to the folder can also write its manifest (--attest KEY signs it)",
    }
    return [*lines, signature[result.signature]]
