"""Real DVC projects as sources: data, parameters, folders, stages and experiments, with a remote that may be wrong."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Code, DataItem, Record
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.data import rebuild_data
from repro_tui.support.cache import Cache, remove_tree
from repro_tui.support.context import Context
from tests.conftest import GitRepository
from tests.systems.dvc.projects import INPUTS, PREDICT, RECORD, STAGE, DvcProject, project_at, staged_project
from tests.templates import Templates
from tests.warm import lend_empty_environment


@pytest.fixture(autouse=True)
def warm(templates: Templates, own_folders: Path) -> None:
    """Starts with built environments: no test here is about building them."""
    lend_empty_environment(templates, Path(os.environ["REPRO_TUI_CACHE"]))


@pytest.fixture
def project(templates: Templates, tmp_path: Path) -> DvcProject:
    """A project whose first model is committed and pushed."""
    return project_at("first", tmp_path / "dvc", templates)


@pytest.fixture
def both(templates: Templates, tmp_path: Path) -> DvcProject:
    """A project with two models, in the commits tagged `first` and `second` (the newest)."""
    return project_at("second", tmp_path / "dvc", templates)


@pytest.fixture
def staged(templates: Templates, tmp_path: Path) -> DvcProject:
    """A project without a record whose stage `score` has run."""
    return staged_project(tmp_path / "dvc", templates)


def scores(side: str) -> dict[str, float]:
    newest = max(Path(os.environ["REPRO_TUI_AUDITS"]).iterdir())
    table = pq.read_table(AuditFolder(newest).path / side / "run-1.parquet").to_pydict()
    return dict(zip(map(str, table["id"]), map(float, table["score"]), strict=True))


def test_two_revisions_are_audited_with_the_data_of_each(both: DvcProject) -> None:
    both.forget()
    before = sorted(str(path) for path in both.folder.rglob("*"))
    result = both.audit("dvc:first", "dvc:main")
    assert result.status == 1, result.stderr
    assert (scores("a"), scores("b")) == (both.expected(2.0), both.expected(3.0))
    report = result.report
    changed = [child["path"][-1] for finding in report["areas"]["data"]["findings"] for child in finding["children"]]
    assert changed == ["card.txt", "weights.json"]
    assert {
        part["matches"] for side in "ab" for part in report["sides"][side]["rebuild"] if part["step"] == "data"
    } == {"matches"}
    assert sorted(str(path) for path in both.folder.rglob("*")) == before  # DVC did not run in it


def test_a_written_record_of_a_revision_is_the_same_elsewhere(project: DvcProject) -> None:
    project.forget()
    done = project.run("record", "dvc:main", "-o", "../old.toml")
    assert done.status == 0, done.stderr
    text = (project.folder.parent / "old.toml").read_text()
    assert 'inputs = "old.files/inputs.csv"' in text
    assert "md5 = " in text
    project.second_model()  # the record describes the state that it was written for
    result = project.audit("../old.toml", "dvc:main~1", "--fail-on", "any")
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    assert scores("a") == project.expected(2.0)


def test_a_revision_is_verified_against_what_it_recorded(project: DvcProject) -> None:
    rows = [line.split(",") for line in (project.folder / "inputs.csv").read_text().splitlines()[1:]]
    scored = "".join(f"{name},{2.0 * float(x)}\n" for name, x in rows)
    expected = '[deployments.default.expected]\npredictions = "scores.csv"\nmetrics = { mae = 1.95 }\n'
    text = RECORD.replace('key = ["id"]', 'key = ["id"]\ntruth = "x"') + expected
    project.commit("recorded", {"scores.csv": f"id,score\n{scored}", "repro.toml": text})
    project.git.git("tag", "good")
    project.second_model()
    good, bad = project.audit("verify", "dvc:good"), project.audit("verify", "dvc:main")
    assert (good.status, good.report["grade"]["level"]) == (0, "R6"), good.report["summary"]
    assert (bad.status, bad.report["grade"]["level"]) == (1, "R3"), bad.report["summary"]
    assert "mae 1.95 recorded, 3.9 rebuilt" in bad.report["grade"]["sentence"]


def test_a_tampered_remote_object_is_refused_with_both_hashes(project: DvcProject) -> None:
    project.forget()
    for weights in _holding(project.remote, b'"weight"'):
        weights.chmod(0o644)
        weights.write_text('{"weight": 9.0}')
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 3
    summary = " ".join(result.report["summary"])
    assert "recorded md5" in summary
    assert "fetched md5" in summary


def test_data_that_was_never_pushed_is_told(project: DvcProject) -> None:
    project.forget()
    remove_tree(project.remote)
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 3
    assert "dvc push" in " ".join(result.report["summary"])


def test_a_stage_is_the_predict_step_where_there_is_no_record(project: DvcProject) -> None:
    project.without_record()
    project.dvc("stage", "add", "--quiet", "--run", "--name", "score", *INPUTS, STAGE)
    project.commit("a stage")
    project.git.git("tag", "v1")
    project.commit("another factor", {"params.json": '{"factor": 1.5}'})
    project.dvc("repro", "--quiet", "--force")
    project.commit("reproduced")
    project.dvc("push", "--quiet")
    project.forget()
    result = project.audit("dvc:v1#score", "dvc:main#score", "--inputs", "inputs.csv", "--key", "id")
    assert result.status == 1, result.stderr
    assert (scores("a"), scores("b")) == (project.expected(2.0), project.expected(3.0))


NOTE = """\
stages:
  note:
    cmd: echo x > note.txt
    params: [other]
    outs: [note.txt]
