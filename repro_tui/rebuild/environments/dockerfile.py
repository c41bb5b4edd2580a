"""Builds an image from a commit's tree. Its RUN steps execute in the engine's own build containers."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from repro_tui.clients.docker_engine import BUILD_LABEL, find_image
from repro_tui.clients.docker_inspected import InspectedImage
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import CodeTree
from repro_tui.support.cache import walk
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import resolve_inside
from repro_tui.support.text import show

if TYPE_CHECKING:
    from docker import DockerClient

EPOCH = 315532800  # 1980-01-01, the modification time of every file in the build context
FORMAT = "1"
KEPT_LINES, SHOWN_LINES = 50, 5  # of the build's output: kept, and shown in the error of a failed build
REPEAT = "run docker build on the commit to see its whole output"


def build_image(
    client: DockerClient, code: CodeTree, dockerfile: str, step: Step, context: Context
) -> tuple[InspectedImage, bool]:
    """Builds the image of a Dockerfile in the commit's tree, unless it was built before.

    Returns what the engine reports of the image, and whether it existed. A build is identified by the commit, the path
    of the Dockerfile and the ids of its base images: an updated base image leads to a new build. Raises Inconclusive
    where the build fails.
    """
    root = Path(code.folder) / code.subdirectory
    try:
        text = resolve_inside(root, dockerfile).read_text("utf-8", "replace")
    except (OSError, ValueError) as error:
        raise Inconclusive(
            f"{show(dockerfile, 120)} is not in the commit {code.commit}",
            "commit it, or correct environment.dockerfile",
        ) from error
    bases = [f"{name} {image['Id'] if (image := find_image(client, name)) else ''}" for name in _base_images(text)]
    key = digest_text(FORMAT, code.commit, code.subdirectory, dockerfile, *bases)
    known = context.cache.read_note("builds", key)
    existing = find_image(client, known["id"]) if known else None
    if existing:
        return existing, True
    image_id = _build(client, root, dockerfile, key, step, context)
    context.cache.write_note("builds", key, {"id": image_id})
    built = find_image(client, image_id)
    if built is None:
        raise Inconclusive("the image was removed while it was built", "run the audit again")
    return built, False


def _base_images(text: str) -> Iterator[str]:
    """The base images of a Dockerfile, except stages of its own and names that contain variables."""
    from repro_tui.support import grammar

    stages: set[str] = set()
    for line in text.splitlines():
        fields = [word for word in line.split() if not word.startswith("--")]
        if len(fields) > 1 and fields[0].upper() == "FROM":
            if fields[1] not in stages and fields[1] != "scratch" and grammar.image(fields[1]) is None:
                yield fields[1]
            if len(fields) > 3 and fields[2].upper() == "AS":
                stages.add(fields[3])


def _build(client: DockerClient, root: Path, dockerfile: str, key: str, step: Step, context: Context) -> str:
    step.progress(f"building {show(dockerfile, 120)}")
    with _build_context(root, dockerfile) as archive:
        return _follow_build(client, archive, dockerfile, key, step, context)


def _follow_build(
    client: DockerClient, archive: IO[bytes], dockerfile: str, key: str, step: Step, context: Context
) -> str:
    recent_lines: list[str] = []
    image_id = ""
    for event in client.api.build(
        fileobj=archive,
        custom_context=True,
        dockerfile=dockerfile,
        rm=True,
        forcerm=True,
        decode=True,
        labels={BUILD_LABEL: key},
        use_config_proxy=False,
    ):
        context.cancel.check()
        if "error" in event:
            tail = "; ".join([*recent_lines[-SHOWN_LINES:], str(event["error"]).strip()])
            raise Inconclusive(f"the build of {show(dockerfile, 120)} failed: {show(tail, 600)}", REPEAT)
        image_id = (event.get("aux") or {}).get("ID", image_id)
        for line in str(event.get("stream", "")).splitlines():
            if line.strip():
                recent_lines.append(line.strip())
                del recent_lines[:-KEPT_LINES]
                step.log(show(context.redactor.scrub(line), 500))
    if not image_id:
        raise Inconclusive(f"the build of {show(dockerfile, 120)} did not produce an image", REPEAT)
    return image_id


def _build_context(root: Path, dockerfile: str) -> IO[bytes]:
    """The build context as a tar: the tree without what .dockerignore excludes, in a fixed order with fixed times."""
    import tempfile

    from docker.utils.build import exclude_paths

    ignore = root / ".dockerignore"
    patterns = [line.strip() for line in ignore.read_text("utf-8", "replace").splitlines()] if ignore.is_file() else []
    kept = exclude_paths(str(root), [p for p in patterns if p and not p.startswith("#")], dockerfile=dockerfile)
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, entry in sorted(walk(root), key=lambda pair: pair[0]):
            if name in kept:
                _add(tar, name, entry)
    archive.seek(0)
    return archive


def _add(tar: tarfile.TarFile, name: str, entry: os.DirEntry[str]) -> None:
    info = tarfile.TarInfo(name)
    info.mtime = EPOCH
    if entry.is_symlink():
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(entry.path)  # noqa: PTH115
        tar.addfile(info)
        return
    status = entry.stat(follow_symlinks=False)
    info.size, info.mode = status.st_size, 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    with Path(entry.path).open("rb") as stream:
        tar.addfile(info, stream)
