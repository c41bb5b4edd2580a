"""Dockerfiles as people write them today, built for real by BuildKit and by the classic builder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro_tui.clients.buildkit import client_settings, find_build_client, knows_syntax
from repro_tui.clients.docker_engine import engine
from repro_tui.model.errors import Cancelled, Inconclusive
from repro_tui.model.record import Code, Environment, Record
from repro_tui.model.workspace import BuiltEnvironment, Part
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.environments.image import rebuild_image
from repro_tui.support.context import Context
from tests.audit.project import Project
from tests.conftest import GitRepository, need
from tests.engines import DockerCut, base_image, docker, push, registry
from tests.processes import BOUND_S, cancelled_once, wait_until

pytestmark = pytest.mark.docker
NAMED = "repro-tui-test-from:1"
Built = tuple[BuiltEnvironment, Part]
Building = Callable[..., Built]


@pytest.fixture(scope="module", autouse=True)
def named_base() -> Iterator[None]:
    """The base image by a tag, since BuildKit does not know images by their id."""
    docker("tag", base_image(), NAMED)
    yield
    docker("rmi", "--force", NAMED, check=False)


@pytest.fixture
def building(git_repository: Any, context: Context) -> Building:
    """Builds a Dockerfile of a commit with these further files: `building(text, files=..., **environment)`."""

    def build(text: str, files: dict[str, str] | None = None, context: Context = context, **fields: Any) -> Built:
        repository: GitRepository = git_repository(f"project-{uuid.uuid4().hex[:8]}")
        subdirectory = fields.pop("subdirectory", ".")
        path = fields.setdefault("dockerfile", "Dockerfile")
        commit = repository.commit({f"{subdirectory}/{path}": text} | (files or {}))
        code = Code(str(repository.folder), commit, subdirectory)
        record = Record("a", "a", code=code, environment=Environment(**fields))
        tree, _ = rebuild_code(record, context)
        return rebuild_image(record, tree, context)

    return build


def inside(built: Built, *command: str) -> str:
    return docker("run", "--rm", "--network", "none", built[0].image_id, *command)


@pytest.fixture
def buildkit(tmp_path: Path) -> None:
    """Skips where no Docker client can drive the engine's BuildKit."""
    settings = client_settings(tmp_path / "client")
    with engine() as client:
        need("docker", find_build_client(client, settings) is not None, "no Docker client can drive BuildKit")


@pytest.fixture
def no_buildkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Docker client is on PATH."""
    (tmp_path / "bin").mkdir()
    for tool in ("git", "prlimit", "env"):
        if program := shutil.which(tool):
            (tmp_path / "bin" / tool).symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


MODERN = f"""\
ARG BASE={NAMED}
FROM --platform=$BUILDPLATFORM ${{BASE}} AS first
ARG TARGETARCH
ARG GREETING=none
ARG ITS_TOKEN=none
ARG INDEX=none
RUN --mount=type=cache,target=/root/.cache echo "$TARGETARCH $GREETING $ITS_TOKEN $INDEX" > /facts \\
    && touch /root/.cache/x
