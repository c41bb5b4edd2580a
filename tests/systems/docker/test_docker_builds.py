"""What bounds a build: the memory and the processes of its steps, in a control group or by watching the machine."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from tests.engines import base_image
from tests.orphans import noted_groups
from tests.systems.docker.test_dockerfiles import (  # noqa: F401 - fixtures
    NAMED,
    Building,
    building,
    named_base,
)

pytestmark = pytest.mark.docker
THREADS = (
    "import threading as t; [t.Thread(target=t.Event().wait, args=(60,), daemon=True).start() for _ in range(2000)]"
)


def limited(context: Context, **limits: int) -> Context:
    return replace(context, settings=replace(context.settings, limits=replace(context.settings.limits, **limits)))


def noted_of(context: Context) -> list[Path]:
    """The folders of the control groups that were noted before they were made."""
    return [group for file in (context.cache.root / "owners").iterdir() for group in noted_groups(file)]


def test_a_build_has_the_memory_and_the_processes_of_its_limits(
    building: Building,  # noqa: F811
    context: Context,
) -> None:
    small = limited(context, memory=256 << 20, build_processes=64)
    with pytest.raises(Inconclusive) as error:
        building(f"FROM {base_image()}\nRUN echo {uuid.uuid4()}; python3 -c 'bytearray(1 << 30)'\n", context=small)
    assert "needed more than the memory limit of 256 MiB" in error.value.what
    assert "--memory" in error.value.do
    with pytest.raises(Inconclusive, match="can't start new thread"):
        building(f'FROM {base_image()}\nRUN echo {uuid.uuid4()}; python3 -c "{THREADS}"\n', context=small)
    _, part = building(f"FROM {base_image()}\nRUN echo {uuid.uuid4()}\n", context=small)
    assert re.search(r"memory: 256 MiB; processes: 64; time: ", part.how), part.how
    groups = noted_of(context)
    assert len({folder.name for folder in groups}) == 3
    assert not [folder for folder in groups if folder.exists()]


def test_a_build_without_a_control_group_is_watched(
    building: Building,  # noqa: F811
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("repro_tui.rebuild.environments.dockerfile.sees_our_groups", lambda: False)
    watched = limited(context, build_processes=500)
    with pytest.raises(Inconclusive, match="started more than 500 processes"):
        building(f'FROM {NAMED}\nRUN echo {uuid.uuid4()}; python3 -c "{THREADS}"\n', context=watched)
    _, part = building(f"FROM {NAMED}\nRUN echo {uuid.uuid4()}\n", context=watched)
    assert "processes: 500 (watched only)" in part.how
