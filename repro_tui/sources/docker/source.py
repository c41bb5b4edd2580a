"""`docker:CONTAINER`, what is really deployed, and `image:REF`: read by inspecting alone, and never changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from repro_tui.clients.docker_engine import engine, find_image, pull_image
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Code, DataItem, Environment, Missing, Predict, Record
from repro_tui.sources.docker.changes import changed_files
from repro_tui.sources.docker.mounts import mounts_of
from repro_tui.sources.docker.served import ServedModel, served_by_container, served_by_image
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.redact import hide_words
from repro_tui.support.text import plural, show

if TYPE_CHECKING:
    from docker import DockerClient

_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
# A label of each pair, the first that an image has: the image standard's, then MLflow's names for the same.
REVISIONS = ("org.opencontainers.image.revision", "mlflow.source.git.commit")
SOURCES = ("org.opencontainers.image.source", "mlflow.source.git.repoURL")
PREDICT = "repro-tui.predict"
EXAMPLE = '["python", "predict.py", "{inputs}", "{output}"]'
GONE = "its image is no longer on this machine: docker pull it again, or look at a container whose image is there"


class DockerContainer:
    """Reads a container of the Docker engine of this machine, running or not."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of `docker:NAME` or `docker:ID`. Raises Refused."""
        name = reference.removeprefix("docker:")
        if not _CONTAINER.fullmatch(name):
            raise Refused(Mistake(show(reference, 200), "is not the name or id of a container"))
        return _inspected(reference, lambda client: _container(client, name, reference))


class DockerImage:
    """Reads an image that the Docker engine of this machine has; one that is named by digest is pulled."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of `image:REF`. Raises Refused."""
        name = reference.removeprefix("image:")
        mistake = grammar.image(name)
        if mistake:
            raise Refused(Mistake(show(reference, 200), mistake))
        return _inspected(reference, lambda client: _image(client, name, reference))


def _inspected(reference: str, read: Callable[[DockerClient], Record]) -> Record:
    try:
        with engine() as client:
            return read(client)
    except Inconclusive as error:
        raise Refused(Mistake(show(reference, 200), str(error))) from error


def _image(client: DockerClient, name: str, reference: str) -> Record:
    found = find_image(client, name)
    if found is None and "@" in name:
        found = pull_image(client, name)
    if found is None:
        words = "this machine does not have that image: docker pull it first, or name it by its digest"
        raise Refused(Mistake(show(reference, 200), words))
    reader = _ContainerReader(found, reference, name)
    return reader.record(lambda: served_by_image(client, found["Id"]))


def _container(client: DockerClient, name: str, reference: str) -> Record:
    from docker.errors import NotFound

    try:
        told = client.api.inspect_container(name)
    except NotFound as error:
        words = "the Docker engine has no such container: docker ps --all lists those that it has"
        raise Refused(Mistake(show(reference, 200), words)) from error
    image = find_image(client, told["Image"])
    if image is None:
        raise Refused(Mistake(show(reference, 200), GONE))
    reader = _ContainerReader(image, reference, str(told["Config"].get("Image") or ""), told)
    reader.tell_changes(changed_files(client, told))
    return reader.record(lambda: served_by_container(client, told["Id"]))


