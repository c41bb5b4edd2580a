"""JSON, YAML, TOML, UBJSON and notebooks, opened as the paths that differ."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from repro_tui.compare.files.ubjson import parse_ubjson
from repro_tui.formats.documents import no_duplicates
from tests.compare.files.pairs import seen

OLD = {"json": b'{"a": 1, "b": {"c": [1, 2, 3]}, "s": "x", "n": null}', "yaml": b"a: 1\nb:\n  c: [1, 2, 3]\ns: x\nn:\n"}
NEW = {
    "json": b'{"a": 1.0, "b": {"c": [1, 9, 3, 4]}, "s": "y", "m": true}',
    "yaml": b"a: 1.0\nb:\n  c: [1, 9, 3, 4]\ns: y\nm: true\n",
}
NEW["toml"], OLD["toml"] = (
    b'a = 1.0\ns = "y"\nm = true\n[b]\nc = [1, 9, 3, 4]\n',
    b'a = 1\ns = "x"\n[b]\nc = [1, 2, 3]\n',
)


@pytest.mark.parametrize("kind", ["json", "yaml", "toml"])
def test_the_paths_that_differ(tmp_path: Path, kind: str) -> None:
    result = seen(tmp_path, f"model.{kind}", OLD[kind], NEW[kind])
    expected = {
        "a": (1, 1.0),
        "b/c/1": (2, 9),
        "b/c/3": (None, 4),
        "s": ("x", "y"),
        "n": (None, None),
        "m": (None, True),
    }
    if kind == "toml":
        del expected["n"]
    assert result.values == expected
    assert result.findings["a"].note == "same value, other type: integer became float"
    assert result.findings["b/c/3"].change == "added"
    assert result.findings["m"].change == "added"
    assert f"; {len(expected)} differences" in result.note


def test_an_element_in_the_middle_of_a_very_long_list_is_one_difference(tmp_path: Path) -> None:
    numbers = list(range(150_000))
    a, b = numbers, [*numbers[:70_000], -5, *numbers[70_000:]]
    result = seen(tmp_path, "x.json", json.dumps({"k": a}).encode(), json.dumps({"k": b}).encode())
    assert result.values == {"k/70000": (None, -5)}


def test_differences_beyond_those_that_are_listed_are_counted(tmp_path: Path) -> None:
    a, b = ({"k": [[number + shift] for number in range(3_000)]} for shift in (0, 1))
    b["k"].append([0])
    result = seen(tmp_path, "x.json", json.dumps(a).encode(), json.dumps({**b, "a": 1, "b": 2}).encode())
    assert (result.differences.count, len(result.differences.kept)) == (3_003, 1_000)


def test_json_without_a_suffix_is_known_by_its_content(tmp_path: Path) -> None:
    assert seen(tmp_path, "config", b'{"a": 1}', b'{"a": 2}').values == {"a": (1, 2)}


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("x.json", b'{"a": 1, "b": 2.50}', b'{ "b": 2.5,\n"a": 1 }'),
        ("x.yaml", b"a: 1\nb: 2\n", b"# note\nb: 2\na: 1\n"),
        ("x.toml", b"a = 1\nb = 2\n", b"b = 2\na = 1\n"),
    ],
)
def test_other_bytes_of_equal_values_are_said_to_be_that(tmp_path: Path, name: str, a: bytes, b: bytes) -> None:
    result = seen(tmp_path, name, a, b)
    assert result.differences.count == 0
    assert "the values are equal, only the bytes differ" in result.note


def test_numbers_that_only_64_bits_make_equal_are_not_called_equal(tmp_path: Path) -> None:
    result = seen(tmp_path, "x.json", b'{"a": 0.1}', b'{"a": 0.1000000000000000000001}')
    assert "the values are equal" not in result.note
    assert result.values == {"a": ("0.1", "0.1000000000000000000001")}


def test_zeros_nan_and_booleans_are_told_apart(tmp_path: Path) -> None:
    a, b = b'{"z": 0.0, "n": NaN, "t": true, "i": 1}', b'{"z": -0.0, "n": NaN, "t": 1, "i": 1}'
    assert set(seen(tmp_path, "x.json", a, b).values) == {"z", "t"}


def test_many_differing_elements_are_one_difference_with_its_size(tmp_path: Path) -> None:
    a, b = ({"w": [index * factor for index in range(2_000)], "k": [1] * 50} for factor in (1, 3))
    b["k"][17] = -1
    result = seen(tmp_path, "x.json", json.dumps(a).encode(), json.dumps(b).encode())
    assert result.values == {"w": (1, 3), "k/17": (1, -1)}
    assert result.findings["w"].note == (
        "1,999 of 2,000 elements differ, the first at [1]; max |Δ| 3998; the first 100 are listed"
    )
    assert [child.path for child in result.findings["w"].children][:2] == [("1",), ("2",)]
    assert result.findings["k/17"].note == "of 50 elements"


def test_an_inserted_element_is_one(tmp_path: Path) -> None:
    a = [{"step": index} for index in range(100)]
    result = seen(tmp_path, "x.json", json.dumps({"s": a}).encode(), json.dumps({"s": [{"step": -1}, *a]}).encode())
    assert result.values == {"s/0": (None, '{"step": -1}')}


def test_long_texts_are_cut_around_their_first_difference(tmp_path: Path) -> None:
    a, b = (json.dumps({"t": "p" * 30_000 + word + "q" * 30_000}).encode() for word in ("old", "new"))
    finding = seen(tmp_path, "x.json", a, b).findings["t"]
    assert "pold" in finding.a
    assert "pnew" in finding.b
    assert len(finding.a) < 5_000
    assert finding.note == "60,003 and 60,003 characters, the first difference at character 30,000"


def test_more_than_a_thousand_differences_are_counted(tmp_path: Path) -> None:
    a, b = (json.dumps({f"k{index}": index + more for index in range(3_000)}).encode() for more in (0, 1))
    result = seen(tmp_path, "x.json", a, b)
    assert (result.differences.count, len(result.differences.kept)) == (3_000, 1_000)
    assert result.differences.left_out == "the first 1,000 are listed, 2,000 more are not"


def test_secrets_in_what_was_added_are_hidden(tmp_path: Path) -> None:
    result = seen(tmp_path, "x.json", b"{}", b'{"login": {"password": "canary", "user": "me"}}')
    assert result.values == {"login": (None, '{"password": "(hidden)", "user": "me"}')}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.json", b'{"a": 1, "a": 2}', "cannot be read as JSON: the key 'a' occurs twice"),
        ("x.json", b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "cannot be read as JSON"),
        ("x.json", b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}", "nested deeper than 200 levels"),
        ("x.json", b'{"a": ' + b"9" * 5_000 + b"}", "cannot be read as JSON"),
        ("x.json", b'{"a": ', "cannot be read as JSON"),
        ("x.yaml", b"a: !!python/object/apply:os.system [x]\n", "cannot be read as YAML"),
        (
            "x.yaml",
            b"a: &a [1,1,1,1,1,1,1,1,1]\n"
            + b"".join(
                f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n".encode()
                for old, new in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "cannot be read as YAML: it has more than 5,000,000 values",
        ),
        ("x.toml", b"a = ", "cannot be read as TOML"),
    ],
    ids=["duplicate", "deep", "200", "digits", "half", "python", "bomb", "toml"],
)
def test_what_cannot_be_read_is_text_and_says_why(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    result = seen(tmp_path, name, content, content + b"\n# x")
    assert result.differences.is_text
    assert reason in result.note
    assert "equal" not in result.note


# -- UBJSON ---------------------------------------------------------------------------------------------------------


def ubjson(value: object) -> bytes:
    """A value in UBJSON, as XGBoost writes it: lists of floats are typed."""
    if isinstance(value, dict):
        return (
            b"{" + b"".join(b"L" + struct.pack(">q", len(k)) + k.encode() + ubjson(v) for k, v in value.items()) + b"}"
        )
    if isinstance(value, list) and value and all(isinstance(item, float) for item in value):
        return b"[$d#L" + struct.pack(">q", len(value)) + struct.pack(f">{len(value)}f", *value)
    if isinstance(value, list):
        return b"[" + b"".join(map(ubjson, value)) + b"]"
    if isinstance(value, str):
        return b"SL" + struct.pack(">q", len(value)) + value.encode()
    if isinstance(value, bool):
        return b"T" if value else b"F"
    return b"L" + struct.pack(">q", value)  # type: ignore[arg-type]


def test_ubjson_is_read_as_xgboost_writes_it(tmp_path: Path) -> None:
    model = {"learner": {"base_score": "5E-1", "trees": [{"w": [0.5, 0.25]}], "n": 3}, "version": [2, 1, 0]}
    assert parse_ubjson(ubjson(model)) == model
    changed = {"learner": {"base_score": "6E-1", "trees": [{"w": [0.5, 1.0]}], "n": 3}, "version": [2, 1, 0]}
    assert seen(tmp_path, "m.ubj", ubjson(model), ubjson(changed)).values == {
        "learner/base_score": ("5E-1", "6E-1"),
        "learner/trees/0/w/1": (0.25, 1.0),
    }


@pytest.mark.parametrize(
    "content",
    [b"{", b"{L\x7f" + b"\0" * 7, b"[" * 1_000, b"[$Z#L\0\0\0\0\xff\xff\xff\xff", b"[$d#l\x7f\xff\xff\xff", b"X", b""],
)
def test_ubjson_within_limits(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"it |unknown type|a typed list|length"):
        parse_ubjson(content)


# -- notebooks ------------------------------------------------------------------------------------------------------


def notebook(*cells: tuple[str, str], outputs: list[object] | None = None) -> bytes:
    listed = [{"cell_type": kind, "source": [text], "outputs": outputs or [], "metadata": {}} for kind, text in cells]
    return json.dumps({"cells": listed, "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4}).encode()


def test_a_notebook_by_its_cells(tmp_path: Path) -> None:
    a = notebook(("code", "x = 1\ny = 2\n"), ("markdown", "text"), ("code", "last"))
    b = notebook(("code", "x = 1\ny = 3\n"), ("code", "last"))
    result = seen(tmp_path, "n.ipynb", a, b)
    assert {path: finding.change for path, finding in result.findings.items()} == {
        "cell 1": "changed",
        "cell 2": "removed",
    }
    [hunk] = result.findings["cell 1"].children
    assert (hunk.path, hunk.note) == (("@@ -1,3 +1,3 @@",), " x = 1\n-y = 2\n+y = 3\n ")


def test_outputs_of_a_notebook_are_told_apart(tmp_path: Path) -> None:
    result = seen(tmp_path, "n.ipynb", notebook(("code", "x")), notebook(("code", "x"), outputs=[1]))
    assert "the outputs of 1 cell differ" in result.note
    assert "equal" not in result.note


def test_a_key_that_occurs_twice_in_a_large_table_is_named() -> None:
    """A search of all keys before each would take hours."""
    pairs: list[tuple[str, object]] = [(str(number), number) for number in range(400_000)]
    with pytest.raises(ValueError, match=r"399999.* occurs twice"):
        no_duplicates([*pairs, ("399999", 1)])
