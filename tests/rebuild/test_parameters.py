"""The parameters of a record, rebuilt."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from repro_tui.explain.factors import CODE, factors_of, not_code, parts_of
from repro_tui.explain.inside.parameters import inside_parameters
from repro_tui.formats.parameter_files import LARGEST
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Code, Parameters, Record
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, Part, Workspace
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.hybrid import hybrid
from repro_tui.rebuild.parameters import rebuild_parameters
from repro_tui.rebuild.workspace import content_key
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


SEVERAL = {"sub/params.yaml": "a: 1  # kept\n", "sub/conf/model.json": '{"b": {"c": 1}}', "sub/x.py": ""}


def test_several_files_are_a_folder_and_only_those_with_recorded_values_are_replaced(
    git_repository: Make, context: Context
) -> None:
    names = ("params.yaml", "conf/model.json")
    parameters = Parameters(files=names, values={"conf/model.json": {"b": {"c": 2}}})
    built, part = build(git_repository, context, SEVERAL, parameters, "sub")
    assert built.values == {"params.yaml": {"a": 1}, "conf/model.json": {"b": {"c": 2}}}
    assert [built.files[name].overlay for name in names] == ["", "sub/conf/model.json"]
    assert (Path(built.file) / "params.yaml").read_text() == "a: 1  # kept\n"
    assert json.loads((Path(built.file) / "conf/model.json").read_text()) == {"b": {"c": 2}}
    assert part is not None
    assert "1 recorded value applied to conf/model.json" in part.how


def test_every_one_of_several_files_is_needed(git_repository: Make, context: Context) -> None:
    with pytest.raises(Inconclusive, match=r"conf/absent\.yaml is not in commit"):
        build(git_repository, context, SEVERAL, Parameters(files=("params.yaml", "conf/absent.yaml")), "sub")


def test_a_hybrid_has_the_files_of_the_side_of_its_parameters(git_repository: Make, context: Context) -> None:
    """At the places of its code; one that the other commit does not have is removed, and mixed values are written."""
    made = git_repository("project")
    a_files = {"params.yaml": "a: 1\n", "conf/old.yaml": "o: 1\n", "x.py": "a"}
    a = side(made, context, made.commit(a_files), ("params.yaml", "conf/old.yaml"))
    made.git("rm", "--quiet", "conf/old.yaml")
    b_commit = made.commit({"params.yaml": "a: 2\n", "conf/new.yaml": "n: 1\n", "x.py": "b"})
    b = side(made, context, b_commit, ("params.yaml", "conf/new.yaml"))
    single = side(made, context, b_commit, ("params.yaml",))
    swapped = tree_of(hybrid(parts_of(a, b, frozenset({"parameters"})), context))
    assert swapped == {"params.yaml": "a: 2\n", "conf/new.yaml": "n: 1\n", "x.py": "a"}
    assert tree_of(hybrid(parts_of(a, b, frozenset({"code"})), context)) == a_files | {"x.py": "b"}
    inside = inside_parameters(a.parameters, b.parameters)
    paths = {inside.path(item): item for item in inside.items}
    assert paths.keys() == {("params.yaml", "a"), ("conf/old.yaml",), ("conf/new.yaml",)}
    only_old = frozenset({paths["conf/old.yaml",]})
    mixed = tree_of(hybrid(inside.parts(parts_of(a, b, frozenset()), only_old, context), context))
    assert mixed == {"params.yaml": "a: 1\n", "x.py": "a"}
    narrowed = hybrid(parts_of(single, a, frozenset({"parameters"})), context)
    assert Path(narrowed.parameters.file).name == "params.yaml"
    assert tree_of(narrowed)["params.yaml"] == "a: 1\n"
    assert not_code(a, b) == {"params.yaml", "conf/old.yaml", "conf/new.yaml"}
    assert not_code(single, b) == {"params.yaml"}, "single has conf/new.yaml as code"
    apart = replace(a, parameters=BuiltParameters({"a": 1}, "/x/params.json"))
    with pytest.raises(Inconclusive, match=r"in a separate file, and those of the other side in params\.yaml and conf"):
        hybrid(parts_of(apart, b, frozenset({"parameters"})), context)
    with pytest.raises(Inconclusive, match="in a separate file"):
        hybrid(parts_of(b, apart, frozenset({"parameters"})), context)


def side(made: GitRepository, context: Context, commit: str, files: tuple[str, ...]) -> Workspace:
    record = Record("a", "a", code=Code(str(made.folder), commit), parameters=Parameters.of_files(files))
    code = rebuild_code(record, context)[0]
    parameters = rebuild_parameters(record, code, context)[0]
    environment = BuiltEnvironment("venv", "same", Inventory(), folder="/e", interpreter_root="/e")
    return Workspace("k", "a", ("x",), 1.0, environment, parameters, code)


def tree_of(workspace: Workspace) -> dict[str, str]:
    folder = Path(workspace.tree)
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


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
        ("p.json", "{", "cannot be read as JSON"),
        ("p.json", '{"a": 1, "a": 2}', "twice"),
        ("p.json", '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "cannot be read|deeper"),
        ("p.toml", "a = ", "cannot be read as TOML"),
        ("p.ini", "a = 1", "neither YAML, JSON nor TOML"),
    ],
    ids=["list", "open", "python", "half", "duplicate", "deep", "toml", "ini"],
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


BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
LARGE = '{"a": "' + "x" * LARGEST + '"}'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (BOMB, "more than 2,000,000 values"),
        ("a: " + "[" * 70 + "]" * 70, "nested deeper than 64"),
        (LARGE, "has 67,108,8"),
    ],
    ids=["bomb", "deep", "large"],
)
def test_a_file_that_is_too_large_to_be_compared_is_unknown_and_runs_as_it_is(
    git_repository: Make, context: Context, content: str, reason: str
) -> None:
    built, part = build(git_repository, context, {"p.yaml": content}, Parameters("p.yaml"))
    assert built.values == {}
    assert reason in built.unknown
    assert Path(built.file).read_text() == content
    assert part is not None
    assert reason in part.warnings[0]
    several, _ = build(
        lambda _: git_repository("second"),
        context,
        {"p.yaml": content, "q.json": "{}"},
        Parameters(files=("p.yaml", "q.json")),
    )
    assert reason in several.unknown
    assert Path(several.file, "p.yaml").read_text() == content


def test_values_cannot_be_recorded_over_a_file_that_is_too_large(git_repository: Make, context: Context) -> None:
    with pytest.raises(Inconclusive, match="more than 2,000,000 values"):
        build(git_repository, context, {"p.yaml": BOMB}, Parameters("p.yaml", {"x": 1}))


def test_parameters_of_megabytes_are_read(git_repository: Make, context: Context) -> None:
    for name, content in (("p.json", json.dumps), ("p.yaml", yaml.safe_dump)):
        values = {"table": [[number, number / 7, f"n{number}"] for number in range(30_000)]}
        built, _ = build(lambda _, name=name: git_repository(name), context, {name: content(values)}, Parameters(name))
        assert built.values == values


def test_two_workspaces_with_unread_parameters_are_never_one(tmp_path: Path) -> None:
    """Their runs are cached by the key, which has the values; of unknown ones it has the file."""
    keys = set()
    for word in ("old", "new"):
        (tmp_path / "p.json").write_text(word)
        parameters = BuiltParameters({}, str(tmp_path / "p.json"), unknown="it is too large")
        environment = BuiltEnvironment("venv", "k", Inventory())
        keys.add(content_key(Workspace("", "x", ("x",), 1.0, environment, parameters)))
    assert len(keys) == 2


def test_unread_parameters_are_exchanged_with_the_code(git_repository: Make, context: Context) -> None:
    made = git_repository("project")
    sides = []
    for word in ("old", "new"):
        commit = made.commit({"p.yaml": BOMB + f"# {word}\n", "predict.py": "x"})
        record = Record("x", "x", code=Code(str(made.folder), commit), parameters=Parameters("p.yaml"))
        code = rebuild_code(record, context)[0]
        parameters, _ = rebuild_parameters(record, code, context)
        environment = BuiltEnvironment("venv", "k", Inventory())
        sides.append(Workspace(word, "x", ("x",), 1.0, environment, parameters, code=code))
    factors = factors_of(sides[0], sides[1])
    assert factors.names == (CODE,)
    assert "the parameters are too large to be read" in factors.notes[0]
    assert parts_of(sides[0], sides[1], frozenset({CODE})).parameters == sides[1].parameters
    assert parts_of(sides[0], sides[1], frozenset()).parameters == sides[0].parameters
