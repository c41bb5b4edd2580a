"""Digests are right, and are read anew exactly where a file has changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from repro_tui.support.hashes import HashIndex, digest_file, digest_text, digest_tree


def test_digests_are_those_of_hashlib(tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    (tmp_path / "file").write_bytes(content)
    found = digest_file(tmp_path / "file", md5=True)
    assert found.size == len(content)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.md5 == hashlib.md5(content).hexdigest()


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
