"""What two sides declare of their environments and data is compared, and never called more than that."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from repro_tui.compare.declared import compare_declared_data, compare_declared_environment
from repro_tui.compare.environment import compare_environment, with_differing_basis
from repro_tui.compare.pointers import pointing_at_each_other
from repro_tui.model.finding import Area, Finding, area_of, not_recorded
from repro_tui.model.inventory import Inventory, PythonPackage
from repro_tui.model.record import Code, DataItem, Environment, Parameters, Predict, Record
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.declared.side import declare
from repro_tui.report.words import finding_note
from repro_tui.support.context import Context
from tests.conftest import GitRepository

Make = Callable[[str], GitRepository]
CONDA = "dependencies:\n  - python=3.11.9\n  - numpy{}\n  - pip:\n    - six=={}\n"
PROJECT = '[project]\nname = "x"\ndependencies = ["numpy{}"]\n[dependency-groups]\nserve = ["six=={}"]\n'
UV_LOCK = (
    'version = 1\n[[package]]\nname = "x"\nversion = "1"\nsource = {{ virtual = "." }}\n'
    'dependencies = [{{ name = "numpy" }}, {{ name = "six" }}]\n'
    '[[package]]\nname = "numpy"\nversion = "{}"\nsource = {{ registry = "https://pypi.org/simple" }}\n'
    'wheels = [{{ url = "u", hash = "sha256:aa" }}]\n'
    '[[package]]\nname = "six"\nversion = "{}"\nsource = {{ registry = "https://pypi.org/simple" }}\n'
    'wheels = [{{ url = "u", hash = "sha256:aa" }}]\n'
)


def record(commit: str, repository: GitRepository, **fields: object) -> Record:
    whole = Record("x", "x", base=str(repository.folder), code=Code(str(repository.folder), commit))
    return replace(whole, **fields)  # type: ignore[arg-type]


def environments(repository: GitRepository, context: Context, files: list[dict[str, str]], **kind: object) -> Area:
    """The area of two commits with these files, and environments of one kind."""
    sides = [
        declare(record(repository.commit(contents), repository, environment=Environment(**kind)), context)  # type: ignore[arg-type]
        for contents in files
    ]
    return compare_declared_environment(sides[0], sides[1], context)


@pytest.mark.parametrize(
    ("kind", "name", "text", "a", "b"),
    [
        ("requirements", "requirements.txt", "numpy{}\nsix=={}\n", "==1.26.4", "==2.1.3"),
        ("conda", "environment.yml", CONDA, "=1.26.4", "=2.1.3"),
        ("project", "pyproject.toml", PROJECT, "==1.26.4", "==2.1.3"),
        ("lock", "uv.lock", UV_LOCK, "1.26.4", "2.1.3"),
    ],
)
def test_packages_are_listed_by_name_and_version(
    git_repository: Make, context: Context, kind: str, name: str, text: str, a: str, b: str
) -> None:
    repository = git_repository("project")
    groups = {"groups": ("serve",)} if kind == "project" else {}
    area = environments(
        repository, context, [{name: text.format(v, "1.16.0")} for v in (a, b)], **{kind: name}, **groups
    )
    assert (area.status, area.basis) == ("different", "declared")
    (finding,) = [finding for finding in area.findings if finding.path[0] == "packages"]
    assert (finding.path[1], finding.a, finding.b, finding.severity) == ("numpy", "1.26.4", "2.1.3", "important")
    pinned = environments(repository, context, [{name: text.format(a, "1.16.0")}] * 2, **{kind: name}, **groups)
    assert (pinned.status, pinned.basis) == ("same", "declared")


def test_a_package_without_a_version_is_never_the_same(git_repository: Make, context: Context) -> None:
    files = [{"requirements.txt": "numpy\npandas>=2\nsix==1.16.0\n"}] * 2
    area = environments(git_repository("project"), context, files, requirements="requirements.txt")
    assert (area.status, area.counts["unknown"]) == ("unknown", 1)
    assert "2 packages declared alike, but not pinned" in area.findings[0].note
    assert "numpy and pandas" in area.findings[0].note


CONDA_PIP = "dependencies:\n  - python=3.11.9\n  - pip:\n    - six==1.16.0\n{}"
SIX = "six==1.16.0\n"


@pytest.mark.parametrize(
    ("kind", "name", "a", "b", "shown"),
    [
        ("requirements", "r.txt", SIX, f"{SIX}./broken\n", "project broken"),
        ("requirements", "r.txt", f"{SIX}-e .\n", f"{SIX}-e .[gpu]\n", "[gpu]"),
        ("requirements", "r.txt", "x[a]==1.0\n", "x[b]==1.0\n", "1.0 [b]"),
        ("requirements", "r.txt", SIX, f"{SIX}--no-binary :all:\n", ""),
        ("conda", "e.yml", CONDA_PIP.format(""), CONDA_PIP.format("    - -e ./broken\n"), "project broken"),
        ("conda", "e.yml", CONDA_PIP.format(""), CONDA_PIP.format("    - --pre\n"), ""),
    ],
    ids=["project", "extras of a project", "extras", "option", "project in conda", "option in conda"],
)
def test_nothing_that_only_one_side_installs_is_left_out(
    git_repository: Make, context: Context, kind: str, name: str, a: str, b: str, shown: str
) -> None:
    area = environments(git_repository("project"), context, [{name: a}, {name: b}], **{kind: name})
    assert area.status != "same", area
    assert shown in " ".join(f"{finding.path} {finding.a} {finding.b}" for finding in area.findings)


def test_a_release_of_conda_is_not_one_version(git_repository: Make, context: Context) -> None:
    specs = ("a=3.11", "b==3.11", "c=1.2.3", "d=1.2=py_0", "e >=1", "f=1.*")
    text = "dependencies:\n" + "".join(f"  - {spec}\n" for spec in specs)
    repository = git_repository("project")
    commit = repository.commit({"e.yml": text})
    declared = declare(record(commit, repository, environment=Environment(conda="e.yml")), context).environment
    assert declared.unpinned == {"a", "e", "f"}


def test_a_file_that_cannot_be_read_is_compared_by_its_digest(git_repository: Make, context: Context) -> None:
    files = [{"setup.py": "one = 1\n"}, {"setup.py": "one = 2\n"}]
    area = environments(git_repository("project"), context, files, project="setup.py")
    assert {finding.path: finding.change for finding in area.findings} == {
        ("declared", "contents"): "changed",
        ("packages",): "unknown",
    }


def test_lines_that_cannot_be_read_are_counted_and_secrets_are_not_shown(
    git_repository: Make, context: Context
) -> None:
    text = "-r canary.txt\nx @ https://canary-user:canary@h/x.whl\nsix==1.16.0\n"
    area = environments(git_repository("p"), context, [{"r.txt": text}] * 2, requirements="r.txt")
    assert area.status == "unknown"
    assert "2 lines could not be read" in str(area.findings)
    assert "canary-user" not in str(area)


def test_kinds_of_which_a_build_shows_more(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    files = [{"Dockerfile": "FROM a\n"}, {"Dockerfile": "FROM b\n"}]
    area = environments(repository, context, files, dockerfile="Dockerfile")
    assert [finding.path for finding in area.findings] == [("declared", "contents"), ("packages",)]
    assert environments(repository, context, files[:1] * 2, image="i:1").status == "unknown"
    assert environments(repository, context, files[:1] * 2, image=f"i@sha256:{'0' * 64}").status == "same"
    assert environments(repository, context, files[:1] * 2).status == "not-recorded"


def test_a_package_that_is_declared_alike_and_built_differently_is_marked(context: Context) -> None:
    built = [Inventory(python_packages={name: PythonPackage(v) for name in ("a", "b", "c")}) for v in "12"]
    declared = area_of((Finding(("packages", "a"), "changed"),), 0)
    area = with_differing_basis(compare_environment(built[0], built[1], context), declared, {"a", "b"})
    assert [(f.path[1], f.basis) for f in area.findings] == [("a", None), ("b", "built"), ("c", None)]
    assert finding_note(area.findings[1]) == "major release; as built"
    assert (area.status, area.basis) == ("different", "built")


def data(repository: GitRepository, context: Context, *sides: tuple[str, tuple[DataItem, ...]]) -> Area:
    a, b = (declare(record(commit, repository, data=items), context) for commit, items in sides)
    return compare_declared_data(a, b, context)


def test_recorded_hashes_are_compared(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    commit = repository.commit({"x": "1"})
    items = [(DataItem("m", "file", sha256=c * 64), DataItem("n", "file")) for c in "01"]
    area = data(repository, context, (commit, items[0]), (commit, items[1]))
    assert [(f.path, f.change, f.note) for f in area.findings] == [
        (("m",), "changed", "as recorded"),
        (("n",), "unknown", "A: no hash was recorded; B: no hash was recorded"),
    ]
    assert data(repository, context, (commit, items[0][:1]), (commit, items[0][:1])).status == "same"
    assert data(repository, context, (commit, ()), (commit, ())) == not_recorded()


def test_files_of_the_commit_and_dvc_pointers_are_read_from_it(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    pointer = "outs:\n- md5: {}\n  hash: md5\n  path: t.csv\n"
    lock = (
        "schema: '2.0'\nstages:\n  train:\n    cmd: x\n    outs:\n    - path: model\n      hash: md5\n      md5: {}\n"
    )
    commits = [
        repository.commit(
            {"d/a": "1", "d/b": n, "t.csv.dvc": pointer.format(n * 32), "dvc.lock": lock.format("c" * 32)}
        )
        for n in "ab"
    ]
    items = (DataItem("d", "git"), DataItem("t.csv", "dvc"), DataItem("model", "dvc"), DataItem("gone", "dvc"))
    area = data(repository, context, *((commit, items) for commit in commits))
    changes = {finding.path[0]: finding.change for finding in area.findings}
    assert changes == {"d": "changed", "t.csv": "changed", "gone": "unknown"}
    assert area.counts["same"] == 1


def test_a_live_endpoint_declares_nothing(git_repository: Make, context: Context, tmp_path: Path) -> None:
    repository = git_repository("project")
    commit = repository.commit({"x": "1"})
    live = declare(record(commit, repository, predict=Predict(url="http://localhost:1/")), context)
    side = declare(record(commit, repository), context)
    assert compare_declared_environment(side, live, context).status == "unknown"
    assert compare_declared_data(live, side, context).status == "unknown"


def test_areas_point_at_files_that_look_like_theirs() -> None:
    names = ("model.json", "conf/a.yaml", "t.csv", "p.py", ".github/ci.yml", "environment.yml")
    code = area_of(tuple(Finding((name,), "changed") for name in names), 0)
    areas = pointing_at_each_other(code, not_recorded(), not_recorded(), {"environment.yml"})
    assert areas[0].note.startswith("model.json, conf/a.yaml and t.csv look like data or parameters")
    assert areas[1].note.startswith("model.json and conf/a.yaml changed in the code")
    assert areas[2].note.startswith("model.json and t.csv changed in the code")
    assert [area.status for area in areas] == ["different", "not-recorded", "not-recorded"]
    assert pointing_at_each_other(area_of((), 3), not_recorded(), not_recorded(), ()) == (
        area_of((), 3),
        not_recorded(),
        not_recorded(),
    )


def test_included_files_constraints_and_projects_are_read(git_repository: Make, context: Context) -> None:
    files = {
        "env/r.txt": "-r more.txt\n-c limits.txt\nnumpy\n-e ./own\n",
        "env/more.txt": "six==1.16.0\n",
        "env/limits.txt": "numpy==1.26.4\nabsent<2\n",
        "own/pyproject.toml": '[project]\nname = "own"\ndependencies = ["attrs==24.1.0"]\n',
    }
    repository = git_repository("project")
    commit = repository.commit(files)
    declared = declare(record(commit, repository, environment=Environment(requirements="env/r.txt")), context)
    packages = declared.environment.inventory.python_packages
    assert {name: package.version for name, package in packages.items()} == {
        "six": "1.16.0",
        "numpy": "1.26.4",
        "absent": "if needed, <2",
        "attrs": "24.1.0",
    }
    assert declared.environment.unpinned == {"absent"}
    assert declared.environment.inventory.unknown == {}


def test_the_packages_of_an_explicit_list_of_conda_are_read(git_repository: Make, context: Context) -> None:
    text = "@EXPLICIT\nhttps://conda.anaconda.org/conda-forge/linux-64/numpy-{}-py311h64a7726_0.conda\n"
    files = [{"conda.txt": text.format(version)} for version in ("1.26.4", "2.1.3")]
    area = environments(git_repository("project"), context, files, lock="conda.txt")
    assert [(f.path, f.a, f.b) for f in area.findings] == [(("packages", "numpy"), "1.26.4", "2.1.3")]


CONDA_URL = "https://conda.anaconda.org/t/SECRET/{channel}/linux-64/{name}-{version}-{build}.conda"


def locked(platform: str, version: str, build: str = "0", channel: str = "conda-forge") -> list[dict[str, object]]:
    """numpy of conda, and six of pip, as conda-lock lists them for one platform."""
    url = CONDA_URL.format(channel=channel, name="numpy", version=version, build=build)
    rows = [("numpy", version, "conda", url, "main"), ("six", "1.16", "pip", "https://x/six.whl", "dev")]
    return [
        {"name": name, "version": number, "manager": manager, "platform": platform, "url": place, "category": category}
        | {"hash": {"sha256": "ab" * 32}}
        for name, number, manager, place, category in rows
    ]


def conda_lock_text(*packages: dict[str, object]) -> str:
    return yaml.safe_dump({"version": 1, "metadata": {"platforms": ["linux-64"]}, "package": list(packages)})


def pixi_text(version: str, build: str = "0", pypi: str = "1.16") -> str:
    urls = [CONDA_URL.format(channel="c", name="numpy", version=version, build=build), "https://x/six.whl"]
    listed = {"linux-64": [{"conda": urls[0]}, {"pypi": urls[1]}], "osx-arm64": [{"conda": urls[0]}]}
    details = [{"conda": urls[0], "md5": "ab"}, {"pypi": urls[1], "name": "six", "version": pypi}]
    return yaml.safe_dump({"version": 6, "environments": {"default": {"packages": listed}}, "packages": details})


@pytest.mark.parametrize(
    ("name", "texts", "groups", "differ"),
    [
        ("conda-lock.yml", [conda_lock_text(*locked("linux-64", v)) for v in ("1", "2")], (), [("numpy", "1", "2")]),
        (
            "conda-lock.yml",
            [conda_lock_text(*locked("osx-64", v), *locked("linux-64", "1")) for v in ("1", "2")],
            ("dev",),
            [],
        ),
        ("pixi.lock", [pixi_text("1", pypi=v) for v in ("1.16", "1.17")], (), [("six", "1.16", "1.17")]),
        ("pixi.lock", [pixi_text("1", build) for build in ("0", "1")], (), [("numpy", "1", "1")]),
        (
            "conda-lock.yml",
            [conda_lock_text(*locked("linux-64", "1", "0", channel)) for channel in ("main", "conda-forge")],
            (),
            [("numpy", "1", "1")],
        ),
    ],
)
def test_the_packages_of_a_lock_of_conda_are_read_for_this_platform(
    git_repository: Make,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    texts: list[str],
    groups: tuple[str, ...],
    differ: list[tuple[str, str, str]],
) -> None:
    """Also another build or channel of one version is a difference; a token in a URL is never shown."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    area = environments(git_repository("project"), context, [{name: text} for text in texts], lock=name, groups=groups)
    assert [(finding.path[1], finding.a, finding.b) for finding in area.findings] == differ
    assert area.status == ("different" if differ else "same")
    assert "SECRET" not in repr(area)


