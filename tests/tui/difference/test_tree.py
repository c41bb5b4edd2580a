"""The order of an area's findings, and what a filter finds in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from repro_tui.model.causes import Causes, Culprit
from repro_tui.model.finding import Finding
from repro_tui.tui.difference.tree import OrderedFindings, explained_by, opened_at_first

PATHS = st.lists(st.sampled_from(["files", "a", "b", "a.b", "packages"]), max_size=4).map(tuple)


@given(st.lists(st.tuples(PATHS.filter(bool), st.sampled_from([0.2, 0.5, -0.1])), max_size=5), PATHS)
def test_a_finding_explains_what_the_culprits_at_its_path_do(
    culprits: list[tuple[tuple[str, ...], float]], path: tuple[str, ...]
) -> None:
    """Those whose path it is, or ends with, and those that are inside it; of files, also without the word "files"."""
    shares = {"model": 0.2, "data": 0.5}
    named = [("model" if share == 0.2 else "data", path) for path, share in culprits]
    causes = Causes(factors=("model", "data"), shares=shares, culprits=tuple(Culprit(*entry) for entry in named))
    last = {culprit: shares[factor] for factor, culprit in named}
    name = "/".join(path).removesuffix("/")
    about = [
        share
        for culprit, share in last.items()
        if path[-len(culprit) :] == culprit
        or culprit[: len(path)] == path
        or (culprit[0] == "files" and f"{'/'.join(culprit[1:])}/".startswith(f"{name}/") and len(culprit) > 1)
    ]
    assert explained_by(causes, "data")(Finding(path, "changed")) == (max(about, default=0.0) if path else 0.0)


def test_a_filter_finds_what_is_in_closed_folders_and_lines_follow_what_is_open() -> None:
    findings = tuple(Finding((f"src/{name}.py",), "changed", None, f"value {name}") for name in ("b", "a"))
    ordered = OrderedFindings(findings, lambda finding: 0.0, in_tree=True)
    assert [line.finding.path for line in ordered.lines(set())] == [("src/",)]
    assert [line.leaf for line in ordered.matching("value a")] == ["a.py"]
    assert [line.leaf for line in ordered.matching("src/")] == ["src/", "b.py", "a.py"]
    opened: set[tuple[str, ...]] = {("src/",)}
    assert len(ordered.lines(opened)) == 3
    opened.clear()  # the screen's own set, which it changes
    assert len(ordered.lines(opened)) == 1


def test_folders_are_open_at_first_as_long_as_there_is_room() -> None:
    findings = tuple(Finding((f"src/{name}.py",), "changed") for name in "ab")
    tree = OrderedFindings(findings, lambda finding: 0.0, in_tree=True).findings
    assert opened_at_first(tree, 3) == {("src/",)}
    assert opened_at_first(tree, 2) == opened_at_first(tree, 0) == set()
