"""The build context of a Dockerfile: the tree without what .dockerignore excludes, in a fixed order and time."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from repro_tui.support.regular import is_regular, open_regular, read_regular
from repro_tui.support.walks import walk

EPOCH = 315532800  # 1980-01-01, the modification time of every file in the build context


def build_context(root: Path, dockerfile: str, text: str, *, own_ignore: bool) -> IO[bytes]:
    """The context as a tar, whose Dockerfile has this text. `own_ignore`: NAME.dockerignore is used where it is there.

    The caller closes it.
    """
    from docker.utils.build import exclude_paths

    kept = exclude_paths(str(root), _ignored(root, dockerfile, own_ignore), dockerfile=dockerfile)
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, entry in sorted(walk(root), key=lambda pair: pair[0]):
            if name == dockerfile:
                _add_text(tar, name, text)
            elif name in kept:
                _add(tar, name, entry)
    archive.seek(0)
    return archive


def _ignored(root: Path, dockerfile: str, own_ignore: bool) -> list[str]:
    named = [root / f"{dockerfile}.dockerignore"] if own_ignore else []
    for file in (*named, root / ".dockerignore"):
        if is_regular(file):
            lines = [line.strip() for line in read_regular(file).decode("utf-8", "replace").splitlines()]
            return [line for line in lines if line and not line.startswith("#")]
    return []


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode("utf-8", "surrogateescape")
    info = tarfile.TarInfo(name)
    info.mtime, info.size, info.mode = EPOCH, len(content), 0o644
    tar.addfile(info, io.BytesIO(content))


def _add(tar: tarfile.TarFile, name: str, entry: os.DirEntry[str]) -> None:
    info = tarfile.TarInfo(name)
    info.mtime = EPOCH
    if entry.is_symlink():
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(entry.path)  # noqa: PTH115
        tar.addfile(info)
        return
    status = entry.stat(follow_symlinks=False)
    info.size, info.mode = status.st_size, 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    with open_regular(entry.path, links=False) as stream:
        tar.addfile(info, stream)
