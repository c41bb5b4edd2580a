"""The code of a record, rebuilt."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Code, Record
from repro_tui.rebuild.code import rebuild_code
from repro_tui.support.context import Context
from tests.conftest import GitRepository

Make = Callable[[str], GitRepository]


def record_of(made: GitRepository, commit: str, subdirectory: str = ".") -> Record:
    return Record("prod", "prod", code=Code(str(made.folder), commit, subdirectory))


def test_a_commit_is_written_out_once(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    commit = made.commit({"sub/predict.py": "print(1)\n", ".gitattributes": "*.py ident\n"})
    tree, part = rebuild_code(record_of(made, commit, "sub"), context)
    assert tree is not None
    assert part is not None
    assert (Path(tree.folder) / "sub/predict.py").read_text() == "print(1)\n"
    assert (tree.commit, tree.subdirectory, tree.attributes) == (commit, "sub", (".gitattributes: *.py ident",))
    assert tree.files["sub/predict.py"].size == 9
    assert (part.step, part.cached, part.key, part.matches) == ("code", False, commit, "matches")
    assert part.warnings == ()
    again, second = rebuild_code(record_of(made, commit, "sub"), context)
    assert again == tree
    assert second is not None
    assert second.cached


def test_a_cached_commit_outlives_its_repository(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    commit = made.commit({"a": "1"})
    first, _ = rebuild_code(record_of(made, commit), context)
    shutil.rmtree(made.folder)
    assert rebuild_code(record_of(made, commit), context)[0] == first
    shutil.rmtree(context.cache.root / "git")
    _, part = rebuild_code(record_of(made, commit), context)
    assert part is not None
    assert "history is not available" in part.warnings[0]


def test_a_commit_that_its_repository_has_lost_is_told(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    commit = made.commit({"a": "1"})
    rebuild_code(record_of(made, commit), context)
    made.commit({"a": "2"})
    _, part = rebuild_code(record_of(made, commit), context)
    assert part is not None
    assert part.warnings == ()  # a later branch leads to it
    made.git("checkout", "--quiet", "--orphan", "fresh")
    made.commit({"a": "3"})
    made.git("branch", "--quiet", "-D", "main")
    _, part = rebuild_code(record_of(made, commit), context)
    assert part is not None
    assert part.cached
    assert "no branch or tag of" in part.warnings[0]
    made.git("update-ref", "refs/exps/kept", commit)
    _, part = rebuild_code(record_of(made, commit), context)
    assert part is not None
    assert part.warnings == ()


def test_attributes_that_are_not_applied_are_told(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    commit = made.commit({"v.py": "$Format:%H$\n", ".gitattributes": "v.py export-subst\n*.x filter=nbstrip\n"})
    _, part = rebuild_code(record_of(made, commit), context)
    assert part is not None
    assert "v.py export-subst; .gitattributes: *.x filter=nbstrip" in part.warnings[0]


def test_a_changed_file_in_the_cache_is_written_again(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    commit = made.commit({"a": "1"})
    tree, _ = rebuild_code(record_of(made, commit), context)
    assert tree is not None
    (Path(tree.folder) / "a").write_text("2")
    again, part = rebuild_code(record_of(made, commit), context)
    assert again is not None
    assert part is not None
    assert (Path(again.folder) / "a").read_text() == "1"
    assert not part.cached


def test_a_record_without_code_has_none(context: Context) -> None:
    assert rebuild_code(Record("prod", "prod"), context) == (None, None)


def test_a_bad_subdirectory_is_reported(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    commit = made.commit({"a": "1"})
    with pytest.raises(Refused, match="leaves the code tree"):
        rebuild_code(record_of(made, commit, "../x"), context)
    with pytest.raises(Inconclusive, match="subdirectory nowhere is not in commit"):
        rebuild_code(record_of(made, commit, "nowhere"), context)


def test_a_dirty_tree_is_a_warning(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    record = record_of(made, made.commit({"a": "1"}))
    assert record.code is not None
    _, part = rebuild_code(replace(record, code=replace(record.code, dirty=True)), context)
    assert part is not None
    assert "uncommitted changes" in part.warnings[0]
