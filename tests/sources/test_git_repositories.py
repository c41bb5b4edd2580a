"""`git:REV` where a repository is not a folder with a `.git` folder in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from repro_tui.model.errors import Refused
from repro_tui.sources.resolve import load_record
from repro_tui.support.context import Context
from tests.conftest import GitRepository

Make = Callable[[str], GitRepository]
RECORD = """\
schema = 1
[deployments.default.code]
repository = "."
commit = "0000000000000000000000000000000000000000"
[deployments.default.environment]
requirements = "requirements.txt"
[deployments.default.predict]
command = ["python3", "predict.py", "{inputs}", "{output}"]
"""


@pytest.mark.parametrize("kind", ["worktree", "bare", "submodule"])
def test_a_repository_of_each_kind_is_read(git_repository: Make, context: Context, tmp_path: Path, kind: str) -> None:
    made = git_repository("project")
    first = made.commit({"repro.toml": RECORD, "predict.py": "pass\n", "requirements.txt": ""})
    made.commit({"predict.py": "later\n"})
    here = tmp_path / kind
    if kind == "worktree":
        made.git("worktree", "add", "--quiet", "--detach", str(here), first)
    elif kind == "bare":
        made.git("clone", "--quiet", "--bare", str(made.folder), str(here))
    else:
        outer = git_repository("outer")
        outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(made.folder), "inner")
        here = outer.folder / "inner"
    record = load_record("git:HEAD" if kind == "worktree" else "git:HEAD~1", Context(cache=context.cache, here=here))
    assert record.code is not None
    assert (record.code.commit, record.code.repository) == (first, str(here))


def test_a_folder_outside_a_repository_is_refused(context: Context, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(Refused, match="there is no git repository at or above"):
        load_record("git:main", Context(cache=context.cache, here=tmp_path / "plain"))


def test_a_working_tree_with_converted_files_is_not_dirty(
    git_repository: Make, context: Context, tmp_path: Path
) -> None:
    """Line endings and keywords that a real checkout has written are no changes; others are."""
    made = git_repository("project")
    made.commit({".gitattributes": "*.txt eol=crlf\n*.py ident\n"})
    made.commit({"a.txt": "one\r\ntwo\r\n", "v.py": "# $Id$\n", "same.md": "x\n"})
    made.git("clone", "--quiet", str(made.folder), str(tmp_path / "clone"))
    here = tmp_path / "clone"
    assert (here / "v.py").read_text() != "# $Id$\n"
    record = load_record(".", Context(cache=context.cache, here=here))
    assert record.code is not None
    assert not record.code.dirty
    (here / "a.txt").write_bytes(b"one\r\nthree\r\n")
    record = load_record(".", Context(cache=context.cache, here=here))
    assert record.code is not None
    assert record.code.dirty
    assert "1 file: a.txt" in next(item.why for item in record.missing if item.field == "code.changes")
