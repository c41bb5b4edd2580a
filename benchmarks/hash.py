"""Hashing data: this package against hashlib, sha256sum, BLAKE3 and DVC, on one large file and on many small ones.

`python benchmarks/hash.py` makes a file of 4 GiB and 50,000 small ones (`--gib 0.25 --files 5000` for a quick try),
runs each method in a process of its own on files in the page cache, and prints the median of `--times` runs. Read the
ratios. Needs the dependency group `bench`.

Goals: for 4 GiB at most 1.1 times hashlib with the same algorithm; small files at least 2 times faster than dvc-data; a
second audit of unchanged data at most 1.3 times the stat pass.
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


def make_files(folder: Path, gib: float, files: int) -> None:
    """Writes `large/file` of random bytes, and folders below `small/` with 100 files of 2 to 6 KiB each."""
    block = os.urandom(64 << 20)
    (folder / "large").mkdir()
    left = int(gib * (1 << 30))
    with (folder / "large/file").open("wb") as target:
        while left > 0:
            target.write(block[: min(left, len(block))])
            left -= len(block)
    for number in range(files):
        subfolder = folder / f"small/{number // 100:04}"
        subfolder.mkdir(parents=True, exist_ok=True)
        start = number * 997 % (len(block) - 8192)
        (subfolder / f"{number:06}").write_bytes(block[start : start + 2048 + number % 4096])


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# -- the methods --------------------------------------------------------------------------------------------------


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

    database = folder.parent / "dvc"
    shutil.rmtree(database, ignore_errors=True)
    build(HashFileDB(LocalFileSystem(), str(database)), str(folder), LocalFileSystem(), "md5", dry_run=True)


METHODS: list[Callable[[Path], None]] = [
    hashlib_sha256,
    ours,
    hashlib_md5,
    ours_md5,
    sha256sum,
    blake3,
    dvc_data,
    stat_pass,
]


def run(method: str, folder: Path) -> float:
    """The seconds of one method in a process of its own."""
    command = [sys.executable, __file__, "--one", method, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2][:100])
    return float(done.stdout.strip().rpartition("\n")[2])


def delete_index(folder: Path) -> None:
    for path in folder.glob("index.sqlite*"):
        path.unlink()


def measure(folder: Path, times: int, dvc: bool) -> None:
    base = 0.0
    for method in METHODS:
        if method is dvc_data and not dvc:
            continue
        runs = []
        try:
            for _ in range(times):
                delete_index(folder.parent)
                runs.append(run(method.__name__, folder))
        except RuntimeError as error:
            print(f"  {method.__name__:<22} failed: {error}")
            continue
        seconds = statistics.median(runs)
        base = base or seconds
        print(f"  {method.__name__:<22} {seconds:8.3f} s {seconds / base:7.2f} x", flush=True)
    delete_index(folder.parent)
    run("ours", folder)
    unchanged = statistics.median(run("ours", folder) for _ in range(times))
    print(f"  {'ours, unchanged':<22} {unchanged:8.3f} s {unchanged / base:7.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=4.0)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--no-dvc", action="store_true")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        method = next(method for method in METHODS if method.__name__ == options.one[0])
        began = time.perf_counter()
        method(Path(options.one[1]))
        print(time.perf_counter() - began)
        return
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        make_files(folder, options.gib, options.files)
        print(f"one file of {options.gib:g} GiB (base: hashlib's sha256)", flush=True)
        measure(folder / "large", options.times, not options.no_dvc)
        print(f"{options.files:,} small files (base: hashlib's sha256)", flush=True)
        measure(folder / "small", options.times, not options.no_dvc)


if __name__ == "__main__":
    main()
