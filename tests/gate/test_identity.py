"""An acceptance is of one change: each of these changes is told from every other one, or cannot be accepted at all."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations

import pytest

from repro_tui.gate.identity import MOST_BELOW, accepted_change, matches, same_change, why_not
from repro_tui.model.errors import Refused
from repro_tui.model.finding import AreaName, Finding
from repro_tui.support.plain import from_plain, to_plain

BLOB_A, BLOB_B, BLOB_C = (f"blob {digit * 40} (612 bytes)" for digit in "abc")
SHA_A, SHA_B = (f"sha256:{digit * 64} (9 bytes)" for digit in "de")
NUMPY = ("packages", "numpy")


def file_in_package(name: str, digest: str) -> Finding:
    return Finding((*NUMPY, name), "changed", "sha256=1111", digest)


def file_in_folder(name: str) -> Finding:
    return Finding(("model", name), "changed", SHA_A, SHA_B)


# All of one place: no two of them are the same change.
OF_ONE_PLACE: dict[AreaName, list[Finding]] = {
    "environment": [
        Finding(NUMPY, "changed", "1.26.4", "2.1.3"),
        Finding(NUMPY, "changed", "1.26.4", "2.1.4"),
        Finding(NUMPY, "changed", "1.26.3", "2.1.3"),
        Finding(NUMPY, "removed", "1.26.4", None),
        Finding(NUMPY, "added", None, "2.1.3"),
        Finding(NUMPY, "changed", "2.1.3", "2.1.3", note="from a and b"),
        Finding(NUMPY, "changed", "2.1.3", "2.1.3", note="from a and c"),
        Finding(NUMPY, "changed", "2.1.3", "2.1.3", children=(file_in_package("core.py", "sha256=2222"),)),
        Finding(NUMPY, "changed", "2.1.3", "2.1.3", children=(file_in_package("core.py", "sha256=3333"),)),
        Finding(NUMPY, "changed", "2.1.3", "2.1.3", children=(file_in_package("core.pyi", "sha256=2222"),)),
    ],
    "parameters": [
        Finding(("depth",), "changed", 1, 2),
        Finding(("depth",), "changed", 1, 2.0),
        Finding(("depth",), "changed", 1, "2"),
        Finding(("depth",), "changed", True, 2),
        Finding(("depth",), "changed", None, 2),
        Finding(("depth",), "changed", "", 2),
        Finding(("depth",), "changed", 1, [2]),
        Finding(("depth",), "changed", 1, [2, 3]),
        Finding(("depth",), "changed", 1, {"x": 2}),
        Finding(("depth",), "changed", "2026-01-01", "x", note="other type: date became text"),
        Finding(("depth",), "changed", "2026-01-01", "x"),
        Finding(("depth",), "changed", "x" * 5_000 + "1", "y"),
        Finding(("depth",), "changed", "x" * 5_000 + "2", "y"),
        Finding(("depth",), "changed", float("nan"), 2),
        Finding(("depth",), "changed", "line\none", "line\ntwo"),
    ],
    "code": [
        Finding(("a.py",), "changed", BLOB_A, BLOB_B),
        Finding(("a.py",), "changed", BLOB_A, BLOB_C),
        Finding(("a.py",), "changed", "100644", "100755", note="only the mode differs"),
        Finding(("a.py",), "changed", "old.py", "a.py", note="renamed, same content"),
        Finding(("a.py",), "changed", "c" * 40, "c" * 40, note="A runs in x, B in y"),
        Finding(("a.py",), "changed", "c" * 40, "c" * 40, note="A runs in x, B in z"),
    ],
    "data": [
        Finding(("model",), "changed", SHA_A, SHA_B),
        Finding(("model",), "added", None, SHA_B),
        Finding(("model",), "changed", "2 files", "2 files", children=(file_in_folder("x"),)),
        Finding(("model",), "changed", "2 files", "2 files", children=(file_in_folder("y"),)),
    ],
}
PAIRS = [(area, *pair) for area, findings in OF_ONE_PLACE.items() for pair in permutations(findings, 2)]
ALL = [(area, finding) for area, findings in OF_ONE_PLACE.items() for finding in findings]


def reread(finding: Finding) -> Finding:
    """The finding as a report.json has it."""
    return from_plain(Finding, json.loads(json.dumps(to_plain(finding))))


@pytest.mark.parametrize(("area", "finding"), ALL, ids=repr)
def test_a_change_is_recognised_in_the_engine_and_in_a_report(area: AreaName, finding: Finding) -> None:
    entry = accepted_change(area, reread(finding), "why", "2027-01-01")
    assert matches(entry, area, finding)
    assert matches(entry, area, reread(finding))
    assert same_change(area, finding, reread(finding))


def test_no_change_is_taken_for_another_one() -> None:
    for area, accepted, seen in PAIRS:
        entry = accepted_change(area, accepted, "why", "2027-01-01")
        assert not matches(entry, area, seen), (accepted, seen)
        assert not same_change(area, accepted, seen), (accepted, seen)


def test_another_path_and_another_area_are_other_changes() -> None:
    finding = Finding(NUMPY, "changed", "1", "2")
    entry = accepted_change("environment", finding, "why", "2027-01-01")
    assert not matches(entry, "environment", replace(finding, path=("packages", "scipy")))
    assert not matches(entry, "parameters", finding)


def test_paths_that_read_the_same_joined_by_dots_are_two() -> None:
    nested, flat = (Finding(path, "changed", 1, 2) for path in (("model", "depth"), ("model.depth",)))
    assert not matches(accepted_change("parameters", flat, "why", "2027-01-01"), "parameters", nested)


@pytest.mark.parametrize("name", ["x[0]", "a*", "b?"])
def test_a_name_with_the_characters_of_a_pattern_is_that_name_only(name: str) -> None:
    finding = Finding((name,), "changed", 1, 2)
    entry = accepted_change("parameters", finding, "why", "2027-01-01")
    assert matches(entry, "parameters", finding)
    assert not matches(entry, "parameters", replace(finding, path=("x0",)))
    assert not matches(entry, "parameters", replace(finding, path=("abc",)))


def test_what_an_accepted_hash_pins_may_be_listed_differently() -> None:
    """Another version of the program may list other parts of two files; their contents are the same."""
    finding = Finding(("a.py",), "changed", BLOB_A, BLOB_B, note="+1 -1 lines")
    entry = accepted_change("code", finding, "why", "2027-01-01")
    assert matches(entry, "code", replace(finding, note="", children=(Finding(("a.py", "@@"), "changed"),)))


HIDDEN = Finding(("variables", "TOKEN"), "changed", "hidden:3f9a2c417d05", "hidden:4f9a2c417d05")
CUT = Finding(("text",), "changed", "x" * 100 + "… (4,000 more)", "y")
MANY = Finding(
    ("files",),
    "changed",
    note="differing files, links, folders and system packages: 5,000",
    children=tuple(Finding(("files", str(n)), "changed", "1", "2") for n in range(MOST_BELOW)),
)
INSIDE = Finding(("model",), "changed", "1 file", "1 file", children=(replace(HIDDEN, path=("model", "x")),))


@pytest.mark.parametrize(
    "finding",
    [
        Finding(("model",), "added", None, "2 files, 9 bytes", note="B: as recorded"),
        Finding(("model",), "removed", "2 files, 9 bytes", None, note="A: as recorded"),
        Finding(("model",), "added", None, "s3://bucket/model", note="recorded on one side only"),
        Finding(("model",), "changed", "1 file", "1 file", children=(Finding(("model", "x"), "unknown"),)),
    ],
)
def test_data_whose_content_is_not_listed_is_not_accepted(finding: Finding) -> None:
    """Another folder of as many files and bytes would be taken for it."""
    with pytest.raises(Refused, match="is not listed whole in the report"):
        accepted_change("data", finding, "why", "2027-01-01")
    assert not same_change("data", finding, finding)


def test_a_text_that_was_cut_without_a_count_is_not_accepted_either() -> None:
    for finding in (Finding(("x" * 199 + "…",), "changed", 1, 2), Finding(("x",), "changed", ["y…"], 2)):
        with pytest.raises(Refused, match="could not tell"):
            accepted_change("parameters", finding, "why", "2027-01-01")


@pytest.mark.parametrize("finding", [HIDDEN, CUT, MANY, INSIDE, replace(HIDDEN, a={"x": ["hidden:3f9a2c417d05"]})])
def test_what_a_later_audit_could_not_recognise_is_not_accepted(finding: Finding) -> None:
    with pytest.raises(Refused, match="could not tell this change from another one"):
        accepted_change("environment", finding, "why", "2027-01-01")
    assert not same_change("environment", finding, finding)


def test_what_is_unknown_or_the_same_is_not_accepted() -> None:
    assert "cannot be accepted" in why_not("data", Finding((), "unknown", note="B was not rebuilt"))
    assert "nothing to accept" in why_not("data", Finding(("x",), "same", 1, 1))
