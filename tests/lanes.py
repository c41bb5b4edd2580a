"""Which tests may run in parallel, and which of them need more than Python, git and a sandbox.

With `--dist loadgroup`, the tests of a group run one after another on one worker. A module is a group, so that its
fixtures are made once; those that share an engine or a server are one together. Long groups are begun first, so that no
worker waits for the other at the end.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Modules of this folder drive a container engine, a foreign system or a server.
SYSTEMS = "systems"
SYSTEM_MODULES = frozenset({"contract/test_sources", "tui/test_terminal", "tui/test_terminal_failures"})
SYSTEM_MARKS = ("docker", "apptainer", "network")
# Modules in which every test runs a whole audit, or visits every screen of one.
WHOLE = frozenset(
    {
        *(
            f"audit/test_{name}"
            for name in ("clock", "faults", "folder", "full_disks", "gate", "known_answers", "private")
        ),
        *(f"audit/test_{name}" for name in ("recording", "secrets", "stress", "truth", "verified", "verify")),
        *("contract/test_bad_plugins", "contract/test_third_party", "explain/test_audits", "explain/test_noise"),
        *("explain/test_packages", "tui/test_failure", "tui/test_surfaces"),
    }
)
# Folders whose modules are one group: they share an engine, or servers that are slow to start.
GROUPS = {
    "systems/apptainer": "apptainer",
    "systems/docker": "docker",
    "systems/endpoint": "servers",
    "systems/mlflow": "servers",
}
# Groups and modules that take longest, the longest first.
FIRST = (
    *("docker", "servers", "explain/test_audits", "apptainer", "audit/test_known_answers", "explain/test_packages"),
    *("compare/test_properties", "systems/wandb/test_offline", "systems/wandb/test_online", "audit/test_stress"),
    *("audit/test_faults", "audit/test_folder", "audit/test_recording", "audit/test_verify", "systems/dvc/test_dvc"),
    *("contract/test_sources", "tui/test_screens", "tui/test_every_key", "tui/test_terminal", "tui/test_failure"),
    "cli/test_program",
)


def group_of(item: pytest.Item) -> str:
    """The xdist group of a test."""
    for engine in ("docker", "apptainer"):
        if item.get_closest_marker(engine):
            return engine
    folder, module = _place(item.path)
    return GROUPS.get(folder, module)


def needs_system(item: pytest.Item) -> bool:
    """Whether a test needs an engine, a foreign system, a server or a package index."""
    folder, module = _place(item.path)
    marked = any(item.get_closest_marker(mark) for mark in SYSTEM_MARKS)
    return marked or folder.startswith(f"{SYSTEMS}/") or module in SYSTEM_MODULES


def arrange(items: list[pytest.Item]) -> None:
    """Marks each test with its group and lane, and moves the slowest ones to the front."""
    groups = {item.nodeid: group_of(item) for item in items}
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups[item.nodeid]))
        if needs_system(item):
            item.add_marker(pytest.mark.system)
        if _place(item.path)[1] in WHOLE:
            item.add_marker(pytest.mark.whole)
    places = {group: place for place, group in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(groups[item.nodeid], len(places)))


@cache
def _place(path: Path) -> tuple[str, str]:
    """The folder below `tests` that a module is in, and the module as `folder/name`."""
    place = path.relative_to(TESTS).with_suffix("")
    return place.parent.as_posix(), place.as_posix()
