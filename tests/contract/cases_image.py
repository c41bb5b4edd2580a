"""An image with labels and a predict step, whose environment holds a secret."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.contract.case import CANARY, SourceCase
from tests.engines import base_image, docker
from tests.templates import Templates

LINES = (
    "WORKDIR /app",
    f"ENV API_TOKEN={CANARY} TZ=UTC",
    f"LABEL org.opencontainers.image.source=https://ada:{CANARY}@git.example.org/credit.git",
    "LABEL org.opencontainers.image.revision=" + "9f2c" * 10,
    """LABEL repro-tui.predict='["python3", "predict.py", "{inputs}", "{output}"]'""",
)


def labelled() -> str:
    """Builds the image."""
    text = "\n".join([f"FROM {base_image()}", *LINES])
    command = ["docker", "build", "--quiet", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.strip()


def build_case(folder: Path, templates: Templates) -> Iterator[SourceCase]:
    image = labelled()
    yield SourceCase(f"image:{image}", folder, ("image:../containers/x", "image:--privileged", "image:no/such:image"))
    docker("rmi", "--force", image)
