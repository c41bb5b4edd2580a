"""A disk that fills up at every write in turn: status 3, the old report or one of what failed, and nothing corrupt."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.audit.project import Project
from tests.conftest import NIGHTLY, need

# In the last, not even the engine can begin.
SIZES = [("CACHE", 12), ("AUDITS", 16), ("CACHE", 128), ("AUDITS", 8)]
STEP, GROWTH, LARGEST = 12, 1.1, 20_000  # KiB between two sizes of the disk at least, a factor, and KiB; nightly


Failure = tuple[str, ...]  # empty: the audit succeeded


@cache
def can_mount() -> bool:
    """Whether a small disk can be mounted in a private mount namespace."""
    command = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    need("bubblewrap", can_mount(), "no disk can be mounted here")
    project = Project(tmp_path / "project")
    project.record(a=project.deployment(), b=project.deployment())
    return project


def audited(project: Project, name: str, kilobytes: int) -> tuple[int, dict[str, Any], str]:
    """Audits on a disk of that size, with a report in old.json or on standard output, and again with more space.

    Checks the second audit, that its file has the old report or one of the fault, and what the disk then has. Returns
    the status, the report and the errors of the first.
    """
    disk = project.folder / "disk"
    disk.mkdir(exist_ok=True)
    command = " ".join([sys.executable, "-m", "repro_tui", "record.json#a", "record.json#b", *project.options()])
    corrupt = f"find {disk}/x/objects -type f -exec sha256sum {{}} + 2>/dev/null > objects.txt"
    script = (
        f"mount -t tmpfs -o size={kilobytes}k tmpfs {disk} && mkdir {disk}/x || exit 99\n"
        f"{command} --report > first.json 2> first.txt; echo $?\n{command} --report old.json 2> again.txt; echo $?\n"
        f"mount -o remount,size=512m {disk}; {command} --report new.json; echo $?\n{corrupt}; exit 0"
    )
    variable = name if name == "TMPDIR" else f"REPRO_TUI_{name}"
    (project.folder / "old.json").write_text("old")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        cwd=project.folder,
        env=os.environ | {variable: str(disk / "x")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    first, second, third = map(int, done.stdout.split())
    errors = (project.folder / "first.txt").read_text()
    assert third == 0, done.stderr
    assert second in (first, 3), done.stderr  # where one audit had space, there may be none for another
    old = (project.folder / "old.json").read_text()
    assert second == 0 or old == "old" or json.loads(old)["exit_status"] == 3
    assert json.loads((project.folder / "new.json").read_text())["verdict"] == "identical"
    check_objects(project.folder / "objects.txt")
    return first, json.loads((project.folder / "first.json").read_text()), errors


def check_objects(sums: Path) -> None:
    """No object of the cache has other bytes than its name says."""
    for line in sums.read_text().splitlines():
        digest, _, path = line.partition("  ")
        assert digest == Path(path).parent.name + Path(path).name, path


def check_full(report: dict[str, Any], errors: str) -> None:
    """The report says so, with the remedy."""
    assert (report["exit_status"], report["verdict"]) == (3, "not-comparable")
    lost = [side for side in report["sides"].values() if side["failed"]]
    assert lost
    assert any("no space" in side["what"].lower() for side in lost), lost
    assert any("free up space" in side["do"] for side in lost), lost
    assert "Traceback" not in errors


@pytest.mark.parametrize(("name", "kilobytes"), SIZES if NIGHTLY else SIZES[:2])
def test_a_full_disk_is_told_and_goes_on_once_there_is_room(project: Project, name: str, kilobytes: int) -> None:
    status, report, errors = audited(project, name, kilobytes)
    assert status == 3, errors
    check_full(report, errors)
    if name == "CACHE":  # the disk of the audits has space for the report
        assert json.loads((project.folder / "old.json").read_text())["exit_status"] == 3


ENDED = """
import sys
from pathlib import Path
from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.follow import how_it_died
print(*how_it_died(AuditFolder(Path(sys.argv[1]))), sep="\\n")
"""


@pytest.mark.parametrize("full", [True, False])
def test_an_engine_whose_last_words_found_no_space_is_said_to_have_had_none(tmp_path: Path, full: bool) -> None:
    need("bubblewrap", can_mount(), "no disk can be mounted here")
    fill = "head --bytes 1M /dev/zero > fill; " if full else ""
    script = f'mount -t tmpfs -o size=512k tmpfs {tmp_path}; cd {tmp_path}; {fill}exec "$@" {tmp_path}'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", ENDED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    message, do, status = done.stdout.splitlines()
    reason = f": no space is left on the disk of {tmp_path}" if full else ""
    assert message == f"the audit ended without a report at its start{reason}"
    assert ("free up space" in do, "continue from the cache" in do, status) == (full, not full, "3")
    assert "engine.log" not in do, "there is no such file to see"


def failure_at(project: Project, name: str, kilobytes: int) -> Failure:
    """What fails on a disk of that size: the step in which each side does, and whether there is a new report."""
    status, report, errors = audited(project, name, kilobytes)
    if status == 0:
        return ()
    assert status == 3, (kilobytes, errors)
    check_full(report, errors)
    old = (project.folder / "old.json").read_text() == "old"
    return (*(str(report["sides"][side]["failed"]) for side in "ab"), str(old))


def each_failure(fails_at: Callable[[int], Failure]) -> dict[int, Failure]:
    """What fails on disks of more and more KiB, until nothing does.

    What is written in one go, such as a wheel of megabytes, is met at some of its bytes; where what fails changes, the
    sizes between are looked at, down to STEP.
    """
    failures: dict[int, Failure] = {}
    sizes = [STEP]
    while sizes:
        size = sizes.pop()
        failures[size] = fails_at(size)
        known = sorted(failures)
        if all(failures.values()):
            sizes.append(max(size + STEP, int(size * GROWTH)))
            assert sizes[-1] < LARGEST
        else:
            pairs = [(low, high) for low, high in pairwise(known) if failures[low] != failures[high]]
            sizes = [(low + high) // 2 for low, high in pairs if high - low > STEP][:1]
    return failures


def test_each_change_of_what_fails_is_looked_at() -> None:
    borders = {30: ("code",), 200: ("environment",), 5000: ("run 1",), 5040: ()}
    failures = each_failure(lambda size: next(step for border, step in borders.items() if size < border or not step))
    assert set(failures.values()) == set(borders.values())
    assert len(failures) < 90
    for (low, before), (high, after) in pairwise(sorted(failures.items())):
        assert before == after or high - low <= STEP


@pytest.mark.skipif(not NIGHTLY, reason="takes minutes: make test-nightly")
@pytest.mark.parametrize("name", ["CACHE", "AUDITS"])
def test_each_write_fails_in_turn(project: Project, name: str) -> None:
    failures = each_failure(lambda kilobytes: failure_at(project, name, kilobytes))
    print(json.dumps(failures))
    assert len(failures) > 5


@pytest.mark.skipif(not NIGHTLY, reason="takes longer than it tells: make test-nightly")
def test_a_folder_for_temporary_files_without_space_is_not_needed(project: Project) -> None:
    status, report, errors = audited(project, "TMPDIR", 4)
    assert (status, report["verdict"]) == (0, "identical"), errors


def test_the_check_of_objects_fails_for_other_bytes(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"other").hexdigest()
    (tmp_path / "sums").write_text(f"{digest}  objects/ab/{'c' * 62}\n")
    with pytest.raises(AssertionError):
        check_objects(tmp_path / "sums")
