"""Requirements files as people have them: included files, constraints, encodings, options; and their resolution."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.version import Version

from repro_tui.audit.plan import _requirements_mistakes
from repro_tui.formats.requirements import RequirementsFile, read_requirements
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Code, Environment, Record
from tests.rebuild.environments.rebuilding import OWN, Rebuilding, versions
from tests.wheels import wheel


def read(name: str, **files: str | bytes) -> RequirementsFile:
    contents = {
        path.replace("__", "/"): text if isinstance(text, bytes) else text.encode() for path, text in files.items()
    }

    def content(path: str) -> bytes:
        if path not in contents:
            raise FileNotFoundError(path)
        return contents[path]

    return read_requirements(name, content)


def mistakes(file: RequirementsFile) -> list[str]:
    return [str(mistake) for mistake in file.mistakes]


def test_files_are_included_from_where_they_are_and_constraints_only_limit() -> None:
    file = read(
        "env/dev",
        env__dev="-r base\n-c ../limits\nx",
        env__base="-rmore/y\na",
        env__more__y="b",
        limits="a<2",
    )
    assert [str(line.requirement) for line in file.lines] == ["b", "a", "x"]
    assert [str(line.requirement) for line in file.constraints] == ["a<2"]
    assert not file.mistakes


def test_a_file_of_this_machine_is_read_with_what_it_includes(
    rebuilding: Rebuilding, links: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.txt").write_text("-r base.txt\n-c base.txt\n")
    (tmp_path / "base.txt").write_text(wheel(links, "alpha", 1))
    built, _ = rebuilding({"a": "x"}, requirements=f"file:{tmp_path}/own.txt")
    assert versions(built) == {"alpha": "1"}
    (tmp_path / "own.txt").write_text("-r ../base.txt\n")
    with pytest.raises(Refused, match="outside the folder"):
        rebuilding({"a": "x"}, requirements=f"file:{tmp_path}/own.txt")


def test_hashes_of_constraints_and_of_any_line_are_verified(rebuilding: Rebuilding, links: Path) -> None:
    pin = wheel(links, "alpha", 1)
    recorded = f"{pin} --hash=sha256:{'0' * 64}\n"
    for files in ({"r": "-c c\nalpha\n", "c": recorded}, {"r": f"{recorded}-r s\n", "s": f"{pin}\n"}):
        with pytest.raises(Inconclusive, match=r"[Hh]ash mismatch"):
            rebuilding(files, requirements="r")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_the_encodings_that_editors_and_shells_write(encoding: str) -> None:
    file = read("r", r="six==1.16.0  # größer\r\n".encode(encoding))
    assert [line.text for line in file.lines] == ["six==1.16.0"]
    (mistake,) = mistakes(read("r", r=b"six\xff\xe4==1\n"))
    assert "r: it is neither UTF-8 nor UTF-16" in mistake


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"r": "-r r"}, "r: line 1: r includes itself"),
        ({"r": "a\n-r s", "s": "-r r"}, "s: line 1: r includes itself"),
        ({"r": "-r ../s"}, "r: line 1: ../s is outside the folder of the code"),
        ({"r": "-r /etc/passwd"}, "r: line 1: /etc/passwd is outside the folder of the code"),
        ({"r": "\n-r absent"}, "r: line 2: absent is not in the commit: commit it"),
        ({"r": "-r https://me:secret1@h/x"}, "is a URL: commit that file"),
        ({"r": "-e ../other"}, "../other is outside the folder of the code"),
        ({"r": "-e git+https://h/x"}, "comes from a repository: record a released version"),
        ({"r": "./dist/x-1-py3-none-any.whl"}, "is a package file"),
        ({"r": "-f https://h/x"}, "the option -f is not allowed in a requirements file: set the index"),
        ({"r": "--extra-index-url=https://h/x"}, "UV_INDEX"),
    ],
)
def test_what_is_refused_is_named_with_its_line_and_a_remedy(files: dict[str, str], reason: str) -> None:
    (mistake,) = mistakes(read("r", **files))
    assert reason in mistake
    assert "secret1" not in mistake


def test_projects_and_options() -> None:
    file = read("r", r="-e .\n-e ./libs/core[b,a]\n./tools\n--no-binary :all:\n--require-hashes\n--pre\n")
    assert [(project.folder, project.extras) for project in file.projects] == [
        (".", ()),
        ("libs/core", ("a", "b")),
        ("tools", ()),
    ]
    assert file.ignored == ["r: line 4: --no-binary :all: is not honoured", "r: line 6: --pre is not honoured"]
    assert not file.mistakes


def test_all_of_it_is_built(rebuilding: Rebuilding, links: Path) -> None:
    wheel(links, "helper", 1)
    wheel(links, "helper", 2)
    wheel(links, "app", 1, requires=("helper",))
    files = {
        "r.txt": "-r env/more.txt\n".encode("utf-16"),
        "env/more.txt": "app==1\n-c limits.txt\n--pre\n",
        "env/limits.txt": "helper<2",
    }
    built, part = rebuilding(files, requirements="r.txt")
    assert versions(built) == {"app": "1", "helper": "1"}
    assert part.warnings == (
        "env/more.txt: line 3: --pre is not honoured",
        "1 package not recorded, resolved as of 2026-01-05, the commit's date: helper==1",
    )


def test_a_file_of_this_machine_includes_from_its_own_folder(
    rebuilding: Rebuilding, links: Path, tmp_path: Path
) -> None:
    wheel(links, "app", 1)
    (tmp_path / "mine" / "more").mkdir(parents=True)
    (tmp_path / "mine" / "r.txt").write_text("-r more/r.txt\n")
    (tmp_path / "mine" / "more" / "r.txt").write_text("app\n")
    built, _ = rebuilding({"a": ""}, requirements=f"file:{tmp_path}/mine/r.txt")
    assert versions(built) == {"app": "1"}
    (tmp_path / "mine" / "r.txt").write_text("-r ../outside.txt\n")
    (tmp_path / "outside.txt").write_text("app\n")
    with pytest.raises(Refused, match="is outside the folder"):
        rebuilding({"a": ""}, requirements=f"file:{tmp_path}/mine/r.txt")


def test_it_is_refused_before_anything_runs_and_when_it_is_rebuilt(rebuilding: Rebuilding) -> None:
    files = {"r.txt": "-r more.txt\n-r absent.txt\n", "more.txt": "--index-url https://h/x\n"}
    commit = rebuilding.commit(files)
    code = Code(str(rebuilding.repository.folder), commit)
    record = Record("a", "a", code=code, environment=Environment(requirements="r.txt"))
    places = [mistake.place for mistake in _requirements_mistakes(record, rebuilding.context)]
    assert places == ["more.txt: line 1", "r.txt: line 2"]
    with pytest.raises(Refused, match=re.escape("more.txt: line 1")):
        rebuilding(files, requirements="r.txt")


def test_below_python_3_12_there_is_the_setuptools_of_venv(rebuilding: Rebuilding) -> None:
    built, part = rebuilding({"r.txt": ""}, requirements="r.txt")
    package = built.inventory.python_packages.get("setuptools")
    if OWN in ("3.10", "3.11") and "as venv adds it" in part.how:
        assert package is not None
        assert f"setuptools {package.version} as venv adds it" in part.how
        assert package.source == "index"
    else:
        assert package is None
    assert part.matches == "matches"


@pytest.mark.network
def test_what_is_not_pinned_is_of_the_commits_date(rebuilding: Rebuilding) -> None:
    built, part = rebuilding({"r.txt": "certifi\n"}, requirements="r.txt")
    assert Version("2025.1") < Version(versions(built)["certifi"]) < Version("2026.1.5")
    assert part.matches == "unknown"
    older, _ = rebuilding({"r.txt": "certifi\n"}, requirements="r.txt", as_of="2024-03-01T00:00:00Z")
    assert Version(versions(older)["certifi"]) < Version("2024.3.1")
    pinned, _ = rebuilding({"r.txt": "certifi==2026.1.4\n"}, requirements="r.txt", as_of="2024-03-01T00:00:00Z")
    assert versions(pinned) == {"certifi": "2026.1.4"}  # what is recorded is younger than the time: it is what was used


def test_a_project_file_that_names_no_such_group_is_told(rebuilding: Rebuilding, links: Path) -> None:
    text = '[project]\nname = "x"\nversion = "1"\n[dependency-groups]\ndev = []\n'
    with pytest.raises(Inconclusive, match="no group or extra test: it has dev"):
        rebuilding({"pyproject.toml": text}, project="pyproject.toml", groups=("test",))
    built, part = rebuilding({"pyproject.toml": text}, project="pyproject.toml", groups=("dev",))
    assert versions(built) == {}
    assert part.warnings == ("pyproject.toml does not say how it is built, so the project itself is not installed",)
