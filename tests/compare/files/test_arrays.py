"""npy, npz and safetensors, opened as the arrays that differ."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.compare.files.pairs import seen


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def safetensors(entries: dict[str, tuple[str, list[int], bytes]], **texts: str) -> bytes:
    """A file as https://huggingface.co/docs/safetensors describes it."""
    header: dict[str, object] = {"__metadata__": texts} if texts else {}
    place = 0
    for name, (kind, shape, data) in entries.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, place + len(data)]}
        place += len(data)
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + b"".join(data for _, _, data in entries.values())


def test_elements_that_differ(tmp_path: Path) -> None:
    a = np.arange(600_000, dtype="f4").reshape(1_000, 600)
    b = a.copy()
    b[700, 3:5] += [2, 0.5]
    [finding] = seen(tmp_path, "w.npy", npy(a), npy(b)).differences.kept
    assert (finding.a, finding.b) == (420_003.0, 420_005.0)
    assert finding.note == (
        "2 of 600,000 differ (less than 0.01 %), max |Δ| 2; the first at [700, 3] (float32, 1,000 x 600)"
    )


@pytest.mark.parametrize(
    ("a", "b", "note"),
    [
        (np.array([200], "u1"), np.array([210], "u1"), "max |Δ| 10"),
        (np.array([np.iinfo("i8").min]), np.array([0]), "max |Δ| 9.223e+18"),
        (np.array([np.nan, 1.0]), np.array([np.nan, np.inf]), "1 of 2 differs (50.0 %), max |Δ| inf; the first at [1]"),
        (np.array([0.0]), np.array([-0.0]), "1 of 1 differs (100 %), max |Δ| 0"),
        (np.array([True]), np.array([False]), "max |Δ| 1"),
        (np.array([1 + 2j]), np.array([1 + 5j]), "max |Δ| 3"),
        (np.array(["a"]), np.array(["b"]), "1 of 1 differs (100 %); the first at [0]"),
        (np.array(["2020-01-01"], "M8[D]"), np.array(["2021-01-01"], "M8[D]"), "1 of 1 differs"),
        (np.zeros(2, "f4"), np.zeros(2, "f8"), "same values, other type: float32 became float64"),
        (np.zeros(2, "f4"), np.ones(2, "i8"), "other type: float32 became int64; 2 of 2 differ (100 %), max |Δ| 1"),
        (np.zeros(2), np.zeros((2, 1)), "other shape"),
        (np.zeros((2, 3)), np.asfortranarray(np.ones((2, 3))), "stored by row on one side"),
        (np.zeros(3, [("x", "f4")]), np.ones(3, [("x", "f4")]), "3 of 3 differ"),
        (np.array(3.0), np.array(4.0), "the first at []"),
    ],
    ids=lambda value: "" if isinstance(value, np.ndarray) else value[:20],
)
def test_kinds_of_values(tmp_path: Path, a: np.ndarray, b: np.ndarray, note: str) -> None:
    [finding] = seen(tmp_path, "w.npy", npy(a), npy(b)).differences.kept
    assert note in finding.note


def test_arrays_of_an_archive_by_name(tmp_path: Path) -> None:
    result = seen(
        tmp_path,
        "w.npz",
        npz(w=np.arange(9.0), same=np.ones(3), old=np.ones(1)),
        npz(w=np.arange(9.0) * 2, same=np.ones(3)),
    )
    assert set(result.findings) == {"w", "old"}
    assert result.findings["old"].change == "removed"
    assert "8 of 9 differ (88.9 %), max |Δ| 8; the first at [1]" in result.findings["w"].note


def test_arrays_of_safetensors_by_name(tmp_path: Path) -> None:
    w = np.arange(6, dtype="<f4")
    half = np.array([0x3F80, 0x4000], "<u2").tobytes()  # 1.0 and 2.0
    a = safetensors({"w": ("F32", [2, 3], w.tobytes()), "h": ("BF16", [2], half), "x": ("I8", [1], b"\1")}, step="1")
    changed = np.array([0x3F80, 0x4040], "<u2").tobytes()  # 3.0
    b = safetensors(
        {"w": ("F32", [2, 3], (w * 2).tobytes()), "h": ("BF16", [2], changed), "y": ("I8", [1], b"\1")}, step="2"
    )
    result = seen(tmp_path, "m.safetensors", a, b)
    assert result.values["__metadata__/step"] == ("1", "2")
    assert result.values["h"] == (2.0, 3.0)
    assert "5 of 6 differ (83.3 %), max |Δ| 5; the first at [0, 1] (float32, 2 x 3)" in result.findings["w"].note
    assert (result.findings["x"].change, result.findings["y"].change) == ("removed", "added")


def test_safetensors_as_its_own_library_writes_them(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    a, b = (library.save({"w": np.full((2, 2), value, "f4")}) for value in (1, 2))
    assert seen(tmp_path, "model", a, b).values == {"w": (1.0, 2.0)}


def test_another_order_of_equal_arrays_is_said_to_be_that(tmp_path: Path) -> None:
    entries = {"a": ("I8", [1], b"\1"), "b": ("I8", [1], b"\2")}
    turned = dict(reversed(entries.items()))
    result = seen(tmp_path, "m.safetensors", safetensors(entries), safetensors(turned))
    assert (result.differences.count, "the arrays are equal, only the bytes differ" in result.note) == (0, True)


@pytest.mark.parametrize(
    "header",
    [
        {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 400]}},
        {"w": {"dtype": "F32", "shape": [1 << 62, 1 << 62], "data_offsets": [0, 4]}},
        {"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}},
        {"w": {"dtype": "F32", "shape": "x", "data_offsets": [0, 4]}},
        {"w": 1},
    ],
    ids=["outside", "huge", "negative", "backwards", "text", "number"],
)
def test_a_wrong_header_ends_at_the_bytes(tmp_path: Path, header: object) -> None:
    head = json.dumps(header).encode()
    a, b = (struct.pack("<Q", len(head)) + head + last for last in (b"\0\0\0\0", b"\0\0\0\1"))
    result = seen(tmp_path, "m.safetensors", a, b)
    assert "cannot be read as safetensors" in result.note
    assert result.values == {f"byte {len(a) - 1:,}": ("00", "01")}


def test_arrays_of_objects_are_never_unpickled(tmp_path: Path) -> None:
    a, b = (npy(np.array([text, {"k": 1}], dtype=object)) for text in ("old", "new"))
    result = seen(tmp_path, "o.npy", a, b)
    assert result.values == {"elements/0": ("old", "new")}
    assert "read without unpickling" in result.note