@dataclass(slots=True)
class _ContainerReader:
    """Makes the record of an image, or of a container (`told`) over its image."""

    image: dict[str, Any]
    reference: str
    named: str
    told: dict[str, Any] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

    def record(self, find_served: Callable[[], ServedModel | None]) -> Record:
        """The record; `find_served` looks for a served model, where nothing else says how to predict."""
        environment = self._environment()
        predict, served = self._labelled_step(), None
        if predict is None:
            served = find_served()
            predict = self._served_step(served)
        code, data = self._code(served), self._data()
        self.provenance["description"] = self._where
        why = "an image does not say what its predictions are checked on"
        self._lacks("validation.inputs", why, "give --inputs FILE (and --key COLUMN)")
        return Record(
            name=self._name(),
            reference=self.reference,
            base="/",
            description=self._description(served),
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

    @property
    def _config(self) -> dict[str, Any]:
        return self.told.get("Config") or self.image.get("Config") or {}

    def _lacks(self, field: str, why: str, do: str) -> None:
        self.missing.append(Missing(field, why, do))

    def _name(self) -> str:
        return str(self.told.get("Name", "")).strip("/") or self.named.partition("@")[0] or self.image["Id"][7:19]

    def _label(self, names: tuple[str, ...]) -> tuple[str, str]:
        """The first of these labels that is there, and its value; the first name and "" where none is."""
        labels = self._config.get("Labels") or {}
        return next(((name, labels[name].strip()) for name in names if labels.get(name)), (names[0], ""))

    def _command(self) -> list[str]:
        return _started_by(self.told or self.image)

    def _description(self, served: ServedModel | None) -> str:
        command = show(json.dumps(list(hide_words(self._command()))), 200)
        parts = [f"image {show(self.named, 200)}", f"command {command}"]
        parts += [f"serves the MLflow model of {served}"] if served and not served.wrong else []
        created = str((self.told or self.image).get("Created") or "")
        started = str((self.told.get("State") or {}).get("StartedAt") or "")
        parts += [f"created {show(created[:19], 40)}Z"] if created else []
        parts += [f"started {show(started[:19], 40)}Z"] if started[:4] > "0001" else []
        ports = ", ".join(_ports(self.told, self._config))
        parts += [f"ports {show(ports, 200)}"] if ports else []
        return "; ".join(parts)

    # -- environment --------------------------------------------------------------------------------------------

    def _environment(self) -> Environment:
        digests: list[str] = self.image.get("RepoDigests") or []
        repository = _repository_of(self.named)
        own = [digest for digest in digests if digest.partition("@")[0] == repository]
        image = next(iter(own or digests), self.image["Id"])
        if not digests:
            self.warnings.append("the image was never pushed to a registry: only this machine has it, by its id")
        elif not self.told and not grammar.has_digest(self.named):
            self.warnings.append(f"the image is named by a tag, which can move: it now stands for {show(image, 300)}")
        self.provenance["environment.image"] = f"{self._where}, image {self.image['Id']}"
        return Environment(image=image, variables=self._variables(), command=self._own_command())

    def _variables(self) -> dict[str, str]:
        """Those that the container has over its image."""
        built_in = _pairs(self.image)
        found = {name: value for name, value in _pairs(self.told).items() if built_in.get(name) != value}
        for name in [name for name in found if grammar.variable(name)]:
            del found[name]
            self.warnings.append(f"the variable {show(name, 100)} has no name that can be recorded: it is left out")
        if found:
            self.provenance["environment.variables"] = f"{self._where}, those that its image has not"
        return found

    def _own_command(self) -> tuple[str, ...]:
        """What the container was started with, where that is not its image's."""
        command = tuple(self._command()) if self.told and self._command() != _started_by(self.image) else ()
        if command:
            self.provenance["environment.command"] = f"{self._where}, what it was started with"
        return command

    def tell_changes(self, changed: list[str]) -> None:
        """Says which files of the container are no longer those of its image: they are deployed, and not rebuilt."""
        if not changed:
            return
        told = show(", ".join(changed), 300)
        why = f"{plural(len(changed), 'file')} of the container {_are(changed)} not as in its image: {told}"
        do = "build an image that has them (docker diff lists them), and deploy that"
        self._lacks("environment.changes", why, do)
        self.warnings.append(f"{why}; the image is what is rebuilt, without them")

    # -- code ---------------------------------------------------------------------------------------------------

    def _code(self, served: ServedModel | None) -> Code | None:
        (revision, commit), (source, repository) = self._label(REVISIONS), self._label(SOURCES)
        wrong = [
            f"{name} ({mistake})"
            for name, mistake in ((revision, _commit_mistake(commit)), (source, _repository_mistake(repository)))
            if mistake
        ]
        if wrong:
            do = f"docker build --label {REVISIONS[0]}=$(git rev-parse HEAD) --label {SOURCES[0]}=URL"
            if served and served.run_id:
                do += f"; or read the MLflow run that it serves: runs:/{show(served.run_id, 100)}"
            self._lacks("code.commit", f"the image has no usable label {' and '.join(wrong)}", do)
            return None
        self.provenance |= {"code.commit": f"{self._where}, label {revision}"}
        self.provenance |= {"code.repository": f"{self._where}, label {source}"}
        why = "labels do not say whether the tree had uncommitted changes"
        self._lacks("code.dirty", why, "build from a clean checkout of the commit")
        return Code(repository, commit, in_image=True)

    # -- predict step -------------------------------------------------------------------------------------------

    def _labelled_step(self) -> Predict | None:
        """The command of the label, or the container's own where it has our placeholders."""
        command = self._labelled()
        if command is None and any("{output}" in word for word in self._command()):
            command = self._command()
            self.provenance["predict.command"] = f"{self._where}, its command"
        return Predict(tuple(command)) if command else None

    def _labelled(self) -> list[str] | None:
        text = (self._config.get("Labels") or {}).get(PREDICT)
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

    def _served_step(self, served: ServedModel | None) -> Predict | None:
        if served is None or served.wrong:
            why = served.wrong if served else "the image does not say how it predicts from a file"
            do = f"give --predict COMMAND, or build it with --label {PREDICT}='{EXAMPLE}'; of a server, give --protocol"
            self._lacks("predict", why, do)
            return None
        self.provenance["predict.protocol"] = f"{self._where}, its MLmodel: MLflow {served}"
        return Predict(protocol="mlflow")

    # -- mounts -------------------------------------------------------------------------------------------------

    def _data(self) -> tuple[DataItem, ...]:
        """What is mounted as data, at the container's own absolute paths; what is the machine's own is told."""
        found: list[DataItem] = []
        for mount in mounts_of(self.told):
            place = show(mount.target, 200)
            if mount.why_not:
                self.warnings.append(f"{place} {mount.why_not}: it is not rebuilt")
                continue
            if mount.warning:
                self.warnings.append(mount.warning)
            self.provenance[f"data.{len(found)}.source"] = f"{self._where}, mount {place}"
            self._lacks(
                f"data.{len(found)}.sha256", f"{place} is a mount, which has no recorded hash", "record its sha256"
            )
            found.append(DataItem(mount.target, f"file://{mount.source}"))
        return tuple(found)


def _started_by(told: dict[str, Any]) -> list[str]:
    config = told.get("Config") or {}
    return [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]


def _pairs(told: dict[str, Any]) -> dict[str, str]:
    pairs = (told.get("Config") or {}).get("Env") or []
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _repository_of(image: str) -> str:
    """An image's name without its tag and digest."""
    name = image.partition("@")[0]
    return name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name


def _ports(told: dict[str, Any], config: dict[str, Any]) -> list[str]:
    """The ports of a container with where they are published, else those that the image exposes."""
    bound = (told.get("HostConfig") or {}).get("PortBindings") or {}
    published = [
        f"{place.get('HostIp') or '*'}:{place.get('HostPort')}->{port}"
        for port, places in bound.items()
        for place in places or ()
    ]
    return sorted(published) or sorted(config.get("ExposedPorts") or {})


def _are(things: list[str]) -> str:
    return "is" if len(things) == 1 else "are"


def _commit_mistake(commit: str) -> str | None:
    return grammar.commit(commit) if commit else "is not there"


def _repository_mistake(location: str) -> str | None:
    if not location:
        return "is not there"
    if mistake := grammar.repository(location):
        return mistake
    relative = not grammar.is_remote(location) and not location.startswith("/")
    return "is a relative path, which says nothing outside of the build" if relative else None
