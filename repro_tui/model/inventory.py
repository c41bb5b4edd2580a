"""The contents of an environment, read as data: nothing in it is executed to list it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PythonPackage:
    """One installed distribution.

    `digest` covers the installed files; `files` maps each to its sha256. `folder` is their folder in an image ("": not
    known).
    """

    version: str
    source: str = ""
    digest: str = ""
    files: dict[str, str] = field(default_factory=dict)
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of an image. `lived_in`: the image has files in its home, besides those of every new account."""

    name: str
    uid: int
    gid: int
    home: str
    lived_in: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """The contents of an environment; a field that could not be read is absent and named in `unknown` with the reason.

    `interpreter`: implementation, version, libc ...; `system`: os-release, architecture; `image`: id, digests,
    layers, configuration; `system_packages`: dpkg, apk or rpm name to version; `variables`: name to value, as
    recorded (redacted when reported); `files`: the files that belong to no package, absolute path to sha256, mode and
    owner, or None if they were not read; `left_out`: the kinds of files that were left out of these, and how many of
    each; `accounts`: the users of an image; `closed`: its files that not everybody may read, and the folders around
    them that not everybody may enter (they end with a slash), with mode and owner ("0600 0:0"); `volumes`: the places
    of the volumes that an image declares, and whether it has anything there; `unknown`: dotted field to reason.
    """

    interpreter: dict[str, str] = field(default_factory=dict)
    system: dict[str, str] = field(default_factory=dict)
    image: dict[str, str] = field(default_factory=dict)
    python_packages: dict[str, PythonPackage] = field(default_factory=dict)
    system_packages: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    accounts: tuple[Account, ...] = ()
    closed: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, bool] = field(default_factory=dict)


# Facts of an image that differ between builds of the same content, or that do not affect a run.
IDENTITY = frozenset({"id", "digests", "layers", "revision", "source"})
LABEL = "label "


def is_label(fact: str) -> bool:
    """Whether a fact of an image is one of its labels."""
    return fact.startswith(LABEL)
