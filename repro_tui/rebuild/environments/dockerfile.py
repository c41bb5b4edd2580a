"""Builds an image from a commit's tree. Its RUN steps execute in the engine's own build containers.

BuildKit builds it where a Docker client can drive the engine's, as `docker build` does today, and otherwise the classic
builder does. The classic builder also builds what begins with an image's id, which BuildKit does not know.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.clients.buildkit import (
    INSTALL,
    BuildClient,
    client_settings,
    engine_for,
    engine_since,
    find_build_client,
    knows_syntax,
)
from repro_tui.clients.docker_engine import find_image, sees_our_groups
from repro_tui.clients.docker_inspected import InspectedImage
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Environment
from repro_tui.model.workspace import CodeTree
from repro_tui.rebuild.environments.dockerfiles.bases import (
    BaseImage,
    base_names,
    bases_text,
    fetch_bases,
    held_to,
    resolve_bases,
)
from repro_tui.rebuild.environments.dockerfiles.build_context import build_context
from repro_tui.rebuild.environments.dockerfiles.classic import build_classic
from repro_tui.rebuild.environments.dockerfiles.job import BuildJob
from repro_tui.rebuild.environments.dockerfiles.parse import PLATFORM_ARGUMENTS, Dockerfile, parse_dockerfile
from repro_tui.rebuild.environments.dockerfiles.with_buildkit import build_with_buildkit
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context, Step
from repro_tui.support.control_groups.group import ControlGroup
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import resolve_inside
from repro_tui.support.plain import dumps
from repro_tui.support.regular import MOST_DECLARED, NotRegularError, read_regular
from repro_tui.support.run_group import engine_group
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show

if TYPE_CHECKING:
    from docker import DockerClient

FORMAT = "2"
CLASSIC = "the classic builder"
FIRST_WITH_PARENT = (23, 0)


def build_image(
    client: DockerClient, code: CodeTree, environment: Environment, step: Step, context: Context
) -> tuple[InspectedImage, bool]:
    """Builds the image of a Dockerfile in the commit's tree, unless it was built before.

    Returns what the engine reports of the image, and whether it existed; `step.how` says how it was built, from which
    base images. A build is identified by the commit, the Dockerfile, its arguments, the builder and the ids of its base
    images: an updated base image leads to a new build. Raises Inconclusive where the build fails, or where the
    Dockerfile needs BuildKit, which is not there.
    """
    settings = client_settings(context.cache.temporary())
    try:
        return _Build.planned(client, code, environment, step, context, settings).done()
    finally:
        remove_tree(settings)


def read_dockerfile(code: CodeTree, dockerfile: str) -> str:
    """The text of a Dockerfile in the commit's tree. Raises Inconclusive where it is not there."""
    try:
        path = resolve_inside(Path(code.folder) / code.subdirectory, dockerfile)
        return read_regular(path, most=MOST_DECLARED).decode("utf-8", "surrogateescape")
    except NotRegularError as error:
        problem = f"{show(dockerfile, 120)} cannot be read: {error.strerror}"
        raise Inconclusive(problem, "correct environment.dockerfile") from error
    except (OSError, ValueError) as error:
        folder = "" if code.subdirectory == "." else f" below {show(code.subdirectory, 120)}"
        raise Inconclusive(
            f"{show(dockerfile, 120)} is not in the commit {code.commit}{folder}",
            "commit it, or correct environment.dockerfile",
        ) from error


def current_bases(
    client: DockerClient, code: CodeTree, environment: Environment
) -> tuple[dict[str, str], dict[str, str]]:
    """What the images that a Dockerfile is built from are now, by name, and why others are not known.

    Nothing is pulled or built. Raises Inconclusive where the Dockerfile cannot be read.
    """
    document = parse_dockerfile(read_dockerfile(code, environment.dockerfile or ""))
    platform = platform_of(client)
    arguments = platform_arguments(platform, document, environment.build_args)
    return resolve_bases(
        client, base_names(document, arguments, environment.build_target, all_stages=False, platform=platform)
    )


def platform_of(client: DockerClient) -> str:
    """The platform that the engine builds for, such as linux/amd64."""
    version = client.version()
    return f"{version.get('Os', '')}/{version.get('Arch', '')}"


def platform_arguments(platform: str, document: Dockerfile, arguments: dict[str, str]) -> dict[str, str]:
    """The arguments of a build with those that BuildKit sets by itself, as far as the Dockerfile declares them."""
    system, _, machine = platform.partition("/")
    parts = {"PLATFORM": platform, "OS": system, "ARCH": machine, "VARIANT": ""}
    known = {f"{side}{part}": value for side in ("TARGET", "BUILD") for part, value in parts.items()}
    declared = document.declared() & set(PLATFORM_ARGUMENTS)
    return {name: known[name] for name in sorted(declared)} | arguments


