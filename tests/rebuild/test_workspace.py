"""A whole side rebuilt from its record, and the tree that the code runs in."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro_tui.model.errors import Cancelled, Inconclusive, Refused
from repro_tui.model.record import Code, DataItem, Environment, Parameters, Predict, Record
from repro_tui.model.workspace import BuiltParameters
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.data import rebuild_data
from repro_tui.rebuild.parameters import rebuild_parameters
from repro_tui.rebuild.tree import compose
from repro_tui.rebuild.workspace import rebuild
from repro_tui.support import hashes
from repro_tui.support.context import Context
from tests.conftest import GitRepository

Make = Callable[[str], GitRepository]
FILES: dict[str, Any] = {
    "svc/predict.py": "print(1)\n",
    "svc/params.yaml": "x: 1\ny: 2\n",
    "svc/data/kept.csv": "kept",
    "svc/data/m.json": "old",
    "svc/requirements.txt": "",
}


@pytest.fixture
def record(git_repository: Make, tmp_path: Path) -> Record:
    made = git_repository("project")
    (made.folder / "svc").mkdir()
    (made.folder / "svc/run.sh").write_text("#!/bin/sh\n")
    (made.folder / "svc/run.sh").chmod(0o755)
    (made.folder / "svc/link").symlink_to("predict.py")
    commit = made.commit(FILES)
    (tmp_path / "m.json").write_bytes(b"new")
    return Record(
        "prod",
        "prod",
        base=str(tmp_path),
        code=Code(str(made.folder), commit, "svc"),
        environment=Environment(requirements="requirements.txt", python="3.11", variables={"TZ": "UTC"}),
        parameters=Parameters("params.yaml", {"x": 5}),
        data=(DataItem("data/m.json", "file:m.json"), DataItem("extra/n.json", "file:m.json")),
        predict=Predict(("python", "predict.py")),
    )


def composed(record: Record, context: Context) -> Path:
    code, _ = rebuild_code(record, context)
    data, _ = rebuild_data(record, code, context)
    parameters, _ = rebuild_parameters(record, code, context)
    folder = compose(code, data, parameters, context)
    assert folder is not None
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("isolation", ["auto", "none"])
def test_the_tree_has_everything_at_its_place(record: Record, context: Context, isolation: Any) -> None:
    context = replace(context, settings=replace(context.settings, isolation=isolation))
    before = os.umask(0o077)
    try:
        folder = composed(record, context)
    finally:
        os.umask(before)
    assert contents(folder) == {
        "svc/predict.py": "print(1)\n",
        "svc/link": "print(1)\n",
        "svc/run.sh": "#!/bin/sh\n",
        "svc/params.yaml": "x: 5\ny: 2\n",
        "svc/data/kept.csv": "kept",
        "svc/data/m.json": "new",
        "svc/extra/n.json": "new",
        "svc/requirements.txt": "",
    }
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode & 0o777
        assert mode & 0o444 == 0o444, path
        assert not path.is_dir() or mode & 0o111 == 0o111
    assert (folder / "svc/run.sh").stat().st_mode & 0o111 == 0o111
    assert (folder / "svc/data/m.json").stat().st_nlink == (3 if isolation == "auto" else 1)


def test_the_cache_survives_a_tree_that_was_written_in(record: Record, context: Context) -> None:
    context = replace(context, settings=replace(context.settings, isolation="none"))
    folder = composed(record, context)
    expected = contents(folder)
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o644)
            path.write_text("evil")
    (folder / "svc/new.pyc").write_text("evil")
    assert contents(composed(record, context)) == expected


def test_the_commits_files_are_not_changed_by_composing(record: Record, context: Context) -> None:
    composed(record, context)
    code, part = rebuild_code(record, context)
    assert code is not None
    assert part is not None
    assert part.cached
    assert (Path(code.folder) / "svc/data/m.json").read_text() == "old"
    assert (Path(code.folder) / "svc/params.yaml").read_text() == FILES["svc/params.yaml"]


def test_data_is_not_read_again_because_it_was_linked(
    record: Record, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed(record, context)
    read: list[Path] = []
    real = hashes.digest_file

    def noted(path: Path, *, md5: bool = False) -> hashes.Digests:
        read.append(path)
        return real(path, md5=md5)

    monkeypatch.setattr(hashes, "digest_file", noted)
    composed(record, context)
    assert read == []


@pytest.mark.parametrize(
    ("path", "message"), [("predict.py/x", "a file of the commit is in the way"), ("data", "is a folder in the commit")]
)
def test_data_that_does_not_fit_into_the_tree_is_reported(
    record: Record, context: Context, path: str, message: str
) -> None:
    with pytest.raises(Inconclusive, match=message):
        composed(replace(record, data=(DataItem(path, "file:m.json"),)), context)


def test_nothing_to_lay_out_is_no_tree(context: Context) -> None:
    assert compose(None, (), BuiltParameters({}), context) is None


def test_data_without_code_is_placed_alone(record: Record, context: Context) -> None:
    bare = replace(record, code=None, parameters=Parameters())
    assert contents(composed(bare, context)) == {"data/m.json": "new", "extra/n.json": "new"}


def test_a_record_is_rebuilt_whole_and_once(record: Record, context: Context) -> None:
    first = rebuild(record, context)
    assert [part.step for part in first.parts] == ["code", "environment", "data", "parameters"]
    assert (first.subdirectory, first.command, first.name) == ("svc", ("python", "predict.py"), "prod")
    assert contents(Path(first.tree))["svc/data/m.json"] == "new"
    second = rebuild(record, context)
    assert (second.key, second.tree) == (first.key, first.tree)
    assert all(part.cached for part in second.parts)


def test_the_key_covers_all_that_can_change_the_output(record: Record, context: Context, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_bytes(b"other")
    assert record.code is not None
    variants = [
        record,
        replace(record, parameters=Parameters("params.yaml", {"x": 5.0})),
        replace(record, data=(DataItem("data/m.json", "file:other.json"), record.data[1])),
        replace(record, data=record.data[:1]),
        replace(record, predict=Predict(("python", "predict.py", "-v"))),
        replace(record, environment=replace(record.environment, variables={"TZ": "CET"})),
    ]
    assert len({rebuild(variant, context).key for variant in variants}) == len(variants)
    renamed = replace(record, name="staging", reference="x", description="y")
    assert rebuild(renamed, context).key == rebuild(record, context).key


def test_all_failed_steps_are_reported_with_the_finished_parts(record: Record, context: Context) -> None:
    bad = replace(
        record,
        environment=Environment(),
        data=(replace(record.data[0], sha256="0" * 64),),
        parameters=Parameters("absent.yaml"),
    )
    with pytest.raises(Inconclusive) as error:
        rebuild(bad, context)
    assert error.value.step == "environment, data, parameters"
    assert [part.step for part in error.value.parts] == ["code"]
    for fragment in (
        "environment: the record does not name an environment",
        "data: data data/m.json",
        "parameters: the parameters file absent.yaml",
    ):
        assert fragment in error.value.what
    assert "record one of environment.image" in error.value.do


def test_one_failed_step_is_reported_by_its_own_message(record: Record, context: Context) -> None:
    with pytest.raises(Inconclusive, match=r"the SIF image .*x\.sif does not exist") as error:
        rebuild(replace(record, environment=Environment(sif="x.sif")), context)
    assert error.value.step == "environment"
    assert [part.step for part in error.value.parts] == ["code", "data", "parameters"]
    assert record.code is not None
    with pytest.raises(Inconclusive, match="is not in the repository") as error:
        rebuild(replace(record, code=replace(record.code, commit="1" * 40)), context)
    assert (error.value.step, error.value.parts) == ("code", ())


@pytest.mark.parametrize("step", ["code", "data"])
def test_what_cannot_be_written_is_reported(record: Record, context: Context, tmp_path: Path, step: str) -> None:
    assert record.code is not None
    (tmp_path / "big").write_bytes(bytes(300_000))
    commit = record.code.commit
    if step == "code":
        commit = _Existing(Path(record.code.repository)).commit({"big": bytes(300_000)})
    with_big = replace(record, code=replace(record.code, commit=commit))
    of_data = replace(record, environment=Environment(), data=(DataItem("big", "file:big"),))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(Inconclusive) as error:
            rebuild(with_big if step == "code" else of_data, context)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert step in error.value.step
    assert "could not be written" in error.value.what
    assert not any((context.cache.root / "temporary").iterdir())


class _Existing(GitRepository):
    def __init__(self, folder: Path) -> None:
        self.folder = folder


@pytest.mark.parametrize("predict", [None, Predict()])
def test_a_record_that_cannot_be_run_is_reported(record: Record, context: Context, predict: Predict | None) -> None:
    with pytest.raises(Inconclusive, match="no predict step") as error:
        rebuild(replace(record, predict=predict), context)
    assert error.value.step == "record"
    assert error.value.do


def test_refusals_and_stops_go_up(record: Record, context: Context) -> None:
    with pytest.raises(Refused):
        rebuild(replace(record, environment=Environment(), parameters=Parameters("../x.yaml")), context)
    context.cancel.cancel(15)
    with pytest.raises(Cancelled):
        rebuild(record, context)
