"""Environments, versions of Python, parameters, data and inputs of a project, each by the files that people have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from repro_tui.clients.git import Repository
from repro_tui.rebuild.environments.pythons.dates import was_settled
from repro_tui.sources.detect.inputs import columns_of, input_tables
from repro_tui.sources.detect.project import DetectedProject, data_files, detect, detected_parts
from repro_tui.sources.detect.python import NamedPython, allows, likely_python
from repro_tui.support.context import Context
from tests.conftest import GIT_ENVIRONMENT, GitRepository

Files = dict[str, str | bytes]
Detecting = Callable[..., DetectedProject]
CONDA = "dependencies: [python=3.9, pip]\n"


@pytest.fixture
def project(git_repository: Callable[[str], GitRepository], context: Context) -> Detecting:
    def make_project(files: Files, code: str = ".") -> DetectedProject:
        repository = git_repository("project")
        commit = repository.commit(files)
        return detect(Repository.open(str(repository.folder), context), commit, code=code)

    return make_project


@pytest.mark.parametrize(
    ("files", "first"),
    [
        ({"uv.lock": "", "requirements.txt": "", "Dockerfile": ""}, "lock uv.lock"),
        ({"pylock.prod.toml": "", "poetry.lock": ""}, "lock pylock.prod.toml"),
        ({"Pipfile.lock": "{}", "setup.py": "setup()"}, "lock Pipfile.lock"),
        ({"conda-lock.yml": "", "environment.yml": CONDA}, "lock conda-lock.yml"),
        ({"environment.yml": CONDA, "Dockerfile": ""}, "conda environment.yml"),
        ({"model/conda_dependencies.yml": CONDA, "Dockerfile": ""}, "conda model/conda_dependencies.yml"),
        ({"dependencies.yml": "dependencies: {a: 1}\n", "Dockerfile": ""}, "dockerfile Dockerfile"),
        ({"conda.yaml": "a: 1\n", "setup.py": "setup()"}, "project setup.py"),
        ({"pyproject.toml": "[tool.black]\n", "setup.cfg": "install_requires = x"}, "project setup.cfg"),
        ({"requirements/prod.txt": "", "requirements/dev.txt": ""}, "requirements requirements/prod.txt"),
        ({"requirements-dev.txt": "", "Dockerfile": ""}, "dockerfile Dockerfile"),
        ({"pyproject.toml": "[project]\nname='x'\n", "docker/Dockerfile": ""}, "dockerfile docker/Dockerfile"),
    ],
)
def test_the_most_exact_file_is_the_environment(project: Detecting, files: Files, first: str) -> None:
    file = project(files).environments[0]
    assert f"{file.kind} {file.path}" == first


def test_the_nearest_file_comes_first(project: Detecting) -> None:
    files: Files = {"ml/requirements.txt": "", "uv.lock": "", "web/requirements.txt": ""}
    found_project = project(files, code="ml/src")
    assert [file.path for file in found_project.environments] == [
        "ml/requirements.txt",
        "uv.lock",
        "web/requirements.txt",
    ]


def test_of_several_projects_none_is_guessed(project: Detecting) -> None:
    parts = detected_parts(project({"a/uv.lock": "", "b/requirements.txt": ""}))
    assert parts.environment.kind == "unrecorded"
    assert "each in a folder of its own: a/uv.lock and b/requirements.txt" in parts.missing[0].why


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({".python-version": "3.11.4\n"}, "3.11.4"),
        ({"runtime.txt": "python-3.9.7"}, "3.9.7"),
        ({"pyproject.toml": "[project]\nrequires-python = '==3.12.*'\n"}, "3.12"),
        ({"Pipfile": "[requires]\npython_version = '3.8'\n"}, "3.8"),
        ({"Pipfile.lock": '{"_meta": {"requires": {"python_version": "3.7"}}}'}, "3.7"),
        ({"environment.yml": "dependencies:\n- conda-forge::python=3.10.2\n"}, "3.10.2"),
        ({"Dockerfile": "FROM --platform=linux/amd64 docker.io/library/python:3.10-slim AS x\n"}, "3.10"),
        ({"setup.py": "setup(python_requires='>=3.9')"}, None),
        ({"poetry.lock": '[metadata]\npython-versions = "^3.11"\n'}, None),
        ({"tools/.python-version": "3.11\n"}, None),
        (
            {
                "Dockerfile": "FROM python:3.8.12\n",
                "Pipfile.lock": '{"_meta": {"requires": {"python_version": "3.8"}}}',
            },
            "3.8",
        ),
        ({".python-version": "3.11.4\n", "pyproject.toml": "[project]\nrequires-python = '==3.11.*'\n"}, "3.11.4"),
    ],
)
def test_the_version_of_python_is_read_where_it_is_exact(project: Detecting, files: Files, version: str | None) -> None:
    assert project(files).python == version


def test_init_and_the_rebuild_call_the_same_pythons_mature() -> None:
    """3.9 was released on 2020-10-05."""
    for day, mature in ((date(2021, 10, 4), False), (date(2021, 10, 5), True)):
        assert was_settled("3.9.7", f"{day}T00:00:00Z") is mature
        assert (likely_python([], day) == "3.9") is mature


def test_the_day_of_a_commit_is_that_of_utc(
    git_repository: Callable[[str], GitRepository], context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages are resolved as of when it was committed, not as of the author's calendar."""
    monkeypatch.setitem(GIT_ENVIRONMENT, "GIT_COMMITTER_DATE", "2021-03-01T23:30:00-0200")
    monkeypatch.setitem(GIT_ENVIRONMENT, "GIT_AUTHOR_DATE", "2021-02-01T12:00:00+0000")
    repository = git_repository("dated")
    commit = repository.commit({"train.py": ""})
    assert detect(Repository.open(str(repository.folder), context), commit).day == date(2021, 3, 2)


