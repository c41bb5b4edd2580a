"""What differs is never said to be equal: each pair here differs in what a program would see of it."""

from __future__ import annotations

import bz2
import importlib
import io
import json
import lzma
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest

from tests.compare.files.pairs import seen

cloudpickle = importlib.import_module("cloudpickle")  # it has no types
REASSURING = ("equal", "no difference", "the same", "only the")


class Listed(list[int]):
    """A list with an attribute that has the name of a part of its description."""

    def __init__(self, number: int) -> None:
        super().__init__([1])
        self.items = number


class Weights(np.ndarray[tuple[int, ...], np.dtype[np.float64]]):
    """An array of one's own class."""


def notebook(**cell: object) -> bytes:
    parts = {"cell_type": "code", "source": "x", "outputs": [], "metadata": {}, "execution_count": 1}
    return json.dumps({"cells": [parts | cell], "nbformat": 4}).encode()


def ubjson(value: bytes) -> bytes:
    return b"{L" + struct.pack(">q", 1) + b"a" + value + b"}"


def npy(*values: object) -> bytes:
    out = io.BytesIO()
    for value in values:
        np.save(out, np.asarray(value), allow_pickle=False)
    return out.getvalue()


def safetensors(dtype: str, shape: list[int], after: bytes = b"") -> bytes:
    header = json.dumps({"x": {"dtype": dtype, "shape": shape, "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"abcd" + after


def torch_archive(number: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a/data.pkl", number)
        archive.writestr("data.pkl", b"same")
    return out.getvalue()


def joblib_file(value: object) -> bytes:
    out = io.BytesIO()
    joblib.dump(value, out)
    return out.getvalue()


def of_cloudpickle(name: str, threshold: float) -> bytes:
    """A function or an instance of a class that only the pickle has, with its code and its global."""
    names: dict[str, object] = {"__name__": "__main__", "T": threshold}
    exec("def served(x):\n    return x > T\nclass Model:\n    def served(self, x):\n        return x > T\n", names)
    value = names[name]
    content: bytes = cloudpickle.dumps(value() if isinstance(value, type) else value)
    return content


def built(*numbers: int) -> bytes:
    """An object that gets a state several times."""
    states = (
        b"}X\1\0\0\0" + bytes([97 + place]) + b"K" + bytes([number]) + b"sb" for place, number in enumerate(numbers)
    )
    return b"\x80\x02cm\nC\n)\x81" + b"".join(states) + b"."


LONG, LONGER = tuple(range(11)), tuple(range(12))
FIELDS = [("a", "f4"), ("b", "f4")]
PAIRS: dict[str, tuple[str, bytes, bytes]] = {
    "execution count": ("n.ipynb", notebook(), notebook(execution_count=2)),
    "cell id": ("n.ipynb", notebook(id="a"), notebook(id="b")),
    "output 1 and true": ("n.ipynb", notebook(outputs=[1]), notebook(outputs=[True])),
    "sources that are no text": ("n.ipynb", notebook(source=5), notebook(source=6)),
    "another part of a cell": ("n.ipynb", notebook(more=1), notebook(more=2)),
    "keys 1 and true": ("p.yaml", b"1: x\n", b"true: x\n"),
    "keys 1 and 1.0": ("p.yaml", b"1: x\n", b"1.0: x\n"),
    "sets of 1 and true": ("p.yaml", b"a: !!set {1}\n", b"a: !!set {true}\n"),
    "pairs and lists": ("p.yaml", b"a: !!pairs [x: 1]\n", b"a: [[x, 1]]\n"),
    "time zones in YAML": ("p.yaml", b"a: 2001-12-14t21:59:43-05:00\n", b"a: 2001-12-15t02:59:43Z\n"),
    "time zones in TOML": ("p.toml", b"a = 1979-05-27T07:32:00Z\n", b"a = 1979-05-27T00:32:00-07:00\n"),
    "exponents without bounds": ("p.json", b'{"a": 1e999999999999999999999}', b'{"a": 1e99999999999999999999}'),
    "number and text": ("m.ubj", ubjson(b"Hi\x011"), ubjson(b"Si\x011")),
    "character and text": ("m.ubj", ubjson(b"C1"), ubjson(b"Si\x011")),
    "bytes and their escape": ("m.ubj", ubjson(b"Si\x01\xff"), ubjson(b"Si\x04\\xff")),
    "imaginary part beside NaN": ("a.npy", npy([complex(np.nan, 1)]), npy([complex(np.nan, 2)])),
    "imaginary zeros": ("a.npy", npy([complex(0, -0.0)]), npy([complex(0, 0.0)])),
    "several arrays": ("a.npy", npy([1], [2]), npy([1], [3])),
    "unit of times": ("m.pkl", pickle.dumps(np.array([1], "M8[s]")), pickle.dumps(np.array([1], "M8[ms]"))),
    "order of fields": ("m.pkl", pickle.dumps(np.zeros(2, FIELDS)), pickle.dumps(np.zeros(2, FIELDS[::-1]))),
    "types of fields": ("m.pkl", pickle.dumps(np.zeros(2, [("a", "f4")])), pickle.dumps(np.zeros(2, [("a", "i4")]))),
    "fields in joblib": ("m.joblib", joblib_file(np.zeros(2, FIELDS)), joblib_file(np.zeros(2, FIELDS[::-1]))),
    "class of an array": ("m.pkl", pickle.dumps(np.array([[1.0]])), pickle.dumps(np.array([[1.0]]).view(Weights))),
    "value and array": ("m.pkl", pickle.dumps(np.float64(1)), pickle.dumps(np.array(1.0))),
    "order of objects": (
        "m.pkl",
        pickle.dumps(np.asfortranarray(np.array([[1, None], [2, 3]], object))),
        pickle.dumps(np.array([[1, 2], [None, 3]], object)),
    ),
    "tuple and list": ("m.pkl", pickle.dumps((1, 2)), pickle.dumps([1, 2])),
    "set and list": ("m.pkl", pickle.dumps({1, 2}), pickle.dumps([1, 2])),
    "set and frozenset": ("m.pkl", pickle.dumps({1, 2}), pickle.dumps(frozenset([1, 2]))),
    "bytes and bytearray": ("m.pkl", pickle.dumps(b"ab", 5), pickle.dumps(bytearray(b"ab"), 5)),
    "a key and its name": ("m.pkl", pickle.dumps({1: 2}), pickle.dumps({"[1]": 2})),
    "values of numpy's keys": (
        "m.pkl",
        pickle.dumps({np.int64(0): 1.0, np.int64(1): 2.0}),
        pickle.dumps({np.int64(0): 9.0, np.int64(1): 2.0}),
    ),
    "keys of numpy": ("m.pkl", pickle.dumps({np.int64(0): 1.0}), pickle.dumps({np.int64(5): 1.0})),
    "values of long keys": ("m.pkl", pickle.dumps({LONG: 1, LONGER: 2}), pickle.dumps({LONG: 9, LONGER: 2})),
    "long keys": ("m.pkl", pickle.dumps({LONG: 1}), pickle.dumps({LONGER: 1})),
    "commas in keys": ("m.pkl", pickle.dumps({("a, b",): 1}), pickle.dumps({("a", "b"): 1})),
    "an attribute called items": ("m.pkl", pickle.dumps(Listed(1)), pickle.dumps(Listed(2))),
    "a state after another": ("m.pkl", built(1, 2), built(5, 2)),
    "a value below the last": ("m.pkl", b"\x80\x02K\1K\2.", b"\x80\x02K\5K\2."),
    "a state of a class": ("m.pkl", b"\x80\x02cm\nC\n}X\1\0\0\0aK\1sb.", b"\x80\x02cm\nC\n}X\1\0\0\0aK\5sb."),
    "a global of a function": ("m.pkl", of_cloudpickle("served", 0.5), of_cloudpickle("served", 0.6)),
    "a global of a method": ("m.pkl", of_cloudpickle("Model", 0.5), of_cloudpickle("Model", 0.6)),
    "what made a class": ("m.pkl", b"\x80\x02cm\nmade\nK\1\x85R)\x81.", b"\x80\x02cm\nmade\nK\5\x85R)\x81."),
    "after zlib": ("m.z", zlib.compress(b"abc") + b"1", zlib.compress(b"abc") + b"2"),
    "after bzip2": ("m.bz2", bz2.compress(b"abc") + b"1", bz2.compress(b"abc") + b"2"),
    "after xz": ("m.xz", lzma.compress(b"abc") + b"1", lzma.compress(b"abc") + b"2"),
    "shape of an unknown type": ("m.safetensors", safetensors("F4", [2, 4]), safetensors("F4", [4, 2])),
    "after safetensors": ("m.safetensors", safetensors("I8", [4], b"1"), safetensors("I8", [4], b"2")),
    "a name in two folders": ("m.pt", torch_archive(b"1"), torch_archive(b"2")),
}


@pytest.mark.parametrize(("name", "a", "b"), PAIRS.values(), ids=PAIRS)
def test_no_note_reassures(tmp_path: Path, name: str, a: bytes, b: bytes) -> None:
    result = seen(tmp_path, name, a, b)
    assert result.differences.count or not any(word in result.note for word in REASSURING), result.note
    assert "same values" not in "".join(finding.note for finding in result.differences.kept)


def test_large_integers_are_not_those_that_floats_make_of_them(tmp_path: Path) -> None:
    [finding] = seen(tmp_path, "a.npy", npy([2**53 + 1]), npy([2.0**53])).differences.kept
    assert "1 of 1 differ" in finding.note
    [finding] = seen(tmp_path, "a.npy", npy([2**62 + 1]), npy([2**62])).differences.kept
    assert "max |Δ| 1;" in finding.note


def test_the_parts_of_a_function_are_named(tmp_path: Path) -> None:
    values = seen(tmp_path, "m.pkl", of_cloudpickle("served", 0.5), of_cloudpickle("served", 0.6)).values
    assert values["calls/0/arguments/1/1/__globals__/T"] == (0.5, 0.6)


def test_several_streams_are_all_unpacked(tmp_path: Path) -> None:
    for compress in (bz2.compress, lzma.compress):
        a, b = (compress(b'{"a": ') + compress(b"%d}" % number) for number in (1, 2))
        assert seen(tmp_path, "m.json.bz2", a, b).values == {"a": (1, 2)}
        cut = seen(tmp_path, "m.json.bz2", a[:-3], b[:-3])
        assert "it ends within a block" in cut.note


def test_a_type_that_shares_its_parts_is_not_written_out(tmp_path: Path) -> None:
    """Each level of the fields has the one below it many times: written out, they would be 10^24."""

    def bomb(number: int) -> bytes:
        shared = b"K" + bytes([number]) + b"q\1"
        for level in range(1, 13):
            shared += b"(" + b"h%c" % level * 100 + b"tq%c" % (level + 1)
        dtype = b"cnumpy\ndtype\nX\2\0\0\0V4K\0K\1\x87R(K\3X\1\0\0\0|" + shared + b"h\x0dNK\4K\1K\0tb"
        return b"\x80\x02cnumpy._core.multiarray\nscalar\n" + dtype + b"C\4abcd\x86R."

    result = seen(tmp_path, "m.pkl", bomb(1), bomb(2))
    assert result.differences.count
