"""`docker:CONTAINER` and `image:REF`: containers and images of the local Docker engine.

Both are only inspected. Nothing is executed in them, and they are not changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from repro_tui.clients.docker_engine import engine, find_image
from repro_tui.clients.docker_inspected import Configuration, InspectedContainer, InspectedImage, variables_of
from repro_tui.clients.docker_pull import pull_image
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
# Of each tuple, the first label that an image has is used: the OCI standard's name, then MLflow's.
REVISIONS = ("org.opencontainers.image.revision", "mlflow.source.git.commit")
SOURCES = ("org.opencontainers.image.source", "mlflow.source.git.repoURL")
PREDICT = "repro-tui.predict"
EXAMPLE = '["python", "predict.py", "{inputs}", "{output}"]'
IMAGE_REMOVED = "its image is no longer on this machine: pull or build it again, or audit another container"


class DockerContainer:
    """Reads a container of the local Docker engine, whether it is running or stopped."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of `docker:NAME` or `docker:ID`. Raises Refused."""
        name = reference.removeprefix("docker:")
        if not _CONTAINER.fullmatch(name):
            raise Refused(
                Mistake(show(reference, 200), "is not the name or id of a container: docker ps --all lists them")
            )
        return _inspected(reference, lambda client: _container(client, name, reference))


class DockerImage:
    """Reads an image of the local Docker engine; one that is named by its digest is pulled if it is absent."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of `image:REF`. Raises Refused."""
        name = reference.removeprefix("image:")
        mistake = grammar.image(name)
        if mistake:
            raise Refused(Mistake(show(reference, 200), mistake))
        return _inspected(reference, lambda client: _image(client, name, reference, context))


def _inspected(reference: str, read: Callable[[DockerClient], Record]) -> Record:
    try:
        with engine() as client:
            return read(client)
    except Inconclusive as error:
        raise Refused(Mistake(show(reference, 200), str(error))) from error


def _image(client: DockerClient, name: str, reference: str, context: Context) -> Record:
    image = find_image(client, name)
    if image is None and "@" in name:
        image = pull_image(client, name, context)
    if image is None:
        message = "the image is not on this machine: docker pull it first, or name it by its digest"
        raise Refused(Mistake(show(reference, 200), message))
    reader = _ContainerReader(image, reference, name)
    return reader.record(lambda: served_by_image(client, image["Id"], context))


def _container(client: DockerClient, name: str, reference: str) -> Record:
    from docker.errors import NotFound

    try:
        container: InspectedContainer = client.api.inspect_container(name)
    except NotFound as error:
        message = "the Docker engine has no such container: docker ps --all lists them"
        raise Refused(Mistake(show(reference, 200), message)) from error
    image = find_image(client, container["Image"])
    if image is None:
        raise Refused(Mistake(show(reference, 200), IMAGE_REMOVED))
    reader = _ContainerReader(image, reference, str((container["Config"] or {}).get("Image") or ""), container)
    reader.note_changes(changed_files(client, container))
    return reader.record(lambda: served_by_container(client, container["Id"]))


