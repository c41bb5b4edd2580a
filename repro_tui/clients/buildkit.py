"""Clients of the Docker engine's BuildKit, which the engine's own API cannot drive.

BuildKit is spoken by the program `docker-buildx`, a plug-in of the Docker client, and by Docker clients of 18.09 to
20.10 themselves. Its builds are the engine's own; no builder that the user has set up elsewhere is used.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.clients.docker_engine import DEFAULT_SOCKET
from repro_tui.support.plain import write_json
from repro_tui.support.process import query
from repro_tui.support.regular import read_regular

if TYPE_CHECKING:
    from docker import DockerClient

INSTALL = (
    "install docker-buildx, the plug-in of the Docker client (Debian and Ubuntu: apt install docker-buildx, or "
    "docker-buildx-plugin from Docker's own packages)"
)
OLDEST_ENGINE = (18, 9)
_FIRST_WITH_PLUG_IN = 23
_KEPT_SETTINGS = ("auths", "credsStore", "credHelpers")
# What credential helpers, which the Docker client starts, need.
_KEPT_VARIABLES = ("PATH", "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
# The engine whose own frontend knows a version of the Dockerfile syntax.
_ENGINES = (((1, 2), "20.10"), ((1, 4), "23.0"), ((1, 6), "25.0"), ((1, 7), "26.0"), ((1, 99), "28.0"))


@dataclass(frozen=True, slots=True)
class BuildClient:
    """A program that builds with the engine's BuildKit: the start of its command, and its name for messages."""

    command: tuple[str, ...]
    name: str


def find_build_client(client: DockerClient, settings: Path) -> BuildClient | None:
    """The first Docker client on PATH that can drive this engine's BuildKit; None if there is none.

    `settings` is a folder of `client_settings`.
    """
    version = client.version()
    names = {str(part.get("Name", "")) for part in version.get("Components") or []}
    if "Podman Engine" in names or _numbers(str(version.get("Version", ""))) < OLDEST_ENGINE:
        return None
    for program in _programs():
        done = _asked([program, "buildx", "version"], settings)
        if done is not None:
            return BuildClient((program, "buildx", "build", "--load"), f"docker buildx {_version_in(done)}")
        version_text = _asked([program, "--version"], settings) or ""
        numbers = _numbers(_version_in(version_text))
        if OLDEST_ENGINE <= numbers < (_FIRST_WITH_PLUG_IN,):
            return BuildClient((program, "build"), f"docker build {_version_in(version_text)} with BuildKit")
    return None


def engine_for(since: str) -> str:
    """The first version of Docker Engine whose own frontend knows this version of the Dockerfile syntax."""
    return next(engine for syntax, engine in _ENGINES if _numbers(since) <= syntax)


def engine_since(client: DockerClient, version: tuple[int, int]) -> bool:
    """Whether the engine is this version of Docker Engine, or a later one."""
    return _numbers(str(client.version().get("Version", ""))) >= version


def knows_syntax(client: DockerClient, since: str) -> bool:
    """Whether the engine's own frontend knows this version of the Dockerfile syntax."""
    return _numbers(str(client.version().get("Version", ""))) >= _numbers(engine_for(since))


def client_settings(folder: Path) -> Path:
    """Writes settings of the Docker client that have only the user's logins: neither proxies nor other builders."""
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        settings = json.loads(read_regular(own / "config.json", most=1 << 20))
    except (OSError, ValueError):
        settings = {}
    kept = {name: settings[name] for name in _KEPT_SETTINGS if isinstance(settings, dict) and name in settings}
    folder.mkdir(mode=0o700)
    write_json(folder / "config.json", kept | {"cliPluginsExtraDirs": [str(own / "cli-plugins")]})
    return folder


def client_environment(settings: Path) -> dict[str, str]:
    """The environment variables of a Docker client that builds."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | {
        "DOCKER_HOST": os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET,
        "DOCKER_CONFIG": str(settings),
        "DOCKER_BUILDKIT": "1",
        "BUILDX_BUILDER": "default",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        "BUILDKIT_PROGRESS": "plain",
    }


def _programs() -> Iterator[str]:
    seen: set[str] = set()
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        program = shutil.which("docker", path=folder) if folder else None
        if program and os.path.realpath(program) not in seen:
            seen.add(os.path.realpath(program))
            yield program


def _asked(arguments: list[str], settings: Path) -> str | None:
    """The output of a client; None if it fails."""
    try:
        done = query(arguments, environment=client_environment(settings), timeout_s=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _version_in(text: str) -> str:
    match = re.search(r"v?(\d+\.\d+(\.\d+)?)", text)
    return match.group(1) if match else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
