"""`record`: a written record reads back as the same record, contains no secret, and lists what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro_tui.model.record import (
    Code,
    ColumnRule,
    DataItem,
    Environment,
    Expected,
    Parameters,
    Predict,
    Record,
    Validation,
)
from repro_tui.sources.companions import Companions, relocated
from repro_tui.sources.document import document_of
from repro_tui.sources.record_text import Remarks, record_text
from repro_tui.sources.resolve import load_record
from repro_tui.support.context import Context
from tests.audit.project import PREDICT, Project, Result
from tests.conftest import GitRepository
from tests.engines import base_image

CANARY = "c4n4ry-s3cr3t-0123456789"

# -- what is written reads again as the same record -----------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = TEXTS.filter(bool)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
NUMBERS = st.decimals(-1000, 1000, places=3).map(str)


@st.composite
def records(draw: Any, folder: Path) -> Record:
    """Records of every shape, whose files are in `folder` or above it."""
    outside = folder.parent / "kept" / "outside.csv"
    file = st.sampled_from([None, str(folder / "inputs.csv"), str(outside)])
    environment = draw(
        st.sampled_from(
            [
                Environment(),
                Environment(image="registry.example.org/credit@sha256:" + "0" * 64),
                Environment(lock="uv.lock", python="3.11"),
                Environment(requirements="file:kept.txt", as_of="2026-03-01T00:00:00Z"),
                Environment(dockerfile="Dockerfile", image="sha256:" + "1" * 64),
                Environment(sif="inputs.csv"),
            ]
        )
    )
    sources = st.sampled_from(
        ["git", "dvc", "file:kept.txt", "file:sub", "mlflow:runs:/1/model", "https://example.org/a"]
    )
    items = st.builds(DataItem, st.sampled_from(["a", "b/c"]), sources, st.none() | HEX, st.none())
    metrics = draw(st.dictionaries(NAMES, NUMBERS, max_size=3))
    rules = st.builds(ColumnRule, st.sampled_from([None, "label"]), st.none() | st.floats(0, 1), threshold=st.none())
    columns = draw(st.dictionaries(NAMES, rules, max_size=2))
    if draw(st.booleans()):
        columns |= {f"p {name}": ColumnRule(draw(st.sampled_from([None, "value"])), vector="a = b") for name in "xy"}
    predict = st.builds(
        Predict,
        st.lists(TEXTS.filter(lambda text: "{" not in text and "}" not in text), min_size=1, max_size=3).map(tuple),
        timeout_s=st.floats(1, 1000),
    )
    variables = draw(st.dictionaries(st.sampled_from(["TZ", "LANG"]), TEXTS, max_size=2))
    return Record(
        name=draw(NAMES),
        reference="r",
        base=str(folder),
        description=draw(TEXTS),
        code=draw(st.none() | st.builds(Code, st.just(str(folder)), HEX, st.just("src"), st.none() | st.booleans())),
        environment=replace(environment, variables=variables),
        parameters=draw(st.builds(Parameters, st.just("p.yaml"), st.dictionaries(NAMES, VALUES, max_size=3))),
        data=tuple(draw(st.lists(items, max_size=3))),
        predict=draw(st.none() | predict),
        validation=Validation(
            draw(file),
            draw(st.lists(NAMES, max_size=2).map(tuple)),
            None,
            columns,
            draw(st.none() | NAMES),
        ),
        expected=Expected(draw(file), {name: float(text) for name, text in metrics.items()}, metrics),
    )  # fmt: skip


def bare(record: Record) -> Record:
    """The record without the fields that depend on where it was read from."""
    return replace(record, reference="", base="", provenance={}, missing=(), warnings=())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from([".toml", ".yaml", ".json"]))
def test_what_is_written_reads_again_as_the_same(tmp_path: Path, context: Context, data: Any, suffix: str) -> None:
    folder, kept = tmp_path / "here", tmp_path / "kept"
    for path in (folder / "sub", kept):
        path.mkdir(parents=True, exist_ok=True)
    for path in (folder / "inputs.csv", folder / "kept.txt", folder / "sub" / "x", kept / "outside.csv"):
        path.write_text("id\n1\n")
    record = data.draw(records(folder))
    companions = Companions(folder, "out.files", context.cache.root)
    written = relocated(record, companions)
    text = record_text(document_of(written), suffix, Remarks(), "out")
    target = folder / f"out{suffix}"
    target.write_text(text, "utf-8")
    companions.write()
    reread = load_record(str(target), context)
    moved = {str(kept / "outside.csv"): str(folder / "out.files" / "outside.csv")}
    inputs, expected = record.validation.inputs, record.expected.predictions
    wanted = replace(
        record,
        validation=replace(record.validation, inputs=moved.get(inputs or "", inputs)),
        expected=replace(record.expected, predictions=moved.get(expected or "", expected)),
    )
    assert bare(reread) == bare(wanted)
    shutil.rmtree(folder)


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    from repro_tui.model.errors import Refused

    record = Record("a", "r", parameters=Parameters(values={"model": {"depth": None}}))
    with pytest.raises(Refused, match="TOML"):
        record_text(document_of(record), ".toml", Remarks(), "a.toml")
    assert "null" in record_text(document_of(record), ".yaml", Remarks(), "a.yaml")
    record = Record("a", "r", parameters=Parameters(values={"limit": float("inf")}))
    with pytest.raises(Refused, match="JSON"):
        record_text(document_of(record), ".json", Remarks(), "a.json")


# -- the working tree and revisions ---------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, warm_cache: None) -> Project:
    """A project whose code, model and parameters are all in its repository."""
    project = Project(tmp_path / "p")
    repository = project.repository
    shutil.copyfile(project.folder / "model.json", repository.folder / "model.json")
    repository.commit(
        {
            "params.json": '{"threshold": 5.0}',
            ".gitignore": "*.log\nbuild/\n",
            ".python-version": "3.11\n",
            "data.csv.dvc": "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  hash: md5\n  path: data.csv\n",
        }
    )
    return project


def record(project: Project, source: str, *options: str, status: int = 0) -> Result:
    result = project.run("record", source, *options)
    assert result.status == status, result.stderr
    assert all(line.startswith("repro-tui: ") for line in result.stderr.splitlines())
    return result


def run_in(folder: Path, *arguments: str) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "repro_tui", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


STEP = "python3 predict.py {inputs} {output} {params}"


def test_a_working_tree_round_trips_into_an_audit_with_itself(project: Project) -> None:
    (project.repository.folder / "data.csv.dvc").unlink()
    project.repository.commit({})
    result = record(project, "./code", "-o", "tree.toml", "--inputs", "inputs.csv", "--predict", STEP)
    assert "missing: validation.inputs" not in result.stderr
    text = (project.folder / "tree.toml").read_text()
    assert 'requirements = "requirements.txt"' in text
    record(project, "tree.toml", "-o", "again.yaml")
    audit = project.run("tree.toml", "again.yaml", "--report", "--fail-on", "any", *project.options())
    assert (audit.report["verdict"], audit.status) == ("identical", 0), audit.stderr


def test_a_revision_brings_its_files_along(project: Project) -> None:
    project.record(a=project.deployment())
    document = {
        "repro.toml": 'schema = 1\n[validation]\ninputs = "in.csv"\nkey = ["id"]\n[deployments.a.environment]\n'
        'requirements = "requirements.txt"\n[deployments.a.parameters]\nfile = "params.json"\n'
        f"[deployments.a.predict]\ncommand = {STEP.split()!r}\n".replace("'", '"'),
        "in.csv": (project.folder / "inputs.csv").read_bytes(),
    }
    commit = project.repository.commit(document)
    out = project.folder / "out"
    out.mkdir()
    project.repository.git("branch", "prod", commit)

    def code(*arguments: str) -> Result:
        return run_in(project.repository.folder, *arguments)

    result = code("record", "git:prod", "-o", "../out/prod.toml")
    assert result.status == 0, result.stderr
    text = (out / "prod.toml").read_text()
    assert commit in text
    assert "git:prod" in text  # where it was read
    assert (out / "prod.files" / "in.csv").read_bytes() == (project.folder / "inputs.csv").read_bytes()
    audit = project.run("out/prod.toml", "out/prod.toml", "--report", *project.options())
    assert (audit.report["verdict"], audit.status) == ("identical", 0), audit.stderr
    again = code("record", "git:prod", "-o", "../out/prod.toml")
    assert again.status == 2
    (out / "prod.toml").unlink()
    assert code("record", "git:prod", "-o", "../out/prod.toml").status == 2  # its folder is still there
    (out / "prod.files" / "old.csv").write_text("")
    assert code("record", "git:prod", "-o", "../out/prod.toml", "--force").status == 0
    assert sorted(path.name for path in out.rglob("*")) == ["in.csv", "prod.files", "prod.toml"]


def test_a_working_tree_is_read_without_guessing(project: Project) -> None:
    result = record(project, "./code")
    text = result.stdout
    assert 'python = "3.11"' in text
    assert 'file = "params.json"' in text
    assert 'path = "data.csv"' in text
    assert 'md5 = "d41d8cd98f00b204e9800998ecf8427e"' in text
    assert "dirty" not in result.stderr
    for field in ("validation.inputs", "predict"):
        assert f"# missing: {field}: " in text
        assert f"repro-tui: missing: {field}: " in result.stderr
    where = [line for line in text.splitlines() if line.startswith("# missing: predict")]
    assert text.index(where[0]) > text.index("[deployments.code.code]")


def test_a_dirty_tree_is_marked_and_named(project: Project) -> None:
    tree = project.repository.folder
    (tree / "predict.py").write_text(PREDICT + "# changed\n")
    (tree / "note.txt").unlink()
    (tree / "helper.py").write_text("x = 1\n")
    (tree / "run.log").write_text("ignored\n")
    (tree / "build").mkdir()
    (tree / "build" / "x.py").write_text("ignored\n")
    result = record(project, "./code")
    assert "dirty = true" in result.stdout
    assert (
        "# missing: code.changes: the working tree differs from the commit in 2 files: note.txt, predict.py"
        in result.stdout
    )
    assert "the working tree has 1 file not in the commit: helper.py" in result.stderr
    assert "run.log" not in result.stderr
    (tree / "predict.py").write_text(PREDICT)
    (tree / "predict.py").chmod(0o755)
    (tree / "note.txt").write_text("one\n")
    assert "differs from the commit in 1 file: predict.py" in record(project, "./code").stderr
    (tree / "predict.py").chmod(0o644)
    assert "dirty = true" not in record(project, "./code").stdout


def test_a_dirty_run_is_never_the_same_code(project: Project) -> None:
    code = {"repository": "code", "commit": project.commit, "dirty": True}
    project.record(a=project.deployment(code=code), b=project.deployment())
    result = project.audit("--repeat", "1")
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    assert result.report["areas"]["code"]["status"] == "unknown"
    sentence = "It is not known whether the code is the same (A: the recorded tree had uncommitted changes"
    assert sentence.lower() in " ".join(result.report["summary"]).lower()
    assert project.audit("--repeat", "1", "--fail-on", "any").status == 3


def test_no_program_of_the_repository_runs(project: Project, tmp_path: Path) -> None:
    """fsmonitor, hooks and filters of the user's repository would leave a marker if they were run."""
    marker = tmp_path / "marker"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    script.chmod(0o755)
    git = project.repository.git
    (project.repository.folder / ".gitattributes").write_text("*.py filter=evil\n")
    for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "uploadpack.packObjectsHook"):
        git("config", key, str(script))
    (project.repository.folder / "predict.py").write_text("changed\n")
    record(project, "./code")
    assert not marker.exists()


