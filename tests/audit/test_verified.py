"""What is in the cache is read again before it is used: one flipped bit of any entry never runs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audit.project import Project, warm_cache

__all__ = ["warm_cache"]


def flip(file: Path) -> None:
    """Changes one bit of a file in place, and leaves its times, as far as a program can set them, as they were."""
    status = file.stat()
    file.chmod(status.st_mode | 0o200)
    with file.open("r+b") as stream:
        stream.seek(status.st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))
    file.chmod(status.st_mode)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def forget_change(cache: Path) -> None:
    """Gives the index of hashes the stats of now, as if the bytes of files had changed below the file system."""
    with sqlite3.connect(cache / "hashes.sqlite") as index:
        for (path,) in index.execute("SELECT path FROM digest").fetchall():
            if Path(path).exists():
                status = Path(path).stat()
                numbers = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
                index.execute("UPDATE digest SET stamp = ? WHERE path = ?", (" ".join(map(str, numbers)), path))
    index.close()


def first_files(cache: Path) -> Iterator[Path]:
    """A file that is not empty of every entry of the cache; each once, though entries share files by links."""
    seen = set()
    for entry in (*cache.glob("folders/*/*"), *cache.glob("objects/*"), *cache.glob("md5/*"), *cache.glob("notes/*")):
        files = [entry] if entry.is_file() else [f for f in sorted(entry.rglob("*")) if f.is_file()]
        files = [file for file in files if file.stat().st_size and not file.is_symlink()]
        for file in files[:1]:
            if file.stat().st_ino not in seen:
                seen.add(file.stat().st_ino)
                yield file


def test_one_flipped_bit_of_every_entry_is_noticed_and_made_good(
    tmp_path: Path, own_folders: Path, warm_cache: None
) -> None:
    project = Project(tmp_path / "project")
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": {"threshold": 3.0}}))
    cache = own_folders / "cache"
    first = project.audit()
    assert first.status == 1, first.stderr
    kinds = {entry.parent.name for entry in cache.glob("folders/*/*")}
    assert {"code", "tree", "environments", "parameters", "tables"} <= kinds
    for file in list(first_files(cache)):
        flip(file)
    forget_change(cache)
    again = project.audit()
    assert again.status == 1, again.stderr
    areas = [result.report["areas"]["predictions"] for result in (first, again)]
    assert areas[0]["findings"] == areas[1]["findings"]
    damage = [warning for warning in again.report["warnings"] if "was damaged" in warning]
    for kind in ("code", "tree", "environments", "parameters", "tables", "the object", "the note"):
        assert any(warning.startswith(kind) for warning in damage), (kind, damage)
    assert "was damaged" in (project.audits()[-1] / "journal.jsonl").read_text()
    third = project.audit()
    assert [warning for warning in third.report["warnings"] if "was damaged" in warning] == []


def test_a_damaged_clone_never_gives_other_code(tmp_path: Path, own_folders: Path, warm_cache: None) -> None:
    project = Project(tmp_path / "project")
    project.record(a=project.deployment(), b=project.deployment())
    assert project.audit().status == 0
    cache = own_folders / "cache"
    packs = [file for file in cache.glob("git/*/objects/**/*") if file.is_file()]
    assert packs
    for file in packs:
        flip(file)
    for folder in [*cache.glob("folders/code/*"), *cache.glob("folders/tree/*")]:
        if folder.is_dir():
            flip(folder / "predict.py")
    again = project.audit()
    assert again.status == 0, again.stdout
    assert again.report["sides"]["a"]["rebuild"][0]["matches"] == "matches"


@pytest.mark.parametrize("open_to", [0o777, 0o770])
def test_a_cache_that_others_can_write_to_is_refused(tmp_path: Path, own_folders: Path, open_to: int) -> None:
    project = Project(tmp_path / "project")
    project.record(a=project.deployment(), b=project.deployment())
    (own_folders / "cache").mkdir()
    (own_folders / "cache").chmod(open_to)
    refused = project.audit()
    assert refused.status == 2
    assert "can write to" in refused.stderr
    assert "chmod go-w" in refused.stderr
    assert project.audits() == []