@dataclass(slots=True)
class _ContainerReader:
    """Builds the record of an image, or of a container and its image.

    `image` and `container` are what the engine returns for inspect; `container` is empty for an image. `image_name` is
    the name by which the image was referred to.
    """

    image: InspectedImage
    reference: str
    image_name: str
    container: InspectedContainer = field(default_factory=lambda: InspectedContainer())
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

    def record(self, find_served: Callable[[], ServedModel | None]) -> Record:
        """The record. `find_served` looks for a served model, and is called only if no label or command predicts."""
        environment = self._environment()
        predict, served = self._labelled_predict(), None
        if predict is None:
            served = find_served()
            predict = self._served_predict(served)
        code, data = self._code(served), self._data()
        self.provenance["description"] = self._where
        why = "an image does not record validation inputs"
        self._note_missing("validation.inputs", why, "pass --inputs FILE (and --key COLUMN)")
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
        return f"docker: {'container' if self.container else 'image'} {self._name()}"

    @property
    def _config(self) -> Configuration:
        return self.container.get("Config") or self.image.get("Config") or {}

    def _note_missing(self, field: str, why: str, do: str) -> None:
        self.missing.append(Missing(field, why, do))

    def _name(self) -> str:
        return (
            str(self.container.get("Name", "")).strip("/")
            or self.image_name.partition("@")[0]
            or self.image["Id"][7:19]
        )

    def _label(self, names: tuple[str, ...]) -> tuple[str, str]:
        """The first of these labels that is set, and its value; the first name and "" where none is set."""
        labels = self._config.get("Labels") or {}
        return next(((name, labels[name].strip()) for name in names if labels.get(name)), (names[0], ""))

    def _command(self) -> list[str]:
        return _command_of(self.container or self.image)

    def _description(self, served: ServedModel | None) -> str:
        command = show(json.dumps(list(hide_words(self._command()))), 200)
        parts = [f"image {show(self.image_name, 200)}", f"command {command}"]
        parts += [f"serves the MLflow model of {served}"] if served and not served.wrong else []
        created = str((self.container or self.image).get("Created") or "")
        started = str((self.container.get("State") or {}).get("StartedAt") or "")
        parts += [f"created {show(created[:19], 40)}Z"] if created else []
        parts += [f"started {show(started[:19], 40)}Z"] if started[:4] > "0001" else []
        ports = ", ".join(_ports(self.container, self._config))
        parts += [f"ports {show(ports, 200)}"] if ports else []
        return "; ".join(parts)

    # -- environment --------------------------------------------------------------------------------------------

    def _environment(self) -> Environment:
        digests: list[str] = self.image.get("RepoDigests") or []
        repository = _repository_of(self.image_name)
        own = [digest for digest in digests if digest.partition("@")[0] == repository]
        image = next(iter(own or digests), self.image["Id"])
        if not digests:
            self.warnings.append(
                "the image was never pushed to a registry: it is recorded by its id, which only this machine knows"
            )
        elif not self.container and not grammar.has_digest(self.image_name):
            self.warnings.append(f"the image is named by a tag, which can move: it now refers to {show(image, 300)}")
        self.provenance["environment.image"] = f"{self._where}, image {self.image['Id']}"
        return Environment(image=image, variables=self._variables(), command=self._start_command())

    def _variables(self) -> dict[str, str]:
        """The variables of the container that its image does not set to the same value."""
        built_in = variables_of(self.image)
        added = {name: value for name, value in variables_of(self.container).items() if built_in.get(name) != value}
        for name in [name for name in added if grammar.variable(name)]:
            del added[name]
            self.warnings.append(f"the variable {show(name, 100)} is left out: its name cannot be recorded")
        if added:
            self.provenance["environment.variables"] = f"{self._where}, those not set by its image"
        return added

    def _start_command(self) -> tuple[str, ...]:
        """The command that the container was started with, if it is not the image's own."""
        command = tuple(self._command()) if self.container and self._command() != _command_of(self.image) else ()
        if command:
            self.provenance["environment.command"] = f"{self._where}, the command it was started with"
        return command

    def note_changes(self, changed: list[str]) -> None:
        """Reports the files of the container that differ from its image: they are deployed, but will not be rebuilt."""
        if not changed:
            return
        names = show(", ".join(changed), 300)
        why = f"the container differs from its image in {plural(len(changed), 'file')}: {names}"
        do = "build an image that contains them (docker diff lists them), and deploy that"
        self._note_missing("environment.changes", why, do)
        self.warnings.append(f"{why}; the image is rebuilt without these changes")

    # -- code ---------------------------------------------------------------------------------------------------

    def _code(self, served: ServedModel | None) -> Code | None:
        (revision, commit), (source, repository) = self._label(REVISIONS), self._label(SOURCES)
        problems = [
            f"{name} {mistake}"
            for name, mistake in ((revision, _commit_mistake(commit)), (source, _repository_mistake(repository)))
            if mistake
        ]
        if problems:
            do = f"docker build --label {REVISIONS[0]}=$(git rev-parse HEAD) --label {SOURCES[0]}=URL"
            if served and served.run_id:
                do += f"; or audit the MLflow run that it serves: runs:/{show(served.run_id, 100)}"
            self._note_missing("code.commit", f"the image's labels do not identify its code: {'; '.join(problems)}", do)
            return None
        self.provenance |= {"code.commit": f"{self._where}, label {revision}"}
        self.provenance |= {"code.repository": f"{self._where}, label {source}"}
        why = "labels do not record whether the tree had uncommitted changes"
        self._note_missing("code.dirty", why, "build from a clean checkout of the commit")
        return Code(repository, commit, in_image=True)

    # -- predict step -------------------------------------------------------------------------------------------

    def _labelled_predict(self) -> Predict | None:
        """The command of the label `repro-tui.predict`, or the container's own command if it contains `{output}`."""
        command = self._predict_label()
        if command is None and any("{output}" in word for word in self._command()):
            command = self._command()
            self.provenance["predict.command"] = f"{self._where}, its command"
        return Predict(tuple(command)) if command else None

    def _predict_label(self) -> list[str] | None:
        text = (self._config.get("Labels") or {}).get(PREDICT)
        if text is None:
            return None
        try:
            command = json.loads(text)
        except (ValueError, RecursionError):
            command = None
        if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
            expected = f"is not a JSON list of strings: expected one such as {EXAMPLE}"
            raise Refused(Mistake(show(self.reference, 200), f"its label {PREDICT} {expected}"))
        unknown = [name for word in command for name in grammar.placeholders(word)]
        if unknown:
            raise Refused(
                Mistake(
                    show(self.reference, 200), f"its label {PREDICT} has the unknown placeholder {', '.join(unknown)}"
                )
            )
        self.provenance["predict.command"] = f"{self._where}, label {PREDICT}"
        return command

    def _served_predict(self, served: ServedModel | None) -> Predict | None:
        if served is None or served.wrong:
            why = served.wrong if served else "the image does not record a predict step"
            do = f"pass --predict COMMAND (or --protocol for a server), or build it with --label {PREDICT}='{EXAMPLE}'"
            self._note_missing("predict", why, do)
            return None
        self.provenance["predict.protocol"] = f"{self._where}, its MLmodel: MLflow {served}"
        return Predict(protocol="mlflow")

    # -- mounts -------------------------------------------------------------------------------------------------

    def _data(self) -> tuple[DataItem, ...]:
        """The mounts that are data, at their paths in the container; a warning names each of the others."""
        items: list[DataItem] = []
        for mount in mounts_of(self.container):
            place = show(mount.target, 200)
            if mount.why_not:
                self.warnings.append(f"{place} {mount.why_not}: it is not rebuilt")
                continue
            if mount.warning:
                self.warnings.append(mount.warning)
            self.provenance[f"data.{len(items)}.source"] = f"{self._where}, mount {place}"
            self._note_missing(
                f"data.{len(items)}.sha256",
                f"{place} is a mount, and the engine records no hash of it",
                "record its sha256",
            )
            items.append(DataItem(mount.target, f"file://{mount.source}"))
        return tuple(items)


def _command_of(inspected: InspectedImage | InspectedContainer) -> list[str]:
    config = inspected.get("Config") or {}
    return [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]


def _repository_of(image: str) -> str:
    """The name of an image without its tag and digest."""
    name = image.partition("@")[0]
    return name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name


def _ports(container: InspectedContainer, config: Configuration) -> list[str]:
    """The published ports of a container with their addresses, or else the ports that the image exposes."""
    bound = (container.get("HostConfig") or {}).get("PortBindings") or {}
    published = [
        f"{binding.get('HostIp') or '*'}:{binding.get('HostPort')}->{port}"
        for port, bindings in bound.items()
        for binding in bindings or ()
    ]
    return sorted(published) or sorted(config.get("ExposedPorts") or {})


def _commit_mistake(commit: str) -> str | None:
    return grammar.commit(commit) if commit else "is not set"


def _repository_mistake(location: str) -> str | None:
    if not location:
        return "is not set"
    if mistake := grammar.repository(location):
        return mistake
    relative = not grammar.is_remote(location) and not location.startswith("/")
    return "is a relative path, which is meaningless outside the build" if relative else None
