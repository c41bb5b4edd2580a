"""Real DVC projects as sources: data, parameters, folders, stages and experiments, with a remote that may lie."""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.errors import Refused
from repro_tui.sources.resolve import load_record
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from tests.audit.project import Result, sandbox_works
from tests.conftest import GIT_ENVIRONMENT, GitRepository, need

DVC = Path(sys.executable).parent / "dvc"
PREDICT = """\
import csv, json, sys
weight = json.load(open("model/weights.json"))["weight"]
factor = json.load(open("params.json"))["factor"]
rows = list(csv.DictReader(open(sys.argv[1])))
with open(sys.argv[2], "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "score"])
    out.writerows([row["id"], weight * factor * float(row["x"])] for row in rows)
"""
STAGE = "python3 predict.py inputs.csv scores.csv"
RECORD = """\
schema = 1
[validation]
inputs = "inputs.csv"
key = ["id"]
[deployments.default.code]
repository = "."
commit = "0000000000000000000000000000000000000000"
[deployments.default.environment]
requirements = "requirements.txt"
[[deployments.default.data]]
path = "model"
source = "dvc"
[deployments.default.predict]
command = ["python3", "predict.py", "{inputs}", "{output}"]
"""


class DvcProject:
    """A repository with a real DVC project in it: a model folder in a local remote, and a stage."""

    def __init__(self, folder: Path, record: str = RECORD) -> None:
        need("dvc", DVC.exists(), "dvc is not installed here")
        self.git = GitRepository(folder / "project")
        self.folder, self.remote = self.git.folder, folder / "remote"
        self.dvc("init", "--quiet")
        self.dvc("config", "core.analytics", "false")
        self.dvc("remote", "add", "--quiet", "--default", "store", str(self.remote))
        files = {"predict.py": PREDICT, "requirements.txt": "", "params.json": '{"factor": 1.0}'}
        rows = "".join(f"r{n:03},{n / 10}\n" for n in range(40))
        self.commit("project", files | {"inputs.csv": f"id,x\n{rows}"} | ({"repro.toml": record} if record else {}))

    def dvc(self, *arguments: str) -> str:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        git = {name: value for name, value in GIT_ENVIRONMENT.items() if not name.endswith("_DATE")}
        environment = git | {"PATH": path, "HOME": str(self.folder.parent), "DVC_NO_ANALYTICS": "1"}
        done = subprocess.run(
            [str(DVC), *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def commit(self, message: str, files: dict[str, str] | None = None) -> str:
        """Commits what DVC does not keep out of git."""
        for name, content in (files or {}).items():
            (self.folder / name).write_text(content)
        self.git.git("add", "--all")
        self.git.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git.git("rev-parse", "HEAD")

    def model(self, weight: float, message: str) -> str:
        """Commits another model, and pushes it; returns the commit."""
        (self.folder / "model").mkdir(exist_ok=True)
        (self.folder / "model" / "weights.json").write_text(json.dumps({"weight": weight}))
        (self.folder / "model" / "card.txt").write_text(message)
        self.dvc("add", "--quiet", "model")
        self.dvc("push", "--quiet")
        return self.commit(message)

    def forget(self) -> None:
        """Drops DVC's own cache and the checked-out data: only the remote has it now."""
        remove_tree(self.folder / ".dvc" / "cache")
        remove_tree(self.folder / "model")

    def audit(self, *arguments: str) -> Result:
        return self.run(*arguments, "--report", *(() if sandbox_works() else ("--isolation", "none")))

    def run(self, *arguments: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "repro_tui", *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def project(tmp_path: Path) -> DvcProject:
    return DvcProject(tmp_path)


def scores(side: str) -> dict[str, float]:
    newest = max(Path(os.environ["REPRO_TUI_AUDITS"]).iterdir())
    table = pq.read_table(AuditFolder(newest).path / side / "run-1.parquet").to_pydict()
    return dict(zip(map(str, table["id"]), map(float, table["score"]), strict=True))


def expected(project: DvcProject, weight: float) -> Any:
    with (project.folder / "inputs.csv").open() as stream:
        return pytest.approx({row["id"]: weight * float(row["x"]) for row in csv.DictReader(stream)})


def test_two_revisions_are_audited_with_the_data_of_each(project: DvcProject) -> None:
    project.model(2.0, "first")
    project.git.git("tag", "v1")
    project.model(3.0, "second")
    project.forget()
    before = sorted(str(path) for path in project.folder.rglob("*"))
    result = project.audit("dvc:v1", "dvc:main")
    assert result.status == 1, result.stderr
    assert (scores("a"), scores("b")) == (expected(project, 2.0), expected(project, 3.0))
    report = result.report
    changed = [child["path"][-1] for finding in report["areas"]["data"]["findings"] for child in finding["children"]]
    assert changed == ["card.txt", "weights.json"]
    assert {
        part["matches"] for side in "ab" for part in report["sides"][side]["rebuild"] if part["step"] == "data"
    } == {"matches"}
    assert sorted(str(path) for path in project.folder.rglob("*")) == before  # nothing of DVC ran in it


def test_a_written_record_of_a_revision_is_the_same_elsewhere(project: DvcProject, tmp_path: Path) -> None:
    project.model(2.0, "first")
    project.forget()
    done = project.run("record", "dvc:main", "-o", "../old.toml")
    assert done.status == 0, done.stderr
    text = (tmp_path / "old.toml").read_text()
    assert 'inputs = "old.files/inputs.csv"' in text
    assert "md5 = " in text
    project.model(3.0, "second")  # the record stands for what it was written of
    result = project.audit("../old.toml", "dvc:main~1", "--fail-on", "any")
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    assert scores("a") == expected(project, 2.0)


def test_a_revision_is_verified_against_what_it_recorded(project: DvcProject) -> None:
    rows = [line.split(",") for line in (project.folder / "inputs.csv").read_text().splitlines()[1:]]
    scored = "".join(f"{name},{2.0 * float(x)}\n" for name, x in rows)
    told = '[deployments.default.expected]\npredictions = "scores.csv"\nmetrics = { mae = 1.95 }\n'
    text = RECORD.replace('key = ["id"]', 'key = ["id"]\ntruth = "x"') + told
    project.commit("recorded", {"scores.csv": f"id,score\n{scored}", "repro.toml": text})
    project.model(2.0, "first")
    project.git.git("tag", "good")
    project.model(3.0, "second")
    good, bad = project.audit("verify", "dvc:good"), project.audit("verify", "dvc:main")
    assert (good.status, good.report["grade"]["level"]) == (0, "R6"), good.report["summary"]
    assert (bad.status, bad.report["grade"]["level"]) == (1, "R3"), bad.report["summary"]
    assert "mae 1.95 recorded, 3.9 rebuilt" in bad.report["grade"]["sentence"]


def test_a_tampered_remote_object_is_refused_with_both_hashes(project: DvcProject) -> None:
    project.model(2.0, "first")
    project.forget()
    weights = next(path for path in project.remote.rglob("*") if path.is_file() and b"weight" in path.read_bytes())
    weights.chmod(0o644)
    weights.write_text('{"weight": 9.0}')
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 3
    words = " ".join(result.report["summary"])
    assert "recorded md5" in words
    assert "fetched md5" in words


def test_data_that_was_never_pushed_is_told(project: DvcProject) -> None:
    project.model(2.0, "first")
    project.forget()
    remove_tree(project.remote)
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 3
    assert "dvc push" in " ".join(result.report["summary"])


def test_a_stage_is_the_predict_step_where_there_is_no_record(tmp_path: Path) -> None:
    project = DvcProject(tmp_path, record="")
    project.model(2.0, "model")
    inputs = ("--deps", "predict.py", "--deps", "inputs.csv", "--deps", "model", "--outs", "scores.csv")
    project.dvc("stage", "add", "--quiet", "--run", "--name", "score", *inputs, STAGE)
    project.commit("a stage")
    project.git.git("tag", "v1")
    project.commit("another factor", {"params.json": '{"factor": 1.5}'})
    project.dvc("repro", "--quiet", "--force")
    project.commit("reproduced")
    project.dvc("push", "--quiet")
    project.forget()
    result = project.audit("dvc:v1#score", "dvc:main#score", "--inputs", "inputs.csv", "--key", "id")
    assert result.status == 1, result.stderr
    assert (scores("a"), scores("b")) == (expected(project, 2.0), expected(project, 3.0))


def test_an_experiment_is_found_by_its_name(tmp_path: Path) -> None:
    project = DvcProject(tmp_path)
    (project.folder / "params.yaml").write_text("other: 1\n")
    project.dvc(
        "stage", "add", "--quiet", "--name", "note", "--params", "other", "--outs", "note.txt", "echo x > note.txt"
    )
    project.model(2.0, "model")
    project.dvc("exp", "run", "--name", "sharper", "--set-param", "other=2")
    record = load_record("dvc:sharper", Context(cache=_cache(tmp_path), here=project.folder))
    assert record.code is not None
    assert record.code.commit != project.git.git("rev-parse", "HEAD")
    assert project.git.git("show", f"{record.code.commit}:params.yaml") == "other: 2"
    assert [(item.path, item.md5 is not None) for item in record.data] == [("model", True)]


def _cache(folder: Path) -> Any:
    from repro_tui.support.cache import Cache

    return Cache(folder / "own-cache")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("dvc:nowhere", "no such revision"),
        ("dvc:", "is not a revision"),
        ("dvc:--output=x", "is not a revision"),
        ("dvc:main#none", "no deployment"),
    ],
)
def test_bad_references_are_refused(project: DvcProject, reference: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=words):
        load_record(reference, Context(cache=_cache(tmp_path), here=project.folder))


def test_without_a_record_the_stages_are_named(tmp_path: Path) -> None:
    project = DvcProject(tmp_path, record="")
    context = Context(cache=_cache(tmp_path), here=project.folder)
    with pytest.raises(Refused, match=r"neither a repro\.toml nor a dvc\.lock"):
        load_record("dvc:main", context)
    project.dvc("stage", "add", "--quiet", "--run", "--name", "note", "--outs", "note.txt", "echo x > note.txt")
    project.commit("a stage")
    with pytest.raises(Refused, match="one of note"):
        load_record("dvc:main", context)


# -- remotes ------------------------------------------------------------------------------------------------------


def test_a_relative_remote_of_the_committed_configuration_is_found(tmp_path: Path) -> None:
    project = DvcProject(tmp_path)
    config = project.folder / ".dvc" / "config"
    config.write_text(config.read_text().replace(str(project.remote), "../../elsewhere"))
    project.model(2.0, "model")
    project.forget()
    assert list((tmp_path / "elsewhere").rglob("*"))
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 0, result.stderr
    assert scores("a") == expected(project, 2.0)


def test_the_remote_is_the_one_that_the_revision_names(project: DvcProject, tmp_path: Path) -> None:
    project.model(2.0, "first")
    project.git.git("tag", "v1")
    project.dvc("remote", "modify", "store", "url", str(tmp_path / "second"))
    project.model(3.0, "second")
    project.forget()
    result = project.audit("dvc:v1", "dvc:main")
    assert result.status == 1, result.stderr
    assert (scores("a"), scores("b")) == (expected(project, 2.0), expected(project, 3.0))


@pytest.mark.parametrize("how", ["file", "http"])
def test_a_remote_may_be_any_url_of_fsspec(project: DvcProject, tmp_path: Path, how: str) -> None:
    project.model(2.0, "model")
    with served(project.remote) as address:
        url = address if how == "http" else project.remote.as_uri()
        project.dvc("remote", "modify", "--local", "store", "url", url)
        project.forget()
        result = project.audit("dvc:main", "dvc:main")
    assert result.status == 0, result.stderr
    assert scores("a") == expected(project, 2.0)


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
    project.dvc("remote", "add", "--quiet", "other", str(tmp_path / "other"))
    (project.folder / "model").mkdir()
    (project.folder / "model" / "weights.json").write_text('{"weight": 2.0}')
    project.dvc("add", "--quiet", "--no-commit", "model")
    pointer = project.folder / "model.dvc"
    pointer.write_text(pointer.read_text().replace("path: model", "path: model\n  remote: other"))
    project.dvc("commit", "--quiet", "--force")
    project.dvc("push", "--quiet")
    project.commit("model")
    project.forget()
    assert not project.remote.exists()
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 0, result.stderr


def test_a_damaged_cache_gives_way_to_the_remote(project: DvcProject) -> None:
    project.model(2.0, "model")
    for path in (project.folder / ".dvc" / "cache").rglob("*"):
        if path.is_file() and b'"weight"' in path.read_bytes():
            path.chmod(0o644)
            path.write_text('{"weight": 9.0}')
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 0, result.stderr
    assert scores("a") == expected(project, 2.0)


def test_a_commit_that_is_nowhere_is_refused(project: DvcProject, tmp_path: Path) -> None:
    result = project.audit(f"dvc:{'a' * 40}", "dvc:main")
    assert (result.status, result.stdout) == (2, "")
    assert "no such revision" in result.stderr


# -- DVC 2 --------------------------------------------------------------------------------------------------------


def test_data_of_dvc_2_is_told_and_restored(project: DvcProject) -> None:
    """DVC 2 wrote no `hash: md5`, kept objects without files/md5, and hashed text without its carriage returns."""
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
    assert scores("a") == expected(project, 2.0)
    warnings = [text for part in result.report["sides"]["a"]["rebuild"] for text in part["warnings"]]
    assert any("DVC 2" in text for text in warnings)
    target = project.remote / md5[:2] / md5[2:]
    target.write_bytes(content.replace(b"2.0", b"9.0"))
    remove_tree(Path(os.environ["REPRO_TUI_CACHE"]))
    result = project.audit("dvc:main", "dvc:main")
    assert result.status == 3
    assert f"recorded md5 {md5}" in " ".join(result.report["summary"])


# -- experiments and stages ---------------------------------------------------------------------------------------


def staged(folder: Path, *, files: dict[str, str] | None = None, options: tuple[str, ...] = ()) -> DvcProject:
    """A project without a record whose stage `score` has run."""
    project = DvcProject(folder, record="")
    project.model(2.0, "model")
    if files:
        project.commit("more", files)
    inputs = ("--deps", "predict.py", "--deps", "inputs.csv", "--deps", "model", "--outs", "scores.csv", *options)
    project.dvc("stage", "add", "--quiet", "--run", "--name", "score", "--params", "params.json:factor", *inputs, STAGE)
    project.commit("a stage")
    return project


def test_an_experiment_is_audited_against_its_baseline(tmp_path: Path) -> None:
    project = staged(tmp_path)
    project.dvc("exp", "run", "--name", "sharper", "--set-param", "params.json:factor=1.5")
    project.dvc("push", "--quiet", "--all-commits")
    project.git.git("checkout", "--quiet", "--force", "main")
    result = project.audit("dvc:main#score", "dvc:sharper#score", "--key", "id")
    assert result.status == 1, result.stderr
    assert (scores("a"), scores("b")) == (expected(project, 2.0), expected(project, 3.0))
    assert result.report["areas"]["parameters"]["status"] == "different"


def test_the_table_of_a_stage_is_its_inputs_and_others_are_laid_in_its_place(tmp_path: Path) -> None:
    project = staged(tmp_path)
    record = load_record("dvc:main#score", Context(cache=_cache(tmp_path), here=project.folder))
    assert record.validation.inputs is not None
    assert Path(record.validation.inputs).read_text() == (project.folder / "inputs.csv").read_text()
    (project.folder / "other.csv").write_text("id,x\nq1,7\nq2,8\n")
    result = project.audit("dvc:main#score", "dvc:main#score", "--key", "id", "--inputs", "other.csv")
    assert result.status == 0, result.stderr
    assert scores("a") == {"q1": 14.0, "q2": 16.0}


def test_a_lock_that_is_older_than_its_commit_is_told(tmp_path: Path) -> None:
    project = staged(tmp_path)
    context = Context(cache=_cache(tmp_path), here=project.folder)
    assert load_record("dvc:main#score", context).warnings == ()
    project.commit("later", {"params.json": '{"factor": 1.5}', "predict.py": PREDICT + "# later\n"})
    (warning,) = load_record("dvc:main#score", context).warnings
    assert "another predict.py, params.json: factor" in warning


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


def test_a_stage_in_a_folder_runs_there_and_its_metrics_are_read(tmp_path: Path) -> None:
    project = DvcProject(tmp_path, record="")
    project.model(2.0, "model")
    (project.folder / "score").mkdir()
    project.commit("defined", {"dvc.yaml": IN_A_FOLDER})
    project.dvc("repro", "--quiet")
    project.commit("a stage")
    record = load_record("dvc:main#score", Context(cache=_cache(tmp_path), here=project.folder))
    assert record.expected.metrics == {"n": 40.0, "deep.share": 0.5}
    assert [item.path for item in record.data] == ["model"]
    result = project.audit("dvc:main#score", "dvc:main#score", "--key", "id")
    assert result.status == 0, result.stderr
    assert scores("a") == expected(project, 2.0)


def test_a_stage_that_leaves_the_repository_is_refused(tmp_path: Path) -> None:
    project = DvcProject(tmp_path, record="")
    lock = "schema: '2.0'\nstages:\n  x:\n    cmd: cat ../y\n    deps:\n    - path: ../../y\n      md5: aa\n"
    project.commit("a lock", {"dvc.lock": lock})
    with pytest.raises(Refused, match="outside of the repository"):
        load_record("dvc:main#x", Context(cache=_cache(tmp_path), here=project.folder))
