"""Real containers and images as sources: read without changing them, and audited end to end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from repro_tui.model.errors import Refused
from repro_tui.sources.resolve import load_record
from repro_tui.support.context import Context
from tests.audit.project import Project
from tests.conftest import GitRepository
from tests.engines import base_image, docker, push, registry
from tests.ports import closed_port
from tests.systems.docker.conftest import AS_INPUTS, PREDICT, STEP, Build, Start, expected, scores, state

pytestmark = pytest.mark.docker
REVISION, SOURCE = "org.opencontainers.image.revision", "org.opencontainers.image.source"


def test_a_container_is_audited_against_an_image_and_left_alone(
    project: Project, built: Build, running: Start, git_repository: Callable[..., GitRepository]
) -> None:
    repository = git_repository("code")
    first = repository.commit({"predict.py": PREDICT})
    second = repository.commit({"predict.py": PREDICT + "# more\n"})
    labels = {SOURCE: str(repository.folder)} | STEP
    image = built(2.0, labels=labels | {REVISION: first})
    image_b = built(2.0, labels=labels | {REVISION: second})
    container = running(image, "--env", "SCALE=3", "--env", "API_TOKEN=hunter2canary")
    before = state(container)
    result = project.run(f"docker:{container}", f"image:{image_b}", *AS_INPUTS)
    assert result.status == 1, result.stderr
    assert state(container) == before
    assert "hunter2canary" not in result.stdout + result.stderr
    report = result.report
    assert report["verdict"] == "drift"
    code = {tuple(finding["path"]): finding for finding in report["areas"]["code"]["findings"]}
    assert (code[("commit",)]["a"], code[("commit",)]["b"]) == (first, second)
    assert "+# more" in json.dumps(code[("predict.py",)])
    assert report["sides"]["a"]["record"]["code"]["in_image"] is True
    assert scores(project, "a") == expected(project, 6.0)
    assert scores(project, "b") == expected(project, 2.0)
    findings = {tuple(f["path"]): f for f in report["areas"]["environment"]["findings"]}
    assert {("variables", "SCALE"), ("variables", "API_TOKEN")} <= findings.keys()
    assert ("variables", "KEPT") not in findings


def test_on_call_records_what_is_deployed_and_audits_that_file(
    project: Project, built: Build, running: Start, git_repository: Callable[..., GitRepository]
) -> None:
    repository = git_repository("code")
    labels = {SOURCE: str(repository.folder), REVISION: repository.commit({"predict.py": PREDICT})} | STEP
    (project.folder / "weights.json").write_text('{"weight": 7.0}')
    mount = ("--volume", f"{project.folder}/weights.json:/models/weights.json:ro", "--env", "TZ=CET")
    container = running(built(2.0, "ENV MODEL=/models/weights.json", labels=labels), *mount)
    recorded = project.run("record", f"docker:{container}", "-o", "prod.toml", "--inputs", "inputs.csv")
    assert recorded.status == 0, recorded.stderr
    text = (project.folder / "prod.toml").read_text()
    assert "# missing: code.dirty: " in text
    digest = hashlib.sha256(b'{"weight": 7.0}').hexdigest()
    assert f'sha256 = "{digest}"' in text  # it was not recorded, so it is measured
    assert 'TZ = "CET"' in text
    result = project.run("prod.toml", f"docker:{container}", *AS_INPUTS, "--fail-on", "any")
    assert (result.status, result.report["verdict"]) == (0, "identical"), (result.stderr, result.report["areas"])
    assert scores(project, "a") == expected(project, 7.0) == scores(project, "b")
    (project.folder / "weights.json").write_text('{"weight": 8.0}')
    tampered = project.run("prod.toml", f"docker:{container}", *AS_INPUTS)
    assert tampered.status == 3
    assert f"recorded sha256 {digest}" in str(tampered.report["sides"])


def test_a_container_is_the_same_as_its_image_where_nothing_was_laid_over_it(
    project: Project, built: Build, running: Start
) -> None:
    image = built(2.0, labels=STEP)
    container = running(image)
    result = project.run(f"docker:{container}", f"image:{image}", *AS_INPUTS)
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stdout
    assert result.report["areas"]["environment"]["status"] == "same"
    assert scores(project, "a") == expected(project, 2.0) == scores(project, "b")


def test_what_an_image_does_not_say_is_missing(built: Build, context: Context) -> None:
    record = load_record("image:" + built(1.0), context)
    assert record.code is None
    assert record.predict is None
    assert {item.field for item in record.missing} == {"code.commit", "predict", "validation.inputs"}
    assert all(item.why and item.do for item in record.missing)
    assert "which only this machine knows" in " ".join(record.warnings)


def test_an_image_without_a_predict_step_is_inconclusive_and_one_can_be_given(project: Project, built: Build) -> None:
    reference = "image:" + built(2.0)
    lost = project.run(reference, reference, *AS_INPUTS)
    assert lost.status == 3
    assert "--predict" in lost.report["areas"]["predictions"]["do"]
    step = ("--predict", "python3 predict.py {inputs} {output}")
    assert project.run(reference, reference, *AS_INPUTS, *step).status == 0
    assert scores(project, "a") == expected(project, 2.0)


@pytest.mark.parametrize("place", ["/nowhere/at/all", "https://127.0.0.1:{port}/credit.git"])
def test_a_repository_that_cannot_be_had_does_not_lose_the_side(project: Project, built: Build, place: str) -> None:
    with closed_port() as port:
        place = place.format(port=port)
        image_a, image_b = (built(1.0, labels={REVISION: digit * 40, SOURCE: place} | STEP) for digit in "12")
        result = project.run(f"image:{image_a}", f"image:{image_b}", *AS_INPUTS)
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    code = result.report["areas"]["code"]
    assert code["status"] == "unknown"
    commits, *reasons = code["findings"]
    assert (commits["change"], commits["a"], commits["b"]) == ("unknown", "1" * 40, "2" * 40)
    assert [reason["note"][:2] for reason in reasons] == ["A:", "B:"]
    assert all(place in reason["note"] for reason in reasons)


@pytest.mark.parametrize(
    ("label", "word"), [(".", "relative"), ("ext::sh -c id", "transport helper"), ("", "is not set")]
)
def test_a_label_that_names_no_repository_is_missing_code(
    built: Build, context: Context, label: str, word: str
) -> None:
    record = load_record("image:" + built(1.0, labels={REVISION: "1" * 40, SOURCE: label}), context)
    assert record.code is None
    assert word in next(item.why for item in record.missing if item.field == "code.commit")


def test_mlflows_names_of_the_labels_are_read_too(built: Build, context: Context) -> None:
    labels = {"mlflow.source.git.commit": "3" * 40, "mlflow.source.git.repoURL": "https://git.example.org/credit.git"}
    record = load_record("image:" + built(1.0, labels=labels), context)
    assert record.code is not None
    assert (record.code.commit, record.code.repository) == ("3" * 40, "https://git.example.org/credit.git")
    assert "mlflow.source.git.commit" in record.provenance["code.commit"]


def test_files_changed_inside_a_container_are_told_and_not_rebuilt(
    project: Project, built: Build, running: Start, context: Context
) -> None:
    image = built(2.0, labels=STEP)
    container = running(image)
    assert load_record(f"docker:{container}", context).warnings == load_record(f"image:{image}", context).warnings
    of_every_run = (
        "mkdir -p /app/__pycache__; echo x > /tmp/tmp0a1b2c3d; echo x > /app/__pycache__/predict.cpython-311.pyc"
    )
    docker("exec", container, "sh", "-c", f"{of_every_run}; echo '{{}}' > /app/model/weights.json")
    record = load_record(f"docker:{container}", context)
    (changes,) = [item for item in record.missing if item.field == "environment.changes"]
    assert "the container differs from its image in 1 file: /app/model/weights.json" in changes.why
    result = project.run(f"docker:{container}", f"image:{image}", *AS_INPUTS)
    assert any("/app/model/weights.json" in warning for warning in result.report["warnings"])
    assert result.report["sides"]["a"]["missing"]


def test_a_description_says_what_runs_since_when(built: Build, running: Start, context: Context) -> None:
    image = built(1.0, "EXPOSE 8080", labels={"repro-tui.predict": json.dumps(["x", "{output}"])})
    container = running(image, "--publish", "127.0.0.1::8080")
    description = load_record(f"docker:{container}", context).description
    started = json.loads(docker("inspect", container))[0]["State"]["StartedAt"][:19]
    assert f"started {started}Z" in description
    assert '["sleep", "600"]' in description
    assert "->8080/tcp" in description
    assert "ports 8080/tcp" in load_record(f"image:{image}", context).description


def test_a_container_whose_image_is_gone_is_refused(built: Build, context: Context) -> None:
    image = built(1.0, alone=True)
    container = docker("create", image, "true")
    try:
        docker("rmi", "--force", image)
        with pytest.raises(Refused, match="no longer on this machine"):
            load_record(f"docker:{container}", context)
    finally:
        docker("rm", "--force", container)


def test_an_image_by_digest_is_pulled_and_one_by_tag_is_told_to_move(
    project: Project, built: Build, context: Context
) -> None:
    with registry() as address:
        reference = push(built(2.0, labels=STEP, alone=True), f"{address}/credit:1")
        by_tag = load_record(f"image:{address}/credit:1", context)
        assert by_tag.environment.image == reference
        assert f"it now refers to {reference}" in " ".join(by_tag.warnings)
        docker("rmi", "--force", f"{address}/credit:1", reference)
        result = project.run(f"image:{reference}", f"image:{reference}", *AS_INPUTS)
        assert result.status == 0, result.stderr
        assert scores(project, "a") == expected(project, 2.0)
        docker("rmi", "--force", reference)


def test_a_dead_registry_is_one_line_and_nothing_runs(project: Project) -> None:
    base_image()
    with closed_port() as port:
        reference = f"image:127.0.0.1:{port}/credit@sha256:{'0' * 64}"
        result = project.run(reference, reference, *AS_INPUTS)
    assert (result.status, result.stdout, project.audits()) == (2, "", [])
    (line,) = result.stderr.strip().splitlines()
    assert "cannot be pulled" in line
    assert "Check that its registry is reachable" in line


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("docker:../images/x", "is not the name"),
        ("docker:--privileged", "is not the name"),
        ("docker:", "is not the name"),
        ("image:../containers/x", "is not an image reference"),
        ("image:--privileged", "is not an image reference"),
    ],
)
def test_what_is_no_name_is_refused_without_an_engine(
    reference: str, reason: str, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(Refused, match=reason):
        load_record(reference, context)


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("docker:no-such-container-here", "no such container"),
        ("image:no/such-image:here", "the image is not on this machine"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(project: Project, reference: str, reason: str) -> None:
    base_image()
    result = project.run(reference, reference, *AS_INPUTS)
    assert (result.status, result.stdout) == (2, "")
    (line,) = result.stderr.strip().splitlines()
    assert reason in line


def test_no_engine_is_one_line(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(Refused, match="no Docker engine answers"):
        load_record("docker:prod", context)


def test_a_label_that_is_no_command_is_refused(built: Build, context: Context) -> None:
    with pytest.raises(Refused, match="not a JSON list"):
        load_record("image:" + built(1.0, labels={"repro-tui.predict": "python predict.py"}), context)
