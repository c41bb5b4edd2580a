"""What projects without a lock declare, read as data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro_tui.formats.projects import (
    DeclaredProject,
    build_requirements,
    declared_project,
    package_of_poetry,
    poetry_versions,
)
from repro_tui.model.errors import Inconclusive


def declared(**files: str) -> DeclaredProject:
    return declared_project({name.replace("_", "."): text.encode() for name, text in files.items()})


def test_a_standard_project_with_its_extras_and_groups() -> None:
    text = '[build-system]\nrequires = []\n[project]\nname = "credit"\nversion = "1"\nrequires-python = ">=3.9"\n'
    text += 'dependencies = ["six"]\n[project.optional-dependencies]\nPlot_X = ["plotter"]\n'
    text += '[dependency-groups]\nbase = ["a"]\ndev = ["b", { include-group = "base" }]\n'
    project = declared(pyproject_toml=text)
    assert (project.name, project.dependencies, project.python) == ("credit", ("six",), ">=3.9")
    assert project.groups == {"plot-x": ("plotter",), "base": ("a",), "dev": ("b", "a")}
    assert (project.installable, project.dynamic) == (True, False)


def test_a_poetry_project_of_its_own_notation() -> None:
    text = '[build-system]\nrequires = ["poetry-core"]\n[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\n'
    text += 'python = "^3.8"\nsix = "^1.15"\nextra = { version = "~2.1", optional = true }\n'
    text += 'mark = { version = "*", python = "<3.9", extras = ["a"] }\n'
    text += 'two = [{ version = "1", markers = "sys_platform == \'linux\'" }, { version = "2" }]\n'
    text += '[tool.poetry.extras]\nmore = ["extra"]\n[tool.poetry.group.test.dependencies]\npytest = ">=7"\n'
    text += '[tool.poetry.dev-dependencies]\nblack = "22.1"\n'
    project = declared(pyproject_toml=text)
    assert project.python == ">=3.8,<4"
    assert project.dependencies == (
        "six>=1.15,<2",
        "mark[a]; python_full_version < '3.9'",
        "two==1; (sys_platform == 'linux')",
        "two==2",
    )
    assert project.groups == {"more": ("extra>=2.1,<2.2",), "test": ("pytest>=7",), "dev": ("black==22.1",)}
    assert project.installable
    assert not declared(
        pyproject_toml=f"{text}[tool.poetry.x]\n".replace('"x"\n', '"x"\npackage-mode = false\n', 1)
    ).installable


@pytest.mark.parametrize(
    ("text", "specifiers"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("1.*", "==1.*"),
        (">=1.2, <2", ">=1.2,<2"),
        ("*", ""),
    ],
)
def test_poetrys_notation_of_versions(text: str, specifiers: str) -> None:
    assert poetry_versions(text) == specifiers


def test_setup_cfg_and_setup_py_are_read_and_not_executed() -> None:
    config = (
        "[metadata]\nname = old\n[options]\npython_requires = >=3.6\ninstall_requires =\n  six>=1\n  # why\n  attrs\n"
    )
    project = declared(
        setup_cfg=f"{config}[options.extras_require]\nplot = plotter\n", setup_py="import x\nx.setup()\n"
    )
    assert (project.name, project.dependencies, project.python) == ("old", ("six>=1", "attrs"), ">=3.6")
    assert (project.groups, project.dynamic, project.installable) == ({"plot": ("plotter",)}, False, True)
    code = "1 / 0\nfrom setuptools import setup\nNEEDS = ['six']\n"
    code += "setup(name='n', install_requires=NEEDS, extras_require={'t': ['x']}, setup_requires=['cython<3'])\n"
    project = declared(setup_py=code)
    assert (project.name, project.dependencies, project.groups) == ("n", ("six",), {"t": ("x",)})
    assert build_requirements({"setup.py": code.encode()}) == ("setuptools", "wheel", "cython<3")


@pytest.mark.parametrize(
    "code",
    [
        "setup(install_requires=open('r.txt').read().split())",
        "needs = ['six']\nneeds.append('attrs')\nsetup(install_requires=needs)",
        "needs = ['six']\nneeds += ['attrs']\nsetup(install_requires=needs)",
        "setup(**read())",
        "setup(install_requires=['six'",
        "print('no call')",
    ],
)
def test_what_only_a_run_of_setup_py_knows_is_dynamic(code: str) -> None:
    project = declared(setup_py=code)
    assert project.dynamic
    assert project.dependencies == ()


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ('[build-system]\nbuild-backend = "poetry.core.masonry.api"\n[tool.poetry]\nname = "my.own-x"\n', "my_own_x"),
        ('[build-system]\nbuild-backend = "poetry.masonry.api"\n[project]\nname = "x"\n', "x"),
        (
            '[build-system]\nbuild-backend = "poetry.core.masonry.api"\n[tool.poetry]\nname = "x"\n'
            'packages = [{ include = "y" }]\n',
            None,
        ),
        ('[build-system]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "x"\n', None),
        ("build-system = 1\ntool = 1\n", None),
        ("", None),
    ],
)
def test_the_package_that_poetry_looks_for(text: str, package: str | None) -> None:
    assert package_of_poetry({"pyproject.toml": text.encode()}) == package


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[project", "cannot be read"),
        ('[project]\ndependencies = "six"\n', "not a list of requirements"),
        ("project = 1\n", "not as they should be"),
        ('[dependency-groups]\na = [{ include-group = "a" }]\n', "includes itself"),
        ('[tool.poetry.dependencies]\nx = { git = "https://h/x" }\n', "record a released version"),
        ('[tool.poetry.dependencies]\nx = "1 || 2"\n', "commit poetry.lock"),
    ],
)
def test_what_cannot_be_honoured_is_told(text: str, reason: str) -> None:
    with pytest.raises(Inconclusive, match=reason) as error:
        declared(pyproject_toml=text)
    assert error.value.do


@given(st.binary(max_size=200), st.sampled_from(["pyproject.toml", "setup.cfg", "setup.py"]))
def test_any_file_is_read_or_refused(content: bytes, name: str) -> None:
    try:
        declared_project({name: content})
        build_requirements({name: content})
        package_of_poetry({name: content})
    except Inconclusive:
        pass
