"""Mounts of a container: data outside its image, and system folders of the machine, which are never read."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro_tui.sources.docker.mounts import mounts_of
from repro_tui.sources.resolve import load_record
from repro_tui.support.context import Context
from tests.audit.project import Project
from tests.engines import docker
from tests.systems.docker.conftest import AS_INPUTS, STEP, Build, Start, deployed, expected, scores, state

pytestmark = pytest.mark.docker


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "deployed"
    folder.mkdir()
    (folder / "weights.json").write_text('{"weight": 7.0}')
    return folder


@pytest.fixture
def volume() -> Iterator[str]:
    name = f"repro-tui-test-{uuid.uuid4().hex}"
    docker("volume", "create", name)
    yield name
    docker("volume", "rm", "--force", name)


def test_mounted_data_is_rebuilt_where_the_container_has_it(
    project: Project, built: Build, running: Start, weights: Path, context: Context
) -> None:
    image = built(2.0, labels=STEP)
    inside = running(image, "--volume", f"{weights}:/app/model:ro")
    outside = running(image, "--env", "MODEL=/srv/models/weights.json", "--volume", f"{weights}:/srv/models")
    before = state(inside) + state(outside)
    record = load_record(f"docker:{outside}", context)
    assert [(item.path, item.source) for item in record.data] == [("/srv/models", f"file://{weights}")]
    assert "mounted writable" in " ".join(record.warnings)
    assert "data.0.sha256" in {item.field for item in record.missing}
    result = project.run(f"docker:{inside}", f"docker:{outside}", *AS_INPUTS)
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stdout
    assert scores(project, "a") == expected(project, 7.0) == scores(project, "b")
    assert state(inside) + state(outside) == before
    against = project.run(f"docker:{outside}", f"image:{image}", *AS_INPUTS)
    assert against.status == 1
    assert scores(project, "b") == expected(project, 2.0)
    (data,) = against.report["areas"]["data"]["findings"]
    assert (data["path"], data["change"]) == (["/srv/models"], "removed")


def test_a_volume_and_a_single_file_are_data(
    project: Project, built: Build, volume: str, running: Start, weights: Path
) -> None:
    image = built(2.0, labels=STEP)
    docker(
        "run", "--rm", "--volume", f"{weights}:/from", "--volume", f"{volume}:/to", image, "cp", "-r", "/from/.", "/to"
    )
    held = running(image, "--env", "MODEL=/models/weights.json", "--volume", f"{volume}:/models:ro")
    single = running(image, "--volume", f"{weights}/weights.json:/app/model/weights.json:ro")
    result = project.run(f"docker:{held}", f"docker:{single}", *AS_INPUTS)
    assert result.status == 0, result.stdout
    assert scores(project, "a") == expected(project, 7.0) == scores(project, "b")


def test_a_link_in_a_mount_is_followed_within_it_and_never_out_of_it(
    project: Project, built: Build, running: Start, weights: Path
) -> None:
    (weights / "v7.json").write_bytes((weights / "weights.json").read_bytes())
    (weights / "weights.json").unlink()
    (weights / "weights.json").symlink_to("v7.json")
    container = running(built(2.0, labels=STEP), "--volume", f"{weights}:/app/model:ro")
    reference = f"docker:{container}"
    assert project.run(reference, reference, *AS_INPUTS).status == 0
    assert scores(project, "a") == expected(project, 7.0)
    (weights / "secret").symlink_to("/etc/hostname")
    result = project.run(reference, reference, *AS_INPUTS)
    assert result.status == 3
    assert "is a link that leaves its folder" in result.report["sides"]["a"]["what"]


def test_a_mount_that_has_gone_loses_the_side_and_is_never_replaced_by_the_images_own(
    project: Project, built: Build, running: Start, weights: Path
) -> None:
    container = running(built(2.0, labels=STEP), "--volume", f"{weights}:/app/model:ro")
    (weights / "weights.json").unlink()
    weights.rename(weights.with_name("elsewhere"))
    result = project.run(f"docker:{container}", f"docker:{container}", *AS_INPUTS)
    assert result.status == 3
    assert result.report["sides"]["a"]["failed"] == "data"


def test_the_machines_own_is_told_and_never_read(
    built: Build, running: Start, tmp_path: Path, context: Context
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_text("a private key")
    own = {
        "/var/run/docker.sock": ("/app/docker.sock", "not model data"),
        "/proc": ("/host/proc", "not model data"),
        "/sys": ("/host/sys", "not model data"),
        "/root": ("/host/root", "not model data"),
        "/etc/localtime": ("/etc/localtime", "holds system settings"),
        str(tmp_path / ".ssh"): ("/keys", "where credentials are kept"),
        str(empty): ("/out", "is an empty folder"),
    }
    options = [word for source, (target, _) in own.items() for word in ("--volume", f"{source}:{target}:ro")]
    record = load_record("docker:" + running(built(2.0, labels=STEP), *options, "--tmpfs", "/scratch"), context)
    assert record.data == ()
    for target, reason in own.values():
        assert any(warning.startswith(f"{target} ") and reason in warning for warning in record.warnings), (
            target,
            record.warnings,
        )


def test_a_mount_over_the_working_folder_is_said_to_replace_the_code(
    project: Project, built: Build, running: Start, tmp_path: Path, context: Context
) -> None:
    image = built(2.0, labels=STEP)
    deployed_folder = tmp_path / "deployed"
    deployed(deployed_folder, 5.0)
    container = running(image, "--volume", f"{deployed_folder}:/app:ro")
    record = load_record(f"docker:{container}", context)
    assert "the code comes from the mount, not from the image" in " ".join(record.warnings)
    assert project.run(f"docker:{container}", f"docker:{container}", *AS_INPUTS).status == 0
    assert scores(project, "a") == expected(project, 5.0)


@pytest.mark.parametrize(
    ("mount", "word"),
    [
        ({"Type": "tmpfs", "Destination": "/scratch"}, "a mount of type tmpfs, which has no folder on this machine"),
        ({"Type": "bind", "Source": "/srv/x", "Destination": "/proc/x"}, "nothing can be mounted"),
        ({"Type": "bind", "Source": "/srv/x", "Destination": "/a/../etc"}, "not a plain absolute path"),
        ({"Type": "bind", "Source": "/srv/a\nb", "Destination": "/a"}, "cannot be recorded"),
        ({"Type": "bind", "Source": "/run/secrets/key", "Destination": "/a"}, "not model data"),
        ({"Type": "bind", "Source": "/etc/credit/model.json", "Destination": "/a"}, ""),
    ],
)
def test_what_a_mount_is(mount: dict[str, object], word: str) -> None:
    (mounted,) = mounts_of({"Mounts": [mount]})
    assert word in mounted.why_not
    assert bool(word) == bool(mounted.why_not)
