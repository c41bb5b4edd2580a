"""`docker:CONTAINER`, what is really deployed, and `image:REF`: read by inspecting alone, and never changed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Code, DataItem, Environment, Missing, Predict, Record
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.docker_engine import engine, find_image
from repro_tui.support.text import show

if TYPE_CHECKING:
    from docker import DockerClient

_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
REVISION, SOURCE, PREDICT = "org.opencontainers.image.revision", "org.opencontainers.image.source", "repro-tui.predict"
EXAMPLE = '["python", "predict.py", "{inputs}", "{output}"]'
# What is mounted for the machine and not for the model: never read.
NEVER_READ = ("/proc", "/sys", "/dev", "/run", "/var/run", "/etc", "/var/lib/docker")


class DockerContainer:
    """Reads a container of the Docker engine of this machine, running or not."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of `docker:NAME` or `docker:ID`. Raises Refused."""
        name = reference.removeprefix("docker:")
        if not _CONTAINER.fullmatch(name):
            raise Refused(Mistake(show(reference, 200), "is not the name or id of a container"))
        return _inspected(reference, lambda client: _container(client, name, reference))


class DockerImage:
    """Reads an image that the Docker engine of this machine has."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of `image:REF`. Raises Refused."""
        name = reference.removeprefix("image:")
        mistake = grammar.image(name)
        if mistake:
            raise Refused(Mistake(show(reference, 200), mistake))
        return _inspected(reference, lambda client: _image(client, name, reference))


def _inspected(reference: str, read: Any) -> Record:
    try:
        with engine() as client:
            record: Record = read(client)
            return record
    except Inconclusive as error:
        raise Refused(Mistake(show(reference, 200), str(error))) from error


def _image(client: DockerClient, name: str, reference: str) -> Record:
    found = find_image(client, name)
    if found is None:
        words = "this machine does not have that image: docker pull it first, or record it with its registry's name"
        raise Refused(Mistake(show(reference, 200), words))
    return _Reader(found, reference, name).record()


def _container(client: DockerClient, name: str, reference: str) -> Record:
    from docker.errors import NotFound

    try:
        told = client.api.inspect_container(name)
    except NotFound as error:
        words = "the Docker engine has no such container: docker ps --all lists those that it has"
        raise Refused(Mistake(show(reference, 200), words)) from error
    image = find_image(client, told["Image"])
    assert image is not None, "a container keeps its image"
    return _Reader(image, reference, str(told["Config"].get("Image") or ""), told).record()


