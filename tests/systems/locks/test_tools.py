"""The packages of a lock equal what its own tool installs from it, by name and version."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from repro_tui.formats.locks import locked
from repro_tui.model.record import Code, Environment, Record
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.environments.python import rebuild_python_environment
from repro_tui.rebuild.environments.pythons.interpreters import find_interpreter, uv_binary
from repro_tui.support.context import Context
from tests.conftest import GitRepository
from tests.systems.locks.tools import KNOWN, NOT_LOCKED, ProjectTool, installed_by, locked_by, this_python
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
    assert {package: version for package, version in packages.items() if package not in NOT_LOCKED} == expected


WORKSPACE = """
[project]
name = "score"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["core[fast]", "six"]
[project.optional-dependencies]
old = ["jinja2==3.0.3"]
new = ["jinja2==3.1.4"]
[dependency-groups]
dev = ["iniconfig"]
[tool.uv]
conflicts = [[{extra = "old"}, {extra = "new"}]]
package = false
[tool.uv.workspace]
members = ["packages/*"]
[tool.uv.sources]
core = {workspace = true}
"""
MEMBER = """
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["{needs}"]
[project.optional-dependencies]
fast = ["h11"]
"""


def test_a_workspace_with_extras_that_exclude_each_other_equals_what_uv_exports(
    tmp_path: Path, context: Context
) -> None:
    (tmp_path / "pyproject.toml").write_text(WORKSPACE)
    for name, needs in (("core", "tabulate"), ("tools", "pluggy")):
        (tmp_path / "packages" / name).mkdir(parents=True)
        build_system = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        text = MEMBER.format(name=name, needs=needs) + build_system
        (tmp_path / "packages" / name / "pyproject.toml").write_text(text)
    subprocess.run([uv_binary(), "lock", "-q"], cwd=tmp_path, check=True)
    lock = (tmp_path / "uv.lock").read_bytes()
    markers = find_interpreter(this_python(), context).markers
    for groups, options in (((), []), (("old",), ["--extra", "old"]), (("new", "dev"), ["--extra", "new", "--dev"])):
        fixed = ["-q", "--frozen", "--no-hashes", "--no-header", "--no-annotate", "--no-emit-workspace"]
        chosen = options if "--dev" in options else [*options, "--no-default-groups"]
        export = subprocess.run(
            [uv_binary(), "export", *fixed, *chosen], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        requirements = map(Requirement, export.stdout.split("\n")[:-1])
        expected = sorted(
            f"{requirement.name}{requirement.specifier}"
            for requirement in requirements
            if requirement.marker is None or requirement.marker.evaluate()
        )
        contents = locked(lock, "uv.lock", markers, groups)
        assert [pin.split()[0] for pin in contents.pins] == expected
        assert contents.members == ("packages/core",)
