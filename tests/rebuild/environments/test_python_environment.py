"""Python environments from requirements and lock files, built by the real uv without executing any of their code."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repro_tui.compare.environment import compare_environment, step_of
from repro_tui.formats.locks import locked
from repro_tui.formats.requirements import parse_requirements
from repro_tui.model.errors import Inconclusive
from repro_tui.model.inventory import Inventory, PythonPackage
from repro_tui.model.record import Code, Environment, Record
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, Part, Workspace
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.environments.python import rebuild_python_environment
from repro_tui.rebuild.environments.pythons.interpreters import find_interpreter, uv_binary
from repro_tui.rebuild.environments.uv import WithoutWheel, uv_failed
from repro_tui.support.cache import Cache, remove_tree
from repro_tui.support.context import Context
from tests.conftest import GitRepository
from tests.templates import Templates
from tests.wheels import wheel

Rebuild = Callable[..., tuple[BuiltEnvironment, Part]]
PROJECT = '[project]\nname = "credit"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = {}\n'


def find_python(folder: Path) -> None:
    """Fills the cache of interpreters: where Pythons are pyenv shims, a search takes a second."""
    find_interpreter(".".join(platform.python_version_tuple()[:2]), Context(Cache(folder)))


@pytest.fixture
def rebuild(git_repository: Callable[[str], GitRepository], context: Context, templates: Templates) -> Rebuild:
    repository = git_repository("project")
    known = templates.folder("interpreters", find_python)
    shutil.copytree(known / "notes", context.cache.root / "notes")

    def run(files: dict[str, str], python: str | None = None, **environment: str) -> tuple[BuiltEnvironment, Part]:
        commit = repository.commit(files)
        record = Record(
            "a", "a", code=Code(str(repository.folder), commit), environment=Environment(python=python, **environment)
        )
        code, _ = rebuild_code(record, context)
        return rebuild_python_environment(record, code, context)

    return run


def versions(built: BuiltEnvironment) -> dict[str, str]:
    return {name: package.version for name, package in built.inventory.python_packages.items()}


def test_an_empty_environment_needs_no_network(rebuild: Rebuild) -> None:
    built, part = rebuild({"r.txt": "# nothing\n"}, requirements="r.txt")
    assert set(versions(built)) <= {"setuptools"}
    assert not part.cached
    assert built.inventory.interpreter["version"].startswith("3.")
    assert built.inventory.system["architecture"] == os.uname().machine
    assert rebuild({"other": "x"}, requirements="r.txt")[1].cached


@pytest.mark.network
def test_requirements_are_installed_and_the_rest_is_reported(rebuild: Rebuild) -> None:
    built, part = rebuild({"r.txt": "python-dateutil==2.9.0\n"}, requirements="r.txt")
    assert versions(built)["python-dateutil"] == "2.9.0"
    assert "six" in versions(built)
    assert any("1 package not recorded" in warning and "six==" in warning for warning in part.warnings)
    assert part.matches == "unknown"


@pytest.mark.network
def test_hashes_are_verified(rebuild: Rebuild) -> None:
    wrong = "six==1.16.0 --hash=sha256:" + "0" * 64 + "\n"
    with pytest.raises(Inconclusive, match=r"cannot be (installed|resolved)"):
        rebuild({"r.txt": wrong}, requirements="r.txt")


@pytest.mark.network
def test_both_kinds_of_lock_give_the_same_environment(rebuild: Rebuild, tmp_path: Path, context: Context) -> None:
    project = tmp_path / "locking"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        PROJECT.format('["python-dateutil==2.9.0", "colorama; sys_platform == \'win32\'"]')
    )
    for arguments in (
        ["lock"],
        ["export", "--format", "pylock.toml", "--output-file", "pylock.toml", "--no-emit-project"],
    ):
        subprocess.run([uv_binary(), "--no-config", "--quiet", *arguments], cwd=project, check=True)
    files = {name: (project / name).read_text() for name in ("uv.lock", "pylock.toml", "pyproject.toml")}
    from_uv_lock, part = rebuild(files, python="3.11", lock="uv.lock")
    from_pylock, _ = rebuild(files, python="3.11", lock="pylock.toml")
    assert set(versions(from_uv_lock)) == {"python-dateutil", "six"}
    assert versions(from_uv_lock) == versions(from_pylock)
    assert part.matches == "matches"
    assert from_uv_lock.inventory.python_packages == from_pylock.inventory.python_packages


def test_a_lock_of_another_source_than_an_index_is_reported() -> None:
    lock = b'version = 1\n[[package]]\nname = "p"\nversion = "1"\nsource = {virtual = "."}\n'
    lock += b'dependencies = [{name = "x"}]\n'
    lock += b'[[package]]\nname = "x"\nversion = "1"\nsource = {git = "https://h/x"}\n'
    with pytest.raises(Inconclusive, match="takes x from a file, a repository or a URL"):
        locked(lock, "uv.lock", {})
    for content in (b"not toml [", b"a = 1", b'lock-version = "1.0"\npackages = [{}]'):
        with pytest.raises(Inconclusive):
            locked(content, "uv.lock", {})


def test_nothing_of_an_environment_is_executed_to_list_it(rebuild: Rebuild, tmp_path: Path, context: Context) -> None:
    marker = tmp_path / "executed"
    built, _ = rebuild({"r.txt": "# x\n"}, requirements="r.txt")
    (site,) = Path(built.folder).glob("lib/python3*/site-packages")
    for name in ("x.pth", "sitecustomize.py"):
        (site / name).write_text(f"import os; open({str(marker)!r}, 'w')\n")
    again, part = rebuild({"other": "y"}, requirements="r.txt")
    assert not marker.exists()
    assert not part.cached  # the added files do not belong to it: the environment was built again
    assert not (site / "x.pth").exists()
    assert again.key == built.key


def test_modules_are_compiled_once_and_nothing_of_them_is_executed(
    rebuild: Rebuild, tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "executed"
    runs = f"import os; open({str(marker)!r}, 'w')\n"
    more = {"scorer.pth": runs, "sitecustomize.py": runs, "old.py": "print 'Python 2'\n"}
    pin = wheel(tmp_path, "scorer", 1, code=runs, more=more)
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    built, _ = rebuild({"r.txt": pin}, requirements="r.txt")
    (site,) = Path(built.folder).glob("lib/python3*/site-packages")
    compiled, customised = sorted((site / "__pycache__").glob("*.pyc"))
    assert (compiled.name.split(".")[0], customised.name.split(".")[0]) == ("scorer", "sitecustomize")
    changed = int.from_bytes(compiled.read_bytes()[8:12], "little")
    assert changed == int((site / "scorer.py").stat().st_mtime)  # otherwise Python would compile it again
    assert set(built.inventory.python_packages["scorer"].files) >= {"scorer.py", *more}
    assert not any(name.endswith(".pyc") for name in built.inventory.python_packages["scorer"].files)
    shutil.rmtree(context.cache.root / "notes" / "inventory")
    again, part = rebuild({"other": "y"}, requirements="r.txt")
    assert part.cached
    assert again.inventory == built.inventory  # which was listed anew
    assert not marker.exists()
    subprocess.run([built.python, "-c", ""], check=True)  # as would have been seen
    assert marker.exists()


def test_a_python_that_is_not_installed_is_reported(rebuild: Rebuild) -> None:
    with pytest.raises(Inconclusive, match=r"Python 3\.2 is not installed on this machine, which has 3\."):
        rebuild({"r.txt": ""}, python="3.2", requirements="r.txt")


def failing_shim(folder: Path, version: str) -> Path:
    """A pyenv shim of a version that is installed, but not selected: uv quotes its output over many short lines."""
    shim = folder / f"python{version}"
    shim.write_text(
        f'#!/bin/sh\necho "pyenv: python{version}: command not found" >&2\n'
        "echo \"Note: See 'pyenv help global' for tips on allowing multiple\" >&2\n"
        'echo "      Python versions to be found at the same time." >&2\nexit 127\n'
    )
    shim.chmod(0o755)
    return shim


def test_a_python_that_fails_is_named_with_how_to_repair_it(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = failing_shim(tmp_path, "3.99")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    with pytest.raises(Inconclusive) as error:
        find_interpreter("3.99", context)
    assert error.value.what.startswith("uv failed to find Python 3.99: ")
    assert str(shim) in error.value.what
    assert "pyenv: python3.99: command not found" in error.value.what
    assert error.value.do.startswith("repair that Python (with pyenv: pyenv global)")


def test_behind_a_shim_that_refuses_the_python_of_this_program_is_found(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = ".".join(platform.python_version_tuple()[:2])
    failing_shim(tmp_path, version)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_interpreter(version, context).version == platform.python_version()


def test_behind_a_shim_that_refuses_the_latest_release_of_pyenv_is_found(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_shim(tmp_path, "3.99")
    for release in ("3.99.9", "3.99.10", "3.99.11", "3.99-dev", "3.990.1"):
        program = tmp_path / "pyenv" / "versions" / release / "bin" / "python"
        program.parent.mkdir(parents=True)
        described = dict.fromkeys(("executable", "implementation", "root", "platform"), str(program))
        answer = json.dumps({**described, "version": release, "markers": {}}) if release != "3.99.11" else "broken"
        program.write_text(f"#!/bin/sh\necho '{answer}'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert find_interpreter("3.99", context).version == "3.99.10"


def test_a_patch_release_that_pyenv_lacks_is_absent(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = ".".join(platform.python_version_tuple()[:2])
    shims = tmp_path / "shims"
    shims.mkdir()
    failing_shim(shims, version)
    monkeypatch.setenv("PATH", str(shims))
    with pytest.raises(Inconclusive, match="is not installed on this machine, which has .*" + version) as error:
        find_interpreter(f"{version}.999", context)
    assert f'record python = "{version}"' in error.value.do


@pytest.mark.parametrize(
    ("output", "do"),
    [
        ("Because there is no version of six==99 and you require six==99", "correct the version"),
        (
            "Because there are no versions of six and x==1 depends on six>=9, they are unsatisfiable",
            "correct the version",
        ),
        (
            "Because only six<=1 is available, your requirements are unsatisfiable. hint: `six` was filtered by "
            "`exclude-newer` to only include packages uploaded before 2023-08-25. The latest version satisfying the "
            "requirement is v1.17.0, published at 2024-12-04.",
            "name a later one",
        ),
        (
            "Because you require six==1.16.0 and six==1.15.0, your requirements are unsatisfiable.",
            "contradict each other",
        ),
        (
            "Because x was not found in the cache\n\nhint: Packages were unavailable because the network was disabled.",
            "UV_OFFLINE",
        ),
        ("Because x was not found in the package registry and you require x==1", "correct the package's name"),
        ("cause: Failed to fetch: http://127.0.0.1:9/simple/six/", "check the network"),
        ("cause: Hash mismatch for `six==1.16.0`", "record the hashes"),
        ("Because x==1 has no usable wheels and building from source is disabled", "that have wheels"),
        ("a new kind of failure", "the log of this step"),
    ],
)
def test_each_failure_of_uv_has_its_own_remedy(context: Context, output: str, do: str) -> None:
    assert do in uv_failed("the requirements cannot be resolved", output, context).do


def test_the_end_of_a_chain_of_errors_is_kept(context: Context) -> None:
    causes = "".join(f"  cause: failed to write to file `/a/long/path/{number}/{'x' * 80}`\n" for number in range(20))
    output = f"Using Python 3.11.7 environment at: /a\nResolved 1 package in 4ms\nerror: Failed to read x\n{causes}"
    error = uv_failed("the packages cannot be installed", f"{output}  cause: No space left on device", context)
    assert error.what.startswith("the packages cannot be installed: Failed to read x")
    assert error.what.endswith("No space left on device")
    assert len(error.what) < 700


def test_of_several_packages_without_a_wheel_the_needed_ones_are_built_first(context: Context) -> None:
    output = (
        "Because all of: pyyaml<=5.1b5 pyyaml>=5.1 have no usable wheels and all of: mlflow>=1.7.1 depend on pyyaml, "
        "and mlflow<=0.3.0 have no usable wheels and you require mlflow\n\nhint: Wheels are required for `mlflow` "
        "because building from source is disabled\n\nhint: Wheels are required for `pyyaml`"
    )
    error = uv_failed("the requirements cannot be resolved", output, context)
    assert isinstance(error, WithoutWheel)
    assert [name for name, _ in error.candidates] == ["pyyaml", "mlflow"]


def test_a_file_that_is_not_committed_is_reported(rebuild: Rebuild) -> None:
    with pytest.raises(Inconclusive, match="is not in the commit"):
        rebuild({"a": ""}, requirements="absent.txt")


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://evil/simple",
        "-i https://evil/simple",
        "--extra-index-url=https://evil",
        "--find-links /tmp",
        "--trusted-host x",
        "-r other.txt",
        "git+https://h/x",
        "x @ https://h/x.whl",
        "--config-settings=x",
        "not a requirement!",
    ],
)
def test_what_could_redirect_or_execute_is_refused(line: str) -> None:
    _, mistakes = parse_requirements(f"six==1.16.0\n{line}\n", "r.txt")
    assert [mistake.place for mistake in mistakes] == ["r.txt: line 2"]


def test_lines_are_read_as_pip_reads_them() -> None:
    text = "# comment\nsix==1.16.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb  # why\n\n"
    text += "attrs>=20; python_version < '3'\n"
    lines, mistakes = parse_requirements(text, "r.txt")
    assert mistakes == []
    assert [(line.number, str(line.requirement), line.hashes, line.pinned) for line in lines] == [
        (2, "six==1.16.0", ("sha256:aa", "sha256:bb"), True),
        (6, 'attrs>=20; python_version < "3"', (), False),
    ]


# -- the area -----------------------------------------------------------------------------------------------------


def workspace(**inventory: Any) -> Workspace:
    environment = BuiltEnvironment("venv", "k", Inventory(**inventory))
    return Workspace("k", "a", (), 1.0, environment, BuiltParameters({}))


def test_packages_are_compared_by_version_and_by_files(context: Context) -> None:
    a = Inventory(
        python_packages={
            "numpy": PythonPackage("1.26.4", "index", "d1"),
            "same": PythonPackage("1", "index", "d"),
            "patched": PythonPackage("1", "index", "d1", {"m.py": "1", "n.py": "2"}),
            "gone": PythonPackage("1"),
        },
        variables={"TZ": "UTC", "API_KEY": "one-secret-value"},
    )
    b = Inventory(
        python_packages={
            "numpy": PythonPackage("2.1.3", "index", "d2"),
            "same": PythonPackage("1", "index", "d"),
            "patched": PythonPackage("1", "index", "d2", {"m.py": "1", "n.py": "3"}),
        },
        variables={"TZ": "UTC", "API_KEY": "another-secret-value"},
        unknown={"system packages": "an RPM database"},
    )
    area = compare_environment(a, b, context)
    findings = {finding.path: finding for finding in area.findings}
    assert (area.status, area.counts["same"]) == ("different", 2)
    assert (findings["packages", "numpy"].severity, findings["packages", "numpy"].note) == (
        "important",
        "major release",
    )
    assert findings["packages", "gone"].change == "removed"
    assert [child.path for child in findings["packages", "patched"].children] == [("packages", "patched", "n.py")]
    assert findings["system packages",].change == "unknown"
    assert "secret" not in str(findings["variables", "API_KEY"])
    assert compare_environment(a, a, context).status == "same"


@pytest.mark.parametrize(
    ("a", "b", "note"),
    [
        ("1.2.3", "2.0", "major release"),
        ("1.3", "1.2", "minor release, downgrade"),
        ("1.2.3", "1.2.4", "patch release"),
        ("1.2.3", "1.2.3.post1", "other build of one release"),
        ("x", "y", ""),
    ],
)
def test_the_size_of_a_step(a: str, b: str, note: str) -> None:
    assert step_of(a, b) == note


def test_an_environment_that_left_the_cache_is_built_again(rebuild: Rebuild) -> None:
    built, _ = rebuild({"r.txt": "# x\n"}, requirements="r.txt")
    remove_tree(Path(built.folder))
    again, part = rebuild({"other": "y"}, requirements="r.txt")
    assert Path(again.python).exists()
    assert not part.cached
