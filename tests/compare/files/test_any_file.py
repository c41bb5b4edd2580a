"""Archives, compressed files, and what no kind knows: nothing ends at two hashes, and nothing hostile gets through."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro_tui.compare.files import archives, compressed
from repro_tui.compare.files.base import FileContent
from repro_tui.compare.files.kinds import opened
from tests.compare.files.pairs import seen
from tests.conftest import EXAMPLES


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, hour: int = 1) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, hour, 0, 0)), content, method)
    return out.getvalue()


def test_members_by_their_own_kind(tmp_path: Path) -> None:
    a = zipped({"config.json": b'{"units": 3}', "w.h5": b"\x89HDF\r\n\x1a\n\0\0", "same": b"1", "notes.txt": b"x\n"})
    b = zipped(
        {"config.json": b'{"units": 4}', "w.h5": b"\x89HDF\r\n\x1a\n\0\1", "same": b"1", "notes.txt": b"y\n"}, hour=2
    )
    findings = seen(tmp_path, "m.keras", a, b).findings
    assert set(findings) == {"config.json", "w.h5", "notes.txt"}
    assert [(child.path, child.a, child.b) for child in findings["config.json"].children] == [(("units",), 3, 4)]
    assert findings["w.h5"].note == "HDF5, 10 bytes on both sides"
    assert findings["notes.txt"].children[0].note == "-x\n+y\n "


def test_a_model_of_pytorch_by_its_pickle_and_storages(tmp_path: Path) -> None:
    a = zipped({"a/data.pkl": pickle.dumps({"lr": 1}), "a/data/0": b"\0\0\x80\x3f"}, zipfile.ZIP_STORED)
    b = zipped({"b/data.pkl": pickle.dumps({"lr": 2}), "b/data/0": b"\0\0\0\x40"}, zipfile.ZIP_STORED)
    findings = seen(tmp_path, "m.pt", a, b).findings
    assert set(findings) == {"data.pkl", "data/0"}
    assert (findings["data.pkl"].children[0].a, findings["data.pkl"].children[0].b) == (1, 2)


def test_another_archive_of_equal_members_is_said_to_be_that(tmp_path: Path) -> None:
    result = seen(tmp_path, "x.zip", zipped({"a": b"1" * 99}), zipped({"a": b"1" * 99}, zipfile.ZIP_STORED, 2))
    assert (result.differences.count, "the members are equal" in result.note) == (0, True)


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, zlib.compress], ids=["gzip", "bzip2", "xz", "zlib"]
)
def test_compressed_files_by_what_is_inside(tmp_path: Path, compress: object) -> None:
    a, b = (compress(b'{"a": %d}' % value) for value in (1, 2))  # type: ignore[operator]
    result = seen(tmp_path, "x.json.gz", a, b)
    assert result.values == {"a": (1, 2)}
    assert "inside: JSON" in result.note


def test_another_compression_is_said_to_be_that(tmp_path: Path) -> None:
    result = seen(tmp_path, "x.gz", gzip.compress(b"x", mtime=1), gzip.compress(b"x", mtime=2))
    assert "what is inside is equal, only the compression differs" in result.note


def test_bytes_by_size_kind_and_first_difference(tmp_path: Path) -> None:
    a = b"GGUF" + b"\0" * 3_000_000
    b = a[:2_000_000] + b"\1\2" + a[2_000_002:]
    result = seen(tmp_path, "m.gguf", a, b)
    assert result.note == "GGUF, 3,000,004 bytes on both sides"
    [finding] = result.differences.kept
    assert finding.path == ("byte 2,000,000",)
    assert (finding.a[:5], finding.b[:5]) == ("00 00", "01 02")
    assert finding.note == "2 bytes differ (less than 0.01 % of those at the same place)"
    longer = seen(tmp_path, "m.gguf", a, a + b"\1").differences.kept[0]
    assert (longer.a, longer.b, longer.note) == (None, "01", "B has 1 more byte at its end")
    single = seen(tmp_path, "m.bin", b"\0", b"\1")
    assert single.note.endswith("1 byte on both sides")
    assert single.differences.kept[0].note == "1 byte differs (100 % of those at the same place)"


def test_two_kinds_of_file_are_named(tmp_path: Path) -> None:
    result = seen(tmp_path, "model.pkl", pickle.dumps([1]), b'{"a": 1}')
    assert result.note.startswith("A is pickle, B is JSON")
    assert result.differences.count == 1


def test_bombs_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 1 << 20)
    monkeypatch.setattr(compressed, "LARGEST", 1 << 20)
    bomb = [b"\0" * (2 << 20) + end for end in (b"1", b"2")]
    result = seen(tmp_path, "x.zip", *(zipped({"bomb": content}) for content in bomb))
    assert result.findings["bomb"].note == "too large to be unpacked; the checksums differ"
    result = seen(tmp_path, "x.gz", *map(gzip.compress, bomb))
    assert "cannot be read as gzip: it has more than 1 MiB inside" in result.note
    lying = [zipped({"bomb": content}).replace((len(content)).to_bytes(4, "little"), b"\5\0\0\0") for content in bomb]
    result = seen(tmp_path, "x.zip", *lying)
    assert result.findings["bomb"].change == "unknown"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-file", "b-file"]


def test_archives_in_archives_end(tmp_path: Path) -> None:
    a, b = b"1", b"2"
    for _ in range(9):
        a, b = zipped({"x": a}), zipped({"x": b})
    finding = seen(tmp_path, "x.zip", a, b).findings["x"]
    depth = 1
    while finding.children:
        finding, depth = finding.children[0], depth + 1
    assert depth < 7


def test_a_name_that_leaves_its_folder_is_only_a_name(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    result = seen(inside, "x.zip", zipped({"../../evil": b"1"}), zipped({"../../evil": b"2"}))
    assert set(result.findings) == {"../../evil"}
    assert list(tmp_path.iterdir()) == [inside]


NAMES = (
    "x",
    "x.json",
    "x.yaml",
    "x.toml",
    "x.ipynb",
    "x.npy",
    "x.npz",
    "x.safetensors",
    "x.pkl",
    "x.ubj",
    "x.gz",
    "x.pt",
)
STARTS = (b"", b'{"', b"{L", b"PK\3\4", b"\x93NUMPY\1\0", b"\x80\x04", b"\x1f\x8b\x08", b"\x78\x9c", b"BZh9", b"a: ")


@settings(max_examples=max(25, EXAMPLES), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(NAMES),
    start=st.sampled_from(STARTS),
    a=st.binary(max_size=200),
    b=st.binary(max_size=200),
)
def test_a_reader_never_raises_and_other_bytes_are_never_equal_in_silence(
    tmp_path: Path, name: str, start: bytes, a: bytes, b: bytes
) -> None:
    result = seen(tmp_path, name, start + a, start + b)
    assert result.note
    if a != b and not result.differences.count:
        assert result.differences.is_text or "equal" in result.note or "outputs" in result.note
    same = seen(tmp_path, name, start + a, start + a)
    assert same.differences.count == 0


def test_what_is_not_a_regular_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    with pytest.raises(OSError, match="folder"):
        opened(FileContent(tmp_path / "x", "x"), FileContent(tmp_path, "x"), tmp_path)
