"""The images that a Dockerfile is built from: which content a tag stood for, and tags held to what was recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repro_tui.clients.docker_engine import find_image, registry_digest
from repro_tui.clients.docker_inspected import InspectedImage
from repro_tui.clients.docker_pull import pull_image
from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.environments.dockerfiles.parse import Dockerfile, images_of, needed
from repro_tui.support import grammar
from repro_tui.support.context import Step
from repro_tui.support.text import show

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True, slots=True)
class BaseImage:
    """An image that a Dockerfile names in `line`: its id, and its name by content, or the id where it has none."""

    name: str
    line: int
    id: str
    content: str


def base_names(
    document: Dockerfile, arguments: Mapping[str, str], target: str, *, all_stages: bool, platform: str = ""
) -> dict[str, int]:
    """The images that a build starts from or copies from, each with the first line of the stage that names it.

    `all_stages`: the classic builder builds also stages that the target does not need. Names that hold variables
    without a value, and images of another platform than the engine's `platform`, are left to the builder.
    """
    native = dict.fromkeys(("TARGETPLATFORM", "BUILDPLATFORM"), platform)
    stages = document.stages({**native, **arguments})
    chosen = stages if all_stages and not target else needed(stages, target)
    names: dict[str, int] = {}
    for stage, name in images_of(stages, chosen):
        elsewhere = stage.platform not in ("", platform) and name == stage.base
        if name and not elsewhere and grammar.image(name) is None:
            names.setdefault(name, stage.line)
    return names


def fetch_bases(
    client: DockerClient, names: Mapping[str, int], recorded: Mapping[str, str], step: Step
) -> list[BaseImage]:
    """The base images, of which those that are not on this machine are pulled; recorded ones by their content.

    Raises Inconclusive where one cannot be pulled.
    """
    bases = []
    for name, line in names.items():
        content = recorded.get(name, "")
        reference = content if "@" in content else name
        image = find_image(client, reference) or _pulled(client, reference, line, step)
        bases.append(BaseImage(name, line, image["Id"], content_name(image, name)))
        if content and "@" not in content and image["Id"] != content:
            step.matches = "differs"
            step.warn(f"FROM {show(name, 200)} was {content} when it was recorded, and is now {image['Id']}")
    return bases


def resolve_bases(client: DockerClient, names: Mapping[str, int]) -> tuple[dict[str, str], dict[str, str]]:
    """What the base images are now, by name, without pulling any; and why others could not be resolved."""
    contents: dict[str, str] = {}
    unresolved: dict[str, str] = {}
    for name in names:
        image = find_image(client, name)
        try:
            content = content_name(image, name) if image else registry_digest(client, name)
        except Inconclusive as error:
            unresolved[name] = error.what
        else:
            contents |= {name: content} if content != name else {}
    return contents, unresolved


def _pulled(client: DockerClient, reference: str, line: int, step: Step) -> InspectedImage:
    step.progress(f"pulling {show(reference, 200)}, which line {line} of the Dockerfile is built from")
    try:
        return pull_image(client, reference, step.context, step.progress)
    except Inconclusive as error:
        raise Inconclusive(f"{error.what} (line {line} of the Dockerfile is built from it)", error.do) from error


def content_name(image: InspectedImage, name: str) -> str:
    """The name of an image by its content: of this repository where its registry knows it, else its id."""
    if grammar.has_digest(name):
        return name
    digests = sorted(image.get("RepoDigests") or [])
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    own = [digest for digest in digests if digest.partition("@")[0] == repository]
    return (own or digests or [image["Id"]])[0]


def held_to(text: str, document: Dockerfile, recorded: Mapping[str, str], arguments: Mapping[str, str]) -> str:
    """The text of a Dockerfile in which FROM names the recorded content instead of a tag."""
    contents = {name: content for name, content in recorded.items() if "@" in content}
    lines = text.splitlines(keepends=True)
    for stage in document.stages(arguments) if contents else ():
        if stage.base in contents:
            number = _line_of(lines, stage.line - 1, stage.written)
            pattern = rf"(?<!\S){re.escape(stage.written)}(?!\S)"
            lines[number] = re.sub(pattern, contents[stage.base], lines[number], count=1)
    return "".join(lines)


def _line_of(lines: Sequence[str], first: int, word: str) -> int:
    """The line at or below `first` that has this word: FROM can be continued on the next line."""
    return next((number for number in range(first, len(lines)) if word in lines[number].split()), first)


def bases_text(bases: Sequence[BaseImage]) -> Iterator[str]:
    """What each tag stood for, in words."""
    for base in bases:
        if base.content != base.name:
            yield f"{show(base.name, 200)} was {show(base.content, 300)}"
