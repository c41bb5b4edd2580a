"""Builds an image from a commit's tree. What its RUN steps do happens in the engine's own build containers."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from repro_tui.clients.docker_engine import BUILD_LABEL, find_image
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import CodeTree
from repro_tui.support.cache import walk
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import resolve_inside
from repro_tui.support.text import show

if TYPE_CHECKING:
    from docker import DockerClient

EPOCH = 315532800
FORMAT = "1"
LAST_WORDS = 5


def build_image(
    client: DockerClient, code: CodeTree, dockerfile: str, step: Step, context: Context
) -> tuple[dict[str, Any], bool]:
    """What the engine says of the image, and whether it was there already. Raises Inconclusive where the build fails.

    The build is remembered by the content of the tree, the Dockerfile's path and the ids of its base images.
    """
    root = Path(code.folder) / code.subdirectory
    try:
        text = resolve_inside(root, dockerfile).read_text("utf-8", "replace")
    except (OSError, ValueError) as error:
        raise Inconclusive(
            f"{show(dockerfile, 120)} is not in the commit {code.commit}", "record a Dockerfile that is committed"
        ) from error
    bases = [f"{name} {(find_image(client, name) or {}).get('Id', '')}" for name in _bases(text)]
    key = digest_text(FORMAT, code.commit, code.subdirectory, dockerfile, *bases)
    known = context.cache.read_note("builds", key)
    found = find_image(client, known["id"]) if known else None
    if found:
        return found, True
    image_id = _build(client, root, dockerfile, key, step, context)
    context.cache.write_note("builds", key, {"id": image_id})
    built = find_image(client, image_id)
    if built is None:
        raise Inconclusive("the engine lost the image that it had just built", "run the audit again")
    return built, False


def _bases(text: str) -> Iterator[str]:
    """The images that a Dockerfile begins from, as far as they are named outright."""
    from repro_tui.support import grammar

    stages: set[str] = set()
    for line in text.splitlines():
        words = [word for word in line.split() if not word.startswith("--")]
        if len(words) > 1 and words[0].upper() == "FROM":
            if words[1] not in stages and words[1] != "scratch" and grammar.image(words[1]) is None:
                yield words[1]
            if len(words) > 3 and words[2].upper() == "AS":
                stages.add(words[3])


def _build(client: DockerClient, root: Path, dockerfile: str, key: str, step: Step, context: Context) -> str:
    step.progress(f"building {show(dockerfile, 120)}")
    with _archive(root, dockerfile) as archive:
        return _follow_build(client, archive, dockerfile, key, step, context)


def _follow_build(
    client: DockerClient, archive: IO[bytes], dockerfile: str, key: str, step: Step, context: Context
) -> str:
    words: list[str] = []
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
            told = "; ".join([*words[-LAST_WORDS:], str(event["error"]).strip()])
            raise Inconclusive(
                f"the build of {show(dockerfile, 120)} failed: {show(told, 600)}", "build it by hand to see"
            )
        image_id = (event.get("aux") or {}).get("ID", image_id)
        for line in str(event.get("stream", "")).splitlines():
            if line.strip():
                words.append(line.strip())
                del words[:-50]
                step.log(show(context.redactor.scrub(line), 500))
    if not image_id:
        raise Inconclusive(f"the build of {show(dockerfile, 120)} gave no image", "build it by hand to see")
    return image_id


def _archive(root: Path, dockerfile: str) -> IO[bytes]:
    """The build context: the tree in a fixed order with fixed times, as .dockerignore leaves it."""
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
