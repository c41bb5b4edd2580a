"""Checks that a commit and its trees have the ids that they are read by.

git compares an object with its id when it fetches it, but not when it reads it from a clone. A tree that changed there
would lead to another file's blob, which has its own, right id.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from typing import IO

from repro_tui.clients.git.tree import BrokenClone


def tree_ids(listing: bytes) -> list[str]:
    """The ids of the trees in the output of `ls-tree -r -d -z`, each once."""
    entries = (entry.partition(b"\t")[0].split() for entry in listing.split(b"\0") if entry)
    return list(dict.fromkeys(object_id.decode("ascii") for _, kind, object_id in entries if kind == b"tree"))


def check_ids(process: subprocess.Popen[bytes], commit: str, trees: Iterable[str]) -> None:
    """Reads the commit, its root and these trees from a running `git cat-file --batch`.

    Raises BrokenClone where one does not match its id.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    root = _checked(process.stdin, process.stdout, commit, b"commit").partition(b"\n")[0].removeprefix(b"tree ")
    for tree in dict.fromkeys((root.decode("ascii", "replace"), *trees)):
        _checked(process.stdin, process.stdout, tree, b"tree")


def _checked(stdin: IO[bytes], stdout: IO[bytes], object_id: str, kind: bytes) -> bytes:
    try:
        stdin.write(object_id.encode("ascii", "replace") + b"\n")
        stdin.flush()
    except OSError as error:
        raise BrokenClone("git ended early") from error
    header = stdout.readline().split()
    if len(header) != 3 or header[1] != kind:
        raise BrokenClone(f"the {kind.decode()} {object_id[:12]} is missing")
    content = stdout.read(int(header[2]) + 1)[:-1]
    state = hashlib.sha1(usedforsecurity=False) if len(object_id) == 40 else hashlib.sha256()
    state.update(kind + b" " + header[2] + b"\0" + content)
    if state.hexdigest() != object_id:
        raise BrokenClone(f"the {kind.decode()} {object_id[:12]} does not match its id")
    return content
