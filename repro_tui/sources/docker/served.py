"""Identifies the MLflow model that a container serves by its MLmodel file, which is read and never loaded."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repro_tui.clients.docker_engine import never_started
from repro_tui.formats.documents import LARGEST, parse_document
from repro_tui.model.errors import Refused
from repro_tui.support.context import Context
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show

if TYPE_CHECKING:
    from docker import DockerClient

MLMODEL = "/opt/ml/model/MLmodel"
_PYFUNC = "python_function"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The contents of an MLmodel file. `wrong` is why the model cannot be queried ("" where it can)."""

    run_id: str = ""
    model_id: str = ""
    flavors: tuple[str, ...] = ()
    wrong: str = ""

    def __str__(self) -> str:
        named = [("run", self.run_id), ("model", self.model_id), ("flavors", ", ".join(self.flavors))]
        return ", ".join(f"{name} {show(value, 100)}" for name, value in named if value) or "(no run named)"


def served_by_container(client: DockerClient, container: str) -> ServedModel | None:
    """The model in a container, which may be running and is not changed; None where there is none."""
    from docker.errors import NotFound

    try:
        chunks, _ = client.api.get_archive(container, MLMODEL)
    except NotFound:
        return None
    try:
        return _parsed(_only_file(chunks))
    except (Refused, tarfile.TarError, ValueError) as error:
        return ServedModel(wrong=f"its {MLMODEL} cannot be read: {show(str(error), 300)}")


def served_by_image(client: DockerClient, image_id: str, context: Context) -> ServedModel | None:
    """The model in an image; None where there is none."""
    with never_started(client, image_id, context) as container:
        return served_by_container(client, container)


def _only_file(chunks: Iterable[bytes]) -> bytes:
    """The content of the only file in the engine's archive.

    The archive is always read to its end, because the connection is reused. Raises ValueError or tarfile.TarError.
    """
    whole, most = bytearray(), LARGEST + (1 << 16)
    for chunk in chunks:
        if len(whole) <= most:
            whole += chunk
    if len(whole) > most:
        raise ValueError(f"it is larger than {size_text(LARGEST)}")
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        member = archive.next()
        content = archive.extractfile(member) if member is not None and member.isreg() else None
        if content is None:
            raise ValueError("it is not a plain file")
        return content.read()


def _parsed(content: bytes) -> ServedModel:
    document = parse_document(content, ".yaml", MLMODEL)
    flavors = document.get("flavors")
    names = tuple(sorted(map(str, flavors))) if isinstance(flavors, dict) else ()
    wrong = "" if _PYFUNC in names else f"its {MLMODEL} has no flavor {_PYFUNC}, which MLflow's server needs"
    return ServedModel(_text(document, "run_id"), _text(document, "model_id"), names, wrong)


def _text(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""
