"""The user of a step: who reads an image's files in production reads them here, and no more than that is granted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from repro_tui.execute.docker import DockerRunner
from repro_tui.model.record import Environment, Predict, Record
from repro_tui.model.run import Run
from repro_tui.rebuild.workspace import rebuild
from repro_tui.support.context import Context
from tests.audit.project import Project
from tests.engines import sockets_collected
from tests.systems.docker.conftest import AS_INPUTS, PREDICT, STEP, Build

pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings(
        r"ignore:Exception ignored in. <socket.socket .*docker.sock:pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """No socket of docker-py is left to a later test."""
    with sockets_collected():
        yield


WHO = """\
import os, pwd
status = open("/proc/self/status").read()
print("who", os.getuid(), os.getgid(), "caps", status.split("CapEff:")[1].split()[0],
      "no-new-privs", status.split("NoNewPrivs:")[1].split()[0], "home", os.environ["HOME"], os.environ.get("USER"))
"""
APP_USER = "RUN echo 'app:x:1234:1234::/home/app:/bin/sh' >> /etc/passwd && echo 'app:x:1234:' >> /etc/group"
ROOT_HOME = "RUN mkdir -p /root/models && mv model/weights.json /root/models && chmod 0700 /root"
APP_FILE = "RUN chown 1234:1234 model/weights.json && chmod 0600 model/weights.json"


def ran(image: str, context: Context, tmp_path: Path, user: str = "auto") -> tuple[Run, str]:
    """One run of an image's predict step, and its log."""
    (tmp_path / "inputs.csv").write_text("id,x\nr1,2\n")
    (tmp_path / "a").mkdir()
    predict = Predict(("python3", "predict.py", "{inputs}", "{output}"))
    record = Record("a", "a", environment=Environment(image=image), predict=predict)
    own = replace(context, folder=tmp_path / "a", settings=replace(context.settings, user=user))
    run = DockerRunner().run(rebuild(record, own), tmp_path / "inputs.csv", 1, own)
    return run, Path(run.log).read_text()


@pytest.mark.parametrize(
    ("lines", "who", "why", "home"),
    [
        ((), "65534 65534", "every user may read", "/tmp nobody"),
        ((ROOT_HOME, "ENV MODEL=/root/models/weights.json"), "0 0", "root without any capability", "/root root"),
        (("RUN chmod 0600 model/weights.json",), "0 0", "/app/model/weights.json (0600 0:0)", "/tmp root"),
        ((APP_USER, APP_FILE), "1234 1234", "the owner without any capability", "/tmp app"),
        ((APP_USER, APP_FILE, "USER app"), "1234 1234", "the image's own user", "/tmp app"),
        ((APP_USER, APP_FILE, "COPY model /home/app", "USER 1234"), "1234 1234", "own user", "/home/app app"),
    ],
    ids=["all readable", "0700 home of root", "0600 of root", "0600 of another", "USER by name", "USER by number"],
)
def test_a_step_runs_as_whoever_can_read_the_image_and_without_privileges(
    context: Context, tmp_path: Path, built: Build, lines: tuple[str, ...], who: str, why: str, home: str
) -> None:
    run, log = ran(built(3.0, *lines, files={"predict.py": WHO + PREDICT}), context, tmp_path)
    assert run.status == "succeeded", run.what
    assert pq.read_table(run.predictions).to_pylist() == [{"id": "r1", "score": 6.0}]
    assert f"who {who} caps 0000000000000000 no-new-privs 1 home {home}" in log
    assert run.isolation is not None
    assert run.isolation.detail["root"] == "read-only"
    assert why in run.isolation.detail["chosen user"]


def test_a_denial_names_the_user_and_the_mode_of_the_file(project: Project, built: Build) -> None:
    image = built(3.0, "RUN chmod 0600 model/weights.json", labels=STEP)
    references = (f"image:{image}", f"image:{image}")
    result = project.run(*references, *AS_INPUTS, "--repeat", "1", "--user", "nobody")
    assert result.status == 3, result.stderr
    side = result.report["sides"]["a"]
    assert "it ran as nobody (given by --user)" in side["what"]
    assert "/app/model/weights.json has mode and owner 0600 0:0" in side["what"]
    assert "--user" in side["do"]


def test_files_of_two_owners_are_told_where_nobody_can_read_both(
    context: Context, tmp_path: Path, built: Build
) -> None:
    closed = "RUN chmod 0600 model/weights.json predict.py && chown 1234 model/weights.json"
    run, _ = ran(built(3.0, closed), context, tmp_path)
    assert run.status == "failed"
    assert "no single user may read 2 paths" in run.what
    assert "/app/model/weights.json has mode and owner 0600 1234:0" in run.what


def test_a_user_that_is_none_is_refused(project: Project) -> None:
    result = project.run("image:x", "image:x", *AS_INPUTS, "--user", "a b")
    assert result.status == 2
    assert "--user" in result.stderr
    assert result.stdout == ""
