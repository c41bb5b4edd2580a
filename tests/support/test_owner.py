"""What a killed process leaves behind is ended and removed at the next start, and nothing of a running one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from repro_tui.model.run import Limits
from repro_tui.support.cache import Cache
from repro_tui.support.control_groups.group import remove_groups
from repro_tui.support.control_groups.places import GroupPlace
from repro_tui.support.run_group import engine_group, run_group
from tests.orphans import marked_processes, noted_groups, orphans
from tests.processes import sleepers, unique_sleep, wait_until, wait_until_nobody_sleeps

# Holds everything that an owner can have: a child that outlives it, one in a group that has hidden itself from the
# environment, a folder that is being built, temporary files, and a run's folder in an audit.
HOLDER = """
import os, subprocess, sys, time
from pathlib import Path
from repro_tui.model.run import Limits
from repro_tui.support.cache import Cache
from repro_tui.support.cancel import CancelToken
from repro_tui.support.process import OWNER_VARIABLE, marked
from repro_tui.support.run_group import run_group
root, marked_sleep, grouped_sleep = Path(sys.argv[1]), *sys.argv[2:]
cache = Cache(root / "cache")
os.environ[OWNER_VARIABLE] = cache.owner.name
cache.owner.note(folder=root / "audit")
(root / "audit" / "a" / "output-1").mkdir(parents=True)
(root / "audit" / "a" / ".record.json.1234.tmp").touch()
(root / "audit" / "a" / "run-1.log").touch()
cache.temporary().mkdir()
cache.temporary().write_text("half a file")
subprocess.Popen(["sleep", marked_sleep], env=marked(os.environ), start_new_session=True)
with run_group(Limits(memory=64 << 20), cache) as group:
    hidden = [*group.prefix, "sleep", grouped_sleep]
    subprocess.Popen(hidden if group.folders else ["true"], env={"PATH": os.environ["PATH"]}, start_new_session=True)
    def build(folder):
        (folder / "half").touch()
        print("held", bool(group.folders), flush=True)
        time.sleep(600)
    cache.folder("envs", "key", build, CancelToken())
"""


@contextmanager
def holder(root: Path, *sleeps: str) -> Iterator[tuple[subprocess.Popen[str], bool]]:
    """A process that owns something of each kind, and whether it could make a control group."""
    command = [sys.executable, "-c", HOLDER, str(root), *sleeps]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answer = process.stdout.readline().split()
        assert answer[:1] == ["held"]
        grouped = answer[1] == "True"
        wait_until(lambda: all(map(sleepers, sleeps[: 1 + grouped])), "its children sleep")
        try:
            yield process, grouped
        finally:
            process.kill()


def test_everything_of_a_killed_process_is_ended_and_removed_and_nothing_of_a_running_one(tmp_path: Path) -> None:
    sleeps = unique_sleep(), unique_sleep()
    cache, audits = Cache(tmp_path / "cache"), tmp_path / "audit"
    with holder(tmp_path, *sleeps) as (process, grouped):
        cache.sweep()
        assert (audits / "a" / "output-1").is_dir()
        assert (cache.root / "folders" / "envs" / "key" / "half").exists()
        assert len(list((cache.root / "temporary").iterdir())) == 2
        assert all(map(sleepers, sleeps[: 1 + grouped]))
        [owner] = [path for path in (cache.root / "owners").iterdir() if path.name != cache.owner.name]
        groups = noted_groups(owner)
        process.kill()
        process.wait()
        kinds = {text.split()[0] for text in orphans(cache.root, audits)}
        assert kinds == {"owner", "process", "temporary", "unfinished", "folder", *(["group"] if grouped else [])}
        cache.sweep()
    for sleep in sleeps:
        wait_until_nobody_sleeps(sleep)
    assert orphans(cache.root, audits) == []
    assert not [group for group in groups if group.exists()]
    assert [path.name for path in (audits / "a").iterdir()] == ["run-1.log"]


def test_an_entry_that_was_finished_after_all_is_kept(cache: Cache) -> None:
    from repro_tui.support.cancel import CancelToken

    folder, _ = cache.folder("envs", "key", lambda path: (path / "file").touch(), CancelToken())
    cache.owner.close()  # as if this process were killed: its file stays, unlocked
    cache.sweep()
    assert (folder / "file").exists()


def test_temporary_files_outlive_no_owner_that_has_ended(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from repro_tui.support.cache import Cache; from pathlib import Path\n"
            f"cache = Cache(Path({str(cache.root)!r})); cache.temporary().touch(); print(cache.owner.name)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(list((cache.root / "temporary").iterdir())) == 1
    cache.sweep()
    assert list((cache.root / "temporary").iterdir()) == []
    assert not (cache.root / "owners" / done.stdout.strip()).exists()


def test_a_group_is_removed_with_the_groups_below_it(cache: Cache) -> None:
    with run_group(Limits(memory=64 << 20), cache) as group:
        for folder in group.folders:
            (folder / "below").mkdir()
    assert not any(folder.exists() for folder in group.folders)
    assert remove_groups([Path("/sys/fs/cgroup/repro-tui-not-there")])
    assert marked_processes({"nobody"}) == []
    assert all(isinstance(place, GroupPlace) for place in group.folders.values())


BUILDING = """
import subprocess, sys, time
from pathlib import Path
from repro_tui.model.run import Limits
from repro_tui.support.cache import Cache
from repro_tui.support.control_groups.places import everywhere, joining
from repro_tui.support.run_group import engine_group
with engine_group(Limits(memory=64 << 20), Cache(Path(sys.argv[1]))) as group:
    below = [folder / "container" for folder in everywhere(group.name.strip("/"))] if group.folders else []
    for folder in below:  # as an engine does, in every hierarchy
        folder.mkdir(parents=True, exist_ok=True)
    joined = [folder for folder in below if not (folder / "cpuset.cpus").exists()]  # which is empty, and takes none
    command = [*joining(joined), "sleep", sys.argv[2]] if below else ["true"]
    subprocess.Popen(command, env={"PATH": "/usr/bin:/bin"}, start_new_session=True)
    print(len(below), flush=True)
    time.sleep(600)
"""


def test_what_an_engine_left_in_the_group_of_a_killed_build_is_ended_in_every_hierarchy(tmp_path: Path) -> None:
    sleep, root = unique_sleep(), tmp_path / "cache"
    command = [sys.executable, "-c", BUILDING, str(root), sleep]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as building:
        try:
            assert building.stdout is not None
            hierarchies = int(building.stdout.readline())
            wait_until(lambda: not hierarchies or bool(sleepers(sleep)), "what the engine started sleeps")
            [owner] = (root / "owners").iterdir()
            folders = noted_groups(owner)
            assert (len(folders), all((folder / "container").is_dir() for folder in folders)) == (hierarchies, True)
            Cache(root).sweep()
            assert all(folder.is_dir() for folder in folders)
        finally:
            building.kill()
    Cache(root).sweep()
    wait_until_nobody_sleeps(sleep)
    assert not [folder for folder in folders if folder.exists()]


def test_the_group_of_a_build_has_exactly_the_limits_of_builds(cache: Cache) -> None:
    with engine_group(Limits(memory=64 << 20, build_processes=33), cache) as group:
        for folder, place in group.folders.items():
            assert folder.parent == place.folder
            if "pids" in place.controllers:
                assert (folder / "pids.max").read_text().strip() == "33"
        assert not group.filled_memory()
        assert group.name == next((f"/{folder.name}" for folder in group.folders), "")
