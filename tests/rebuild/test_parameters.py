"""The parameters of a record, rebuilt."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Code, Parameters, Record
from repro_tui.model.workspace import BuiltParameters, Part
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.parameters import rebuild_parameters
from repro_tui.support.context import Context
from repro_tui.support.values import merge
from tests.conftest import GitRepository

Make = Callable[[str], GitRepository]
CONTENT = {
    "params.yaml": "# kept\nmodel:\n  threshold: 0.5\n  name: credit\n",
    "params.json": '{"model": {"threshold": 0.5, "name": "credit"}}',
    "params.toml": "# kept\n[model]\nthreshold = 0.5\nname = 'credit'\n",
}
READ: dict[str, Callable[[str], Any]] = {
    "params.yaml": yaml.safe_load,
    "params.json": json.loads,
    "params.toml": tomllib.loads,
}


def build(
    git_repository: Make, context: Context, files: dict[str, Any], parameters: Parameters, subdirectory: str = "."
) -> tuple[BuiltParameters, Part | None]:
    made = git_repository("project")
    commit = made.commit(files)
    record = Record("prod", "prod", code=Code(str(made.folder), commit, subdirectory), parameters=parameters)
    return rebuild_parameters(record, rebuild_code(record, context)[0], context)


@pytest.mark.parametrize("name", CONTENT)
def test_recorded_values_override_the_file(git_repository: Make, context: Context, name: str) -> None:
    values = {"model": {"threshold": 0.6}, "extra": 1}
    built, part = build(git_repository, context, {f"sub/{name}": CONTENT[name]}, Parameters(name, values), "sub")
    assert built.values == {"model": {"threshold": 0.6, "name": "credit"}, "extra": 1}
    assert built.overlay == f"sub/{name}"
    assert Path(built.file).name == name
    assert READ[name](Path(built.file).read_text()) == built.values
    assert part is not None
    assert "2 recorded values" in part.how


@pytest.mark.parametrize("name", CONTENT)
def test_a_file_that_nothing_changes_stays_as_it_is(git_repository: Make, context: Context, name: str) -> None:
    same = Parameters(name, {"model": {"threshold": 0.5}})
    built, _ = build(git_repository, context, {name: CONTENT[name]}, same)
    assert built.overlay == ""
    assert Path(built.file).read_text() == CONTENT[name]


def test_a_value_of_another_type_is_a_change(git_repository: Make, context: Context) -> None:
    built, _ = build(git_repository, context, {"p.yaml": "x: 1\n"}, Parameters("p.yaml", {"x": 1.0}))
    assert Path(built.file).read_text() == "x: 1.0\n"


def test_values_without_a_file_are_handed_over(context: Context) -> None:
    record = Record("prod", "prod", parameters=Parameters(values={"threshold": 0.5}))
    built, part = rebuild_parameters(record, None, context)
    assert Path(built.file).name == "params.json"
    assert json.loads(Path(built.file).read_text()) == {"threshold": 0.5}
    assert built.overlay == ""
    assert part is not None
    again = rebuild_parameters(record, None, context)[1]
    assert again is not None
    assert (again.cached, again.key) == (True, part.key)


def test_no_parameters_at_all(context: Context) -> None:
    assert rebuild_parameters(Record("prod", "prod"), None, context) == (BuiltParameters({}), None)


def test_a_file_inside_the_image_is_unknown(context: Context) -> None:
    record = Record("prod", "prod", parameters=Parameters("params.yaml"))
    assert "inside the image" in rebuild_parameters(record, None, context)[0].unknown
    with pytest.raises(Inconclusive, match="values cannot be applied to it"):
        rebuild_parameters(Record("prod", "prod", parameters=Parameters("p.yaml", {"x": 1})), None, context)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.yaml", "- 1\n", "does not contain a table"),
        ("p.yaml", "a: [", "cannot be read as YAML"),
        ("p.yaml", "a: !!python/object/apply:os.system [x]\n", "cannot be read as YAML"),
        ("p.yaml", "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ), "more than 100,000 values"),
        ("p.json", "{", "cannot be read as JSON"),
        ("p.json", '{"a": 1, "a": 2}', "twice"),
        ("p.json", '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "cannot be read|deeper"),
        ("p.toml", "a = ", "cannot be read as TOML"),
        ("p.ini", "a = 1", "neither YAML, JSON nor TOML"),
    ],
    ids=["list", "open", "python", "bomb", "half", "duplicate", "deep", "toml", "ini"],
)  # fmt: skip
def test_a_bad_file_is_reported(git_repository: Make, context: Context, name: str, content: str, message: str) -> None:
    with pytest.raises(Inconclusive, match=message):
        build(git_repository, context, {name: content}, Parameters(name))


def test_an_error_does_not_quote_the_line(git_repository: Make, context: Context) -> None:
    with pytest.raises(Inconclusive, match="line 2: ") as error:
        build(git_repository, context, {"p.yaml": 'a: 1\npassword: "canary\\q"\n'}, Parameters("p.yaml"))
    assert "canary" not in str(error.value)


def test_a_path_outside_the_tree_is_refused(git_repository: Make, context: Context) -> None:
    with pytest.raises(Refused, match="leaves the code tree"):
        build(git_repository, context, {"a": "1"}, Parameters("../p.yaml"))
    with pytest.raises(Inconclusive, match=r"absent\.yaml is not in commit"):
        rebuild_parameters(
            Record("prod", "prod", parameters=Parameters("absent.yaml")),
            rebuild_code(_only(git_repository), context)[0],
            context,
        )


def _only(git_repository: Make) -> Record:
    made = git_repository("other")
    return Record("prod", "prod", code=Code(str(made.folder), made.commit({"a": "1"})))


def test_merging_is_recursive_and_changes_neither() -> None:
    base = {"a": {"b": 1, "c": [1]}, "d": 1}
    over = {"a": {"c": [2]}, "d": {"e": 1}}
    assert merge(base, over) == {"a": {"b": 1, "c": [2]}, "d": {"e": 1}}
    assert base == {"a": {"b": 1, "c": [1]}, "d": 1}
