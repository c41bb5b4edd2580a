"""`git:REV`: the nearest record in the commit, a named one, and none at all; and what a call lays over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repro_tui.model.errors import Refused
from repro_tui.model.overrides import Overrides
from repro_tui.model.record import Record
from repro_tui.sources.overlay import lay_over
from repro_tui.sources.resolve import load_record
from repro_tui.support.context import Context
from tests.conftest import GitRepository

RECORD = 'schema = 1\n[validation]\ninputs = "in.csv"\n[deployments.{name}.environment]\nrequirements = "r.txt"\n'


def code_of(record: Record) -> tuple[str, str]:
    assert record.code is not None
    return record.code.commit, record.code.subdirectory


@pytest.fixture
def monorepo(git_repository: Callable[[str], GitRepository]) -> GitRepository:
    """A repository with a record at its root and one in a service; the next commit removes both."""
    repository = git_repository("mono")
    service = "services/credit"
    files: dict[str, str | bytes] = {
        "repro.toml": RECORD.format(name="root"),
        "in.csv": "id\n0\n",
        f"{service}/repro.toml": RECORD.format(name="credit"),
        f"{service}/in.csv": "id\n1\n",
        f"{service}/src/x.py": "",
        f"{service}/other.toml": RECORD.format(name="a").replace(
            "[validation]", '[deployments.b]\ndescription="b"\n[validation]'
        ),
    }
    repository.commit(files)
    repository.git("tag", "first")
    for name in ("repro.toml", f"{service}/repro.toml"):
        (repository.folder / name).unlink()
    repository.commit({f"{service}/uv.lock": "", "docs/x.md": ""})
    return repository


def test_the_nearest_record_in_the_commit_is_read(monorepo: GitRepository, context: Context) -> None:
    service = monorepo.folder / "services/credit"
    record = load_record("git:first", replace(context, here=service / "src"))
    assert code_of(record)[1] == "services/credit"
    assert record.validation.inputs
    assert Path(record.validation.inputs).read_text() == "id\n1\n"
    assert record.provenance["environment.requirements"].startswith("services/credit/repro.toml at ")
    assert code_of(load_record("git:first", replace(context, here=monorepo.folder)))[1] == "."
    assert code_of(load_record("git:first", replace(context, here=monorepo.folder / "docs")))[1] == "."


def test_a_record_is_named_by_its_path(monorepo: GitRepository, context: Context) -> None:
    here = replace(context, here=monorepo.folder)
    record = load_record("git:first:services/credit/other.toml#b", here)
    assert (record.description, code_of(record)[1]) == ("b", "services/credit")
    assert code_of(load_record("git:first:services/credit", here))[1] == "services/credit"
    assert code_of(load_record("dvc:first:services/credit/repro.toml", here))[1] == "services/credit"
    for reference, message in (
        ("git:first:services/none.toml", "has no file services/none.toml"),
        ("git:first:none", "has no folder none"),
        ("git:first:../x.toml", "is not a path in the commit"),
        ("git:first:", "is not a path in the commit"),
        ("git:first#nope", "has no deployment 'nope'"),
        ("git:main#prod", "has no repro.toml: leave out #prod"),
    ):
        with pytest.raises(Refused, match=message):
            load_record(reference, here)


def test_a_record_that_names_its_repository_keeps_its_folders(
    git_repository: Callable[[str], GitRepository], context: Context
) -> None:
    repository = git_repository("p")
    text = 'schema = 1\n[deployments.a.code]\nrepository = "{}"\nsubdirectory = "{}"\ncommit = "' + "a" * 40 + '"\n'
    repository.commit(
        {
            "x/repro.toml": text.format("../", "x/src"),
            "y/repro.toml": text.format(".", "src"),
            "y/src/z": "",
            "x/src/z": "",
        }
    )
    here = replace(context, here=repository.folder)
    assert code_of(load_record("git:main:x", here))[1] == "x/src"
    assert code_of(load_record("git:main:y", here))[1] == "y/src"


def test_a_commit_without_a_record_is_described_by_its_files(monorepo: GitRepository, context: Context) -> None:
    service = replace(context, here=monorepo.folder / "services/credit/src")
    record = load_record("git:main", service)
    assert (record.environment.lock, code_of(record)[1]) == ("uv.lock", "services/credit")
    assert record.predict is None
    assert {item.field for item in record.missing} == {"environment.python", "predict", "validation.inputs"}
    assert all(item.do for item in record.missing)
    assert record.provenance["environment.lock"].startswith("uv.lock at ")


def test_the_call_names_the_environment(monorepo: GitRepository, context: Context, tmp_path: Path) -> None:
    here = replace(context, here=monorepo.folder / "services/credit")
    record = load_record("git:main", here)
    (tmp_path / "r.txt").write_text("six==1.16.0\n")
    (here.here / "local.txt").write_text("")
    given = Overrides(requirements=str(tmp_path / "r.txt"), python="3.11", as_of="2024-05-01", predict="call:a.b:f")
    laid = lay_over(record, given, here)
    assert laid.environment.requirements == f"file:{tmp_path / 'r.txt'}"
    assert (laid.environment.lock, laid.environment.python) == (None, "3.11")
    assert laid.environment.as_of == "2024-05-01T00:00:00Z"
    assert laid.predict is not None
    assert laid.predict.call == "a.b:f"
    assert "on this machine" in laid.provenance["environment.requirements"]
    assert "environment.lock" not in laid.provenance
    assert {item.field for item in laid.missing} == {"validation.inputs"}
    inside = lay_over(record, Overrides(lock="uv.lock"), here)
    assert inside.environment.lock == "uv.lock"
    assert "in the tree of commit" in inside.provenance["environment.lock"]
    assert (
        lay_over(record, Overrides(requirements="local.txt"), here).environment.requirements
        == f"file:{here.here / 'local.txt'}"
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (Overrides(lock="uv.lock", conda="x.yml"), "name two environments"),
        (Overrides(lock="none.lock"), "is neither in commit"),
        (Overrides(python="3"), "is not a version"),
        (Overrides(as_of="tomorrow"), "--as-of"),
        (Overrides(predict="call:no function"), "is not a function"),
        (Overrides(predict="notebook:../x.ipynb"), "--predict"),
    ],
)
def test_what_the_call_names_wrongly_is_refused(
    monorepo: GitRepository, context: Context, overrides: Overrides, message: str
) -> None:
    here = replace(context, here=monorepo.folder)
    with pytest.raises(Refused, match=message):
        lay_over(load_record("git:first", here), overrides, here)


def test_one_side_has_options_of_its_own() -> None:
    both = Overrides(requirements="r.txt", python="3.11", a={"lock": "uv.lock"}, b={"python": "3.12"})
    assert (both.for_side("a").lock, both.for_side("a").requirements, both.for_side("a").python) == (
        "uv.lock",
        None,
        "3.11",
    )
    assert (both.for_side("b").requirements, both.for_side("b").python) == ("r.txt", "3.12")
    assert Overrides.from_given(both.given()) == both
