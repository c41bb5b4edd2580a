"""Builds with the engine's BuildKit, by a Docker client."""

from __future__ import annotations

import re
from pathlib import Path

from repro_tui.clients.buildkit import BuildClient, client_environment
from repro_tui.clients.docker_engine import CUT
from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.environments.dockerfiles.job import REPEAT, BuildJob
from repro_tui.support import process
from repro_tui.support.text import show

_LOST = re.compile(
    r"(?i)cannot connect to the docker daemon|error reading from server|connection (reset|refused)|unexpected EOF|"
    r"server did not provide an image ID"
)


def build_with_buildkit(job: BuildJob, program: BuildClient, settings: Path) -> str:
    """Builds a job; returns the id of the image. Raises Inconclusive where the build fails, and Cancelled.

    `settings` is a folder of `client_settings`.
    """
    id_file = settings / "image-id"
    done = process.run(
        [*program.command, *_options(job, id_file), "-"],
        environment=client_environment(settings),
        cancel=job.context.cancel,
        stdin=job.archive,
        on_line=lambda line: job.line(_without_digest(line)),
        stop=job.check,
    )
    if done.exit_code != 0:
        if _LOST.search(done.text[-2000:]):
            raise Inconclusive("the connection to the Docker engine was lost during the build", CUT)
        raise job.failed()
    try:
        return id_file.read_text("ascii").strip()
    except OSError as error:
        raise Inconclusive(f"the build of {show(job.dockerfile, 120)} did not produce an image", REPEAT) from error


def _options(job: BuildJob, id_file: Path) -> list[str]:
    options = ["--progress", "plain", "--file", job.dockerfile, "--iidfile", str(id_file), "--network", job.network]
    options += ["--target", job.target] if job.target else []
    for name, value in job.arguments.items():
        options += ["--build-arg", f"{name}={value}"]
    for name, value in job.labels.items():
        options += ["--label", f"{name}={value}"]
    return options


def _without_digest(line: str) -> str:
    """A line of BuildKit's progress; those with nothing but the digest of a step are left out."""
    return "" if re.fullmatch(r"#\d+ sha256:[0-9a-f]{64}", line.strip()) else line
