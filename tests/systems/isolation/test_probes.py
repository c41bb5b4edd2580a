"""Every isolation against every probe, and the table of docs/safety.md against what the probes reached."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from repro_tui.support.control_groups.places import group_places
from tests.engines import docker, sockets_collected
from tests.systems.isolation.probes import PROBES
from tests.systems.isolation.scene import AFTERWARDS, ISOLATIONS, observed_in
from tests.systems.isolation.table import BLOCKED, ROW_OF, column, documented
from tests.templates import Templates

# What an engine's own filter of system calls leaves open before version 25.
OLDER_ENGINES = {"sockets_to_the_hypervisor", "queues_in_the_kernel"}
# What no run of ours has, whatever its isolation: it is closed before a sandbox is entered.
NEVER = {"open_files_of_the_program", "terminal", "core_files"}
# What a control group ends with its run, even where nothing isolates it.
ENDED_WITH_THE_RUN = {"processes_left", "surviving"}
MARKS = {"Docker": pytest.mark.docker, "Apptainer": pytest.mark.apptainer}
EVERY = [pytest.param(name, marks=MARKS.get(name, ())) for name in ISOLATIONS]
pytestmark = pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <socket.socket .*docker.sock:pytest.PytestUnraisableExceptionWarning"
)
observed: dict[str, dict[str, dict[str, str]]] = {}
Results = dict[str, dict[str, str]]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """No socket of docker-py is left to a later test."""
    with sockets_collected():
        yield


@pytest.fixture
def results(isolation: str, templates: Templates) -> Results:
    """What the probes reached in an isolation; they are made once for all tests."""
    if isolation == "none" and os.geteuid():
        pytest.skip("only root shows that every probe can reach something")
    if isolation not in observed:
        observed[isolation] = observed_in(isolation, templates)
    return observed[isolation]


def engine_is_older() -> bool:
    return int(docker("version", "--format", "{{.Server.Version}}").partition(".")[0]) < 25


@pytest.mark.parametrize("isolation", EVERY)
def test_every_probe_was_made(results: Results) -> None:
    assert set(results) == {item.name for item in PROBES} | set(AFTERWARDS)
    assert not [result for result in results.values() if "broken" in result]


@pytest.mark.parametrize("isolation", EVERY[:-1])
def test_every_probe_meets_a_wall(isolation: str, results: Results) -> None:
    reached = {name: result["reached"] for name, result in results.items() if result["reached"]}
    allowed = OLDER_ENGINES if isolation == "Docker" and engine_is_older() else set[str]()
    assert set(reached) <= allowed, reached


@pytest.mark.parametrize("isolation", EVERY[-1:])
def test_without_isolation_every_probe_reaches_something(results: Results) -> None:
    """What cannot reach anything here would prove nothing in a sandbox."""
    absent = {"ENOSYS", "EAFNOSUPPORT", "ENODEV"}  # this kernel does not have it
    blind = {name for name, result in results.items() if not result["reached"] and result.get("wall") not in absent}
    assert blind == NEVER | (ENDED_WITH_THE_RUN if group_places() else set())


@pytest.mark.parametrize("isolation", EVERY)
def test_the_table_of_the_documentation_says_what_was_reached(isolation: str, results: Results) -> None:
    """Write it anew with `python -m tests.systems.isolation.table`."""
    table = documented(isolation)
    if isolation == "Docker" and not engine_is_older():
        table |= {ROW_OF[name]: BLOCKED for name in OLDER_ENGINES}
    assert table == column(results)
