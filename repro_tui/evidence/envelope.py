"""DSSE envelopes (https://github.com/secure-systems-lab/dsse): a payload, signed with a local key.

Keys are those of `openssl genpkey` in PEM: Ed25519, ECDSA on P-256, P-384 or P-521, and RSA (PSS with SHA-256).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from repro_tui.model.errors import Refused
from repro_tui.support.extras import reinstall
from repro_tui.support.regular import read_regular
from repro_tui.support.text import show

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

    PrivateKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey
    PublicKey: TypeAlias = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
PASSWORD_VARIABLE: Final = "REPRO_TUI_ATTEST_PASSWORD"  # noqa: S105 - the name of a variable
MOST_KEY = 64 << 10  # bytes
LEAST_RSA = 2048  # bits
_KINDS = "expected an Ed25519, ECDSA (P-256, P-384, P-521) or RSA key in PEM, such as `openssl genpkey` writes"


class BadSignatureError(Exception):
    """An envelope that is none, or whose signature is not the one of this key over this payload."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key that signs statements."""

    key: PrivateKey

    def sign(self, payload: bytes) -> bytes:
        """The envelope of a payload, as JSON."""
        signature = {
            "keyid": key_id(self.key.public_key()),
            "sig": _text(_sign(self.key, _pre_authentication(PAYLOAD_TYPE, payload))),
        }
        return _encode({"payload": _text(payload), "payloadType": PAYLOAD_TYPE, "signatures": [signature]})


def load_signer(file: str, password: str = "") -> Signer:
    """The private key of a PEM file; `password` is that of an encrypted one. Raises Refused."""
    content = _read(file)
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise _without_extra() from None
    try:
        key = load_pem_private_key(content, password.encode() or None)
    except TypeError as error:  # a password is missing, or one is given that is not needed
        needed = "is encrypted: set" if not password else "is not encrypted: unset"
        raise Refused(f"the key {show(file, 300)} {needed} {PASSWORD_VARIABLE}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        wrong = f", or the password in {PASSWORD_VARIABLE} is wrong" if password else ""
        raise Refused(f"{show(file, 300)} is not a private key{wrong}: {_KINDS}") from error
    return Signer(_supported(key.public_key(), file) and key)  # type: ignore[arg-type]


def load_public_key(file: str) -> PublicKey:
    """The public key of a PEM file. Raises Refused."""
    content = _read(file)
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise _without_extra() from None
    try:
        return _supported(load_pem_public_key(content), file)
    except (ValueError, UnsupportedAlgorithm) as error:
        advice = f"`openssl pkey -in {show(file, 200)} -pubout` prints its public key"
        hint = f"it is a private key: {advice}" if b"PRIVATE KEY" in content else _KINDS
        raise Refused(f"{show(file, 300)} is not a public key: {hint}") from error


def open_envelope(content: bytes, key: PublicKey | None) -> bytes:
    """The payload of an envelope, whose signature is checked with `key`, or not at all where that is None.

    Raises BadSignatureError: also for another key, and for an envelope that is written in another way than ours.
    """
    try:
        envelope = json.loads(content)
        payload = base64.b64decode(envelope["payload"], validate=True)
        kind, signatures = envelope["payloadType"], envelope["signatures"]
        signed = [(signature["keyid"], base64.b64decode(signature["sig"], validate=True)) for signature in signatures]
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise BadSignatureError("it is not a DSSE envelope") from error
    if kind != PAYLOAD_TYPE:
        raise BadSignatureError(f"its payload is not of the type {PAYLOAD_TYPE}")
    parts = [{"keyid": name, "sig": _text(signature)} for name, signature in signed]
    if _encode({"payload": _text(payload), "payloadType": kind, "signatures": parts}) != content:
        raise BadSignatureError("it is not written as it was signed")
    if len(signed) != 1:
        raise BadSignatureError(f"it has {len(signed)} signatures instead of one")
    if key is not None:
        _check(key, *signed[0], _pre_authentication(kind, payload))
    return payload


def key_id(key: PublicKey) -> str:
    """The id of a key: the SHA-256 of its public part as DER, in hexadecimal."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _check(key: PublicKey, name: str, signature: bytes, message: bytes) -> None:
    from cryptography.exceptions import InvalidSignature

    if name != key_id(key):
        raise BadSignatureError(f"it is signed with another key: {show(name[:12], 40)}… instead of {key_id(key)[:12]}…")
    try:
        _verify(key, signature, message)
    except InvalidSignature:
        raise BadSignatureError("its signature does not fit what it says") from None


def _sign(key: PrivateKey, message: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
    from cryptography.hazmat.primitives.hashes import SHA256

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(_hash_for(key.curve.key_size)))
    return key.sign(message, padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH), SHA256())


def _verify(key: PublicKey, signature: bytes, message: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
    from cryptography.hazmat.primitives.hashes import SHA256

    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, message)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, message, ec.ECDSA(_hash_for(key.curve.key_size)))
    else:
        key.verify(signature, message, padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH), SHA256())


def _hash_for(bits: int) -> HashAlgorithm:
    """The hash that belongs to a curve of so many bits."""
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

    return SHA256() if bits <= 256 else SHA384() if bits <= 384 else SHA512()


def _supported(key: object, file: str) -> PublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    nist = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, nist):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA:
        return key
    weak = isinstance(key, rsa.RSAPublicKey)
    reason = f"has fewer than {LEAST_RSA:,} bits: make a longer one" if weak else f"is of another kind: {_KINDS}"
    raise Refused(f"the key {show(file, 300)} {reason}")


def _pre_authentication(kind: str, payload: bytes) -> bytes:
    """What is signed: the type and the payload with their lengths, as DSSE defines it."""
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind.encode(), str(len(payload)).encode(), payload])


def _encode(envelope: object) -> bytes:
    return (json.dumps(envelope, separators=(",", ":"), sort_keys=True) + "\n").encode("ascii")


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _read(file: str) -> bytes:
    try:
        return read_regular(Path(file), most=MOST_KEY)
    except OSError as error:
        raise Refused(f"the key {show(file, 300)} cannot be read: {error.strerror or error}") from error


def _without_extra() -> Refused:
    return Refused(f"signatures need the package cryptography: {reinstall('attest')}")
