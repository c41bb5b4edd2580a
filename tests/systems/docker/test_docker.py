"""Real images and containers: pulled by digest, built at a commit, limited, isolated, and never left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.clients.docker_engine import AUDIT_LABEL, engine, find_image
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Code, Environment, Record
from repro_tui.model.run import Run
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.environments.image import rebuild_image
from repro_tui.support.context import Context
from repro_tui.support.plain import from_plain
from tests.audit.project import PREDICT, Project
from tests.conftest import GitRepository
from tests.engines import DockerCut, base_image, docker, free_port, push, registry
from tests.ports import closed_port
from tests.processes import BOUND_S, STUBBORN, ended_at_its_limit, sleepers, unique_sleep, wait_until

pytestmark = pytest.mark.docker
PRELUDE = "import csv, os, sys\ninputs, output, params = sys.argv[1:4]\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project", {"image": base_image()})


def audited(project: Project, program: str, *options: str, timeout_s: float = 240) -> tuple[int, dict[str, Any]]:
    """One deployment with this predict step on both sides, run once per side."""
    commit = project.repository.commit({"predict.py": program})
    side = project.deployment(code={"repository": "code", "commit": commit})
    side["predict"]["timeout_s"] = timeout_s
    project.record(a=side, b=side)
    result = project.audit("--repeat", "1", *options)
    assert result.stdout, result.stderr
    return result.status, result.report


def run_of(report: dict[str, Any]) -> dict[str, Any]:
    run: dict[str, Any] = report["sides"]["a"]["runs"][0]
    return run


def containers(*filters: str) -> list[str]:
    options = [word for f in filters for word in ("--filter", f)]
    return docker("ps", "--all", "--quiet", *options).split()


def test_an_image_is_pulled_by_digest(project: Project, context: Context) -> None:
    with registry() as address:
        built = docker_build(base_image(), f"{address}/credit:1")
        reference = push(built, f"{address}/credit:1")
        docker("rmi", "--force", f"{address}/credit:1", reference)
        project.environment = {"image": reference}
        side = project.deployment()
        project.record(a=side, b=side)
        result = project.audit()
        assert result.status == 0, result.stderr
        environment = next(p for p in result.report["sides"]["a"]["rebuild"] if p["step"] == "environment")
        assert environment["matches"] == "matches"
        origins = {
            part["how"].split()[-1]
            for s in "ab"
            for part in result.report["sides"][s]["rebuild"]
            if part["step"] == "environment"
        }
        assert origins <= {"registry", "machine"}
        assert reference.partition("@")[2][7:19] in str(find(reference))
        docker("rmi", "--force", reference)


def test_of_an_image_by_tag_the_report_has_the_digest_that_was_used(project: Project) -> None:
    with registry() as address:
        name = f"{address}/credit:1"
        reference = push(docker_build(base_image(), name), name)
        by_tag, by_digest = (project.deployment(environment={"image": image}) for image in (name, reference))
        project.record(a=by_tag, b=by_digest)
        result = project.audit()
        docker("rmi", "--force", name, reference)
    assert result.status == 0, result.stderr
    a, b = (next(p for p in result.report["sides"][s]["rebuild"] if p["step"] == "environment") for s in "ab")
    warning = f"recorded by a tag, which can move: it now refers to {reference}"
    assert [any(warning in line for line in part["warnings"]) for part in (a, b)] == [True, False]
    assert [part["matches"] for part in (a, b)] == ["unknown", "matches"]


def docker_build(base: str, tag: str) -> str:
    done = subprocess.run(
        ["docker", "build", "--quiet", "--tag", tag, "-"],
        input=f"FROM {base}\nLABEL repro-tui.test={uuid.uuid4()}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def find(reference: str) -> Any:
    with engine() as client:
        return find_image(client, reference)


def test_a_dead_registry_is_told_within_its_limit(project: Project) -> None:
    digest = "sha256:" + "0" * 64
    with closed_port() as port:
        side = project.deployment(environment={"image": f"127.0.0.1:{port}/credit@{digest}"})
        project.record(a=side, b=side)
        result = project.audit()  # ends the program, and with it the test, if it waits for minutes
    assert result.status == 3
    assert result.report["sides"]["a"]["failed"] == "environment"
    assert "cannot be pulled" in result.report["sides"]["a"]["what"]


def test_a_dockerfile_is_built_at_the_commit_and_once(project: Project) -> None:
    files = {
        "Dockerfile": f"FROM {base_image()}\nENV GREETING=hello\nCOPY note.txt /note.txt\n",
        ".dockerignore": "*.md\n",
    }
    commit = project.repository.commit(files)
    side = project.deployment(code={"repository": "code", "commit": commit}, environment={"dockerfile": "Dockerfile"})
    project.record(a=side, b=side)
    first = project.audit()
    assert (first.status, first.report["verdict"]) == (0, "identical"), first.stderr
    second = project.audit()
    parts = [p for s in "ab" for p in second.report["sides"][s]["rebuild"] if p["step"] == "environment"]
    assert all(part["cached"] for part in parts)
    assert commit[:12] in parts[0]["how"]


def test_a_build_that_fails_is_told_with_its_last_words(project: Project) -> None:
    commit = project.repository.commit(
        {"Dockerfile": f"FROM {base_image()}\nRUN echo the wheel is missing && exit 7\n"}
    )
    side = project.deployment(code={"repository": "code", "commit": commit}, environment={"dockerfile": "Dockerfile"})
    project.record(a=side, b=side)
    result = project.audit()
    assert result.status == 3
    assert "the wheel is missing" in result.report["sides"]["a"]["what"]


def test_a_recorded_image_beside_a_dockerfile_is_compared_by_content(
    git_repository: Any, context: Context, tmp_path: Path
) -> None:
    repository: GitRepository = git_repository("project")
    base = base_image()
    status = "Package: {}\\nStatus: install ok installed\\nVersion: 1\\n"
    same = repository.commit({"Dockerfile": f"FROM {base}\nLABEL x=1\n"})
    settings = repository.commit({"Dockerfile": f"FROM {base}\nENV X=1\nUSER 7\nENTRYPOINT ['x']\n"})
    content = repository.commit(
        {"Dockerfile": f"FROM {base}\nRUN printf '\\n{status.format('extra')}' >> /var/lib/dpkg/status\n"}
    )
    parts = {}
    for commit in (same, settings, content):
        record = Record(
            "a",
            "a",
            code=Code(str(repository.folder), commit),
            environment=Environment(dockerfile="Dockerfile", image=base),
        )
        code, _ = rebuild_code(record, context)
        _, part = rebuild_image(record, code, context)
        parts[commit] = part
    assert parts[same].matches == "matches"
    assert {parts[commit].matches for commit in (settings, content)} == {"differs"}
    assert "3 settings: entrypoint, user, variable X" in " ".join(parts[settings].warnings)
    assert "extra" in " ".join(parts[content].warnings)


@pytest.mark.parametrize("name", ["../containers/0123456789ab", "--privileged", "Upper/Case", "a b", "x@sha256:short"])
def test_what_is_no_image_name_never_reaches_the_engine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoEngine:
        def __getattr__(self, attribute: str) -> Any:
            raise AssertionError(f"the engine was asked for {attribute}")

    with pytest.raises(Refused, match="not an image reference"):
        find_image(NoEngine(), name)  # type: ignore[arg-type]


def test_such_a_name_is_refused_in_a_record(project: Project) -> None:
    project.record(a=project.deployment(), b=project.deployment(environment={"image": "../containers/x"}))
    result = project.audit()
    assert result.status == 2
    assert "deployments.b.environment.image" in result.stderr
    assert project.audits() == []


def test_no_engine_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    with pytest.raises(Inconclusive, match="no Docker engine answers"), engine():
        pass
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(Inconclusive, match="not on this machine"), engine():
        pass


def test_a_side_killed_for_memory_is_told_so(project: Project) -> None:
    """Also where no process has it, but files in memory have."""
    fill = "with open('/tmp/x', 'wb') as stream:\n    for _ in range(2000): stream.write(bytes(1 << 20))\n"
    status, report = audited(project, PRELUDE + fill + PREDICT, "--memory", "100MB")
    assert status == 3
    assert run_of(report)["status"] == "out-of-memory"
    assert "memory" in report["sides"]["a"]["what"]
    assert run_of(report)["isolation"]["limits"] == dict.fromkeys(("memory", "processes", "cores"), "engine")


def test_a_child_killed_for_memory_counts_even_where_the_parent_exits_with_0(project: Project) -> None:
    child = "import subprocess\nsubprocess.run([sys.executable, '-c', 'bytearray(2_000_000_000)'])\n"
    status, report = audited(project, PRELUDE + child + PREDICT, "--memory", "100MB")
    assert status == 3
    assert run_of(report)["status"] == "out-of-memory"


def test_an_own_exit_of_137_is_not_called_out_of_memory(project: Project) -> None:
    status, report = audited(project, PRELUDE + "sys.exit(137)\n")
    assert status == 3
    assert (run_of(report)["status"], run_of(report)["exit_code"]) == ("failed", 137)


def test_the_network_is_off_and_nothing_but_the_output_is_writable(project: Project) -> None:
    probe = (
        """
