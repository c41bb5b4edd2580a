"""Installs packages with uv and compares every file with the hash that its wheel has for it.

uv trusts what its cache has unpacked, and links files of an environment to it: what changed there would be in every
environment that is built from then on. A package whose files are not those of its wheel is removed from uv's cache and
installed again, once. Files that are still unequal are those of the wheel, whose RECORD is wrong: that is only logged.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.utils import canonicalize_name

from repro_tui.rebuild.environments.pythons.interpreters import run_uv
from repro_tui.rebuild.environments.uv import check_uv, log_output
from repro_tui.support.context import Context, Step
from repro_tui.support.hash_index import READERS
from repro_tui.support.regular import open_regular, read_regular
from repro_tui.support.text import join_names, show

CLEAN_S = 300.0


def install_wheels(
    install: Sequence[str], names: Collection[str], site: Path, problem: str, step: Step, context: Context
) -> None:
    """Runs `uv pip install` with these arguments and verifies the packages `names` (normalised) in the folder `site`.

    Raises Inconclusive, whose message begins with `problem`, where uv fails.
    """
    done = run_uv([*install], context)
    log_output(done.text, step, context)
    check_uv(problem, done, context)
    changed = changed_packages(site, names, context)
    if not changed:
        return
    damaged = sorted(changed)
    listed = show(join_names(damaged, most=5), 200)
    step.warn(f"uv's copy of {listed} was damaged ({show(changed[damaged[0]], 200)}), so it was fetched again")
    check_uv("uv's cache cannot be cleaned", run_uv(["cache", "clean", *damaged], context, CLEAN_S), context)
    again = [word for name in damaged for word in ("--reinstall-package", name)]
    done = run_uv([*install, *again], context)
    check_uv(f"the packages cannot be fetched again: uv's copy of {listed} was damaged", done, context)
    for name, file in changed_packages(site, damaged, context).items():
        step.log(f"the RECORD of {show(name, 100)} has another hash for {show(file, 200)} than its wheel")


def changed_packages(site: Path, names: Collection[str], context: Context) -> dict[str, str]:
    """Those of the packages `names` in a folder with a file that has another hash than in RECORD, and its path."""
    records = [record for record in sorted(site.glob("*.dist-info/RECORD")) if _package_of(record) in names]

    def first(record: Path) -> str | None:
        context.cancel.check()
        return next(_unequal(record), None)

    with ThreadPoolExecutor(READERS, thread_name_prefix="wheels") as pool:
        files = list(pool.map(first, records))
    return {_package_of(record): file for record, file in zip(records, files, strict=True) if file is not None}


def _package_of(record: Path) -> str:
    return canonicalize_name(record.parent.name.removesuffix(".dist-info").rpartition("-")[0])


def _unequal(record: Path) -> Iterator[str]:
    """The files that a RECORD lists with another hash than they have; one that cannot be read is named itself."""
    try:
        rows = list(csv.reader(io.StringIO(read_regular(record).decode("utf-8"))))
    except (OSError, ValueError, csv.Error):
        yield record.name
        return
    for row in rows:
        name, listed = (*row, "", "")[:2]
        algorithm, _, expected = listed.partition("=")
        if algorithm in ("sha256", "sha384", "sha512") and _digest(record.parent.parent / name, algorithm) != expected:
            yield name


def _digest(file: Path, algorithm: str) -> str:
    """A file's hash as a RECORD has it; "" where there is no such file."""
    try:
        with open_regular(file) as stream:
            digest = hashlib.file_digest(stream, algorithm).digest()
    except OSError:
        return ""
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
