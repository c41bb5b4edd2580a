"""Offline runs of the real W&B client as sources: their records, audits end to end, and damaged folders."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import zlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro_tui.audit.folder import AuditFolder
from repro_tui.formats.wandb_log import BLOCK, HEADER, Torn, read_log
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import DataItem, Record
from repro_tui.model.workspace import FetchedData
from repro_tui.rebuild.data import rebuild_data
from repro_tui.sources.resolve import load_record
from repro_tui.support.cache import Cache, remove_tree
from repro_tui.support.context import Context
from tests.conftest import GitRepository
from tests.systems.wandb.runs import (
    COMMAND,
    TRAIN,
    WandbAudit,
    WandbProject,
    first_audit,
    lean_project,
    lean_python,
    log_file,
    trained_project,
)
from tests.templates import Templates
from tests.warm import lend_environments


@pytest.fixture
def project(tmp_path: Path) -> WandbProject:
    return WandbProject(tmp_path)


@pytest.fixture
def trained(templates: Templates, tmp_path: Path) -> tuple[WandbProject, Path]:
    return trained_project(tmp_path / "trained", templates)


@pytest.fixture
def first(templates: Templates) -> WandbAudit:
    """Two lean runs, audited with an empty cache."""
    return first_audit(templates)


@pytest.fixture
def lean(first: WandbAudit, templates: Templates, tmp_path: Path) -> WandbProject:
    """A project whose runs have an environment that is already in the cache."""
    lend_environments(first.cache, Path(os.environ["REPRO_TUI_CACHE"]))
    return lean_project(tmp_path / "lean", templates)


def gaps(record: Record) -> dict[str, str]:
    return {item.field: item.why for item in record.missing}


def scores(side: str, audits: Path | None = None) -> dict[str, float]:
    newest = max((audits or Path(os.environ["REPRO_TUI_AUDITS"])).iterdir())
    table = pq.read_table(AuditFolder(newest).path / side / "run-1.parquet").to_pydict()
    return dict(zip(map(str, table["id"]), map(float, table["score"]), strict=True))


def test_a_run_is_read_from_its_folder(project: WandbProject) -> None:
    project.git.git("remote", "add", "origin", "https://ada:s3cr3t-w0rd@example.org/acme/credit.git")
    config = {"rate": 0.1, "layers": [1, 2], "nested": {"on": True, "text": "1"}, "whole": 1, "real": 1.0}
    run = project.train(weight=2.0, config=config, summary={"broken": "nan"})
    record = project.load(f"wandb:{run}")
    assert record.name == "ridge"
    assert record.description == f"run acme/credit/{run.name.rpartition('-')[2]}"
    assert record.code is not None
    assert (record.code.repository, record.code.commit) == ("https://example.org/acme/credit.git", project.commit)
    assert "s3cr3t" not in str(record)
    values = record.parameters.values
    assert values == config | {"late": True}
    assert [type(values[name]) for name in ("whole", "real")] == [int, float]
    assert record.expected.metrics == pytest.approx({"accuracy": 0.92, "loss": 1 / 3, "nested.deep": 1.5})
    assert "expected.metrics.broken" in gaps(record)
    assert record.environment.python is not None
    freeze = (Path(record.base) / "requirements.txt").read_text()
    assert "pyarrow==" in freeze
    assert "wandb==" not in freeze
    assert any("only the tracker needs them: wandb" in warning for warning in record.warnings)
    (item,) = record.data
    manifest = read_log(log_file(run)).artifacts["model"]
    assert (item.path, item.md5) == ("artifacts/model", manifest.digest)
    assert [entry.path for entry in manifest.entries] == ["copies/weights.json", "weights.json"]
    assert {"predict", "validation.inputs"} <= set(gaps(record))


def test_the_log_itself_and_the_latest_run_can_be_named(trained: tuple[WandbProject, Path]) -> None:
    project, run = trained
    named = {project.load(f"wandb:{place}").description for place in ("wandb/latest-run", run, log_file(run))}
    assert len(named) == 1


def test_a_dirty_run_is_told(trained: tuple[WandbProject, Path]) -> None:
    project, run = trained
    clean = project.load(f"wandb:{run}")
    assert clean.code is not None
    assert clean.code.dirty is None
    assert "code.dirty" in gaps(clean)
    with (project.root / "predict.py").open("a") as file:
        file.write("# another\n")
    dirty = project.load(f"wandb:{project.train()}")
    assert dirty.code is not None
    assert dirty.code.dirty is True
    assert "predict.py" in gaps(dirty)["code.changes"]


@pytest.mark.network
def test_two_runs_are_audited_row_by_row(first: WandbAudit) -> None:
    result, project = first.result, first.project
    assert result.status == 1, result.stderr
    assert (scores("a", first.audits), scores("b", first.audits)) == (project.expected(2.0), project.expected(3.0))
    areas = result.report["areas"]
    assert {name: area["status"] for name, area in areas.items() if name != "predictions"} == {
        "code": "same",
        "environment": "same",
        "parameters": "different",
        "data": "same",
    }
    parts = {part["step"]: part["matches"] for part in result.report["sides"]["a"]["rebuild"]}
    assert (parts["environment"], parts["data"]) == ("matches", "matches")


@pytest.mark.network
def test_a_written_record_is_audited_and_verified_and_moves_with_its_run(lean: WandbProject, tmp_path: Path) -> None:
    project = lean
    run = project.train(weight=2.0, config={"factor": 1.5})
    given = ("--inputs", "inputs.csv", "--predict", COMMAND)
    done = project.run("record", f"wandb:{run}", "-o", "run.toml", *given)
    assert done.status == 0, done.stderr
    assert "missing: code.dirty: " in done.stderr
    assert "next time: commit before training" in (project.root / "run.toml").read_text()
    assert f'"wandb:wandb/{run.name}#model"' in (project.root / "run.toml").read_text()
    result = project.audit("run.toml", f"wandb:{run}", *given)
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    assert scores("a") == project.expected(3.0) == scores("b")
    project.root = Path(shutil.move(project.root, tmp_path / "moved"))
    remove_tree(Path(os.environ["REPRO_TUI_CACHE"]) / "objects")
    graded = project.run("verify", "run.toml", "--truth", "x", "--report", *project.options())
    assert (graded.status, graded.report["grade"]["level"]) == (1, "R3"), graded.report["summary"]
    assert scores("b") == project.expected(3.0)


@pytest.mark.network
@pytest.mark.parametrize("version", ["0.19.11", "0.22.3"])
def test_older_clients_folders_are_read(templates: Templates, tmp_path: Path, version: str) -> None:
    project = WandbProject(tmp_path, lean_python(templates, f"wandb=={version}", "setuptools<81"))
    run = project.train(weight=2.0, config={"factor": 1})
    record = project.load(f"wandb:{run}")
    assert record.code is not None
    assert record.code.commit == project.commit
    assert record.parameters.values == {"factor": 1, "late": True}
    assert record.expected.metrics["accuracy"] == pytest.approx(0.92)
    assert record.environment.python is not None
    assert f"wandb=={version}" in (run / "files" / "requirements.txt").read_text()
    assert "protobuf==" in (Path(record.base) / "requirements.txt").read_text()
    assert [item.path for item in record.data] == ["artifacts/model"]


# -- artifacts ----------------------------------------------------------------------------------------------------


def audited(project: WandbProject, run: Path, *arguments: str) -> tuple[int, str]:
    """Audits a run against itself; returns the exit status and the summary."""
    options = ("--inputs", "inputs.csv", "--key", "id", "--predict", COMMAND, *arguments)
    result = project.audit(f"wandb:{run}", f"wandb:{run}", *options)
    assert result.stdout, result.stderr
    return result.status, " ".join(result.report["summary"])


def staged(project: WandbProject) -> Path:
    return next(path for path in (project.folder / "data").rglob("tmp*") if path.is_file())


@pytest.mark.network
def test_a_tampered_file_of_an_artifact_is_refused_with_both_hashes(lean: WandbProject) -> None:
    project, run = lean, lean.train(weight=2.0)
    for path in (project.folder / "data").rglob("tmp*"):
        path.chmod(0o644)
        path.write_text('{"weight": 9.0}')
    status, summary = audited(project, run)
    assert status == 3
    tampered = hashlib.md5(b'{"weight": 9.0}').hexdigest()
    recorded = hashlib.md5(b'{"weight": 2.0}').hexdigest()
    assert f"recorded md5 {recorded[:7]}" in summary
    assert f"fetched md5 {tampered[:7]}" in summary


def test_a_manifest_that_is_not_the_recorded_one_is_refused(trained: tuple[WandbProject, Path]) -> None:
    project, run = trained
    record = f"""\
