"""What a reader could drop in silence, such as the first of two keys: it is a difference, or the file is not opened."""

from __future__ import annotations

import io
import pickle
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from repro_tui.compare.files.nested import DEEPEST_PATH
from repro_tui.compare.files.pickle_stream import MOST_DROPPED
from repro_tui.formats.value_files import format_of
from tests.compare.files.pairs import seen

TWICE = [
    ("x.yaml", b"lr: 1\nseed: 3\nlr: 2\n", b"lr: 9\nseed: 3\nlr: 2\n"),
    ("x.yaml", b"a: {1: x, true: y}\n", b"a: {1: z, true: y}\n"),  # one key of a dict
    ("x.yaml", b"a: {1: x, 0x1: y}\n", b"a: {1: z, 0x1: y}\n"),
    ("x.yaml", b"- &k {a: 1}\n- b: 1\n  b: 2\n", b"- &k {a: 1}\n- b: 3\n  b: 2\n"),
    ("x.yaml", b"!!set {a, b, a}\n", b"!!set {a, b}\n"),
    ("x.json", b'{"a": 1, "a": 2}', b'{"a": 3, "a": 2}'),
    ("x.toml", b"a = 1\na = 2\n", b"a = 3\na = 2\n"),
    ("x.ipynb", b'{"cells": [], "a": 1, "a": 2}', b'{"cells": [], "a": 3, "a": 2}'),
]


@pytest.mark.parametrize(("name", "a", "b"), TWICE)
def test_a_key_that_occurs_twice_is_compared_as_text(tmp_path: Path, name: str, a: bytes, b: bytes) -> None:
    result = seen(tmp_path, name, a, b)
    assert result.differences.is_text
    assert "equal" not in result.note
    assert f"cannot be read as {'JSON' if name.endswith('ipynb') else name[2:].upper()}" in result.note


def test_a_long_yaml_with_a_key_twice_too(tmp_path: Path) -> None:
    """libyaml reads it."""
    filler = b"".join(b"key%d: some text that fills it\n" % n for n in range(10_000))
    result = seen(tmp_path, "x.yaml", b"lr: 1\nlr: 2\n" + filler, b"lr: 9\nlr: 2\n" + filler)
    assert "the key 'lr' occurs twice" in result.note


def test_what_is_merged_in_may_be_overridden(tmp_path: Path) -> None:
    a = b"base: &b {x: 1, y: 2}\nother: {<<: *b, x: 3}\nmore: {<<: [*b, *b], y: 4}\n"
    result = seen(tmp_path, "x.yaml", a, a.replace(b"y: 4", b"y: 5"))
    assert result.values == {"more/y": (4, 5)}


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_values_of_a_file_with_a_key_twice_are_not_exchanged(suffix: str) -> None:
    reader = format_of(suffix)
    assert reader is not None
    with pytest.raises(ValueError, match="occurs twice"):
        reader.read(b'{"a": 1,\n"a": 2}')


def archive(*members: tuple[str, bytes], link: bool = False) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as out:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = ((stat.S_IFLNK if link else stat.S_IFREG) | 0o644) << 16
            out.writestr(info, content)
    return raw.getvalue()


def test_a_name_with_a_zero_byte_is_not_cut(tmp_path: Path) -> None:
    """The library reads `m.bin`, and so two archives whose members have other names."""
    a, b = (archive(("m.bin" + end, b"1")).replace(b"~", b"\0") for end in ("~x", "~y"))
    assert "the name of a member has a zero byte" in seen(tmp_path, "x.zip", a, b).note


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_not_opened(tmp_path: Path) -> None:
    a, b = (archive(("m", first), ("m", b"2")) for first in (b"1", b"3"))
    for name in ("x.zip", "x.npz"):
        result = seen(tmp_path, name, a, b)
        assert "two of its members have the same name" in result.note
        assert result.differences.count


def test_folders_and_links_of_an_archive_are_compared(tmp_path: Path) -> None:
    plain = archive(("m", b"1"))
    assert "empty/" in seen(tmp_path, "x.zip", plain, archive(("m", b"1"), ("empty/", b""))).findings
    assert seen(tmp_path, "x.zip", plain, archive(("m", b"1"), link=True)).findings["m"].note == (
        "a file became a link"
    )
    a, b = (archive(("m", b"1"), ("d/", content)) for content in (b"", b"hidden"))
    assert "d/" in seen(tmp_path, "x.zip", a, b).findings


def test_names_that_differ_in_case_or_in_a_suffix_are_two_members(tmp_path: Path) -> None:
    def npy(value: int) -> bytes:
        raw = io.BytesIO()
        np.save(raw, np.array([value]))
        return raw.getvalue()

    a, b = (archive(("w.npy", npy(v)), ("w", npy(v + 1)), ("W.npy", npy(v + 2))) for v in (0, 5))
    assert set(seen(tmp_path, "x.npz", a, b).findings) == {"w.npy", "w", "W"}
    reader = format_of(".npz")
    assert reader is not None
    with pytest.raises(ValueError, match="the same name"):
        reader.read(a)


CALL = b"cos\nsystem\n(Vtrue\ntR"


def test_a_value_that_another_one_of_its_key_replaces_is_compared(tmp_path: Path) -> None:
    """The dictionary is the same, and B's calls something while it is made."""
    a, b = (b"\x80\x02}Vk\n" + first + b"sVk\nK\x02s." for first in (b"K\x01", CALL))
    result = seen(tmp_path, "m.pkl", a, b)
    assert result.differences.count
    assert "os.system" in str(result.differences.kept)


def test_a_dropped_object_is_no_pickle_that_follows(tmp_path: Path) -> None:
    both, dropped = pickle.dumps(1) + pickle.dumps(2), b"\x80\x04K\x02K\x01."
    result = seen(tmp_path, "m.pkl", both, dropped)
    assert result.differences.count
    assert "no difference" not in result.note


def test_more_objects_that_are_dropped_than_are_compared_are_said_to_be_that(tmp_path: Path) -> None:
    a, b = (b"\x80\x02" + b"K\x01" * (MOST_DROPPED + 1) + last for last in (b"K\x01.", b"K\x02."))
    result = seen(tmp_path, "m.pkl", a, b)
    assert f"it makes more than {MOST_DROPPED:,} objects that it drops unused" in result.note
    assert "more than 1,000 pickles" in seen(tmp_path, "m.pkl", b"\x80\x02N." * 1_001, b"\x80\x02N." * 1_002).note


def test_a_deep_value_costs_its_depth_and_not_the_square_of_it(tmp_path: Path) -> None:
    depth = 100_000
    a, b = (b"\x80\x02" + b"]" * depth + value + b"a" * (depth - 1) + b"." for value in (b"K\x01a", b"K\x02a"))

    result = seen(tmp_path, "m.pkl", a, b)

    (finding,) = result.differences.kept
    assert (finding.a, finding.b) == (1, 2)
    assert len(finding.path) == DEEPEST_PATH + 2
    assert finding.path[0] == f"… ({depth - 1 - DEEPEST_PATH:,} levels)"