import socket
PORT = """
        + str(free_port())
        + """
for name, attempt in {
    "network": lambda: socket.create_connection(("127.0.0.1", PORT), timeout=2),
    "code": lambda: open("/repro/code/x", "w"),
    "root": lambda: open("/x", "w"),
    "inputs": lambda: open(inputs, "a"),
}.items():
    try:
        attempt()
        print(name, "REACHED")
    except OSError as error:
        print(name, "refused")
print("user", os.getuid(), "caps", open("/proc/self/status").read().split("CapEff:")[1].split()[0])
print("canary", [v for v in os.environ.values() if "c4n4ry" in v])
"""
    )
    os.environ["HOST_SECRET"] = "c4n4ry"
    try:
        status, report = audited(project, PRELUDE + probe + PREDICT)
    finally:
        del os.environ["HOST_SECRET"]
    assert status == 0, report["summary"]
    log = (project.audits()[0] / run_of(report)["log"]).read_text()
    assert re.findall(r"(\w+) (REACHED|refused)", log) == [
        ("network", "refused"),
        ("code", "REACHED"),  # of its own copy, which is thrown away
        ("root", "refused"),
        ("inputs", "refused"),
    ]
    assert [item["path"] for item in run_of(report)["written"]] == ["x"]
    assert "user 65534 caps 0000000000000000" in log
    assert "canary []" in log
    isolation = report["sides"]["a"]["isolation"]
    assert (isolation["kind"], isolation["network"]) == ("container", "none")


def test_a_predict_step_that_ignores_term_is_killed(project: Project) -> None:
    sleep = unique_sleep()
    audits: list[dict[str, Any]] = []

    def execute(limit_s: float) -> Run:
        status, report = audited(project, STUBBORN.format(sleep=sleep, session=True), timeout_s=limit_s)
        assert status == 3
        audits.append(report)
        run = run_of(report)
        return from_plain(Run, run | {"log": str(project.audits()[-1] / run["log"])})

    run = ended_at_its_limit(execute, "waiting", "TERM was sent")
    assert run.status == "timed-out"
    assert sleepers(sleep) == []
    for report in audits:
        assert containers(f"label={AUDIT_LABEL}={report['audit']['id']}") == []


def test_a_flood_of_output_is_bounded(project: Project) -> None:
    flood = "line = 'x' * 99_999\nfor _ in range(2_000):\n    print(line)\nprint('the end')\n"
    status, report = audited(project, PRELUDE + flood + PREDICT)
    assert status == 0, report["summary"]
    log = project.audits()[0] / run_of(report)["log"]
    assert log.stat().st_size < 8 << 20
    assert "the end" in log.read_text()


def test_a_signal_leaves_no_container_and_the_next_start_reaps_after_a_kill(project: Project) -> None:
    commit = project.repository.commit({"predict.py": "import time\ntime.sleep(600)\n"})
    side = project.deployment(code={"repository": "code", "commit": commit})
    side["predict"]["timeout_s"] = 600
    project.record(a=side, b=side)
    for number in (signal.SIGTERM, signal.SIGKILL):
        known = set(project.audits())
        view = subprocess.Popen(
            [sys.executable, "-m", "repro_tui", "record.json#a", "record.json#b", "--report", "--quiet"],
            cwd=project.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        folder = AuditFolder(started(project, known))
        label = f"label={AUDIT_LABEL}={folder.path.name}"
        engine_pid = folder.engine_pid()
        assert engine_pid is not None
        if number == signal.SIGTERM:
            view.send_signal(number)
        else:
            os.kill(engine_pid, number)
        view.wait(BOUND_S)
        if number == signal.SIGKILL:
            assert containers(label) != []  # a killed client leaves its containers running
            project.record(a=project.deployment(), b=project.deployment())
            assert project.audit().status == 0
        assert containers(label) == []


@pytest.mark.parametrize("gone", [True, False], ids=["the engine is gone", "only the connections"])
def test_a_connection_that_is_cut_is_inconclusive_and_its_containers_are_removed(
    project: Project, tmp_path: Path, gone: bool
) -> None:
    slow = "import time\nfor n in range(6000):\n    print('line', n, flush=True)\n    time.sleep(0.1)\n"
    commit = project.repository.commit({"predict.py": slow + PREDICT})
    side = project.deployment(code={"repository": "code", "commit": commit})
    side["predict"]["timeout_s"] = 600
    project.record(a=side, b=side)
    through = DockerCut(tmp_path / "docker.sock")
    arguments = ["record.json#a", "record.json#b", "--report", "out.json", "--quiet", "--repeat", "1"]
    view = subprocess.Popen(
        [sys.executable, "-m", "repro_tui", *arguments],
        cwd=project.folder,
        env=os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    folder = started(project, set())
    wait_until(lambda: all(has_said(folder, letter, "line 3") for letter in "ab"), "the lines of both runs")
    through.cut(gone=gone)
    _, errors = view.communicate(timeout=BOUND_S)
    through.close()
    assert view.returncode == 3, errors
    report = json.loads((project.folder / "out.json").read_text())
    assert "connection to the Docker engine" in report["sides"]["a"]["what"]
    label = f"label={AUDIT_LABEL}={folder.name}"
    assert bool(containers(label)) == gone  # containers that could not be removed then are removed at the next start
    project.record(a=project.deployment(), b=project.deployment())
    assert project.audit().status == 0
    assert containers(label) == []


def started(project: Project, known: set[Path]) -> Path:
    """Waits for the new audit's containers and returns the audit."""

    def running() -> list[Path]:
        new = set(project.audits()) - known
        return [path for path in new if containers(f"label={AUDIT_LABEL}={path.name}", "status=running")]

    wait_until(running, "a container that runs")
    return running()[0]


def has_said(folder: Path, side: str, line: str) -> bool:
    """Whether the audit's journal has this line in a side's run."""
    events, _ = AuditFolder(folder).events()
    return any(event.side == side and event.text == line for event in events)


def test_code_inside_the_image_runs_there_with_its_data(project: Project, tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "predict.py").write_text(PREDICT)
    (context / "Dockerfile").write_text(f"FROM {base_image()}\nWORKDIR /app\nCOPY predict.py .\n")
    built = docker("build", "--quiet", str(context))
    side = project.deployment(environment={"image": built})
    del side["code"]
    project.record(a=side, b=side)
    result = project.audit()
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.report["summary"]
    assert result.report["areas"]["code"]["status"] == "unknown"
    assert "inside the image" in " ".join(result.report["summary"])
    assert project.audit("--fail-on", "code").status == 3  # unknown is never same
