"""The code of two sides is compared, from real repositories."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repro_tui.compare.code import compare_code
from repro_tui.model.declared import DeclaredCode
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Code, DataItem, Environment, Parameters, Record
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.declared.side import declare
from repro_tui.support.context import Context
from tests.conftest import GIT_ENVIRONMENT, GitRepository

Make = Callable[[str], GitRepository]
FIRST = {"predict.py": "".join(f"line {n}\n" for n in range(40)), "doc.md": "hello\n", "bin": b"\0\1", "same": "s"}


def declared(repository: GitRepository, commit: str, context: Context, **fields: object) -> DeclaredCode:
    record = replace(Record("x", "x", code=Code(str(repository.folder), commit)), **fields)  # type: ignore[arg-type]
    return declare(record, context).code


def test_one_commit_is_the_same(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    side = declared(repository, repository.commit(FIRST), context)  # type: ignore[arg-type]
    area = compare_code(side, side, context)
    assert (area.status, area.counts["same"], area.findings) == ("same", 4, ())


def test_files_and_commits_between(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    a = repository.commit(FIRST)  # type: ignore[arg-type]
    repository.git("mv", "doc.md", "readme.md")
    b = repository.commit(
        {
            "predict.py": str(FIRST["predict.py"]).replace("line 20\n", "line twenty\x1b[2J\n"),
            "bin": b"\0\2",
            "new.py": "x",
        },
        "a second",
    )
    area = compare_code(declared(repository, a, context), declared(repository, b, context), context)
    assert area.status == "different"
    findings = {finding.path[0]: finding for finding in area.findings}
    assert set(findings) == {"commit", "predict.py", "bin", "new.py", "readme.md"}
    assert findings["commit"].note == "1 commit only in B, 0 only in A"
    assert "a second" in str(findings["commit"].children[0].b)
    assert (findings["readme.md"].a, findings["readme.md"].note) == ("doc.md", "renamed, same content")
    assert findings["bin"].note == "binary, 2 bytes on both sides"
    assert [(c.path, c.a, c.b) for c in findings["bin"].children] == [(("bin", "byte 1"), "01", "02")]
    assert findings["new.py"].change == "added"
    assert findings["predict.py"].note == "+1 -1 lines"
    [hunk] = findings["predict.py"].children
    assert hunk.path == ("predict.py", "@@ -18,7 +18,7 @@")
    assert "-line 20\n+line twenty\\u{1b}[2J" in hunk.note
    assert "line 20" in hunk.a
    assert "\x1b" not in repr(area)


def test_a_mode_is_a_difference(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    a = repository.commit({"run": "x"})
    (repository.folder / "run").chmod(0o755)
    b = repository.commit({})
    area = compare_code(declared(repository, a, context), declared(repository, b, context), context)
    assert area.findings[1].note == "only the mode differs"


def test_a_file_that_is_data_to_one_side_only_stays_code_where_the_other_has_it(
    git_repository: Make, context: Context
) -> None:
    """Its content in the side that does not list it would otherwise be compared nowhere."""
    repository = git_repository("project")
    a = repository.commit({"conf/m.yaml": "x: 1\n", "model": "1", "new.yaml": ""})
    repository.git("rm", "--quiet", "new.yaml")
    b = repository.commit({"conf/m.yaml": "{}\n", "model": "2"})
    fields = {"parameters": Parameters("conf/m.yaml"), "data": (DataItem("model", "git"),)}
    area = compare_code(declared(repository, a, context), declared(repository, b, context, **fields), context)
    assert [finding.path[0] for finding in area.findings] == ["commit", "conf/m.yaml", "model", "new.yaml"]
    gone = {"parameters": Parameters("new.yaml")}
    area = compare_code(declared(repository, a, context, **gone), declared(repository, b, context), context)
    assert "compared in another area: new.yaml" in area.findings[0].note


def test_parameters_and_data_are_left_to_their_areas(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    a = repository.commit({"params.yaml": "x: 1\n", "model": "1", "predict.py": "p"})
    b = repository.commit({"params.yaml": "x: 2\n", "model": "2"})
    fields = {"parameters": Parameters("params.yaml"), "data": (DataItem("model", "git"),)}
    area = compare_code(declared(repository, a, context, **fields), declared(repository, b, context, **fields), context)
    assert area.status == "same"
    [finding] = area.findings
    assert (finding.path, finding.change) == (("commit",), "same")
    assert "compared in another area: model, params.yaml" in finding.note


def test_two_repositories(git_repository: Make, context: Context) -> None:
    left, right = git_repository("left"), git_repository("right")
    a, b = left.commit({"p.py": "1\n", "q": "same"}, "left"), right.commit({"p.py": "2\n", "q": "same"}, "right")
    area = compare_code(declared(left, a, context), declared(right, b, context), context)
    assert area.findings[0].note == "the two commits are from different repositories"
    assert area.findings[1].path == ("p.py",)
    assert area.counts["same"] == 1


def test_commits_without_common_history(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    a = repository.commit({"p.py": "1\n"})
    repository.git("checkout", "--quiet", "--orphan", "new")
    b = repository.commit({"p.py": "2\n"})
    area = compare_code(declared(repository, a, context), declared(repository, b, context), context)
    assert area.findings[0].note == "the two commits have no history in common"


@pytest.mark.parametrize("damage", ["gone", "tip", "between"])
def test_a_history_that_cannot_be_read_is_not_called_none(git_repository: Make, context: Context, damage: str) -> None:
    repository = git_repository("project")
    a, between, b = (repository.commit({"p.py": f"{number}\n"}) for number in range(3))
    left, right = (declared(repository, commit, context) for commit in (a, b))
    assert "2 commits only in B, 0 only in A" in compare_code(left, right, context).findings[0].note
    assert left.tree is not None
    clone = Path(left.tree.git_dir)
    if damage == "gone":
        shutil.rmtree(clone)
    else:
        for pack in clone.glob("objects/pack/*.pack"):
            content = pack.read_bytes()
            for file in pack.parent.glob(f"{pack.stem}.*"):
                file.unlink()
            command = ["git", f"--git-dir={clone}", "unpack-objects", "-q"]
            subprocess.run(command, input=content, env=GIT_ENVIRONMENT, check=True)
        lost = b if damage == "tip" else between
        (clone / "objects" / lost[:2] / lost[2:]).unlink()
    note = compare_code(left, right, context).findings[0].note
    assert note.startswith("which commits are between the two is not known: the history of ")


def test_missing_code_is_unknown(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    side = declared(repository, repository.commit({"a": "1"}), context)
    absent = declare(Record("x", "x"), context).code
    area = compare_code(side, absent, context)
    assert (area.status, area.findings[0].note) == ("unknown", "B: no commit that can be fetched was recorded")
    assert compare_code(absent, absent, context).status == "not-recorded"
    inside = declare(Record("x", "x", environment=Environment(image="i:1")), context).code
    assert compare_code(inside, inside, context).status == "unknown"


def test_code_that_cannot_be_rebuilt_is_compared(git_repository: Make, context: Context) -> None:
    """A Git LFS pointer is not fetched, which a rebuild needs."""
    repository = git_repository("project")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 1\n"
    sides = [
        declared(repository, repository.commit({"m.bin": pointer.format(oid * 64), "p.py": f"{oid}\n"}), context)
        for oid in "ab"
    ]
    with pytest.raises(Inconclusive, match="Git LFS"):
        rebuild_code(Record("x", "x", code=Code(str(repository.folder), sides[0].commit)), context)
    findings = {finding.path[0]: finding for finding in compare_code(*sides, context).findings}
    assert findings["p.py"].children[0].note == "-a\n+b\n "
    assert findings["m.bin"].note == "+1 -1 lines"


def test_files_that_changed_in_large_numbers_all_have_their_counts(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    commits = [repository.commit({f"f{n:04}.py": f"{n} {side}\n" for n in range(1_500)}) for side in "ab"]
    area = compare_code(*(declared(repository, commit, context) for commit in commits), context)
    notes = [finding.note for finding in area.findings if finding.path != ("commit",)]
    assert notes == ["+1 -1 lines"] * 1_500


def test_ignored_and_all(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    a = declared(repository, repository.commit({"docs/a": "1", "p.py": "1"}), context)
    b = declared(repository, repository.commit({"docs/a": "2"}), context)
    ignoring = replace(context, settings=replace(context.settings, ignore=("code.docs/*", "code.commit")))
    assert compare_code(a, b, ignoring).status == "same"
    everything = replace(context, settings=replace(context.settings, all_findings=True))
    changes = {finding.path[0]: finding.change for finding in compare_code(a, b, everything).findings}
    assert changes == {"commit": "changed", "docs/a": "changed", "p.py": "same"}