schema = 1
[deployments.other]
[[deployments.other.data]]
path = "artifacts/model"
source = "wandb:{run}#model"
md5 = "{"0" * 32}"
[deployments.other.environment]
requirements = "requirements.txt"
[deployments.other.predict]
command = ["python", "predict.py", "{{inputs}}", "{{output}}"]
[deployments.other.code]
repository = "."
commit = "{project.git.commit({"requirements.txt": ""})}"
"""
    (project.root / "other.toml").write_text(record)
    result = project.audit("other.toml", "other.toml", "--inputs", "inputs.csv")
    assert result.status == 3, result.stderr
    summary = str(result.report["sides"])
    assert f"recorded md5 {'0' * 32}" in summary
    assert read_log(log_file(run)).artifacts["model"].digest in summary


@pytest.mark.network
def test_files_that_have_left_the_staging_are_told(lean: WandbProject) -> None:
    project, run = lean, lean.train(weight=2.0)
    remove_tree(project.folder / "data")
    status, summary = audited(project, run)
    assert status == 3
    assert "wandb sync" in summary


def test_a_file_is_found_in_the_clients_cache(project: WandbProject) -> None:
    """The folder in which wandb keeps downloaded and uploaded files: artifacts/obj/md5, by their md5."""
    run = project.train(weight=2.0)
    md5 = hashlib.md5(b'{"weight": 2.0}').hexdigest()
    target = project.folder / "cache" / "artifacts" / "obj" / "md5" / md5[:2] / md5[2:]
    target.parent.mkdir(parents=True)
    staged(project).rename(target)
    remove_tree(project.folder / "data")
    item = project.load(f"wandb:{run}").data[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_CACHE_DIR", str(project.folder / "cache"))
        fetched = fetch(project, item)
    assert set(fetched.files) == {"weights.json", "copies/weights.json"}
    assert {file.md5 for file in fetched.files.values()} == {md5}


def fetch(project: WandbProject, item: DataItem) -> FetchedData:
    context = Context(cache=Cache(project.folder / "own-cache"), here=project.root)
    record = Record("x", "x", data=(item,))
    (fetched,), _ = rebuild_data(record, None, context)
    return fetched


def test_what_an_artifact_refers_to_is_fetched_and_checked(project: WandbProject) -> None:
    table = project.folder / "rows.csv"
    table.write_text("a,b\n1,2\n")
    run = project.train(reference=table.as_uri())
    (item,) = project.load(f"wandb:{run}").data
    item_fetched = fetch(project, item)
    assert [file.md5 for file in item_fetched.files.values()] == [hashlib.md5(table.read_bytes()).hexdigest()]
    table.write_text("a,b\n1,3\n")
    remove_tree(project.folder / "own-cache")
    with pytest.raises(Inconclusive, match="fetched md5"):
        fetch(project, item)


def test_a_reference_without_a_hash_is_never_taken_for_the_recorded_data(project: WandbProject) -> None:
    table = project.folder / "rows.csv"
    table.write_text("a,b\n1,2\n")
    run = project.train(reference=table.as_uri(), checksum=False)
    (item,) = project.load(f"wandb:{run}").data
    with pytest.raises(Inconclusive, match="md5"):
        fetch(project, item)


# -- code ---------------------------------------------------------------------------------------------------------


def test_without_a_remote_the_run_s_own_repository_is_taken(project: WandbProject) -> None:
    record = project.load(f"wandb:{project.train()}")
    assert record.code is not None
    assert record.code.repository == str(project.root)
    assert any("no git remote" in warning for warning in record.warnings)


def test_a_commit_that_was_never_pushed_is_told(project: WandbProject, tmp_path: Path) -> None:
    remote = GitRepository(tmp_path / "other")
    remote.commit({"a": "b"})
    project.git.git("remote", "add", "origin", str(remote.folder))
    run = project.train(weight=2.0)
    status, summary = audited(project, run)
    assert status == 3
    assert f"commit {project.commit[:7]}… is not in the repository" in summary


def test_without_git_the_saved_program_is_data(project: WandbProject) -> None:
    remove_tree(project.root / ".git")
    record = project.load(f"wandb:{project.train()}")
    assert record.code is None
    assert "code.commit" in gaps(record)
    (item,) = record.data
    assert (item.path, item.source) == ("train.py", "file:code/train.py")
    assert item.sha256 == hashlib.sha256(TRAIN.encode()).hexdigest()


# -- logs that are large, torn or foreign -------------------------------------------------------------------------


def test_records_that_span_blocks_are_put_together(project: WandbProject) -> None:
    run = project.train(padding=3 * BLOCK, steps=4, weight=2.0)
    assert log_file(run).stat().st_size > 10 * BLOCK
    log = read_log(log_file(run))
    assert (log.torn, log.ended, log.summary["accuracy"]) == ("", True, pytest.approx(0.93))
    assert list(log.artifacts) == ["model"]


def test_a_torn_log_is_read_as_far_as_it_goes_and_its_metrics_are_not_believed(
    trained: tuple[WandbProject, Path],
) -> None:
    project, run = trained
    whole = log_file(run).read_bytes()
    log_file(run).write_bytes(whole[:-20])
    record = project.load(f"wandb:{run}")
    assert record.parameters.values["factor"] == 2
    assert record.expected.metrics == {}
    assert "ends in the middle of a record" in gaps(record)["expected.metrics"]
    assert any("ends in the middle" in warning for warning in record.warnings)


def test_a_changed_byte_is_noticed(trained: tuple[WandbProject, Path]) -> None:
    project, run = trained
    raw = bytearray(log_file(run).read_bytes())
    at = raw.index(b"accuracy")
    raw[at] ^= 1
    log_file(run).write_bytes(raw)
    assert "the checksum of a record is wrong" in gaps(project.load(f"wandb:{run}"))["expected.metrics"]


def loaded_or_refused(project: WandbProject, run: Path) -> tuple[Record | None, str]:
    try:
        return project.load(f"wandb:{run}"), ""
    except Refused as refused:
        return None, str(refused)


def test_every_cut_of_a_log_is_read_or_refused(trained: tuple[WandbProject, Path]) -> None:
    project, run = trained
    whole = log_file(run).read_bytes()
    lengths = {*range(0, len(whole) - 1, 61), *range(9), *range(len(whole) - 9, len(whole) - 1)}
    for length in sorted(lengths):
        log_file(run).write_bytes(whole[:length])
        record, refusal = loaded_or_refused(project, run)
        if record is None:
            assert "at byte" in refusal or "ends without one" in refusal, length
            continue
        assert record.expected.metrics == {}, length
        assert "neither logged nor used" not in gaps(record).get("data", ""), length
        incomplete = gaps(record)["expected.metrics"]
        assert "does not contain the end" in incomplete or ("at byte" in incomplete and " record" in incomplete)


def test_of_a_torn_log_it_is_never_said_that_it_has_no_artifact(trained: tuple[WandbProject, Path]) -> None:
    project, run = trained
    whole = log_file(run).read_bytes()
    item = project.load(f"wandb:{run}").data[0]
    log_file(run).write_bytes(whole[: whole.index(b"copies/weights.json") + 3])
    record = project.load(f"wandb:{run}")
    assert record.data == ()
    assert "the run's log is torn (it ends in the middle of a record, at byte" in gaps(record)["data"]
    assert "whether one was logged later is unknown" in gaps(record)["data"]
    with pytest.raises(Inconclusive, match=r"is torn .*at byte .*no artifact model in what was read: \d+ records"):
        fetch(project, item)


def test_a_run_that_failed_is_told(project: WandbProject) -> None:
    record = project.load(f"wandb:{project.train(exit=3)}")
    assert "the run ended with exit status 3" in record.warnings


@pytest.mark.parametrize("content", [b"", HEADER[:5], b"SQLite format 3\0" * 9, HEADER])
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, content: bytes) -> None:
    run = tmp_path / "offline-run-x"
    run.mkdir()
    (run / "run-x.wandb").write_bytes(content)
    context = Context(cache=Cache(tmp_path / "cache"), here=tmp_path)
    with pytest.raises(Refused):
        load_record("wandb:offline-run-x", context)


def test_a_folder_without_a_log_or_with_two_is_refused(trained: tuple[WandbProject, Path]) -> None:
    project, run = trained
    shutil.copy(log_file(run), run / "another.wandb")
    with pytest.raises(Refused, match=r"2 \.wandb files"):
        project.load(f"wandb:{run}")
    with pytest.raises(Refused, match=r"no \.wandb file"):
        project.load(f"wandb:{project.root}")


def test_a_freeze_is_kept_without_what_no_index_has(trained: tuple[WandbProject, Path]) -> None:
    project, run = trained
    freeze = (
        "six==1.17.0\n# a comment\n-e git+https://ada:s3cr3t-w0rd@example.org/x.git#egg=x\n"
        "own @ file:///srv/own\nloose>=1\nSix==1.16.0\ntorch==2.1.0+cu118\npathtools==0.1.2\n"
        "ours @ file:///home/ada/dist/ours-1.2-py3-none-any.whl\n"
    )
    (run / "files" / "requirements.txt").write_text(freeze)
    record = project.load(f"wandb:{run}")
    assert (Path(record.base) / "requirements.txt").read_text() == (
        "six==1.17.0\nloose>=1\ntorch==2.1.0+cu118\nours==1.2\n"
    )
    assert "2 lines" in gaps(record)["environment.packages"]
    assert any("needs them: pathtools" in warning for warning in record.warnings)
    assert any("ours-1.2-py3-none-any.whl by ours==1.2" in warning for warning in record.warnings)
    assert "own @ file" in gaps(record)["environment.packages"]
    assert "s3cr3t" not in gaps(record)["environment.packages"]


# -- fuzzing ------------------------------------------------------------------------------------------------------


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.binary(max_size=60), max_size=6), cut=st.integers(0, 40))
def test_any_bytes_with_right_checksums_are_read_or_torn(tmp_path: Path, records: list[bytes], cut: int) -> None:
    chunks = [struct.pack("<IHB", zlib.crc32(b"\x01" + raw), len(raw), 1) + raw for raw in records]
    file = tmp_path / "run.wandb"
    file.write_bytes((HEADER + b"".join(chunks))[: cut or None])
    try:
        log = read_log(file)
    except Torn:
        return
    assert isinstance(log.torn, str)
