"""Signatures: every kind of key, read by another implementation, and nothing else accepted."""

from __future__ import annotations

import base64
import json
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from repro_tui.evidence.envelope import BadSignatureError, key_id, load_public_key, load_signer, open_envelope
from repro_tui.model.errors import Refused

PAYLOAD = b'{"_type":"https://in-toto.io/Statement/v1"}'
KEYS: dict[str, Any] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


def written(folder: Path, key: Any, password: str = "") -> tuple[str, str]:
    """The files of a private key and of its public key."""
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    private, public = folder / "key.pem", folder / "key.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return str(private), str(public)


@pytest.mark.parametrize("kind", KEYS)
def test_another_implementation_accepts_it_and_refuses_a_change_and_a_foreign_key(kind: str, tmp_path: Path) -> None:
    key = KEYS[kind]()
    private, public = written(tmp_path, key)
    content = load_signer(private).sign(PAYLOAD)
    assert open_envelope(content, load_public_key(public)) == PAYLOAD
    envelope = Envelope.from_dict(json.loads(content))  # which takes the dictionary apart
    peer = SSlibKey.from_crypto(key.public_key(), keyid=key_id(key.public_key()))
    assert envelope.verify([peer], 1)
    changed = json.loads(content) | {"payload": base64.b64encode(PAYLOAD + b" ").decode()}
    with pytest.raises(VerificationError):
        Envelope.from_dict(deepcopy(changed)).verify([peer], 1)
    with pytest.raises(BadSignatureError, match="does not fit"):
        open_envelope(recoded(changed), load_public_key(public))
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    with pytest.raises(BadSignatureError, match="signed with another key"):
        open_envelope(content, load_public_key(written(foreign, KEYS[kind]())[1]))


def recoded(envelope: dict[str, Any]) -> bytes:
    return (json.dumps(envelope, separators=(",", ":"), sort_keys=True) + "\n").encode()


def test_the_keys_of_openssl(tmp_path: Path) -> None:
    """As the page says to make them."""
    private, public = tmp_path / "key.pem", tmp_path / "key.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    assert open_envelope(load_signer(str(private)).sign(PAYLOAD), load_public_key(str(public))) == PAYLOAD


def test_a_name_of_the_right_key_does_not_make_a_signature_right(tmp_path: Path) -> None:
    _, public = written(tmp_path, KEYS["ed25519"]())
    forged = json.loads(load_signer(written(tmp_path / "", KEYS["ed25519"]())[0]).sign(PAYLOAD))
    _, public = written(tmp_path, KEYS["ed25519"]())
    forged["signatures"][0]["keyid"] = key_id(load_public_key(public))
    with pytest.raises(BadSignatureError, match="does not fit"):
        open_envelope(recoded(forged), load_public_key(public))


def test_every_other_byte_is_noticed(tmp_path: Path) -> None:
    private, public = written(tmp_path, KEYS["ed25519"]())
    content = load_signer(private).sign(PAYLOAD)
    key = load_public_key(public)
    for place in range(len(content)):
        changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        with pytest.raises(BadSignatureError):
            open_envelope(changed, key)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"payload": 1}',
        b"[" * 100_000,
        b'{"payload":"!","payloadType":"x","signatures":[]}',
    ],
)
def test_what_is_no_envelope(content: bytes) -> None:
    with pytest.raises(BadSignatureError):
        open_envelope(content, None)


def test_signatures_that_nobody_made_are_none(tmp_path: Path) -> None:
    private, public = written(tmp_path, KEYS["ed25519"]())
    content = json.loads(load_signer(private).sign(PAYLOAD))
    key = load_public_key(public)
    for signatures in ([], content["signatures"] * 2):
        with pytest.raises(BadSignatureError, match="signatures instead of one"):
            open_envelope(recoded(content | {"signatures": signatures}), key)


class TestKeyFiles:
    def test_an_encrypted_key_needs_its_password(self, tmp_path: Path) -> None:
        private, _ = written(tmp_path, KEYS["ed25519"](), "open sesame")
        assert load_signer(private, "open sesame")
        with pytest.raises(Refused, match="is encrypted: set REPRO_TUI_ATTEST_PASSWORD"):
            load_signer(private)
        with pytest.raises(Refused, match="the password in REPRO_TUI_ATTEST_PASSWORD is wrong"):
            load_signer(private, "another")

    def test_a_password_that_is_not_needed(self, tmp_path: Path) -> None:
        private, _ = written(tmp_path, KEYS["ed25519"]())
        with pytest.raises(Refused, match="is not encrypted: unset"):
            load_signer(private, "x")

    def test_what_is_no_key(self, tmp_path: Path) -> None:
        private, public = written(tmp_path, KEYS["ed25519"]())
        with pytest.raises(Refused, match="is not a private key: expected an Ed25519"):
            load_signer(public)
        with pytest.raises(Refused, match="it is a private key: `openssl pkey -in"):
            load_public_key(private)
        with pytest.raises(Refused, match="cannot be read: No such file"):
            load_public_key(str(tmp_path / "none"))
        with pytest.raises(Refused, match="cannot be read"):
            load_signer(str(tmp_path))

    @pytest.mark.parametrize(
        ("key", "message"),
        [
            (lambda: rsa.generate_private_key(65537, 1024), "has fewer than 2,048 bits"),
            (lambda: ec.generate_private_key(ec.SECP256K1()), "is of another kind"),
            (lambda: dsa.generate_private_key(1024), "is of another kind"),
        ],
    )
    def test_a_key_that_is_weak_or_of_another_kind(self, key: Any, message: str, tmp_path: Path) -> None:
        private, public = written(tmp_path, key())
        with pytest.raises(Refused, match=message):
            load_signer(private)
        with pytest.raises(Refused, match=message):
            load_public_key(public)
