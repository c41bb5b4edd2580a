"""Our own SIF images, each built once per test run: a build takes 12 seconds."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines import base_image, docker, sif
from tests.templates import Templates

METADATA = "Metadata-Version: 2.1\nName: scoring\nVersion: {version}\n"
SITE = "/usr/lib/python3/dist-packages"
Images = Callable[[str], Path]


def image(folder: Path, version: str, *lines: str) -> str:
    """A Docker image with that version of the package `scoring`, whose factor is the version number."""
    info = folder / f"scoring-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA.format(version=version))
    (info / "RECORD").write_text(f"scoring.py,,\nscoring-{version}.dist-info/METADATA,,\n")
    (folder / "scoring.py").write_text(f"FACTOR = {version}\n")
    copies = [f"COPY scoring.py {SITE}/", f"COPY {info.name} {SITE}/{info.name}"]
    (folder / "Dockerfile").write_text("\n".join((f"FROM {base_image()}", *copies, *lines)))
    return docker("build", "--quiet", "--no-cache", str(folder)).splitlines()[-1]


@pytest.fixture(scope="session")
def images(templates: Templates) -> Images:
    """The SIF image of a version of `scoring`, built once per test run; a suffix makes another build of one version."""
    labels = (
        "LABEL org.opencontainers.image.source=https://git.example.org/credit.git",
        f"LABEL org.opencontainers.image.revision={'9f2c' * 10}",
        "ENV GREETING=hello",
    )

    def sif_image(version: str) -> Path:
        lines = labels if version == "1.0" else labels[2:]

        def build(folder: Path) -> None:
            made = image(folder / "context", version.partition("+")[0], *lines)
            sif(folder, made, "credit.sif")
            docker("rmi", "--force", made)

        return templates.folder(f"sif-scoring-{version}", build) / "credit.sif"

    return sif_image


def apptainer(*arguments: str) -> str:
    """The output of Apptainer itself."""
    return subprocess.run(["apptainer", *arguments], capture_output=True, text=True, check=True).stdout