@dataclass(slots=True)
class _Reader:
    """Makes the record of an image, or of a container (`told`) over its image."""

    image: dict[str, Any]
    reference: str
    named: str
    told: dict[str, Any] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

    def record(self) -> Record:
        environment = self._environment()
        code, predict, data = self._code(), self._predict(), self._data()
        self.provenance["description"] = self._where
        self.missing.append(
            Missing(
                "validation.inputs",
                "an image does not say what its predictions are checked on",
                "give --inputs FILE (and --key COLUMN)",
            )
        )
        return Record(
            name=self._name(),
            reference=self.reference,
            base="/",
            description=f"image {show(self.named, 200)}, command {show(json.dumps(self._command()), 200)}",
            code=code,
            environment=environment,
            data=data,
            predict=predict,
            provenance=self.provenance,
            missing=tuple(self.missing),
            warnings=tuple(self.warnings),
        )

    @property
    def _where(self) -> str:
        return f"docker: {'container' if self.told else 'image'} {self._name()}"

    def _name(self) -> str:
        return str(self.told.get("Name", "")).strip("/") or self.named.partition("@")[0] or self.image["Id"][7:19]

    def _labels(self) -> dict[str, str]:
        config = self.told.get("Config") or self.image.get("Config") or {}
        return config.get("Labels") or {}

    def _command(self) -> list[str]:
        return _started_by(self.told or self.image)

    # -- environment --------------------------------------------------------------------------------------------

    def _environment(self) -> Environment:
        digests: list[str] = self.image.get("RepoDigests") or []
        repository = self.named.partition("@")[0]
        repository = repository.rpartition(":")[0] if ":" in repository.rpartition("/")[2] else repository
        own = [digest for digest in digests if digest.partition("@")[0] == repository]
        image = next(iter(own or digests), self.image["Id"])
        if not digests:
            self.warnings.append("the image was never pushed to a registry: only this machine has it, by its id")
        self.provenance["environment.image"] = f"{self._where}, image {self.image['Id']}"
        variables = {name: value for name, value in _pairs(self.told).items() if _pairs(self.image).get(name) != value}
        if variables:
            self.provenance["environment.variables"] = f"{self._where}, those that its image has not"
        command = tuple(self._command()) if self.told and self._command() != _started_by(self.image) else ()
        if command:
            self.provenance["environment.command"] = f"{self._where}, what it was started with"
        return Environment(image=image, variables=variables, command=command)

    # -- code and predict step ----------------------------------------------------------------------------------

    def _code(self) -> Code | None:
        labels = self._labels()
        commit, repository = labels.get(REVISION, ""), labels.get(SOURCE, "")
        wrong = [
            name for name, mistake in ((REVISION, grammar.commit(commit)), (SOURCE, _repository(repository))) if mistake
        ]
        if wrong:
            why = f"the image has no usable label {' and '.join(wrong)}"
            do = f"docker build --label {REVISION}=$(git rev-parse HEAD) --label {SOURCE}=URL"
            self.missing.append(Missing("code.commit", why, do))
            return None
        self.provenance |= {"code.commit": f"{self._where}, label {REVISION}"}
        self.provenance |= {"code.repository": f"{self._where}, label {SOURCE}"}
        return Code(repository, commit, in_image=True)

    def _predict(self) -> Predict | None:
        command = self._labelled()
        if command is None and any("{output}" in word for word in self._command()):
            command = self._command()
            self.provenance["predict.command"] = f"{self._where}, its command"
        if command is None:
            why = "the image does not say how it predicts from a file"
            do = f"give --predict COMMAND, or build it with --label {PREDICT}='{EXAMPLE}'"
            self.missing.append(Missing("predict", why, do))
            return None
        return Predict(tuple(command))

    def _labelled(self) -> list[str] | None:
        text = self._labels().get(PREDICT)
        if text is None:
            return None
        try:
            words = json.loads(text)
        except (ValueError, RecursionError):
            words = None
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            raise Refused(Mistake(show(self.reference, 200), f"its label {PREDICT} is not a JSON list of words"))
        unknown = [name for word in words for name in grammar.placeholders(word)]
        if unknown:
            raise Refused(Mistake(show(self.reference, 200), f"its label {PREDICT} has {', '.join(unknown)}"))
        self.provenance["predict.command"] = f"{self._where}, label {PREDICT}"
        return words

    # -- mounts -------------------------------------------------------------------------------------------------

    def _data(self) -> tuple[DataItem, ...]:
        """What is mounted below the working folder, as data; what is elsewhere is told."""
        found: list[DataItem] = []
        working = PurePosixPath((self.told.get("Config") or {}).get("WorkingDir") or "/")
        for mount in self.told.get("Mounts") or []:
            source, target = str(mount.get("Source", "")), PurePosixPath(str(mount.get("Destination", "")))
            if _for_the_machine(source, target):
                self.warnings.append(f"{show(str(target), 200)} is mounted from the machine: it is not rebuilt")
            elif not target.is_relative_to(working) or target == working:
                why = f"{show(str(target), 200)} is mounted outside of the working folder {show(str(working), 100)}"
                self.missing.append(Missing("data", why, "put it into the image, or mount it below that folder"))
            else:
                self.provenance[f"data.{len(found)}.source"] = f"{self._where}, mount {show(str(target), 200)}"
                why = f"{show(str(target), 200)} is a mount, which has no recorded hash"
                self.missing.append(Missing(f"data.{len(found)}.sha256", why, "record its sha256"))
                found.append(DataItem(str(target.relative_to(working)), f"file://{source}"))
        return tuple(found)


def _started_by(told: dict[str, Any]) -> list[str]:
    config = told.get("Config") or {}
    return [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]


def _pairs(told: dict[str, Any]) -> dict[str, str]:
    pairs = (told.get("Config") or {}).get("Env") or []
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _repository(location: str) -> str | None:
    return grammar.repository(location) if location else "is not there"


def _for_the_machine(source: str, target: PurePosixPath) -> bool:
    """Sockets, the machine's own folders and whole roots: never a model's data."""
    shallow = source in ("", "/", "/home", "/root", "/tmp", "/var", "/usr", "/opt", "/mnt", "/srv")  # noqa: S108
    machine = any(PurePosixPath(source).is_relative_to(place) for place in NEVER_READ if place != "/var/lib/docker")
    volume = source.startswith("/var/lib/docker/volumes/")
    return shallow or machine or (source.startswith("/var/lib/docker/") and not volume) or str(target).endswith(".sock")