@dataclass(frozen=True, slots=True)
class _Build:
    client: DockerClient
    root: Path
    environment: Environment
    text: str
    document: Dockerfile
    arguments: dict[str, str]
    program: BuildClient | None
    bases: list[BaseImage]
    key: str
    settings: Path
    step: Step
    context: Context

    @classmethod
    def planned(
        cls,
        client: DockerClient,
        code: CodeTree,
        environment: Environment,
        step: Step,
        context: Context,
        settings: Path,
    ) -> _Build:
        """Decides the builder, and fetches the base images."""
        text = read_dockerfile(code, environment.dockerfile or "")
        document = parse_dockerfile(text)
        program = _builder(client, document, environment, settings)
        platform = platform_of(client)
        arguments = platform_arguments(platform, document, environment.build_args)
        classic = program is None
        names = base_names(document, arguments, environment.build_target, all_stages=classic, platform=platform)
        bases = fetch_bases(client, names, environment.base_images, step)
        if program is not None:
            arguments = environment.build_args
        key = digest_text(
            *(FORMAT, code.commit, code.subdirectory, environment.dockerfile or "", environment.build_target),
            *(dumps(arguments), context.settings.build_network, str(program is not None)),
            *(f"{base.name} {base.id}" for base in bases),
        )
        root = Path(code.folder) / code.subdirectory
        return cls(client, root, environment, text, document, arguments, program, bases, key, settings, step, context)

    def done(self) -> tuple[InspectedImage, bool]:
        """The image and whether it existed; `how` of the step is set."""
        known = self.context.cache.read_note("builds", self.key) or {}
        existing = find_image(self.client, known["id"]) if known else None
        if existing:
            self.step.how = known.get("how") or self._how()
            return existing, True
        image_id = self._built()
        self.context.cache.write_note("builds", self.key, {"id": image_id, "how": self.step.how})
        image = find_image(self.client, image_id)
        if image is None:
            raise Inconclusive("the image was removed while it was built", "run the audit again")
        return image, False

    def _built(self) -> str:
        name = self.environment.dockerfile or ""
        self.step.progress(f"building {show(name, 120)} with {self._builder_name()}")
        recorded = self.environment.base_images
        text = held_to(self.text, self.document, recorded, self.arguments)
        path = os.path.normpath(name)
        with (
            build_context(self.root, path, text, own_ignore=self.program is not None) as archive,
            self._group() as group,
        ):
            target = self.environment.build_target
            job = BuildJob(self.client, archive, path, self.key, self.arguments, target, self.step, self.context, group)
            self.step.how = self._how(group)
            if self.program is None:
                return build_classic(job)
            return build_with_buildkit(job, self.program, self.settings)

    def _builder_name(self) -> str:
        return self.program.name if self.program else CLASSIC

    @contextmanager
    def _group(self) -> Iterator[ControlGroup]:
        """The control group of the build, without folders where the engine does not put its containers into ours.

        BuildKit knows no parent of its containers before Docker Engine 23.
        """
        knows_parents = self.program is None or engine_since(self.client, FIRST_WITH_PARENT)
        if not knows_parents or self.client.info().get("CgroupDriver") != "cgroupfs" or not sees_our_groups():
            yield ControlGroup()
            return
        with engine_group(self.context.settings.limits, self.context.cache) as group:
            yield group

    def _how(self, group: ControlGroup | None = None) -> str:
        """Who builds it, what its steps may do, and what its base images were."""
        limits = self.context.settings.limits
        reach = "without a network"
        if self.context.settings.build_network != "none":
            reach = "with a network (what they fetched is not known)"
        memory = size_text(limits.memory)
        grouped = group is not None and bool(group.folders)
        watched = "" if grouped else " (watched only)"
        memory = memory if grouped or self.program is None else "no limit"
        bounds = f"memory: {memory}; processes: {limits.build_processes:,}{watched}; time: {limits.build_time:,} s; "
        bounds += f"disk: {size_text(limits.build_disk)}"
        text = f"by {self._builder_name()}, its steps as root {reach}, {bounds}"
        tags = list(bases_text(self.bases))
        return f"{text}; FROM: {', '.join(tags)}" if tags else text


def _builder(
    client: DockerClient, document: Dockerfile, environment: Environment, settings: Path
) -> BuildClient | None:
    """The client that drives BuildKit, or None: the classic builder. Raises Inconclusive where neither can build it."""
    name = show(environment.dockerfile, 120)
    needs = document.needs()
    by_id = [stage.line for stage in document.stages(environment.build_args) if stage.base.startswith("sha256:")]
    if by_id and not needs:
        return None
    program = find_build_client(client, settings)
    if not needs:
        return program
    first = f"line {needs[0].line} of {name} ({show(needs[0].text, 120)}) needs BuildKit"
    if program is None:
        more = f", as do {len(needs) - 1:,} more" if len(needs) > 1 else ""
        raise Inconclusive(f"{first}{more}, and no Docker client on PATH can drive it", INSTALL)
    if by_id:
        reason = f"{first}, which cannot start from an image id (line {by_id[0]})"
        raise Inconclusive(reason, "begin with an image by NAME:TAG or NAME@sha256:DIGEST")
    _check_syntax(client, document, name)
    return program


def _check_syntax(client: DockerClient, document: Dockerfile, name: str) -> None:
    """Raises Inconclusive where the engine's own frontend is too old; one that the Dockerfile names is pulled."""
    late = next((need for need in document.needs() if not knows_syntax(client, need.since)), None)
    if late is None or document.syntax:
        return
    version = show(client.version().get("Version", ""), 40)
    raise Inconclusive(
        f"line {late.line} of {name} ({show(late.text, 120)}) needs version {late.since} of the Dockerfile syntax, "
        f"which Docker Engine {version} does not know",
        f"update it to {engine_for(late.since)} or later, or begin the Dockerfile with "
        "# syntax=docker/dockerfile:1 where its registry is reachable",
    )
