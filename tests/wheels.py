"""Our own wheels, as a build creates them."""

from __future__ import annotations

import hashlib
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path


def _digest(text: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def wheel(
    folder: Path,
    name: str,
    version: int,
    requires: tuple[str, ...] = (),
    code: str = "",
    more: Mapping[str, str] | None = None,
    recorded: Mapping[str, str] | None = None,
) -> str:
    """Writes a wheel with one module and `more` files into the folder; returns its pin.

    Its RECORD has the hash of every file, and of those in `recorded` that of another text.
    """
    info = f"{name}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {text}\n" for text in requires)
    files = {
        f"{name}.py": code or f"VALUE = {version - 1}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **(more or {}),
    }
    listed = files | dict(recorded or {})
    lines = [f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in listed.items()]
    files[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return f"{name}=={version}"
