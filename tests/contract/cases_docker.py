"""A container of a labelled image, with a secret of its own and a mounted model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.contract.case import CANARY, SourceCase
from tests.contract.cases_image import labelled
from tests.engines import docker
from tests.templates import Templates


def build_case(folder: Path, templates: Templates) -> Iterator[SourceCase]:
    image = labelled()
    (folder / "model.json").write_text("{}")
    options = (
        "--env",
        f"DATABASE_PASSWORD={CANARY}",
        "--env",
        "TZ=CET",
        "--volume",
        f"{folder}/model.json:/app/model.json:ro",
    )
    container = docker("create", *options, image, "true")
    yield SourceCase(
        f"docker:{container}", folder, ("docker:../images/x", "docker:--privileged", "docker:no-such-container")
    )
    docker("rm", "--force", container)
    docker("rmi", "--force", image)