def test_folders_without_a_commit_are_told(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    (project.folder / "plain").mkdir()
    assert "# missing: code: " in record(project, "./plain").stdout
    GitRepository(project.folder / "empty")
    assert "has no commit yet" in record(project, "./empty").stderr
    assert record(project, "./absent", status=2).stdout == ""


# -- secrets, and what must not be written over ---------------------------------------------------------------------


def test_no_secret_is_written(project: Project) -> None:
    password = "an0ther-c4n4ry-word"
    url = f"https://ada:{CANARY}@example.org/model.json?sig={CANARY}"
    deployment = project.deployment(
        environment={
            "requirements": "requirements.txt",
            "variables": {"MY_TOKEN": CANARY, "MODE": CANARY, "TZ": "UTC"},
        },
        parameters={"values": {"threshold": 5.0, "db": {"password": CANARY, "url": url}}},
        data=[{"path": "model.json", "source": url}],
        predict={
            "command": ["python3", "predict.py", f"--token={CANARY}", "--password", password, "{inputs}", "{output}"]
        },
        description=f"asks {url}",
    )
    deployment["code"]["repository"] = f"https://ada:{CANARY}@example.org/credit.git"
    project.record(a=deployment)
    for suffix in ("toml", "yaml", "json"):
        result = record(project, "record.json#a", "-o", f"out.{suffix}")
        text = (project.folder / f"out.{suffix}").read_text()
        assert CANARY not in text + result.stderr + result.stdout
        assert password not in text + result.stderr + result.stdout
        assert "environment.variables.MY_TOKEN: is set" in result.stderr
        assert "TZ" in text
    text = (project.folder / "out.toml").read_text()
    assert "# missing: environment.variables.MY_TOKEN: " in text
    assert "# missing: parameters.values.db.password: " in text
    assert 'repository = "https://example.org/credit.git"' in text


def test_nothing_is_written_over_or_through_a_link(project: Project) -> None:
    (project.folder / "there.toml").write_text("mine")
    (project.folder / "link.toml").symlink_to("there.toml")
    for name in ("there.toml", "link.toml", "x.txt", "absent/x.toml"):
        result = record(project, "./code", "-o", name, status=2)
        assert name.partition("/")[0] in result.stderr
    assert record(project, "./code", "-o", "link.toml", "--force", status=2)
    assert (project.folder / "there.toml").read_text() == "mine"
    record(project, "./code", "-o", "there.toml", "--force")
    assert (project.folder / "there.toml").read_text().startswith("schema = 1")


def test_a_bare_word_is_a_deployment_and_not_a_folder(project: Project) -> None:
    assert "repro.toml" in record(project, "code", status=2).stderr


@pytest.mark.docker
def test_what_is_deployed_in_a_container(project: Project) -> None:
    """`repro-tui record docker:prod -o prod.toml`: the image by its digest, without the container's secret."""
    image = base_image()
    name = f"repro-tui-test-record-{project.folder.parent.name}".lower()
    subprocess.run(
        ["docker", "create", "--name", name, "-e", f"API_TOKEN={CANARY}", "-e", "TZ=UTC", image, "python3", "x.py"],
        check=True,
        capture_output=True,
    )
    try:
        result = record(project, f"docker:{name}", "-o", "prod.toml")
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)
    text = (project.folder / "prod.toml").read_text()
    assert "sha256:" in text
    assert 'TZ = "UTC"' in text
    assert CANARY not in text + result.stderr
    assert "environment.variables.API_TOKEN: is set" in result.stderr
    loaded = project.run(
        "prod.toml", "prod.toml", "--report", "--inputs", "inputs.csv", "--predict", "python3 x.py {inputs} {output}"
    )
    assert loaded.status == 3  # it is read and planned; there is no x.py in the image
