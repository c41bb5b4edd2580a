"""The Docker daemon is killed while it builds, runs, logs or copies: a report says so, and the next start reaps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.clients.docker_engine import CACHE_LABEL, cache_digest
from tests.audit.project import Project
from tests.conftest import NIGHTLY
from tests.engines import base_image, docker
from tests.own_engine import OwnEngine, own_engine
from tests.processes import BOUND_S, wait_until

pytestmark = pytest.mark.docker
SILENT = "import time\nprint('asleep', flush=True)\ntime.sleep(600)\n"
TALKING = "import time\nfor n in range(6000):\n    print('asleep', n, flush=True)\n    time.sleep(0.02)\n"
PHASES = ("wait", "log", "build", "copy") if NIGHTLY else ("wait",)


@pytest.fixture(scope="module")
def engine() -> Iterator[OwnEngine]:
    image = base_image()
    with own_engine() as started:
        started.load(image)
        yield started


@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_daemon_is_told_in_a_report_and_leaves_nothing(engine: OwnEngine, tmp_path: Path, phase: str) -> None:
    project = Project(tmp_path / "project", {"image": base_image()})
    variables = {"DOCKER_HOST": engine.address}
    commit = project.repository.commit(
        {
            "predict.py": TALKING if phase == "log" else SILENT,
            "Dockerfile": f"FROM {base_image()}\nRUN echo asleep {uuid.uuid4()} && sleep 300\n",
        }
    )
    side = project.deployment(code={"repository": "code", "commit": commit})
    side["environment"] = {"dockerfile": "Dockerfile"} if phase == "build" else {"image": base_image()}
    side["predict"]["timeout_s"] = 600
    project.record(a=side, b=side)
    with subprocess.Popen(
        [sys.executable, "-m", "repro_tui", "record.json#a", "record.json#b", "--report", "out.json", "--quiet"],
        cwd=project.folder,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as view:
        begun = copies if phase == "copy" else said
        wait_until(lambda: begun(project, engine) or view.poll() is not None, f"what is to be cut: {phase}")
        engine.kill()
        _, errors = view.communicate(timeout=BOUND_S)
    assert b"Traceback" not in errors
    assert view.returncode == 3, errors
    report = json.loads((project.folder / "out.json").read_text())
    lost = [side for side in report["sides"].values() if side["failed"]]
    assert all("the connection to the Docker engine was lost" in side["what"] for side in lost), lost
    assert any("nothing answers at" in side["what"] for side in lost), lost
    assert all("tart the Docker engine again" in side["do"] for side in lost if "nothing" in side["what"])
    if not NIGHTLY:  # that the next start reaps is also proved with the machine's own engine
        return
    engine.start()
    project.record(a=project.deployment(), b=project.deployment())
    again = project.run("record.json#a", "record.json#b", "--report", "out.json", "--repeat", "1", **variables)
    assert again.status == 0, again.stderr
    label = f"label={CACHE_LABEL}={cache_digest(Path(os.environ['REPRO_TUI_CACHE']))}"
    assert docker("--host", engine.address, "ps", "--all", "--quiet", "--filter", label) == ""
    assert docker("--host", engine.address, "volume", "ls", "--quiet") == ""


def said(project: Project, engine: OwnEngine) -> bool:
    """Whether the predict step, or the step of the build, has said that it is asleep."""
    events = [event for path in project.audits() for event in AuditFolder(path).events()[0]]
    return any(event.kind == "log" and "asleep" in event.text and "echo" not in event.text for event in events)


def copies(project: Project, engine: OwnEngine) -> bool:
    """Whether a container is there whose files are being read."""
    return bool(docker("--host", engine.address, "ps", "--all", "--quiet", "--filter", f"label={CACHE_LABEL}"))
