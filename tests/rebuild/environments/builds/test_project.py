"""The project of a commit and the members of its workspace: built in the sandbox, and installed as they would be."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from repro_tui.model.errors import Inconclusive
from repro_tui.model.request import Settings
from repro_tui.model.workspace import BuiltEnvironment
from repro_tui.rebuild.environments.pythons.interpreters import uv_binary
from tests.audit.project import sandbox_works
from tests.builds import SYSTEM, project
from tests.conftest import need
from tests.rebuild.environments.rebuilding import OWN, Rebuilding, site, versions
from tests.wheels import wheel

SCRIPT = '[project.scripts]\ncredit-score = "credit.cli:main"\n'
CLI = "from credit import VALUE\ndef main(): print(VALUE)\n"
CREDIT = project("credit", f'requires-python = ">=3.11"\ndependencies = ["helper==1"]\n{SCRIPT}', {"cli.py": CLI})


@pytest.fixture(autouse=True)
def sandboxed() -> None:
    need("bubblewrap", sandbox_works(), "no sandbox works here")


def script(built: BuiltEnvironment, name: str) -> str:
    done = subprocess.run([f"{built.folder}/bin/{name}"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("environment", "more"),
    [
        ({"project": "pyproject.toml"}, {}),
        ({"requirements": "r.txt"}, {"r.txt": "-e .\n"}),
        ({"requirements": "env/r.txt"}, {"env/r.txt": ".\nhelper==1\n"}),
    ],
)
def test_a_src_layout_imports_and_its_entry_points_are_there(
    rebuilding: Rebuilding, links: Path, environment: dict[str, str], more: dict[str, str]
) -> None:
    wheel(links, "helper", 1)
    built, part = rebuilding({**CREDIT, **more}, **environment)
    assert versions(built) == {"credit": "1.0", "helper": "1"}
    assert script(built, "credit-score") == "7"
    assert "credit built from the commit" in part.how
    assert built.inventory.python_packages["credit"].source == "project:credit"
    assert not list(site(built).glob("credit-*/direct_url.json")) or "/" not in (
        next(site(built).glob("credit-*/direct_url.json")).read_text()
    )


def test_a_lock_installs_the_project_and_the_members_of_its_workspace(
    rebuilding: Rebuilding, links: Path, tmp_path: Path
) -> None:
    wheel(links, "helper", 1)
    workspace = '[tool.uv.workspace]\nmembers = ["libs/*"]\n[tool.uv.sources]\ncore = { workspace = true }\n'
    fields = 'requires-python = ">=3.11"\ndependencies = ["helper==1", "core"]\n'
    files = project("credit", f"{fields}{SCRIPT}{workspace}", {"cli.py": CLI.replace("credit import", "core import")})
    core = project("core", 'requires-python = ">=3.11"\n', {"__init__.py": "VALUE = 8\n"})
    files |= {f"libs/core/{path}": text for path, text in core.items()}
    for path, text in files.items():
        (tmp_path / "w" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "w" / path).write_text(text)
    subprocess.run([uv_binary(), "lock", "--quiet"], cwd=tmp_path / "w", check=True)
    lock = (tmp_path / "w" / "uv.lock").read_text()
    # As if an index had it: a lock that takes packages from a folder of its author's is refused.
    lock = re.sub(r'registry = "[^"]*"', 'registry = "https://pypi.org/simple"', lock)
    files["uv.lock"] = lock.replace('path = "helper', 'url = "https://h.example/helper')
    built, part = rebuilding(files, lock="uv.lock")
    assert versions(built) == {"core": "1.0", "credit": "1.0", "helper": "1"}
    assert script(built, "credit-score") == "8"
    assert part.matches == "matches"


def test_what_it_needs_is_read_from_its_wheel_where_only_its_build_knows(rebuilding: Rebuilding, links: Path) -> None:
    wheel(links, "helper", 1)
    wheel(links, "tester", 1)
    extras = '[project.optional-dependencies]\ntest = ["tester"]\nlint = ["linter"]\n'
    files = project("credit", f'dependencies = ["helper"]\n{extras}') | {"r.txt": "-e .[test]\n"}
    built, part = rebuilding(files, requirements="r.txt")
    assert versions(built) == {"credit": "1.0", "helper": "1", "tester": "1"}
    assert part.warnings == ("helper is not pinned", "tester is not pinned")
    with pytest.raises(Inconclusive, match="credit has no group or extra tests: it has test, lint"):
        rebuilding({**files, "r.txt": "-e .[tests]\n"}, requirements="r.txt")


def test_another_commit_is_built_again(rebuilding: Rebuilding, links: Path) -> None:
    first, _ = rebuilding(project("credit"), project="pyproject.toml")
    second, part = rebuilding(project("credit", code={"__init__.py": "VALUE = 9\n"}), project="pyproject.toml")
    assert first.key != second.key
    assert not part.cached
    digests = [built.inventory.python_packages["credit"].digest for built in (first, second)]
    assert digests[0] != digests[1]


def test_a_version_from_tags_is_told(rebuilding: Rebuilding, links: Path) -> None:
    wheel(links, "hatch_vcs", 1)
    files = project("credit")
    files["pyproject.toml"] = files["pyproject.toml"].replace('["tinybuild"]', '["tinybuild", "hatch-vcs"]')
    _, part = rebuilding(files, project="pyproject.toml")
    assert any("comes from the tags of its repository: it is 0.0.0 here" in warning for warning in part.warnings)


def test_a_build_that_raises_ends_the_side_with_its_exception_alone(rebuilding: Rebuilding, links: Path) -> None:
    """Frames, quoted source and what was printed before are in the log; the reason is one line."""
    system = SYSTEM.replace('"tinybuild"\n', '"own"\nbackend-path = ["."]\n')
    raising = "def build_wheel(*a, **k):\n    print('compiling k.cpp')\n    raise RuntimeError('no kernels')\n"
    files = {"pyproject.toml": f'{system}[project]\nname = "credit"\nversion = "1"\n', "own.py": raising}
    with pytest.raises(Inconclusive) as error:
        rebuilding(files, project="pyproject.toml")
    assert error.value.what == "the project credit cannot be built: RuntimeError: no kernels"


def test_a_build_that_fails_ends_the_side_with_its_last_words(rebuilding: Rebuilding, links: Path) -> None:
    system = SYSTEM.replace('"tinybuild"\n', '"own"\nbackend-path = ["."]\n')
    files = {
        "pyproject.toml": f'{system}[project]\nname = "credit"\nversion = "1"\n',
        "own.py": "def build_wheel(*a, **k):\n    raise SystemExit('the model is too large')\n",
    }
    with pytest.raises(Inconclusive, match="the project credit cannot be built: the model is too large") as error:
        rebuilding(files, project="pyproject.toml")
    assert error.value.do == "record an image"
    with pytest.raises(Inconclusive, match=re.escape("the project credit has to be built, which --no-build forbids")):
        rebuilding(files, Settings(no_build=True), project="pyproject.toml")


def test_a_folder_without_a_project_is_told(rebuilding: Rebuilding, links: Path) -> None:
    with pytest.raises(Inconclusive, match=r"there is no project in libs/core of commit"):
        rebuilding({"r.txt": "-e libs/core\n"}, requirements="r.txt")


@pytest.mark.network
def test_a_setup_py_of_its_time_is_built_and_never_executed_here(rebuilding: Rebuilding, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch()
    setup = f"import os\nif os.path.exists({str(secret)!r}): 1 / 0\n"
    setup += "from setuptools import setup\nsetup(name='old', version='0.1', py_modules=['old'],\n"
    setup += "      install_requires=open('needs.txt').read().split())\n"
    files = {"setup.py": setup, "old.py": "VALUE = 1\n", "needs.txt": "six==1.16.0\n"}
    built, _ = rebuilding(files, project="setup.py")
    assert versions(built) == {"old": "0.1", "six": "1.16.0"}


def test_a_lock_of_this_machine_installs_the_project_of_the_commit(rebuilding: Rebuilding, links: Path) -> None:
    lock = links.parent / "uv.lock"
    package = '[[package]]\nname = "credit"\nversion = "1.0"\nsource = { editable = "." }\n'
    lock.write_text(f'version = 1\nrequires-python = ">=3.11"\n{package}')
    built, part = rebuilding(project("credit"), lock=f"file:{lock}")
    assert versions(built) == {"credit": "1.0"}
    assert "credit built from the commit" in part.how


POETRY = '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n[tool.poetry]\n'
POETRY += 'name = "only-scripts"\nversion = "1"\n[tool.poetry.dependencies]\npython = ">=3.8"\n'


def test_a_project_of_poetry_without_a_package_is_left_out_as_by_poetry(rebuilding: Rebuilding, links: Path) -> None:
    wheel(links, "helper", 1)
    files = {"pyproject.toml": f'{POETRY}helper = "1"\n', "src/train.py": "import helper\n"}
    built, part = rebuilding(files, project="pyproject.toml")
    assert versions(built) == {"helper": "1"}
    assert "the project only-scripts has no package only_scripts, so only its dependencies are installed" in (
        "; ".join(part.warnings)
    )
    assert part.matches == "unknown"


@pytest.mark.parametrize(("version", "is_seeded"), [("1.1", True), ("2.0", True), ("2.1", False)])
def test_environments_of_poetry_1_have_setuptools(
    rebuilding: Rebuilding, links: Path, version: str, is_seeded: bool
) -> None:
    lock = f'package = []\n[metadata]\nlock-version = "{version}"\npython-versions = ">=3.8"\ncontent-hash = ""\n'
    built, part = rebuilding({"pyproject.toml": POETRY, "poetry.lock": lock}, lock="poetry.lock")
    has_setuptools = "setuptools" in built.inventory.python_packages
    assert has_setuptools == ("as venv adds it" in part.how)
    bundled = (Path(built.interpreter_root) / "lib" / f"python{OWN}" / "ensurepip/_bundled").glob("setuptools-*.whl")
    assert has_setuptools == (is_seeded and any(bundled))
