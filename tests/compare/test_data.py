"""The data of two sides is compared."""

from __future__ import annotations

from dataclasses import replace

from repro_tui.compare.data import compare_data
from repro_tui.model.workspace import FetchedData, FetchedFile
from repro_tui.support.context import Context


def side(**items: dict[str, str]) -> tuple[FetchedData, ...]:
    return tuple(
        FetchedData(path, "file", "x", {name: FetchedFile("/f", len(digest), digest) for name, digest in files.items()})
        for path, files in items.items()
    )


def test_the_same_data(context: Context) -> None:
    area = compare_data(side(m={"": "aa"}, d={"x": "1", "y": "2"}), side(d={"x": "1", "y": "2"}, m={"": "aa"}), context)
    assert (area.status, area.counts["same"], area.findings) == ("same", 2, ())
    assert compare_data(side(), side(), context).status == "not-recorded"


def test_a_changed_file_is_named_with_both_digests(context: Context) -> None:
    [finding] = compare_data(side(model={"": "aa"}), side(model={"": "bbb"}), context).findings
    assert (finding.path, finding.change) == (("model",), "changed")
    assert (finding.a, finding.b) == ("sha256:aa (2 bytes)", "sha256:bbb (3 bytes)")


def test_added_and_removed(context: Context) -> None:
    area = compare_data(side(one={"": "aa"}), side(two={"": "bb"}), context)
    assert {finding.path: finding.change for finding in area.findings} == {("one",): "removed", ("two",): "added"}


def test_files_of_a_folder(context: Context) -> None:
    a = side(d={"same": "1", "changed": "2", "gone": "3", "old": "4"})
    b = side(d={"same": "1", "changed": "5", "new": "6", "sub/moved": "4"})
    area = compare_data(a, b, context)
    [finding] = area.findings
    assert finding.note == "4 files differ, 1 of them only by name"
    leaves = [leaf for child in finding.children for leaf in child.children or (child,)]
    assert {(leaf.path[1], leaf.change, leaf.note[:7]) for leaf in leaves} == {
        ("changed", "changed", ""),
        ("gone", "removed", ""),
        ("new", "added", ""),
        ("sub/moved", "changed", "renamed"),
    }


def test_a_folder_is_a_tree_of_hashes_that_opens(context: Context) -> None:
    a = {"x/1": "1", "x/deep/2": "2", "x/deep/3": "3", "y/4": "4", "gone/5": "5"}
    b = a | {"x/deep/3": "33", "new/6": "6"}
    del b["gone/5"]
    [finding] = compare_data(side(d=a), side(d=b), context).findings
    tree = {child.path[1]: child for child in finding.children}
    assert {name: child.change for name, child in tree.items()} == {
        "gone/": "removed",
        "new/": "added",
        "x/": "changed",
    }
    deep = tree["x/"].children[0]
    assert (deep.path, deep.change, deep.note) == (("d", "x/deep/"), "changed", "1 file differs")
    assert deep.a != deep.b
    assert deep.a.startswith("tree:")
    assert deep.a.endswith("(2 files)")
    assert [leaf.path for leaf in deep.children] == [("d", "x/deep/3")]
    assert (tree["new/"].a, tree["gone/"].b) == (None, None)
    [again] = compare_data(side(d=a), side(d=b), context).findings
    assert again == finding


def test_a_moved_item_is_one_finding(context: Context) -> None:
    [finding] = compare_data(side(old={"": "aa"}), side(new={"": "aa"}), context).findings
    assert (finding.path, finding.change, finding.a, finding.b) == (("new",), "changed", "old", "new")
    area = compare_data(side(old={"": "aa"}), side(new={"": "aa"}, newer={"": "aa"}), context)
    assert sorted(finding.change for finding in area.findings) == ["added", "changed"]


def test_equal_copies_in_a_folder_are_counted(context: Context) -> None:
    [finding] = compare_data(side(d={"a": "1", "b": "1"}), side(d={"c": "1", "k": "9"}), context).findings
    assert sorted(child.change for child in finding.children) == ["added", "changed", "removed"]


def test_ignored_and_all(context: Context) -> None:
    a, b = side(d={"x": "1", "y": "2"}, e={"": "1"}), side(d={"x": "9", "y": "2"}, e={"": "1"})
    ignoring = replace(context, settings=replace(context.settings, ignore=("data.d.x",)))
    assert compare_data(a, b, ignoring).findings == ()
    everything = replace(context, settings=replace(context.settings, all_findings=True))
    assert [finding.change for finding in compare_data(a, b, everything).findings] == ["changed", "same"]