"""


def test_an_experiment_is_found_by_its_name(project: DvcProject) -> None:
    project.commit("a stage", {"params.yaml": "other: 1\n", "dvc.yaml": NOTE, ".gitignore": "/model\n/note.txt\n"})
    project.dvc("exp", "run", "--name", "sharper", "--set-param", "other=2")
    record = project.load("dvc:sharper")
    assert record.code is not None
    assert record.code.commit != project.git.git("rev-parse", "HEAD")
    assert project.git.git("show", f"{record.code.commit}:params.yaml") == "other: 2"
    assert [(item.path, item.md5 is not None) for item in record.data] == [("model", True)]


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("dvc:nowhere", "there is no revision"),
        ("dvc:", "is not a revision"),
        ("dvc:--output=x", "is not a revision"),
        ("dvc:main#none", "no deployment"),
    ],
)
def test_bad_references_are_refused(project: DvcProject, reference: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        project.load(reference)


def test_without_a_record_the_stages_are_named(staged: DvcProject) -> None:
    with pytest.raises(Refused, match=r"neither a repro\.toml nor a dvc\.lock"):
        staged.load("dvc:main~1")
    with pytest.raises(Refused, match="one of score"):
        staged.load("dvc:main")


# -- remotes ------------------------------------------------------------------------------------------------------


def test_a_relative_remote_of_the_committed_configuration_is_found(project: DvcProject) -> None:
    project.store_at("../../elsewhere")
    project.commit("another remote")
    project.dvc("push", "--quiet")
    project.forget()
    assert list((project.folder.parent / "elsewhere").rglob("*"))
    remove_tree(project.remote)
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 0, result.stderr
    assert scores("a") == project.expected(2.0)


def test_the_remote_is_the_one_that_the_revision_names(project: DvcProject, tmp_path: Path) -> None:
    project.store_at(str(tmp_path / "second"))
    project.commit("another remote")
    project.second_model()
    project.dvc("push", "--quiet")
    project.forget()
    for path in _holding(project.remote, b'"weight": 3.0'):
        path.unlink()
    result = project.audit("dvc:first", "dvc:main")
    assert result.status == 1, result.stderr
    assert (scores("a"), scores("b")) == (project.expected(2.0), project.expected(3.0))


def _holding(folder: Path, content: bytes) -> list[Path]:
    copies = [path for path in folder.rglob("*") if path.is_file() and content in path.read_bytes()]
    assert copies
    return copies


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_a_remote_may_be_any_url_of_fsspec(project: DvcProject, tmp_path: Path, scheme: str) -> None:
    elsewhere = project.remote.rename(tmp_path / "elsewhere")
    with served(elsewhere) as address:
        url = address if scheme == "http" else elsewhere.as_uri()
        (project.folder / ".dvc" / "config.local").write_text(f"['remote \"store\"']\n    url = {url}\n")
        project.forget()
        result = project.audit("dvc:main", "dvc:main")
    assert result.status == 0, result.stderr
    assert scores("a") == project.expected(2.0)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


def test_an_output_in_another_remote_is_found(project: DvcProject, tmp_path: Path) -> None:
    remove_tree(project.remote)
    project.dvc("remote", "add", "--quiet", "other", str(tmp_path / "other"))
    pointer = project.folder / "model.dvc"
    pointer.write_text(pointer.read_text().replace("path: model", "path: model\n  remote: other"))
    project.dvc("push", "--quiet")
    project.commit("another remote")
    project.forget()
    assert not project.remote.exists()
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 0, result.stderr


def test_a_damaged_cache_gives_way_to_the_remote(project: DvcProject) -> None:
    for path in _holding(project.folder / ".dvc" / "cache", b'"weight"'):
        path.chmod(0o644)
        path.write_text('{"weight": 9.0}')
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 0, result.stderr
    assert scores("a") == project.expected(2.0)


def test_a_commit_that_is_nowhere_is_refused(project: DvcProject) -> None:
    result = project.audit(f"dvc:{'a' * 40}", "dvc:main")
    assert (result.status, result.stdout) == (2, "")
    assert "there is no revision" in result.stderr


# -- DVC 2 --------------------------------------------------------------------------------------------------------


def test_data_of_dvc_2_is_told_and_restored(templates: Templates, tmp_path: Path) -> None:
    """DVC 2 wrote no `hash: md5`, stored objects without files/md5, and hashed text without carriage returns."""
    project = project_at("start", tmp_path / "dvc", templates)
    content = b'{"weight":\r\n2.0}\r\n'
    md5 = hashlib.md5(content.replace(b"\r\n", b"\n")).hexdigest()
    listing = json.dumps([{"md5": md5, "relpath": "weights.json"}]).encode()
    folder = hashlib.md5(listing).hexdigest() + ".dir"
    for name, raw in ((md5, content), (folder, listing)):
        target = project.remote / name[:2] / name[2:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(raw)
    project.commit("DVC 2", {"model.dvc": f"outs:\n- md5: {folder}\n  size: 20\n  nfiles: 1\n  path: model\n"})
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 0, result.stderr
    assert scores("a") == project.expected(2.0)
    warnings = [text for part in result.report["sides"]["a"]["rebuild"] for text in part["warnings"]]
    assert any("DVC 2" in text for text in warnings)
    target = project.remote / md5[:2] / md5[2:]
    target.write_bytes(content.replace(b"2.0", b"9.0"))
    remove_tree(Path(os.environ["REPRO_TUI_CACHE"]))
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 3
    assert f"recorded md5 {md5}" in str(result.report["sides"])


# -- experiments and stages ---------------------------------------------------------------------------------------


def test_an_experiment_is_audited_against_its_baseline(staged: DvcProject) -> None:
    staged.dvc("exp", "run", "--name", "sharper", "--set-param", "params.json:factor=1.5")
    staged.dvc("push", "--quiet", "--all-commits")
    staged.git.git("checkout", "--quiet", "--force", "main")
    result = staged.audit("dvc:main#score", "dvc:sharper#score", "--key", "id")
    assert result.status == 1, result.stderr
    assert (scores("a"), scores("b")) == (staged.expected(2.0), staged.expected(3.0))
    assert result.report["areas"]["parameters"]["status"] == "different"


def test_the_table_of_a_stage_is_its_inputs_and_others_are_laid_in_its_place(staged: DvcProject) -> None:
    record = staged.load("dvc:main#score")
    assert record.validation.inputs is not None
    assert Path(record.validation.inputs).read_text() == (staged.folder / "inputs.csv").read_text()
    (staged.folder / "other.csv").write_text("id,x\nq1,7\nq2,8\n")
    result = staged.audit("dvc:main#score", "dvc:main#score", "--key", "id", "--inputs", "other.csv")
    assert result.status == 0, result.stderr
    assert scores("a") == {"q1": 14.0, "q2": 16.0}


def test_a_lock_that_is_older_than_its_commit_is_told(staged: DvcProject) -> None:
    assert staged.load("dvc:main#score").warnings == ()
    staged.commit("later", {"params.json": '{"factor": 1.5}', "predict.py": PREDICT + "# later\n"})
    (warning,) = staged.load("dvc:main#score").warnings
    assert "predict.py, params.json: factor changed since stage score was last run" in warning


IN_A_FOLDER = """\
stages:
  score:
    wdir: score
    cmd:
    - cp -R ../model ../params.json ../predict.py .
    - python3 predict.py ../inputs.csv out.csv
    - 'echo ''{"n": 40, "deep": {"share": 0.5}}'' > metrics.json'
    deps: [../inputs.csv, ../model]
    outs: [out.csv]
    metrics:
    - metrics.json:
        cache: false
