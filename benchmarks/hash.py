"""Hashing data: ours beside hashlib, sha256sum, BLAKE3 and DVC, on one large file and on many small ones.

`python benchmarks/hash.py` makes a file of 4 GB and 50,000 small ones (`--gib 0.25 --files 5000` tries it quickly) and
runs each way in a process of its own, on what is in the page cache, the median of `--times`. Read the ratios. Needs the
group `bench`. Goals: 4 GB at most 1.1 times hashlib of the same algorithm; small files at least 2 times faster than
dvc-data; a second audit of unchanged data at most 1.3 times the stat pass.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CHUNK = 1 << 20


def make(folder: Path, gib: float, files: int) -> None:
    """`large/file` of random bytes, and `small/` with 100 files of 2 to 6 KiB in each of its folders."""
    block = os.urandom(64 << 20)
    (folder / "large").mkdir()
    left = int(gib * (1 << 30))
    with (folder / "large/file").open("wb") as target:
        while left > 0:
            target.write(block[: min(left, len(block))])
            left -= len(block)
    for number in range(files):
        place = folder / f"small/{number // 100:04}"
        place.mkdir(parents=True, exist_ok=True)
        start = number * 997 % (len(block) - 8192)
        (place / f"{number:06}").write_bytes(block[start : start + 2048 + number % 4096])


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# -- the ways -----------------------------------------------------------------------------------------------------


def ours(folder: Path) -> None:
    from repro_tui.support.hash_index import HashIndex

    index = HashIndex(folder.parent / "index.sqlite")
    index.below(folder)
    index.close()


def ours_md5(folder: Path) -> None:
    from repro_tui.support.hash_index import HashIndex

    index = HashIndex(folder.parent / "index.sqlite")
    index.below(folder, md5=True)
    index.close()


def stat_pass(folder: Path) -> None:
    from repro_tui.support.cache import walk

    for _, entry in walk(folder):
        entry.stat(follow_symlinks=False)


def _hashlib(folder: Path, name: str) -> None:
    import hashlib

    for path in files_of(folder):
        state = hashlib.new(name, usedforsecurity=False)
        with path.open("rb", buffering=0) as stream:
            while chunk := stream.read(CHUNK):
                state.update(chunk)
        state.hexdigest()


def hashlib_sha256(folder: Path) -> None:
    _hashlib(folder, "sha256")


def hashlib_md5(folder: Path) -> None:
    _hashlib(folder, "md5")


def sha256sum(folder: Path) -> None:
    subprocess.run(f"find {folder} -type f -print0 | xargs -0 sha256sum > /dev/null", shell=True, check=True)


def blake3(folder: Path) -> None:
    import blake3 as package

    for path in files_of(folder):
        package.blake3(max_threads=package.blake3.AUTO).update_mmap(path).hexdigest()


def dvc_data(folder: Path) -> None:
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.fs.local import LocalFileSystem

    place = folder.parent / "dvc"
    shutil.rmtree(place, ignore_errors=True)
    build(HashFileDB(LocalFileSystem(), str(place)), str(folder), LocalFileSystem(), "md5", dry_run=True)


WAYS: list[Callable[[Path], None]] = [
    hashlib_sha256,
    ours,
    hashlib_md5,
    ours_md5,
    sha256sum,
    blake3,
    dvc_data,
    stat_pass,
]


def once(way: str, folder: Path) -> float:
    words = [sys.executable, __file__, "--one", way, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2][:100])
    return float(done.stdout.strip().rpartition("\n")[2])


def forget(folder: Path) -> None:
    for path in folder.glob("index.sqlite*"):
        path.unlink()


def measure(folder: Path, times: int, dvc: bool) -> None:
    base = 0.0
    for way in WAYS:
        if way is dvc_data and not dvc:
            continue
        found = []
        try:
            for _ in range(times):
                forget(folder.parent)
                found.append(once(way.__name__, folder))
        except RuntimeError as error:
            print(f"  {way.__name__:<22} failed: {error}")
            continue
        seconds = statistics.median(found)
        base = base or seconds
        print(f"  {way.__name__:<22} {seconds:8.3f} s {seconds / base:7.2f} x", flush=True)
    forget(folder.parent)
    once("ours", folder)
    again = statistics.median(once("ours", folder) for _ in range(times))
    print(f"  {'ours, unchanged':<22} {again:8.3f} s {again / base:7.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=4.0)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--no-dvc", action="store_true")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        way = next(way for way in WAYS if way.__name__ == given.one[0])
        began = time.perf_counter()
        way(Path(given.one[1]))
        print(time.perf_counter() - began)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder, given.gib, given.files)
        print(f"one file of {given.gib:g} GiB (base: hashlib's sha256)", flush=True)
        measure(folder / "large", given.times, not given.no_dvc)
        print(f"{given.files:,} small files (base: hashlib's sha256)", flush=True)
        measure(folder / "small", given.times, not given.no_dvc)


if __name__ == "__main__":
    main()
