"""Applies the conversions that .gitattributes asks of a checkout.

Line endings, `ident` and `working-tree-encoding` are applied by git itself, in an index and a folder of their own: no
filter is configured there, so that no program is run. `export-subst`, which only an archive applies, and `filter` are
not applied.
"""

from __future__ import annotations

from pathlib import Path

from repro_tui.clients.git.process import GitResult
from repro_tui.clients.git.repository import Repository
from repro_tui.model.errors import Inconclusive


def converted(repository: Repository, commit: str, paths: list[str], scratch: Path) -> dict[str, Path]:
    """Those of these files of the commit that a checkout converts, converted, by path; they are below `scratch`.

    Raises Inconclusive where git cannot convert them.
    """
    folder = scratch / "files"
    folder.mkdir(parents=True)
    variables = {"GIT_INDEX_FILE": str(scratch / "index"), "GIT_WORK_TREE": str(folder)}
    _checked(repository.run("read-tree", commit, variables=variables), commit)
    listed = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    names = ("eol", "ident", "working-tree-encoding")
    done = repository.run("check-attr", "--cached", "-z", "--stdin", *names, content=listed, variables=variables)
    concerned = _concerned(_checked(done, commit).output)
    if concerned:
        listed = b"".join(path + b"\0" for path in concerned)
        done = repository.run("checkout-index", "--force", "-z", "--stdin", content=listed, variables=variables)
        _checked(done, commit)
    return {name: folder / name for name in (path.decode("utf-8", "surrogateescape") for path in concerned)}


def _concerned(output: bytes) -> list[bytes]:
    """The paths with an attribute that changes bytes, from `check-attr -z`: path, attribute, value, again and again."""
    fields = output.split(b"\0")
    triples = zip(fields[::3], fields[1::3], fields[2::3], strict=False)
    unset = (b"unspecified", b"unset", b"lf", b"set")
    paths = (
        path
        for path, name, value in triples
        if (name == b"ident" and value == b"set") or (name != b"ident" and value not in unset)
    )
    return list(dict.fromkeys(paths))


def _checked(done: GitResult, commit: str) -> GitResult:
    if done.exit_code != 0:
        problem = f"the attributes of commit {commit[:12]} cannot be applied: {done.reason}"
        raise Inconclusive(problem, "check the encodings in its .gitattributes, or update git")
    return done