"""


def test_a_stage_in_a_folder_runs_there_and_its_metrics_are_read(project: DvcProject) -> None:
    project.without_record()
    (project.folder / "score").mkdir()
    project.commit("defined", {"dvc.yaml": IN_A_FOLDER})
    project.dvc("repro", "--quiet")
    project.commit("a stage")
    record = project.load("dvc:main#score")
    assert record.expected.metrics == {"n": 40.0, "deep.share": 0.5}
    assert [item.path for item in record.data] == ["model"]
    result = project.audit("dvc:main#score", "dvc:main#score", "--key", "id")
    assert result.status == 0, result.stderr
    assert scores("a") == project.expected(2.0)


def test_a_stage_that_leaves_the_repository_is_refused(project: DvcProject) -> None:
    project.without_record()
    lock = "schema: '2.0'\nstages:\n  x:\n    cmd: cat ../y\n    deps:\n    - path: ../../y\n      md5: aa\n"
    project.commit("a lock", {"dvc.lock": lock})
    with pytest.raises(Refused, match="outside the repository"):
        project.load("dvc:main#x")


# -- stages as people write them ----------------------------------------------------------------------------------

TRACKED_INPUTS = """\
stages:
  score:
    cmd: python3 predict.py inputs.csv eval/scores.csv && cp eval/scores.csv rows.csv
    deps: [inputs.csv, predict.py, model]
    params:
    - params.json: [factor]
    - params.yaml: [other]
    outs: [eval, rows.csv]
