"""What an image declares besides its files: volumes, a health check and a stop signal are no holes in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from docker.types import Mount

from repro_tui.execute.docker_volumes import volume_places
from repro_tui.model.record import Code, Environment, Record
from repro_tui.model.run import Limits
from repro_tui.model.workspace import BuiltEnvironment
from repro_tui.rebuild.environments.image import rebuild_image
from repro_tui.support.context import Context
from tests.contract.conftest import collected  # noqa: F401 - a fixture
from tests.contract.runner_case import WRITE, RunnerCase
from tests.engines import docker
from tests.systems.docker.conftest import Build

pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings(
        r"ignore:Exception ignored in. <socket.socket .*docker.sock:pytest.PytestUnraisableExceptionWarning"
    ),
]
DECLARED = (
    "RUN mkdir -p /empty /full/sub && echo kept > /full/sub/file && chmod -R a+rwX /full",
    'VOLUME ["/empty", "/full", "/made/for/it", "/tmp", "/dev/shm"]',
    "HEALTHCHECK --interval=1s CMD touch /repro/output/health /full/health",
    "STOPSIGNAL SIGCONT",
)

read: dict[str, BuiltEnvironment] = {}


@pytest.fixture
def no_volumes_left() -> Iterator[None]:
    """No volume is left behind."""
    before = docker("volume", "ls", "--quiet")
    yield
    assert docker("volume", "ls", "--quiet") == before


@pytest.fixture
def case(built: Build, context: Context, no_volumes_left: None) -> RunnerCase:
    image = built(2.0, *DECLARED)
    if image not in read:  # once for all tests
        record = Record("a", "a", code=Code("x", "0" * 40), environment=Environment(image=image))
        read[image], _ = rebuild_image(record, None, context)
    volumes = read[image].inventory.volumes
    assert (volumes["/full"], volumes["/empty"], volumes["/made/for/it"]) == (True, False, False)
    return RunnerCase("docker", read[image], context)


def limited(case: RunnerCase, **limits: int) -> RunnerCase:
    return replace(case, settings={"limits": Limits(memory=512 << 20, **limits)})


def test_no_place_of_a_container_is_without_a_bound_in_size_and_files(case: RunnerCase) -> None:
    places = ("/empty", "/made/for/it", "/tmp", "/dev/shm")
    run = case.run(
        f"for place in {places}:\n    open(place + '/x', 'w').write('x')\n    s = os.statvfs(place)\n"
        "    print(place, s.f_blocks * s.f_frsize >> 20, s.f_files)\n"
        "print(open('/full/sub/file').read())\nopen('/full/new', 'w')\n"
        "print('processors', open('/proc/self/status').read().count('Cpus_allowed:'))\n" + WRITE
    )
    assert run.status == "succeeded", run
    lines = Path(run.log).read_text().splitlines()
    bounds = {place: int(files) for place, _, files in (line.split() for line in lines[: len(places)])}
    assert set(bounds) == set(places)
    assert all(0 < files <= 1 << 18 for files in bounds.values()), bounds
    assert "kept" in lines


def test_what_is_added_to_a_volume_of_the_image_counts(case: RunnerCase) -> None:
    fill = "for n in range(3_000):\n    open(f'/full/{n}', 'wb').write(b'x' * 100_000); time.sleep(0.003)\n"
    run = limited(case, output=20 << 20).run(fill + "time.sleep(200)\n")
    assert (run.status, "wrote more than" in run.what) == ("failed", True), run


def test_neither_the_health_check_nor_the_stop_signal_of_an_image_is_used(case: RunnerCase) -> None:
    program = (
        "import signal\nsignal.signal(signal.SIGTERM, lambda *_: (print('TERM', flush=True), sys.exit(0)))\n"
        "time.sleep(2.5)\nprint(sorted(os.listdir('/repro/output')), sorted(os.listdir('/full')), flush=True)\n"
        "time.sleep(200)\n"
    )
    run = case.run(program, timeout_s=6)
    assert run.status == "timed-out"
    assert Path(run.log).read_text().split("\n")[:2] == ["[] ['sub']", "TERM"]


def test_data_around_a_volume_of_the_image_is_not_hidden_by_it(tmp_path: Path) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "out").symlink_to(tmp_path)
    around = Mount("/full", str(tmp_path / "data"), type="bind", read_only=True)
    places = volume_places(["/full/sub/", "/full/out", "/full", "/tmp"], {}, [around], ["/tmp"])
    assert [(m["Target"], m["Source"], m["ReadOnly"]) for m in places.mounts] == [
        ("/full/sub", str(tmp_path / "data" / "sub"), True)
    ]
    assert places.temporary == ()
