"""A SIF image built from a labelled Docker image, whose environment holds a secret."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.contract.case import CANARY, SourceCase
from tests.engines import base_image, docker, sif
from tests.templates import Templates

LABELS = (
    "org.opencontainers.image.source=https://ada:" + CANARY + "@git.example.org/credit.git",
    "org.opencontainers.image.revision=" + "9f2c" * 10,
    "org.opencontainers.image.description=what-serves-customers",
)


def labelled_image() -> str:
    """A Docker image with labels and a secret in its environment, and a shell that would leave a marker."""
    lines = [f"FROM {base_image()}", *(f"LABEL {label}" for label in LABELS), f"ENV API_TOKEN={CANARY} TZ=UTC"]
    command = ["docker", "build", "--quiet", "-"]
    return subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True).stdout.strip()


def build_case(folder: Path, templates: Templates) -> Iterator[SourceCase]:
    image = labelled_image()
    sif(folder, image, "credit.sif")
    (folder / "not.sif").write_bytes(b"x" * 4096)
    (folder / "short.sif").write_bytes((folder / "credit.sif").read_bytes()[:200])
    yield SourceCase("sif:credit.sif", folder, ("sif:not.sif", "sif:short.sif", "sif:.", "sif:absent.sif"))
    docker("rmi", "--force", image)
