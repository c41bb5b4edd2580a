"""Each format's own notions: groups and extras, members, workspaces, conflicts, older versions, other indexes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from repro_tui.formats.locks import Locked, locked
from repro_tui.formats.locks.poetry_versions import allows
from repro_tui.model.errors import Inconclusive

POETRY = Path(__file__).parent / "poetry-1.8"
INDEX = "https://pypi.org/simple"
MARKERS = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.7",
    "python_version": "3.11",
    "sys_platform": "linux",
}


def names(contents: Locked) -> list[str]:
    return [pin.split()[0] for pin in contents.pins]


def package(name: str, version: str = "1", source: Any = None, **more: Any) -> dict[str, Any]:
    """A package of a uv.lock."""
    files = [] if "version" not in {"version"} else [{"hash": "sha256:aa"}]
    return {"name": name, "version": version, "source": source or {"registry": INDEX}, "wheels": files, **more}


def needs(*wanted: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, **more} for name in wanted]


def uv(*packages: dict[str, Any], groups: tuple[str, ...] = (), **more: Any) -> Locked:
    document = {"version": 1, "revision": 3, "requires-python": ">=3.9", **more, "package": list(packages)}
    return locked(tomli_w.dumps(document).encode(), "uv.lock", MARKERS, groups)


APP = package(
    "app",
    source={"editable": "."},
    dependencies=needs("a"),
    **{
        "optional-dependencies": {"fast": needs("b")},
        "dev-dependencies": {"dev": needs("c"), "serve": needs("d")},
    },
)
REST = [package(name) for name in "abcd"]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [((), ["a==1"]), (("fast",), ["a==1", "b==1"]), (("Serve", "dev"), ["a==1", "c==1", "d==1"])],
)
def test_the_main_dependencies_and_the_named_groups_of_a_uv_lock(groups: tuple[str, ...], expected: list[str]) -> None:
    contents = uv(APP, *REST, groups=groups)
    assert names(contents) == expected
    assert contents.members == (".",)


def test_a_group_that_a_lock_does_not_have_is_told_with_those_that_it_has() -> None:
    with pytest.raises(
        Inconclusive, match=r"no group or extra absent: it has dev, fast, serve\. Correct env"
    ) as caught:
        uv(APP, *REST, groups=("absent",))
    assert caught.value.do == "correct environment.groups"


def test_members_of_a_workspace_are_installed_if_the_project_needs_them() -> None:
    app = package("app", source={"virtual": "."}, dependencies=needs("core"))
    core = package("core", source={"editable": "packages/core"}, dependencies=needs("a"))
    tools = package("tools", source={"editable": "packages/tools"}, dependencies=needs("b"))
    manifest = {"members": ["app", "core", "tools"]}
    contents = uv(app, core, tools, *REST, manifest=manifest)
    assert (contents.members, names(contents)) == (("packages/core",), ["a==1"])
    # A root that is no project has all of its members installed, and its own groups.
    manifest = {"members": ["core", "tools"], "dependency-groups": {"dev": [{"name": "c", "specifier": ">=1"}]}}
    contents = uv(core, tools, *REST, manifest=manifest)
    assert (contents.members, names(contents)) == (("packages/core", "packages/tools"), ["a==1", "b==1"])
    assert names(uv(core, tools, *REST, manifest=manifest, groups=("dev",))) == ["a==1", "b==1", "c==1"]


@pytest.mark.parametrize(("extra", "version"), [("cpu", "2.5.1+cpu"), ("gpu", "2.5.1")])
def test_extras_that_exclude_each_other_choose_their_own_version(extra: str, version: str) -> None:
    cpu = {"registry": "https://download.example/cpu"}
    wanted = {
        name: [{"name": "torch", "version": number, "source": source, "marker": f"extra == 'extra-3-app-{name}'"}]
        for name, number, source in (("cpu", "2.5.1+cpu", cpu), ("gpu", "2.5.1", {"registry": INDEX}))
    }
    app = package("app", source={"virtual": "."}, **{"optional-dependencies": wanted})
    both = [package("torch", "2.5.1+cpu", cpu), package("torch", "2.5.1")]
    contents = uv(app, *both, groups=(extra,))
    assert names(contents) == [f"torch=={version}"]
    assert bool(contents.left_out) == (extra == "cpu")
    assert all("https://download.example/cpu" in sentence for sentence in contents.left_out)


def test_the_version_of_a_fork_is_the_one_for_this_python() -> None:
    app = package(
        "app",
        source={"virtual": "."},
        dependencies=[
            {"name": "n", "version": "1", "source": {"registry": INDEX}, "marker": "python_full_version < '3.10'"},
            {"name": "n", "version": "2", "source": {"registry": INDEX}, "marker": "python_full_version >= '3.10'"},
        ],
    )
    assert names(uv(app, package("n", "1"), package("n", "2"))) == ["n==2"]


def test_the_first_uv_locks_called_packages_distributions() -> None:
    text = """
