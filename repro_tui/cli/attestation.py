"""Signing the result of an audit, for `--attest KEY`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from repro_tui.model.errors import ReproError
from repro_tui.support.system_errors import system_message
from repro_tui.support.text import show

if TYPE_CHECKING:
    from repro_tui.audit.folder import AuditFolder
    from repro_tui.evidence.envelope import Signer


def load_own_key(file: str) -> Signer:
    """The user's private key, with its password from the environment. Raises Refused."""
    from repro_tui.evidence.envelope import PASSWORD_VARIABLE, load_signer

    return load_signer(file, os.environ.get(PASSWORD_VARIABLE, ""))


def sign(folder: AuditFolder, key: str) -> str:
    """Signs the result of an audit that has ended; returns why that failed, or ""."""
    from repro_tui.audit.attest import attest

    try:
        attest(folder, load_own_key(key))
    except ReproError as error:
        return f"the result is not signed: {show(str(error), 1000)}"
    except OSError as error:
        return f"the result is not signed: {system_message(error)}"
    return ""
