"""Digests are right, and are computed again exactly when a file has changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from repro_tui.support.hash_index import HashIndex
from repro_tui.support.hashes import LARGE, Digests, digest_file, digest_text, digest_tree


def test_digests_are_those_of_hashlib(tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    (tmp_path / "file").write_bytes(content)
    digests = digest_file(tmp_path / "file", md5=True)
    assert digests.size == len(content)
    assert digests.sha256 == hashlib.sha256(content).hexdigest()
    assert digests.md5 == hashlib.md5(content).hexdigest()


def test_texts_are_kept_apart() -> None:
    assert digest_text("ab", "c") != digest_text("a", "bc")


def test_a_tree_does_not_depend_on_order() -> None:
    assert digest_tree([("a", "1"), ("b", "2")]) == digest_tree([("b", "2"), ("a", "1")])


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100)
    index = HashIndex(tmp_path / "hashes.sqlite")
    first = index.digests(file)
    file.chmod(0o000)  # root reads it all the same, so the stamp decides and not the permission
    file.chmod(0o644)
    assert index.digests(file) == first
    file.write_bytes(b"y" * 100)
    assert index.digests(file).sha256 == hashlib.sha256(b"y" * 100).hexdigest()
    index.close()


def test_md5_is_added_where_it_is_asked_for_later(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    index = HashIndex(tmp_path / "hashes.sqlite")
    assert index.digests(tmp_path / "file").md5 is None
    assert index.digests(tmp_path / "file", md5=True).md5 == hashlib.md5(b"x").hexdigest()
    index.close()


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "hashes.sqlite").write_bytes(b"no database at all" * 100)
    index = HashIndex(tmp_path / "hashes.sqlite")
    assert index.digests(tmp_path / "file").sha256 == hashlib.sha256(b"x").hexdigest()
    assert index.digests(tmp_path / "file").sha256 == hashlib.sha256(b"x").hexdigest()
    index.close()


def test_a_folder_is_read_once_and_then_only_where_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    for number in range(1_200):
        place = folder / f"{number // 100}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}").write_bytes(b"%d" % number)
    (folder / "link").symlink_to("0/0")
    index = HashIndex(tmp_path / "hashes.sqlite")
    digests, others = index.below(folder, md5=True)
    assert others == ["link"]
    assert len(digests) == 1_200
    assert digests["11/1199"].sha256 == hashlib.sha256(b"1199").hexdigest()
    assert digests["11/1199"].md5 == hashlib.md5(b"1199").hexdigest()
    read: list[str] = []

    def reading(path: str, *, md5: bool = False) -> Digests:
        read.append(path)
        return digest_file(path, md5=md5)

    monkeypatch.setattr("repro_tui.support.hash_index.digest_file", reading)
    (folder / "3/301").write_bytes(b"other")
    again = index.below(folder, md5=True)[0]
    assert read == [str(folder.resolve() / "3/301")]
    assert again == digests | {"3/301": digest_file(folder / "3/301", md5=True)}
    assert index.below(folder)[0] == index.below(folder, md5=True)[0] == again
    assert read == [str(folder.resolve() / "3/301")]
    (folder / "3/301").rename(folder / "3/new")
    moved = index.below(folder)[0]
    assert moved.pop("3/new") == again.pop("3/301")._replace(md5=None)
    assert moved == again
    index.close()


def test_md5_of_a_folder_is_added_where_it_is_asked_for_later(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    names = ["a", "b\udcff", "new\nline"]
    for name in names:
        (tmp_path / "data" / name).write_bytes(os.fsencode(name))
    index = HashIndex(tmp_path / "hashes.sqlite")
    plain = index.below(tmp_path / "data")[0]
    both = index.below(tmp_path / "data", md5=True)[0]
    assert both == {name: digest_file(tmp_path / "data" / name, md5=True) for name in names}
    assert plain == {name: digests._replace(md5=None) for name, digests in both.items()}
    assert index.below(tmp_path / "data")[0] == both
    (tmp_path / "empty").mkdir()
    assert index.below(tmp_path / "empty")[0] == index.below(tmp_path / "empty", md5=True)[0] == {}
    index.close()


def test_a_hard_link_that_we_made_is_no_reason_to_read_a_file_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / f"{n}" for n in range(3)]
    for file in files:
        file.write_bytes(file.name.encode())
    index = HashIndex(tmp_path / "hashes.sqlite")
    known = {file: index.digests(file) for file in files}
    before = [(file, file.stat()) for file in files]
    for file in files:
        os.link(file, f"{file}.link")
    files[2].write_bytes(b"other")
    index.linked(before)
    read: list[str] = []

    def reading(path: str, *, md5: bool = False) -> Digests:
        read.append(path)
        return digest_file(path, md5=md5)

    monkeypatch.setattr("repro_tui.support.hash_index.digest_file", reading)
    assert [index.digests(file) == known[file] for file in files] == [True, True, False]
    assert read == [str(files[2].resolve())]
    index.close()


def test_a_large_file_has_both_digests(tmp_path: Path) -> None:
    content = os.urandom(LARGE + 12_345)
    (tmp_path / "file").write_bytes(content)
    digests = digest_file(tmp_path / "file", md5=True)
    assert (digests.sha256, digests.md5) == (hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest())
