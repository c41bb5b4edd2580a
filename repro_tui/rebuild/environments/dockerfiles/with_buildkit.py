"""Builds with the engine's BuildKit, by a Docker client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from repro_tui.clients.buildkit import BuildClient, client_environment
from repro_tui.clients.docker_engine import engine_address
from repro_tui.clients.docker_errors import lost_connection
from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.environments.dockerfiles.job import REPEAT, BuildJob
from repro_tui.support import process
from repro_tui.support.redact import is_secret_name, secrets_in
from repro_tui.support.text import show

_OF_CLIENTS = re.compile(
    r"(?i)(DOCKER|BUILD\w*|LD|GLIBC|GCONV|MALLOC|GO\w*|OTEL|SSL|XDG|DBUS|SSH|GIT|AWS)_.*|\w+_PROXY|PATH|HOME|TMPDIR|GO\w+"
)
_LOST = re.compile(
    r"(?i)cannot connect to the docker daemon|error reading from server|connection (reset|refused)|unexpected EOF|"
    r"server did not provide an image ID"
)
_OF_BUILD = re.compile(r"^\s*(#\d+ |> )|failed to do request")


def build_with_buildkit(job: BuildJob, program: BuildClient, settings: Path) -> str:
    """Builds a job; returns the id of the image. Raises Inconclusive where the build fails, and Cancelled.

    `settings` is a folder of `client_settings`.
    """
    id_file = settings / "image-id"
    done = process.run(
        [*program.command, *_options(job, id_file), "-"],
        environment=client_environment(settings) | secret_arguments(job.arguments),
        cancel=job.context.cancel,
        stdin=job.archive,
        on_line=lambda line: job.line(_without_digest(line)),
        stop=job.check,
    )
    if done.exit_code != 0:
        if _has_lost_engine(done.text[-4000:]):
            raise lost_connection(engine_address(), "during the build")
        raise job.failed()
    try:
        return id_file.read_text("ascii").strip()
    except OSError as error:
        raise Inconclusive(f"the build of {show(job.dockerfile, 120)} did not produce an image", REPEAT) from error


def _has_lost_engine(output: str) -> bool:
    """Whether the client says that it lost the engine.

    What steps printed (lines with a number, and the block between dashes that repeats the last of them) and what a
    registry answered is not the client's: a `pip install` without a network says "connection refused" too.
    """
    inside = False
    for line in output.splitlines():
        if line.startswith("------"):
            inside = not inside
        elif not inside and not _OF_BUILD.search(line) and _LOST.search(line):
            return True
    return False


def _options(job: BuildJob, id_file: Path) -> list[str]:
    options = ["--progress", "plain", "--file", job.dockerfile, "--iidfile", str(id_file), "--network", job.network]
    options += ["--target", job.target] if job.target else []
    options += ["--cgroup-parent", job.group.name] if job.group.folders else []
    inherited = secret_arguments(job.arguments)
    for name, value in job.arguments.items():
        options += ["--build-arg", name if name in inherited else f"{name}={value}"]
    for name, value in job.labels.items():
        options += ["--label", f"{name}={value}"]
    return options


def secret_arguments(arguments: Mapping[str, str]) -> dict[str, str]:
    """Build arguments that are secret by their name, or have a password in them, as the URL of a package index may.

    The client takes them from its environment: every user of the machine can read its command line. Variables that
    the client itself obeys are left out: a record must not decide what it loads, or by whom it reaches a registry.
    """
    return {
        name: value
        for name, value in arguments.items()
        if (is_secret_name(name) or any(secrets_in(value))) and not _OF_CLIENTS.fullmatch(name)
    }


def _without_digest(line: str) -> str:
    """A line of BuildKit's progress; those with nothing but the digest of a step are left out."""
    return "" if re.fullmatch(r"#\d+ sha256:[0-9a-f]{64}", line.strip()) else line
