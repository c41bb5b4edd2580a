"""Environments that are Docker images: on this machine, pulled by digest, or built from the commit's Dockerfile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from repro_tui.clients.docker_engine import engine, find_image
from repro_tui.clients.docker_inspected import InspectedImage, variables_of
from repro_tui.clients.docker_pull import pull_image
from repro_tui.model.errors import Inconclusive
from repro_tui.model.inventory import IDENTITY, LABEL, Inventory, is_label
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Match, Part
from repro_tui.rebuild.environments.contents.image_files import files_of, view_image
from repro_tui.rebuild.environments.contents.import_order import USUAL_PATH, import_order
from repro_tui.rebuild.environments.contents.inventory import DESCRIPTIONS, host_facts, inventory_of
from repro_tui.rebuild.environments.contents.readable import accounts_of, closed_files
from repro_tui.rebuild.environments.dockerfile import build_image, platform_of
from repro_tui.support import grammar
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.plain import from_plain, to_plain
from repro_tui.support.redact import hide_words, is_secret_name, strip_urls
from repro_tui.support.text import plural, shorten_middle, show

if TYPE_CHECKING:
    from docker import DockerClient

FORMAT = "7"
HOST_FIELDS = ("kernel", "processor", "processor flags")


class ImageBuilder:
    """Rebuilds `environment.image` and `environment.dockerfile`."""

    def rebuild(self, record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltEnvironment, Part]:
        """See base.EnvironmentBuilder."""
        return rebuild_image(record, code, context)


def rebuild_image(record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltEnvironment, Part]:
    """The environment of an image or a Dockerfile, and how it was obtained.

    Raises Inconclusive where the image can neither be found nor pulled, or where its build fails.
    """
    environment = record.environment
    with (
        context.step("environment", f"rebuilding the {environment.kind}") as step,
        engine(context.settings.limits.stall_time) as client,
    ):
        if environment.dockerfile:
            image = _built_image(client, record, code, step, context)
        else:
            image = _recorded_image(client, environment.image or "", step)
        _check_platform(client, image, step)
        inventory = _inventory(client, image, context)
        variables = inventory.variables | environment.variables
        _learn_secrets(inventory.variables, context)
        step.key = image["Id"]
        built = BuiltEnvironment(
            kind="image",
            key=image["Id"],
            inventory=replace(inventory, variables=variables),
            image_id=image["Id"],
            working_dir=(image["Config"] or {}).get("WorkingDir") or "",
            variables=variables,
            image_variables=inventory.variables,
        )
    return built, step.part()


def _check_platform(client: DockerClient, image: InspectedImage, step: Step) -> None:
    """Warns of an image for another kind of machine, which runs here only where the kernel emulates it."""
    own, platform = platform_of(client), f"{image.get('Os', '')}/{image.get('Architecture', '')}"
    if platform not in (own, "/"):
        step.warn(f"the image is for {show(platform, 60)}, but the Docker engine is {own}: it runs under emulation")


def _recorded_image(client: DockerClient, reference: str, step: Step) -> InspectedImage:
    """The recorded image: from this machine, or else from its registry."""
    image = find_image(client, reference)
    step.cached = image is not None
    if image is None:
        step.progress(f"pulling {show(reference, 200)}")
        image = pull_image(client, reference, step.context, step.progress)
    origin = "found on this machine" if step.cached else "pulled from its registry"
    step.how = f"image {shorten_middle(show(reference, 300), 60)} {origin}"
    if grammar.has_digest(reference):
        step.matches = "matches"
    else:
        digests = ", ".join(image.get("RepoDigests") or []) or image["Id"]
        step.warn(f"the image is recorded by a tag, which can move: it now refers to {show(digests, 300)}")
    return image


def _built_image(
    client: DockerClient, record: Record, code: CodeTree | None, step: Step, context: Context
) -> InspectedImage:
    """The image built from the commit's tree. If the record also names an image, the contents are compared."""
    environment = record.environment
    if code is None:
        raise Inconclusive(
            "the Dockerfile is in the commit's tree, but the record has no code",
            "record code.repository and code.commit",
        )
    image, step.cached = build_image(client, code, environment, step, context)
    step.how = f"built from {show(environment.dockerfile, 120)} at commit {code.commit[:12]} {step.how}"
    if environment.image:
        recorded = find_image(client, environment.image) or pull_image(
            client, environment.image, context, step.progress
        )
        step.matches = _compare_contents(
            _inventory(client, recorded, context), _inventory(client, image, context), step
        )
    return image


