"""Whether an audit's folder still is what it was when its audit ended, and who says so."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from repro_tui.evidence.envelope import BadSignatureError, key_id, open_envelope
from repro_tui.evidence.manifest import ATTESTATION, MANIFEST, Manifest, hash_of, names_in, read_manifest
from repro_tui.model.errors import Refused
from repro_tui.support.regular import read_regular

if TYPE_CHECKING:
    from repro_tui.evidence.envelope import PublicKey

MOST_ATTESTATION = 64 << 20  # bytes
Signature = Literal["valid", "invalid", "missing", "not-checked", "none"]


@dataclass(frozen=True, slots=True)
class Touched:
    """A file that is not as it was: it was `changed`, `added` or `removed`. `detail` says how."""

    name: str
    change: Literal["changed", "added", "removed"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceCheck:
    """The result of checking an audit's folder.

    `files` is how many files the manifest names. `signature`: `valid` and `invalid` as checked with the key;
    `missing` where a key was given and there is no attestation; `not-checked` where there is one and no key was given;
    `none` where there is neither. `reason` says why a signature is invalid, and `key` is the id of the key.
    """

    files: int
    touched: tuple[Touched, ...]
    signature: Signature
    reason: str = ""
    key: str = ""

    @property
    def exit_status(self) -> int:
        """0: all is as it was, 1: something was touched or the signature is not that of the key, 3: not checked."""
        if self.touched or self.signature in ("invalid", "missing"):
            return 1
        return 3 if self.signature == "not-checked" else 0


def check_evidence(folder: Path, key: PublicKey | None) -> EvidenceCheck:
    """Compares every file of an audit's folder with its manifest, and checks the attestation with a public key.

    Raises Inconclusive where there is no manifest, Refused where there is no folder, and OSError.
    """
    touched = []
    try:
        manifest, content = read_manifest(folder)
    except Refused as error:
        manifest, content = Manifest(1, {}), b""
        touched = [Touched(MANIFEST, "changed", str(error))]
    else:
        if manifest.encode() != content:
            touched.append(Touched(MANIFEST, "changed", "it is not written as an audit writes it"))
        touched += _compare(folder, manifest)
    signature, reason = _signature(folder, hashlib.sha256(content).hexdigest(), key)
    return EvidenceCheck(len(manifest.files), tuple(touched), signature, reason, key_id(key) if key else "")


def _compare(folder: Path, manifest: Manifest) -> list[Touched]:
    present = set(names_in(folder))
    touched = [Touched(name, "added") for name in present - set(manifest.files)]
    for name, expected in manifest.files.items():
        if name not in present:
            touched.append(Touched(name, "removed"))
            continue
        try:
            actual = hash_of(folder / name)
        except OSError as error:
            touched.append(Touched(name, "changed", f"it cannot be read: {error.strerror or error}"))
            continue
        if actual != expected:
            detail = f"{expected.size:,} bytes became {actual.size:,}" if actual.size != expected.size else ""
            touched.append(Touched(name, "changed", detail or f"its SHA-256 is {actual.sha256[:12]}…"))
    return sorted(touched, key=lambda item: item.name)


def _signature(folder: Path, manifest_sha256: str, key: PublicKey | None) -> tuple[Signature, str]:
    path = folder / ATTESTATION
    if not os.path.lexists(path):
        return ("missing" if key else "none"), ""
    try:
        payload = open_envelope(read_regular(path, most=MOST_ATTESTATION, links=False), key)
        if _attested_manifest(payload) != manifest_sha256:
            return "invalid", f"it is of another {MANIFEST}"
    except BadSignatureError as error:
        return "invalid", str(error)
    except OSError as error:
        return "invalid", f"it cannot be read: {error.strerror or error}"
    return ("valid" if key else "not-checked"), ""


def _attested_manifest(payload: bytes) -> str:
    """The hash of the manifest that a statement is about; "" where it names none."""
    try:
        subjects = json.loads(payload)["subject"]
        return next((str(subject["digest"]["sha256"]) for subject in subjects if subject["name"] == MANIFEST), "")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadSignatureError("it does not hold an in-toto statement") from error
