"""What an environment holds, read as data: nothing of it is executed to list it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PythonPackage:
    """One installed distribution. `digest` covers the installed files; `files` maps each to its sha256."""

    version: str
    source: str = ""
    digest: str = ""
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inventory:
    """An environment's content: every field that could not be read is absent and named in `unknown` with the reason.

    `interpreter`: implementation, version, libc ...; `system`: os-release, architecture; `image`: id, digests,
    layers, configuration; `system_packages`: dpkg, apk or rpm name to version; `variables`: name to value, as
    recorded (redacted when reported); `files`: the files that no package owns, absolute path to sha256, or None where
    they were not read; `unknown`: dotted field to reason.
    """

    interpreter: dict[str, str] = field(default_factory=dict)
    system: dict[str, str] = field(default_factory=dict)
    image: dict[str, str] = field(default_factory=dict)
    python_packages: dict[str, PythonPackage] = field(default_factory=dict)
    system_packages: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] | None = None
