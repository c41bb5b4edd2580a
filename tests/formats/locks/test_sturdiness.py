"""Whatever a file holds, a reader returns what it says or raises one of our own errors, with one line of text."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro_tui.formats.conda_files import parse_conda, parse_explicit
from repro_tui.formats.locks import locked
from repro_tui.formats.locks.misplaced import conda_lock, misplaced
from repro_tui.model.errors import Inconclusive, Refused
from tests.conftest import EXAMPLES
from tests.formats.locks.test_formats import APP, MARKERS, POETRY, REST

Result = TypeVar("Result")
PROJECT = (POETRY / "pyproject.toml").read_bytes()
PDM = {
    "metadata": {"lock_version": "4.5.0", "groups": ["default"], "strategy": [], "targets": [{"requires_python": "*"}]},
    "package": [
        {"name": "a", "version": "1", "extras": ["x"], "dependencies": ["b>=1; os_name == 'posix'", "a==1"]},
        {"name": "a", "version": "1", "groups": ["default"], "files": [{"hash": "sha256:aa"}]},
        {"name": "b", "version": "2", "requires_python": ">=3.8", "files": [{"hash": "sha256:aa"}]},
    ],
}
PIPFILE = {
    "_meta": {"sources": [{"name": "pypi", "url": "https://pypi.org/simple"}], "requires": {"python_version": "3.11"}},
    "default": {"a": {"version": "==1", "hashes": ["sha256:aa"], "markers": "os_name == 'posix'", "index": "pypi"}},
    "develop": {"b": {"path": ".", "editable": True}},
}
PYLOCK = {
    "lock-version": "1.0",
    "extras": ["x"],
    "packages": [
        {"name": "a", "version": "1", "marker": "'x' in extras", "wheels": [{"hashes": {"sha256": "aa"}}]},
        {"name": "b", "directory": {"path": "."}},
    ],
}
UV = {"version": 1, "requires-python": ">=3.9", "manifest": {"members": ["app"]}, "package": [APP, *REST]}
MARKED = {
    "package": [
        {"name": "a", "version": "1", "groups": ["main"], "markers": {"main": "os_name == 'posix'"}, "files": []}
    ],
    "metadata": {"lock-version": "2.1", "python-versions": "^3.8"},
}
DOCUMENTS = (UV, PYLOCK, PDM, MARKED, PIPFILE, tomllib.loads((POETRY / "poetry.lock").read_text()))
ODD = st.one_of(
    st.integers(-5, 5),
    st.booleans(),
    st.text(max_size=8),
    st.sampled_from(
        ["", "..", "/", "*", "os_name", "a b", "^", "^x", ">=", "extra == ", "1.0.0.0.0.0.x", "\n--index-url"]
    ),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(0, 3), max_size=2),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))][: 1 << 12]


def changed(value: Any, path: tuple[Any, ...], odd: Any, drop: bool) -> Any:
    """A copy with one place replaced or removed."""
    if not path:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and drop:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(value[path[0]], path[1:], odd, drop)
    return copy


def outcome(parse: Callable[[], Result]) -> Result | str:
    """What a reader returns, or the message of the error that it raises."""
    try:
        return parse()
    except (Inconclusive, Refused) as error:
        return str(error)


def read(content: bytes, groups: tuple[str, ...] = (), project: bytes = PROJECT) -> None:
    contents = outcome(lambda: locked(content, "some.lock", MARKERS, groups, project))
    if isinstance(contents, str):
        assert "\n" not in contents
        return
    assert all("\n" not in pin and " --i" not in pin for pin in contents.pins)
    assert not any("\n" in text for text in contents.left_out)


@given(st.data())
@settings(max_examples=EXAMPLES * 8, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_lock_with_any_one_place_changed(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from(DOCUMENTS))
    path = data.draw(st.sampled_from(places(document)[1:]))
    copy = changed(document, path, data.draw(ODD), data.draw(st.booleans()))
    content = json.dumps(copy) if document is PIPFILE else tomli_w.dumps(copy)
    read(content.encode(), data.draw(st.sampled_from([(), ("fast",), ("dev", "x"), ("default",)])))


@given(st.data())
@settings(max_examples=EXAMPLES * 2, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_project_with_any_one_place_changed(data: st.DataObject) -> None:
    project = tomllib.loads(PROJECT.decode())
    copy = changed(project, data.draw(st.sampled_from(places(project)[1:])), data.draw(ODD), data.draw(st.booleans()))
    read((POETRY / "poetry.lock").read_bytes(), ("fast",), tomli_w.dumps(copy).encode())
    read(tomli_w.dumps(PDM).encode(), (), tomli_w.dumps(copy).encode())


YAML = "name: x\nchannels: [c, defaults]\ndependencies:\n  - python=3.10\n  - pip:\n    - a==1\nvariables: {A: b}\n"


@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60).map(str.encode),
        st.integers(0, len(YAML)).flatmap(
            lambda place: st.text(max_size=5).map(
                lambda text: (YAML[:place] + text + YAML[place + len(text) :]).encode()
            )
        ),
    )
)
@settings(max_examples=EXAMPLES * 4, deadline=None)
def test_any_bytes_as_any_kind_of_file(content: bytes) -> None:
    read(content)
    assert conda_lock(content) in ("", "explicit", "conda-lock", "pixi")
    misplaced(content, "lock")
    assert "\n" not in str(outcome(lambda: parse_conda(content, "some.file")))
    assert "\n" not in str(outcome(lambda: parse_explicit(content, "some.file")))


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*/*.lock")), ids=lambda path: path.parent.name)
def test_the_committed_locks_are_read(path: Path) -> None:
    read(path.read_bytes())