@pytest.mark.parametrize(
    ("text", "groups", "reason"),
    [
        (conda_lock_text(*locked("osx-64", "1")), (), "no packages for linux-64, this machine's platform: .*osx-64"),
        (conda_lock_text(*locked("linux-64", "1")), ("absent",), "no category absent"),
        (pixi_text("1"), ("absent",), "no environment absent"),
        (pixi_text("1").replace("name: six", "x: six"), (), "does not name the package of https://x/six.whl"),
        (conda_lock_text() + "a: [", (), "is not valid YAML"),
    ],
)
def test_a_lock_of_conda_that_does_not_fit_is_unknown_and_says_why(
    git_repository: Make,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    groups: tuple[str, ...],
    reason: str,
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    files = [{"conda.lock": text}] * 2
    area = environments(git_repository("project"), context, files, lock="conda.lock", groups=groups)
    assert area.status == "unknown"
    assert re.search(reason, " ".join(finding.note for finding in area.findings))


def test_a_parameters_file_in_git_lfs_is_only_known_when_built(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 3\n"
    commit = repository.commit({"params.yaml": pointer})
    declared = declare(record(commit, repository, parameters=Parameters("params.yaml")), context)
    assert (declared.parameters.values, "Git LFS" in declared.parameters.unknown) == ({}, True)


def test_a_commit_that_was_converted_is_declared_as_it_is_committed(git_repository: Make, context: Context) -> None:
    repository = git_repository("project")
    commit = repository.commit({".gitattributes": "*.txt text eol=crlf\n", "a.txt": "1\n"})
    before = declare(record(commit, repository), context).code.tree
    built, _ = rebuild_code(record(commit, repository), context)
    after = declare(record(commit, repository), context).code.tree
    assert before is not None
    assert after is not None
    assert built is not None
    assert before.files == after.files != built.files
