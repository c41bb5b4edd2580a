"""What an engine reports that it can limit, and what becomes of a limit that it cannot keep."""

from __future__ import annotations

import pytest

from repro_tui.execute.docker_limits import means_of_engine, nano_cpus, unlimited


@pytest.mark.parametrize(
    ("info", "cores", "expected"),
    [
        ({"NCPU": 8}, 2, 2),
        ({"NCPU": 8}, 0, 8),  # by default, all that the engine has
        ({"NCPU": 2}, 64, 2),  # an engine refuses more cores than it has
        ({}, 3, 3),
        ({}, 0, None),
        ({"NCPU": 8, "CpuCfsQuota": False}, 2, None),
    ],
)
def test_the_cores_of_a_container(info: dict[str, object], cores: int, expected: int | None) -> None:
    assert nano_cpus(info, cores) == (None if expected is None else expected * 10**9)


def test_what_an_engine_does_not_limit_is_said() -> None:
    whole = {"MemoryLimit": True, "PidsLimit": True, "CpuCfsQuota": True}
    assert (set(means_of_engine(whole).values()), unlimited(whole)) == ({"engine"}, ())
    rootless = whole | {"MemoryLimit": False, "CpuCfsQuota": False}
    assert means_of_engine(rootless) == {"memory": "not limited", "processes": "engine", "cores": "not limited"}
    assert "did not limit the memory and the cores" in unlimited(rootless)[0]
