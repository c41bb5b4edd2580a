"""The parameters of two sides are compared."""

from __future__ import annotations

import datetime
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro_tui.compare.parameters import compare_parameters
from repro_tui.model.finding import Area
from repro_tui.model.workspace import BuiltParameters
from repro_tui.support.context import Context
from tests.work import calls

NAN = float("nan")


def compare(a: dict[Any, Any], b: dict[Any, Any], context: Context) -> Area:
    return compare_parameters(BuiltParameters(a), BuiltParameters(b), context)


def test_one_changed_value_is_one_finding(context: Context) -> None:
    a = {"model": {"threshold": 0.5, "name": "x"}, "seed": 1}
    area = compare(a, {"model": {"threshold": 0.6, "name": "x"}, "seed": 1}, context)
    assert area.status == "different"
    assert area.counts == {"added": 0, "removed": 0, "changed": 1, "unknown": 0, "same": 2}
    [finding] = area.findings
    assert (finding.path, finding.change, finding.a, finding.b) == (("model", "threshold"), "changed", 0.5, 0.6)


def test_of_several_files_a_path_begins_with_the_file(context: Context) -> None:
    """Also where only one side has several: the same value in another file is no difference of a value."""
    single = BuiltParameters({"lr": 1}, name="params.yaml")
    several = BuiltParameters({"params.yaml": {"lr": 2}, "conf/m.yaml": {}}, per_file=True)
    area = compare_parameters(single, several, context)
    assert [(finding.path, finding.change) for finding in area.findings] == [
        (("conf/m.yaml",), "added"),
        (("params.yaml", "lr"), "changed"),
    ]
    moved = BuiltParameters({"params.yaml": {}, "conf/m.yaml": {"lr": 1}}, per_file=True)
    assert len(compare_parameters(single, moved, context).findings) == 2
    assert compare_parameters(several, several, context).status == "same"
    assert compare_parameters(BuiltParameters({}), several, context).status == "different"


def test_names_with_underscores_are_compared_too(context: Context) -> None:
    area = compare({"__seed": 1, "m": {"__x__": 1}}, {"__seed": 2, "m": {}}, context)
    assert [(finding.path, finding.change) for finding in area.findings] == [
        (("__seed",), "changed"),
        (("m", "__x__"), "removed"),
    ]