def test_a_range_is_resolved_as_of_the_day_and_this_machine() -> None:
    day = date(2021, 6, 1)
    assert likely_python([], day) == "3.8"
    assert likely_python([NamedPython("x", range=">=3.9")], day) == "3.9"
    assert likely_python([NamedPython("x", range="^3.7")], day, {"3.6", "3.10", "3.13"}) == "3.10"
    assert likely_python([NamedPython("x", range="not a range")], day) == "3.8"
    cases = {"^3.7": "3.6", "~3.8": "3.9", ">=3.8,<3.11": "3.11", "==3.9.*": "3.10", ">=3.7.1,<4": "3.6", "3.9": "3.8"}
    assert all(not allows(text, version) for text, version in cases.items())
    assert allows(">=3.9.7", "3.9")


def test_parameters_and_data_are_read(project: Detecting) -> None:
    pointer = "outs:\n- md5: " + "a" * 32 + "\n  hash: md5\n  path: raw.csv\n"
    lock = "stages:\n  t:\n    outs:\n    - path: m.pkl\n      md5: " + "b" * 32 + "\n"
    files: Files = {
        "conf/config.yaml": "a: 1\n",
        "config.yaml": "- 1\n",
        "params.yaml": "b: 2\n",
        "data/raw.csv.dvc": pointer,
        "dvc.lock": lock,
        "uv.lock": "",
        "model.onnx": b"1",
    }
    found_project = project(files)
    assert found_project.parameters == ["params.yaml", "conf/config.yaml"]
    items = {file.item.path: file.item.md5 for file in found_project.tracked}
    assert items == {"data/raw.csv": "a" * 32, "m.pkl": None}  # without `hash: md5` it is not that of the file
    assert [file.item.path for file in found_project.committed] == ["model.onnx"]
    parts = detected_parts(found_project)
    assert any("config.yaml" in warning and "left out" in warning for warning in parts.warnings)


def test_what_the_command_makes_itself_is_no_data(project: Detecting) -> None:
    outs = "    outs:\n    - path: {}\n      md5: " + "b" * 32 + "\n"
    stages = {
        "clean": ("cmd: python src/clean.py", "clean"),
        "fit": ("cmd:\n    - python fit.py\n    - python fit.py --again", "m.pkl"),
        "odd": ("cmd: [1, x]", "odd"),
        "none": ("deps: []", "none"),
        "longer": ("cmd: python src/clean.pyc", "longer"),
    }
    lock = "stages:\n" + "".join(f"  {name}:\n    {cmd}\n{outs.format(out)}" for name, (cmd, out) in stages.items())
    detected = project({"dvc.lock": lock, "model.onnx": b"1"})
    command = "sh -c python src/clean.py raw={inputs} && python fit.py && python fit.py x None"
    paths = [file.item.path for file in data_files(detected, None, "", command)]
    assert paths == ["m.pkl", "odd", "none", "longer", "model.onnx"]
    again = data_files(detected, None, "", f"{command}; python fit.py --again")
    assert "m.pkl" not in [file.item.path for file in again]
    assert len(data_files(detected, None)) == 6


def test_inputs_are_the_tables_that_are_called_so(project: Detecting) -> None:
    files: Files = {
        "data/train.csv": "id,x\n1,2\n2,2\n",
        "data/test.csv": "id;x\n1;2\n2;2\n",
        "tests/data/x.csv": "a\n1\n",
        "val.jsonl": '{"user_id": 1, "label": 0}\n{"user_id": 2, "label": 0}\n',
        "broken.csv": b"\xff\xfe\x00\xd8,\n" * 9,
    }
    tree = project(files).tree
    tables = [table.path for table in input_tables(tree)]
    assert tables[:2] in (["data/test.csv", "val.jsonl"], ["val.jsonl", "data/test.csv"])
    assert tables[-1] == "data/train.csv"
    assert columns_of(tree, "data/test.csv").keys == ("id",)
    assert (columns_of(tree, "val.jsonl").keys, columns_of(tree, "val.jsonl").truth) == (("user_id",), "label")
    columns_of(tree, "broken.csv")
