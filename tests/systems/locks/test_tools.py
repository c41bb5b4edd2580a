"""The packages of a lock equal what its own tool installs from it, by name and version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from repro_tui.formats.locks import locked
from repro_tui.model.record import Code, Environment, Record
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.environments.interpreters import find_interpreter
from repro_tui.rebuild.environments.python import rebuild_python_environment
from repro_tui.support.context import Context
from tests.conftest import GitRepository
from tests.systems.locks.tools import KNOWN, ProjectTool, installed_by, locked_by, this_python
from tests.templates import Templates

pytestmark = pytest.mark.network


@pytest.mark.parametrize("tool", KNOWN, ids=["poetry", "uv", "pipenv", "pdm", "pdm-plain"])
def test_the_packages_equal_those_that_the_tool_installs(
    tool: ProjectTool,
    tmp_path: Path,
    templates: Templates,
    git_repository: Callable[[str], GitRepository],
    context: Context,
) -> None:
    locked_by(tool, tmp_path, templates)
    python = find_interpreter(this_python(), context)
    lock = (tmp_path / tool.lock).read_bytes()
    pins = locked(
        lock, tool.lock, python.markers, (), (tmp_path / tool.file).read_bytes() if tool.is_toml else b""
    ).pins
    expected = installed_by(tool, tmp_path, False, templates)
    assert set(expected) == {"tabulate", "wcwidth", "python-dateutil", "six"}
    assert dict(pin.split()[0].split("==") for pin in pins) == expected
    assert all("--hash=" in pin for pin in pins)
    expected = installed_by(tool, tmp_path, True, templates)
    assert set(expected) == {"tabulate", "wcwidth", "python-dateutil", "six", "h11", "pluggy"}
    repository = git_repository("score")
    commit = repository.commit({file: (tmp_path / file).read_text() for file in tool.files})
    environment = Environment(lock=tool.lock, groups=("serve", "fast"), python=this_python())
    record = Record("a", "a", code=Code(str(repository.folder), commit), environment=environment)
    built, _ = rebuild_python_environment(record, rebuild_code(record, context)[0], context)
    packages = {package: entry.version for package, entry in built.inventory.python_packages.items()}
    assert {package: version for package, version in packages.items() if package != "score"} == expected