FROM first
COPY --chmod=0640 --chown=7:8 kept.txt /kept.txt
COPY . /all
RUN --mount=type=bind,source=kept.txt,target=/mounted cat /mounted >> /facts
"""


def test_buildkit_builds_what_only_it_builds(building: Building, buildkit: None) -> None:
    index = "https://user:p4ssw0rd@example.org/simple"
    files = {"kept.txt": "kept\n", "secret.md": "x", ".dockerignore": "# comment\n*.md\n"}
    built = building(MODERN, files, build_args={"GREETING": "hello", "ITS_TOKEN": "s3cr3t", "INDEX": index})
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    assert inside(built, "cat", "/facts").split() == [machine, "hello", "s3cr3t", index, "kept"]
    assert inside(built, "stat", "-c", "%a %u:%g", "/kept.txt") == "640 7:8"
    assert "secret.md" not in inside(built, "ls", "-a", "/all")
    assert inside(built, "find", "/root", "-name", "x") == ""
    part = built[1].how
    assert "docker build" in part
    assert "its steps as root with a network" in part
    assert f"{NAMED} was {base_image()}" in part


def test_a_heredoc_is_built_where_the_engine_knows_it_and_else_named(building: Building, buildkit: None) -> None:
    text = f"FROM {NAMED}\nRUN <<EOT\necho one > /one\nEOT\nCOPY <<EOT /two\ntwo\nEOT\n"
    with engine() as client:
        known, version = knows_syntax(client, "1.4"), client.version()["Version"]
    if known:
        built = building(text)
        assert inside(built, "cat", "/one", "/two").split() == ["one", "two"]
    else:
        with pytest.raises(Inconclusive) as caught:
            building(text)
        assert "line 2 of Dockerfile (RUN <<EOT) needs version 1.4" in caught.value.what
        assert version in caught.value.what
        assert "23.0 or later" in caught.value.do


def test_a_syntax_line_whose_image_cannot_be_pulled_is_named(building: Building, buildkit: None) -> None:
    """Nothing listens there: so it is for who cannot reach Docker Hub, whose engine pulls `docker/dockerfile:1` too."""
    with pytest.raises(Inconclusive) as caught:
        building(f"# syntax=127.0.0.1:9/docker/dockerfile:1\nFROM {NAMED}\nCOPY <<EOT /two\ntwo\nEOT\n")
    assert caught.value.what.startswith(
        "the engine cannot pull 127.0.0.1:9/docker/dockerfile:1, which the # syntax line"
    )
    assert "connection refused" in caught.value.what
    assert "registry-mirrors" in caught.value.do


def test_without_buildkit_the_first_instruction_that_needs_it_is_named(building: Building, no_buildkit: None) -> None:
    with pytest.raises(Inconclusive) as caught:
        building(MODERN, {"kept.txt": ""})
    assert "line 2 of Dockerfile (FROM --platform=$BUILDPLATFORM) needs BuildKit, as do 3 more" in caught.value.what
    assert "docker-buildx" in caught.value.do


def test_the_classic_builder_gets_the_arguments_of_the_platform(building: Building, no_buildkit: None) -> None:
    text = f"FROM {NAMED} AS first\nARG TARGETARCH\nARG X\nRUN echo $TARGETARCH $X > /facts\nFROM first\nRUN exit 3\n"
    built = building(text, build_args={"X": "7"}, build_target="first")
    with engine() as client:
        assert inside_api(client, built, ["cat", "/facts"]).split() == [client.version()["Arch"], "7"]
    assert "the classic builder" in built[1].how
    assert "memory: " in built[1].how


def inside_api(client: Any, built: Built, command: list[str]) -> str:
    return str(client.containers.run(built[0].image_id, command, remove=True, network_mode="none"), "utf-8")


@pytest.mark.parametrize("by_tag", [True, False], ids=["BuildKit", "the classic builder"])
def test_a_dockerfile_in_a_subfolder_has_the_context_of_the_subdirectory(building: Building, by_tag: bool) -> None:
    base = NAMED if by_tag else base_image()  # an image by its id is for the classic builder
    files = {"services/score/data.txt": "inner\n", "data.txt": "outer\n"}
    place = {"subdirectory": "services/score", "dockerfile": "docker/app.Dockerfile"}
    built = building(f"FROM {base}\nCOPY data.txt /data.txt\n", files, **place)
    assert inside(built, "cat", "/data.txt") == "inner"
    assert ("classic" in built[1].how) == (not by_tag)


@pytest.mark.parametrize("by_tag", [True, False], ids=["BuildKit", "the classic builder"])
def test_a_build_without_a_network_has_none(building: Building, context: Context, by_tag: bool) -> None:
    text = f"FROM {NAMED if by_tag else base_image()}\nRUN cat /proc/net/dev > /devices\n"
    alone = replace(context, settings=replace(context.settings, build_network="none"))
    devices = inside(building(text, context=alone), "cat", "/devices")
    assert re.findall(r"(\w+):", devices) == ["lo"]
    assert "without a network" in building(text, context=alone)[1].how


@pytest.mark.parametrize("by_tag", [True, False], ids=["BuildKit", "the classic builder"])
def test_a_build_is_stopped_at_its_time_and_when_cancelled(building: Building, context: Context, by_tag: bool) -> None:
    text = f"FROM {NAMED if by_tag else base_image()}\nRUN echo begun {uuid.uuid4()} && sleep 300\n"
    limits = replace(context.settings.limits, build_time=3)
    short = replace(context, settings=replace(context.settings, limits=limits))
    with pytest.raises(Inconclusive, match="did not finish within 3 s"):
        building(text, context=short)
    events: list[str] = []
    watched = replace(context, emit=lambda event: events.append(event.text))
    begun = re.compile(r"(#\d+ [\d.]+ )?begun")
    running = cancelled_once(lambda: any(begun.match(text) for text in events), context.cancel)
    with running, pytest.raises(Cancelled):
        building(text, context=watched)


@pytest.mark.parametrize("by_tag", [True, False], ids=["BuildKit", "the classic builder"])
def test_a_connection_that_is_cut_in_a_build_is_inconclusive_with_a_report(
    project: Project, tmp_path: Path, by_tag: bool
) -> None:
    text = f"FROM {NAMED if by_tag else base_image()}\nRUN echo begun {uuid.uuid4()} && sleep 300\n"
    commit = project.repository.commit({"Dockerfile": text})
    side = project.deployment(code={"repository": "code", "commit": commit}, environment={"dockerfile": "Dockerfile"})
    project.record(a=side, b=side)
    through = DockerCut(tmp_path / "docker.sock")
    view = subprocess.Popen(
        [sys.executable, "-m", "repro_tui", "record.json#a", "record.json#b", "--report", "out.json", "--quiet"],
        cwd=project.folder,
        env=os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: any(has_begun(path) for path in project.audits()), "the step that sleeps")
    through.cut(gone=True)
    _, errors = view.communicate(timeout=BOUND_S)
    through.close()
    assert view.returncode == 3, errors
    report = json.loads((project.folder / "out.json").read_text())
    assert "connection to the Docker engine was lost during the build" in report["sides"]["a"]["what"]


def has_begun(audit: Path) -> bool:
    journal = audit / "journal.jsonl"
    return journal.exists() and re.search(r'"text": ?"(#\d+ [\d.]+ )?begun', journal.read_text()) is not None


def test_a_tag_is_recorded_by_its_digest_and_held_to_it(building: Building, buildkit: None) -> None:
    with registry() as address:
        name = f"{address}/data:1"
        first = push(data_image("first"), name)
        text = f"FROM {name} AS data\nFROM {NAMED}\nCOPY --from=data /which /which\n"
        assert f"{name} was {first}" in building(text)[1].how
        second = push(data_image("second"), name)
        moved = building(text)
        assert f"{name} was {second}" in moved[1].how
        assert inside(moved, "cat", "/which") == "second"
        held = building(f"{text}ENV HELD=1\n", base_images={name: first})  # or else it would be the first image itself
        assert not held[1].cached
        assert inside(held, "cat", "/which") == "first"
        assert f"{name} was {first}" in held[1].how
        docker("rmi", "--force", name, first, second)


def data_image(content: str) -> str:
    """An image with nothing but a file."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "which").write_text(content)
        (Path(folder) / "Dockerfile").write_text(f"FROM scratch\nCOPY which /which\nLABEL test={uuid.uuid4()}\n")
        return docker("build", "--quiet", folder).splitlines()[-1]


def test_a_base_image_that_is_nowhere_is_named_with_its_line(building: Building) -> None:
    with pytest.raises(Inconclusive, match=r"127\.0\.0\.1:1/none:1 is not on this machine.*\(line 3 of the Dockerfile"):
        building("ARG X=none\n\nFROM 127.0.0.1:1/$X:1\n")


def test_record_writes_what_the_base_images_were(project: Project) -> None:
    text = f"ARG BASE={NAMED}\nFROM $BASE AS first\nFROM 127.0.0.1:1/none:1 AS unused\nFROM first\n"
    (project.folder / "code" / "requirements.txt").unlink()
    project.repository.commit({"Dockerfile": text})
    result = project.run("record", "./code", "-o", "out.toml")
    assert result.status == 0, result.stderr
    environment = tomllib.loads((project.folder / "out.toml").read_text())["deployments"]["code"]["environment"]
    assert environment["dockerfile"] == "Dockerfile"
    assert environment["base_images"] == {NAMED: base_image()}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")