def _compare_contents(recorded: Inventory, built: Inventory, step: Step) -> Match:
    """Compares the contents of two images, because two builds of one commit never have the same id."""
    differences = {
        "package": _differing(_packages(recorded), _packages(built)),
        "file": _differing(recorded.files, built.files),
        "setting": _differing(_settings(recorded), _settings(built)),
    }
    for kind, names in differences.items():
        if names:
            listed = show(", ".join(names), 300)
            step.warn(f"the rebuilt image differs from the recorded one in {plural(len(names), kind)}: {listed}")
    if any(differences.values()):
        return "differs"
    step.how += "; its packages, files and settings match the recorded image"
    return "matches"


def _settings(inventory: Inventory) -> dict[str, str]:
    """The part of an image's configuration that affects a run."""
    facts = {name: value for name, value in inventory.image.items() if name not in IDENTITY and not is_label(name)}
    return facts | {f"variable {name}": value for name, value in inventory.variables.items()}


def _packages(inventory: Inventory) -> dict[str, object]:
    python: dict[str, object] = {
        name: (package.version, package.digest) for name, package in inventory.python_packages.items()
    }
    return python | inventory.system_packages


def _differing(a: Mapping[str, object] | None, b: Mapping[str, object] | None) -> list[str]:
    a, b = a or {}, b or {}
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def _inventory(client: DockerClient, image: InspectedImage, context: Context) -> Inventory:
    key = digest_text(FORMAT, image["Id"])
    known = context.cache.read_note("inventory", key)
    if known is None:
        declared = (image.get("Config") or {}).get("Volumes") or {}
        view = view_image(client, image["Id"], context, declared)
        folders = (str(PurePosixPath(path).parents[1]) for path in view.paths() if path.endswith(DESCRIPTIONS))
        search_path = variables_of(image).get("PATH", USUAL_PATH)
        read = inventory_of(view, import_order(folders, view.link_of, search_path))
        files = files_of(view, read.python_packages)
        closed, accounts = closed_files(view), accounts_of(view)
        whole = replace(read, files=files.loose, left_out=files.left_out, closed=closed, accounts=accounts)
        known = to_plain(replace(whole, volumes=view.volumes()))
        context.cache.write_note("inventory", key, known)
    inventory = from_plain(Inventory, known)
    host = {name: value for name, value in host_facts().items() if name in HOST_FIELDS}
    facts = inventory.system | {"architecture": image.get("Architecture", "")} | host
    return replace(inventory, system=facts, image=_facts(image, context), variables=variables_of(image))


def _facts(image: InspectedImage, context: Context) -> dict[str, str]:
    """The configuration of an image. Ids and layers differ between builds of one content, so they are only listed."""
    config = image.get("Config") or {}
    layers = (image.get("RootFS") or {}).get("Layers") or []
    labels = config.get("Labels") or {}
    facts = {
        "id": image["Id"],
        "digests": ", ".join(sorted(image.get("RepoDigests") or [])),
        "layers": f"{len(layers)} layers, {digest_text(*layers)[:16]}",
        "entrypoint": _command_text(config.get("Entrypoint"), context),
        "command": _command_text(config.get("Cmd"), context),
        "user": config.get("User") or "",
        "working folder": config.get("WorkingDir") or "",
        "revision": labels.get("org.opencontainers.image.revision", ""),
        "source": strip_urls(labels.get("org.opencontainers.image.source", "")),
    }
    facts |= {f"{LABEL}{name}": context.redactor.digest(value) for name, value in labels.items()}
    return {name: value for name, value in facts.items() if value}


def _command_text(command: list[str] | None, context: Context) -> str:
    """A command as JSON, in which each secret is replaced by a keyed digest."""
    return json.dumps(list(hide_words(command, context.redactor.digest))) if command else ""


def _learn_secrets(variables: dict[str, str], context: Context) -> None:
    """Teaches the redactor the secrets that are built into the image, because a run may print them."""
    for name, value in variables.items():
        if is_secret_name(name):
            context.redactor.learn(value)