def test_equal_parameters_are_the_same_without_deepdiff(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from repro_tui.support.cache import Cache;"
        "from repro_tui.support.context import Context; from repro_tui.model.workspace import BuiltParameters as P;"
        "from repro_tui.compare.parameters import compare_parameters as c;"
        "a, b = (P({'a': [1, {'b': float('nan')}]}) for _ in 'ab');"
        "area = c(a, b, Context(Cache(Path(sys.argv[1]))));"
        "assert area.status == 'same' and area.counts['same'] == 2, area; assert 'deepdiff' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


@pytest.mark.parametrize(("a", "b"), [("https://h/x?v=1", "https://h/x?v=2"), ("x" * 20_000 + "a", "x" * 20_000 + "b")])
def test_values_that_are_shown_alike_are_said_to_differ_elsewhere(a: str, b: str, context: Context) -> None:
    (finding,) = compare_parameters(BuiltParameters({"k": a}), BuiltParameters({"k": b}), context).findings
    assert finding.a == finding.b
    assert finding.note.startswith("the values differ in what is not shown")


@pytest.mark.parametrize(
    ("a", "b", "note"),
    [
        (1, 1.0, "same value, other type: integer became float"),
        (1, "1", "same value, other type: integer became text"),
        (1, True, "same value, other type: integer became boolean"),
        ("true", True, "same value, other type: text became boolean"),
        (0.5, "0.5", "same value, other type: float became text"),
        (None, "null", "other type: null became text"),
        (1, 2.5, "other type: integer became float"),
        ({"x": 1}, 1, "other type: table became integer"),
        ([1], {"x": 1}, "other type: list became table"),
        (datetime.date(2026, 1, 5), "2026-01-05", "same value, other type: date became text"),
    ],
)
def test_types_matter(a: Any, b: Any, note: str, context: Context) -> None:
    area = compare({"x": a}, {"x": b}, context)
    assert [finding.note for finding in area.findings] == [note]
    assert area.status == "different"


def test_nan_equals_nan_and_nothing_else(context: Context) -> None:
    assert compare({"x": NAN, "y": 1}, {"x": NAN, "y": 1}, context).status == "same"
    area = compare({"x": NAN, "y": {"z": NAN, "w": 1}}, {"x": 1.0, "y": {"z": NAN, "w": 2}}, context)
    assert [finding.path for finding in area.findings] == [("x",), ("y", "w")]


def test_one_element_in_front_is_one_added(context: Context) -> None:
    for length in (3, 1000, 5000):
        values = list(range(length))
        area = compare({"layers": values}, {"layers": [-1, *values]}, context)
        [finding] = area.findings
        assert (finding.path, finding.change, finding.b) == (("layers", "0"), "added", -1)
        assert area.counts["same"] == length


def test_lists_of_tables_are_aligned(context: Context) -> None:
    a = {"steps": [{"name": "scale", "on": True}, {"name": "fit", "depth": 3}]}
    b = {"steps": [{"name": "scale", "on": True}, {"name": "fit", "depth": 4}]}
    [finding] = compare(a, b, context).findings
    assert finding.path == ("steps", "1", "depth")
    b = {"steps": [{"name": "fit", "depth": 3}]}
    [finding] = compare(a, b, context).findings
    assert (finding.path, finding.change) == (("steps", "0"), "removed")


def test_the_work_on_large_trees_grows_linearly_with_their_size(context: Context) -> None:
    """Calls per key: 430 at any size. DeepDiff needs more in a larger tree: 740 for 250 keys, 1,220 for 1,000."""
    fewer = _calls(2_500, context) / 2_500
    assert fewer < 700
    assert _calls(10_000, context) / 10_000 < 1.1 * fewer


def _calls(size: int, context: Context) -> int:
    """How many calls, of Python and C functions, it takes to compare two trees of `size` tables that all changed."""
    a = {f"k{i}": {"v": i, "w": [i, i]} for i in range(size)}
    b = {key: {"v": value["v"] + 1, "w": value["w"]} for key, value in reversed(a.items())}
    a["k0"]["w"], b["k0"]["w"] = [1], [2]  # DeepDiff compares lists, in small trees
    assert compare(a, b, context).counts["changed"] == size + 1
    return calls(compare, a, b, context)


MOMENT = datetime.datetime(2026, 1, 5, 10, tzinfo=datetime.UTC)
ELSEWHERE = MOMENT.astimezone(datetime.timezone(datetime.timedelta(hours=2)))


@pytest.mark.parametrize("more", [{}, {"list": [1, 2]}], ids=["tables alone", "with a list"])
def test_a_difference_does_not_depend_on_other_differences(more: dict[str, Any], context: Context) -> None:
    a = {"moment": MOMENT, "naive": MOMENT, "set": {0, 8}, "other": {1}, "n": {"m": 1}}
    b = {"moment": ELSEWHERE, "naive": MOMENT.replace(tzinfo=None), "set": {8, 0}, "other": {2}, "n": {"m": 2}}
    changed = {name: [value[0], 7] for name, value in more.items()}
    findings = compare(a | more, b | changed, context).findings
    assert {finding.path[0] for finding in findings} == {"naive", "other", "n", *more}


def test_tables_are_compared_without_loading_deepdiff() -> None:
    program = (
        "import sys, tempfile; from pathlib import Path;"
        "from repro_tui.compare.parameters import compare_parameters as c;"
        "from repro_tui.model.workspace import BuiltParameters as P; from repro_tui.support.cache import Cache;"
        "from repro_tui.support.context import Context; context = Context(Cache(Path(tempfile.mkdtemp())));"
        "area = c(P({'x': {'y': 1}, 'z': [1]}), P({'x': {'y': 2}, 'z': [1]}), context);"
        "assert area.counts['changed'] == 1 and not {'deepdiff', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_secrets_are_hidden_and_still_compared(context: Context) -> None:
    a = {"db": {"password": "canary-one", "credentials": {"user": "canary-user"}}, "url": "https://u:canary@h/x"}
    b = {"db": {"password": "canary-two", "credentials": {"user": "canary-else"}}, "url": "https://u:canary@g/x"}
    area = compare(a, b, context)
    assert area.counts["changed"] == 3
    assert "canary" not in repr(area)
    area = compare({}, {"outer": {"api_key": "canary-three", "n": [{"token": "canary-four"}]}}, context)
    assert "canary" not in repr(area)


def test_an_unread_side_is_unknown(context: Context) -> None:
    unread = BuiltParameters({}, unknown="inside the image")
    assert compare_parameters(unread, unread, context).status == "unknown"


def test_ignored_and_all(context: Context) -> None:
    a, b = {"a": 1, "b": {"c": 1, "d": 2}}, {"a": 2, "b": {"c": 2, "d": 2}}
    ignoring = replace(context, settings=replace(context.settings, ignore=("parameters.b.*",)))
    assert [finding.path for finding in compare(a, b, ignoring).findings] == [("a",)]
    everything = replace(context, settings=replace(context.settings, all_findings=True))
    area = compare(a, b, everything)
    assert {finding.path: finding.change for finding in area.findings} == {
        ("a",): "changed",
        ("b", "c"): "changed",
        ("b", "d"): "same",
    }
    assert area.counts["same"] == 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2) | st.integers(0, 2), inner, max_size=4)
    ),
    max_leaves=12,
)
TABLES = st.dictionaries(st.text(max_size=2), VALUES, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(a=TABLES, b=TABLES)
def test_the_laws_of_comparison(a: dict[str, Any], b: dict[str, Any], context: Context) -> None:
    assert compare(a, a, context).status == ("same" if a else "not-recorded")
    forth, back = compare(a, b, context), compare(b, a, context)
    assert forth.status == back.status
    assert forth.counts["added"] == back.counts["removed"]
    assert forth.counts["changed"] == back.counts["changed"]
    assert (forth.status == "different") == bool(forth.findings)