"""


@pytest.fixture
def tracked(project: DvcProject) -> DvcProject:
    """A project whose stage reads a table that DVC tracks, reads two parameter files and writes a folder and a file."""
    project.without_record()
    project.git.git("rm", "--quiet", "--cached", "inputs.csv")
    project.dvc("add", "--quiet", "inputs.csv")
    made = {"dvc.yaml": TRACKED_INPUTS, "params.yaml": "other: 1\n"}
    (project.folder / "predict.py").write_text("import os; os.makedirs('eval', exist_ok=True)\n" + PREDICT)
    project.commit("defined", made)
    project.dvc("repro", "--quiet")
    project.commit("a stage")
    return project


def test_a_stage_whose_inputs_dvc_tracks_is_audited(tracked: DvcProject) -> None:
    inputs = (tracked.folder / "inputs.csv").read_bytes()
    record = tracked.load("dvc:main#score")
    assert record.validation.inputs is not None
    assert Path(record.validation.inputs).name == "inputs.csv"
    assert Path(record.validation.inputs).read_bytes() == inputs
    assert set(record.parameters.files) == {"params.json", "params.yaml"}
    assert not any("parameters" in warning for warning in record.warnings)
    result = tracked.audit("dvc:main#score:eval/scores.csv", "dvc:main#score", "--key", "id")
    assert result.status == 0, result.stderr
    assert scores("a") == scores("b") == tracked.expected(2.0)


def test_the_outputs_of_a_stage_are_named(tracked: DvcProject) -> None:
    lock = (tracked.folder / "dvc.lock").read_text()
    tracked.commit("two tables", {"dvc.lock": lock.replace("path: eval", "path: eval.csv").replace(".dir", "")})
    with pytest.raises(Refused, match=r"writes 2 tables \(its outputs: eval\.csv, rows\.csv\): .*#score:eval\.csv"):
        tracked.load("dvc:main#score")
    assert tracked.load("dvc:main#score:rows.csv").predict is not None
    with pytest.raises(Refused, match=r"does not write none\.csv: its outputs are eval\.csv, rows\.csv"):
        tracked.load("dvc:main#score:none.csv")
    only = lock[: lock.index("    - path: rows.csv")]
    tracked.commit("a folder", {"dvc.lock": only})
    with pytest.raises(
        Refused, match=r"writes 0 tables \(its outputs: eval\): name the predictions, .*score:eval/PATH"
    ):
        tracked.load("dvc:main#score")


def test_imported_data_is_fetched_from_where_it_came(project: DvcProject, tmp_path: Path) -> None:
    """What `dvc import` brought is not pushed: it is in the other project's store, or in its git."""
    project.forget()
    user = DvcProject(tmp_path / "user")
    GitRepository(user.folder)
    user.dvc("init", "--quiet")
    for path in ("model", "params.json"):
        user.dvc("import", "--quiet", "--rev", "main", str(project.folder), path)
    user.commit("imported")
    remove_tree(user.folder / ".dvc" / "cache")
    commit = user.git.git("rev-parse", "HEAD")
    context = Context(cache=Cache(tmp_path / "own-cache"), here=user.folder)
    items = (DataItem("model", "dvc"), DataItem("params.json", "dvc"))
    record = Record("prod", "prod", code=Code(str(user.folder), commit), data=items)
    data, _ = rebuild_data(record, rebuild_code(record, context)[0], context)
    assert set(data[0].files) == {"weights.json", "card.txt"}
    assert Path(data[1].files[""].file).read_text() == '{"factor": 1.0}'
    project.git.git("update-ref", "-d", "refs/heads/main")
    remove_tree(project.remote)
    elsewhere = Context(cache=Cache(tmp_path / "another-cache"), here=user.folder)
    with pytest.raises(Inconclusive, match="and where it was imported from"):
        rebuild_data(record, rebuild_code(record, elsewhere)[0], elsewhere)


def test_a_project_in_a_folder_of_the_repository(project: DvcProject, tmp_path: Path) -> None:
    """`dvc init --subdir`: references are read from the folder, and stages are named by its dvc.yaml, too."""
    mono = GitRepository(tmp_path / "mono/project")
    inner = mono.folder / "sub"
    inner.mkdir()
    user = DvcProject(tmp_path / "mono")
    user.folder = inner
    user.dvc("init", "--quiet", "--subdir")
    for name in ("inputs.csv", "predict.py", "params.json", "requirements.txt"):
        (inner / name).write_bytes((project.folder / name).read_bytes())
    (inner / "model").mkdir()
    (inner / "model/weights.json").write_text('{"weight": 2.0}')
    user.dvc("add", "--quiet", "model", "inputs.csv")
    user.dvc("stage", "add", "--quiet", "--run", "--name", "score", *INPUTS, STAGE)
    mono.git("add", "--all")
    mono.git("commit", "--quiet", "--message", "a stage")
    result = user.audit("dvc:main#score", "dvc:main#sub/dvc.yaml:score", "--key", "id")
    assert result.status == 0, result.stderr
    assert scores("a") == {f"r{n:03}": 2.0 * (n / 10) for n in range(40)}