version = 1
[[distribution]]
name = "app"
version = "1"
source = "editable+."
dependencies = [{name = "a"}]
[[distribution]]
name = "a"
version = "2"
source = "registry+https://pypi.org/simple"
wheels = [{hash = "sha256:aa"}]
"""
    contents = locked(text.encode(), "uv.lock", MARKERS)
    assert (names(contents), contents.members) == (["a==2"], (".",))


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("uv.lock", {"version": 1, "requires-python": ">=3.12", "package": [APP, *REST]}),
        ("pylock.toml", {"lock-version": "1.0", "requires-python": ">=3.12", "packages": []}),
        ("poetry.lock", {"package": [], "metadata": {"lock-version": "2.1", "python-versions": "^3.12"}}),
        (
            "pdm.lock",
            {
                "package": [],
                "metadata": {
                    "lock_version": "4.5.0",
                    "strategy": ["inherit_metadata"],
                    "targets": [{"requires_python": ">=3.12"}],
                },
            },
        ),
    ],
    ids=["uv", "pylock", "poetry", "pdm"],
)
def test_a_lock_for_another_python_is_not_used(name: str, document: dict[str, Any]) -> None:
    with pytest.raises(Inconclusive, match=r"is for Python .*3\.12, and the environment has 3\.11\.7"):
        locked(tomli_w.dumps(document).encode(), name, MARKERS)


def test_a_pylock_has_default_groups_extras_and_folders() -> None:
    entries = [
        {"name": "main", "version": "1", "marker": "'default' in dependency_groups"},
        {"name": "b", "version": "1", "marker": "'fast' in extras"},
        {"name": "c", "version": "1", "marker": "'serve' in dependency_groups or 'all' in extras"},
    ]
    files = {"wheels": [{"hashes": {"sha256": "aa"}}]}
    document = {
        "lock-version": "1.0",
        "extras": ["fast", "all"],
        "dependency-groups": ["serve"],
        "default-groups": ["default"],
        "packages": [*({**entry, **files} for entry in entries), {"name": "app", "directory": {"path": "."}}],
    }
    content = tomli_w.dumps(document).encode()
    assert names(locked(content, "pylock.toml", MARKERS)) == ["main==1"]
    contents = locked(content, "pylock.toml", MARKERS, ("fast", "serve"))
    assert (names(contents), contents.members) == (["b==1", "c==1", "main==1"], (".",))
    document["environments"] = ["sys_platform == 'win32'"]
    with pytest.raises(Inconclusive, match="for other platforms"):
        locked(tomli_w.dumps(document).encode(), "pylock.toml", MARKERS)


# What Poetry 1.8.5 itself installed from the lock in this folder, with Python 3.11 on Linux.
MAIN = ["jinja2==3.1.6", "markupsafe==2.1.5", "packaging==24.2", "tabulate==0.9.0", "wcwidth==0.8.5"]
MORE = ["h11==0.14.0", "python-dateutil==2.9.0.post0", "six==1.17.0"]
DEV = ["iniconfig==2.1.0", "pluggy==1.5.0", "pytest==8.3.5"]


def as_older(content: bytes, version: str) -> bytes:
    """A lock of Poetry 1.8 in the shape of an older version, which has all hashes in one table."""
    document = tomllib.loads(content.decode())
    files = {entry["name"]: entry.pop("files") for entry in document["package"]}
    document["metadata"]["lock-version"] = version
    if version == "1.0":
        plain = {name: [file["hash"].removeprefix("sha256:") for file in listed] for name, listed in files.items()}
        document["metadata"].update(hashes=plain)
        del document["metadata"]["lock-version"]
    else:
        document["metadata"]["files"] = files
    return tomli_w.dumps(document).encode()


@pytest.mark.parametrize("version", ["2.0", "1.1", "1.0"])
@pytest.mark.parametrize(
    ("groups", "expected"),
    [((), MAIN), (("serve", "fast"), MAIN + MORE), (("serve", "fast", "dev"), MAIN + MORE + DEV)],
    ids=["main", "more", "all"],
)
def test_an_older_poetry_lock_is_followed_from_its_project(
    version: str, groups: tuple[str, ...], expected: list[str]
) -> None:
    content, project = ((POETRY / name).read_bytes() for name in ("poetry.lock", "pyproject.toml"))
    content = content if version == "2.0" else as_older(content, version)
    contents = locked(content, "poetry.lock", MARKERS, groups, project)
    assert names(contents) == sorted(expected)
    assert all("--hash=sha256:" in pin for pin in contents.pins)
    assert contents.members == (".",)
    older = {**MARKERS, "python_version": "3.8", "python_full_version": "3.8.18"}
    assert "packaging==23.2" in names(locked(content, "poetry.lock", older, (), project))


def test_an_older_poetry_lock_needs_its_project() -> None:
    content = (POETRY / "poetry.lock").read_bytes()
    with pytest.raises(Inconclusive, match="does not say what the project itself requires") as caught:
        locked(content, "poetry.lock", MARKERS)
    assert "pyproject.toml" in caught.value.do
    changed = b'[tool.poetry.dependencies]\npython = "^3.8"\nscipy = "^1.0"\n'
    with pytest.raises(Inconclusive, match="no version of scipy"):
        locked(content, "poetry.lock", MARKERS, (), changed)


def test_a_poetry_lock_has_markers_for_each_group() -> None:
    entry = {
        "name": "a",
        "version": "1",
        "groups": ["main", "serve"],
        "markers": {"main": "sys_platform == 'win32'", "serve": "sys_platform == 'linux'"},
        "files": [{"file": "a", "hash": "sha256:aa"}],
    }
    extra = {**entry, "name": "b", "groups": ["main"], "markers": "extra == 'fast'", "optional": True}
    other_index = {**entry, "name": "c", "groups": ["main"], "markers": "os_name == 'posix'"}
    other_index["source"] = {"type": "legacy", "url": "https://user:secret@wheels.example/simple", "reference": "own"}
    metadata = {"lock-version": "2.1", "python-versions": ">=3.9,<4.0"}
    document = {"package": [entry, extra, other_index], "extras": {"fast": ["b"]}, "metadata": metadata}
    content, project = tomli_w.dumps(document).encode(), b'[project]\nname = "app"\n[tool.poetry]\npackage-mode = false'
    contents = locked(content, "poetry.lock", MARKERS, (), project)
    assert (names(contents), contents.members) == (["c==1"], ())
    assert len(contents.left_out) == 1
    assert "wheels.example" in contents.left_out[0]
    assert "secret" not in contents.left_out[0]
    assert names(locked(content, "poetry.lock", MARKERS, ("serve", "fast"), project)) == ["a==1", "b==1", "c==1"]


def test_a_pipfile_lock_leaves_out_what_is_for_another_platform() -> None:
    good = {"version": "==1.0", "hashes": ["sha256:aa"], "index": "pypi"}
    document = {
        "_meta": {"sources": [{"name": "pypi", "url": INDEX}], "requires": {"python_version": "3.8"}},
        "default": {
            "A": good,
            "winonly": {"version": "*", "markers": "sys_platform == 'win32'"},
            "older": {"version": "*", "os_name": "== 'nt'"},
            "app": {"editable": True, "path": "."},
        },
        "develop": {"b": good},
        "serve": {"c": good},
    }
    content = json.dumps(document).encode()
    contents = locked(content, "Pipfile.lock", MARKERS)
    assert (names(contents), contents.members) == (["a==1.0"], (".",))
    assert contents.left_out == (
        "Pipfile.lock was made for Python 3.8, and the environment has 3.11: correct environment.python",
    )
    assert names(locked(content, "Pipfile.lock", MARKERS, ("dev", "serve"))) == ["a==1.0", "b==1.0", "c==1.0"]
    document["default"] = {"x": {"git": "https://h.example/x", "ref": "main"}}
    with pytest.raises(Inconclusive, match="takes x from a file, a repository or a URL"):
        locked(json.dumps(document).encode(), "Pipfile.lock", MARKERS)


@pytest.mark.parametrize(
    ("constraint", "version", "allowed"),
    [
        ("^1.2", "1.9", True),
        ("^1.2", "2.0", False),
        ("^1.2", "2.0rc1", False),
        ("^0.2.3", "0.3.0", False),
        ("^0.2.3", "0.2.9", True),
        ("^0.0.3", "0.0.4", False),
        ("~1.2", "1.3", False),
        ("~1", "1.9", True),
        ("1.*", "1.9", True),
        ("1.2", "1.2.0", True),
        (">=1,<2 || >=3", "3.1", True),
        (">=1,<2|>=3", "2.1", False),
        (">= 1.0, < 2.0", "1.5", True),
        (">=1.0 <2.0", "2.5", False),
        ("~=1.4.2", "1.4.9", True),
        ("!=1.5,>=1", "1.5", False),
        ("*", "5", True),
        ("", "5", True),
    ],
)
def test_poetrys_notation_of_versions(constraint: str, version: str, allowed: bool) -> None:
    assert allows(constraint, version) is allowed


@pytest.mark.parametrize(
    ("content", "right"),
    [
        (b"name: x\nchannels: [conda-forge]\ndependencies:\n  - python=3.10\n", "conda"),
        (b"numpy==1.26.4 \\\n  --hash=sha256:aa\nscipy>=1\n", "requirements"),
        (b"FROM python:3.11\nRUN pip install numpy\n", "dockerfile"),
        (b'[project]\nname = "x"\n', "project"),
    ],
)
def test_what_is_no_lock_names_its_own_field(content: bytes, right: str) -> None:
    with pytest.raises(Inconclusive) as caught:
        locked(content, "some.file", MARKERS)
    assert caught.value.do == f"record it as environment.{right} instead of environment.lock"
