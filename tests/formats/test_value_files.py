"""Files of values and arrays are read, mixed and written so that their own libraries can read them."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import yaml
from safetensors.numpy import load, save

from repro_tui.explain.inside.base import Inside
from repro_tui.explain.inside.values import inside_values
from repro_tui.formats.value_files import FORMATS, Array, format_of
from repro_tui.model.workspace import FetchedData, FetchedFile
from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context

A = {"weights": {"x": 1.5, "y": [1, 2, 3]}, "name": "first", "deep": {"a.b": True}}
B = {"weights": {"x": 2.5, "y": [1, 2, 4]}, "name": "first", "deep": {"a.b": False}, "new": 7}


def npz(values: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **values)
    return out.getvalue()


ARRAYS_A = {"coef": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.asarray([0.5]), "same": np.zeros(4)}
ARRAYS_B = {**ARRAYS_A, "coef": ARRAYS_A["coef"] + 1, "bias": np.asarray([0.75])}
WRITERS = {
    ".json": lambda values: json.dumps(values).encode(),
    ".yaml": lambda values: yaml.safe_dump(values).encode(),
    ".yml": lambda values: yaml.safe_dump(values).encode(),
    ".toml": lambda values: tomli_w.dumps(values).encode(),
    ".npz": npz,
    ".safetensors": lambda values: save(values, {"made": "by hand"}),
}
READERS = {
    ".json": json.loads,
    ".yaml": yaml.safe_load,
    ".yml": yaml.safe_load,
    ".toml": lambda content: tomllib.loads(content.decode()),
    ".npz": lambda content: dict(np.load(io.BytesIO(content), allow_pickle=False)),
    ".safetensors": load,
}


def of_arrays(suffix: str) -> bool:
    return suffix in (".npz", ".safetensors")


def opened(tmp_path: Path, suffix: str, a: bytes, b: bytes) -> tuple[Inside | None, list[FetchedFile]]:
    files = []
    for letter, content in (("a", a), ("b", b)):
        path = tmp_path / f"{letter}{suffix}"
        path.write_bytes(content)
        files.append(FetchedFile(str(path), len(content), hashlib.sha256(content).hexdigest(), ""))
    whole = Inside("model", ("model",), lambda base, chosen, context: base, lambda item: ("", ""), lambda item: (item,))
    return inside_values("model", f"model{suffix}", "", files[0], files[1], whole), files


def mixed(tmp_path: Path, inside: Inside, suffix: str, file: FetchedFile, chosen: set[str]) -> bytes:
    """The file of a hybrid that takes these values from B."""
    item = FetchedData(f"model{suffix}", "", "", {"": file})
    nothing: Any = None
    parts = Parts(nothing, nothing, {}, nothing, (item,), nothing)
    made = inside.parts(parts, frozenset(chosen), Context(cache=Cache(tmp_path / "cache")))
    return Path(made.data[0].files[""].file).read_bytes()


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_differs_inside_a_file_is_found_and_mixed(tmp_path: Path, suffix: str) -> None:
    a, b = (ARRAYS_A, ARRAYS_B) if of_arrays(suffix) else (A, B)
    inside, files = opened(tmp_path, suffix, WRITERS[suffix](a), WRITERS[suffix](b))
    assert inside is not None
    expected = ("coef", "bias") if of_arrays(suffix) else ("weights.x", "weights.y[2]", 'deep."a.b"', "new")
    assert sorted(inside.items) == sorted(expected)
    partly = READERS[suffix](mixed(tmp_path, inside, suffix, files[0], {expected[0]}))
    none = READERS[suffix](mixed(tmp_path, inside, suffix, files[0], set()))
    every = READERS[suffix](mixed(tmp_path, inside, suffix, files[0], set(expected)))
    if of_arrays(suffix):
        same = [
            all(np.array_equal(arrays[n], side[n]) and arrays[n].dtype == side[n].dtype for n in a)
            for arrays, side in ((none, a), (every, b), (partly, {**a, "coef": b["coef"]}))
        ]
        assert same == [True] * 3
        assert inside.sides("bias") == ("0.5", "0.75")
        assert inside.sides("coef")[0].endswith("2 x 3")
    else:
        assert (none, every) == (a, b)
        assert partly == {**a, "weights": {**a["weights"], "x": 2.5}}
        assert inside.sides("weights.x") == (1.5, 2.5)


HOSTILE = {
    "a pickle in an .npz": (".npz", lambda: npz({"x": np.asarray([{"a": 1}], dtype=object)})),
    "no zip": (".npz", lambda: b"PK\x03\x04 and nothing"),
    "a header longer than the file": (".safetensors", lambda: b"\xff" * 8 + b"{}"),
    "arrays outside of the file": (
        ".safetensors",
        lambda: struct.pack("<Q", 64) + b'{"x":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'.ljust(64),
    ),
    "a header that is a list": (".safetensors", lambda: struct.pack("<Q", 2) + b"[]"),
    "billions by aliases": (
        ".yaml",
        lambda: (
            "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9))
        ).encode(),
    ),
    "too deep": (".json", lambda: b"[" * 100_000 + b"]" * 100_000),
    "no text": (".toml", lambda: b"\xff\xfe"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_cannot_be_read_is_not_opened(tmp_path: Path, case: str) -> None:
    suffix, make = HOSTILE[case]
    good = WRITERS[suffix](ARRAYS_B if of_arrays(suffix) else B)
    assert opened(tmp_path, suffix, make(), good)[0] is None
    assert opened(tmp_path, suffix, good, make())[0] is None


def test_other_files_are_not_opened() -> None:
    assert format_of(".pkl") is None
    assert str(Array("<f4", (3, 4), bytes(48))) == "<f4, 3 x 4"
