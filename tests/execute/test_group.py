"""Limits on a run as a whole: what no limit of a single process holds, a control group does.

Which control groups there are depends on the machine: version 1 or 2, below our own group or beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repro_tui.execute.local import LocalRunner
from repro_tui.model.inventory import Inventory
from repro_tui.model.request import Settings
from repro_tui.model.run import Limits, Run
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, Workspace
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from repro_tui.support.control_groups.places import CONTROLLERS, group_places
from repro_tui.support.run_group import PER_PROCESS, run_group
from tests.conftest import need
from tests.orphans import noted_groups
from tests.processes import unique_sleep, wait_until_nobody_sleeps

MIB = 1 << 20
LIMITS = Limits(memory=160 * MIB, cpus=1, processes=24)
WRITE = "open(output, 'w').write('id,v\\n1,2\\n')\n"
HEAD = "import os, subprocess, sys, time\ninputs, output = sys.argv[1:3]\n"
# More than the limit, in a file that is in memory: no process has it.
FILE = "with open('{folder}/x', 'wb') as stream:\n    for _ in range(240): stream.write(b'x' * (1 << 20))\n" + WRITE
# Together more than the limit, each far below it.
MANY = (
    "each = [sys.executable, '-S', '-c', 'x = b\"x\" * (24 << 20); print(flush=True); input()']\n"
    "started = [subprocess.Popen(each, stdin=-1, stdout=-1) for _ in range(12)]\n"
    "for process in started: process.stdout.readline()\n"
) + WRITE
# A child that is killed for memory, which the run does not mind.
CHILD = "subprocess.run([sys.executable, '-S', '-c', 'x = b\"x\" * (320 << 20)'])\n" + WRITE
CROWD = (
    """
started = []
try:
    for _ in range(200): started.append(subprocess.Popen(['sleep', '600']))
except OSError: print('refused', len(started))
for process in started: process.kill()
for process in started: process.wait()
"""
    + WRITE
)
BUSY = (
    """
each = 'import time; end = time.monotonic() + 1\\nwhile time.monotonic() < end: pass\\nprint(time.process_time())'
started = [subprocess.Popen([sys.executable, '-S', '-c', each], stdout=subprocess.PIPE) for _ in range(4)]
print('seconds', sum(float(process.communicate()[0]) for process in started))
"""
    + WRITE
)
ENDS_EARLY = "subprocess.Popen(['sleep', '{sleep}'], start_new_session=True)\n" + WRITE
Execute = Callable[..., Run]


def execute_in(
    root: Path, program: str, kind: str = "bubblewrap", limits: Limits = LIMITS, cache: Cache | None = None
) -> Run:
    """One run of a program in a folder of its own."""
    cache, side = cache or Cache(root / "cache"), root / "side"
    tree = cache.root / "tree"
    for folder in (side, tree):
        folder.mkdir(exist_ok=True)
    (root / "audit.json").write_text("{}")
    (root / "inputs.csv").write_text("id\n1\n")
    (tree / "predict.py").write_text(HEAD + program)
    base = str(Path(sys.base_prefix).resolve())
    environment = BuiltEnvironment("venv", "k", Inventory(), sys.prefix, f"{sys.prefix}/bin/python", base)
    command = ("python", "predict.py", "{inputs}", "{output}")
    workspace = Workspace("k", "a", command, 240, environment, BuiltParameters({}), tree=str(tree))
    settings = Settings(isolation=kind, limits=limits)  # type: ignore[arg-type]
    context = Context(cache, settings=settings, side="a", folder=side, audit_id="test", here=root)
    return LocalRunner().run(workspace, root / "inputs.csv", 1, context)


@pytest.fixture
def execute(tmp_path: Path) -> Execute:
    available = {name for place in group_places() for name in place.controllers}
    need("bubblewrap", available == set(CONTROLLERS), f"control groups limit only {sorted(available)} here")
    return lambda *arguments, **options: execute_in(tmp_path, *arguments, **options)


@pytest.mark.parametrize(
    "program",
    [FILE.format(folder="/dev/shm"), FILE.format(folder="/tmp"), MANY, CHILD],
    ids=["shared memory", "temporary files", "many processes", "a child that is killed"],
)
def test_the_memory_of_a_run_is_limited_as_a_whole(execute: Execute, program: str) -> None:
    run = execute(program)
    assert run.status == "out-of-memory", run
    assert "memory limit of 160 MiB and was killed" in run.what
    assert not run.predictions  # also where its exit status was 0
    assert run.isolation is not None
    assert run.isolation.limits == dict.fromkeys(("memory", "processes", "cores"), "control group")
    assert not run.isolation.warnings


def test_address_space_alone_is_no_memory(execute: Execute) -> None:
    assert execute("import mmap\nmmap.mmap(-1, 4 << 30)\n" + WRITE).status == "succeeded"


def test_processes_are_limited_and_cores_too(execute: Execute) -> None:
    run = execute(CROWD)
    assert run.status == "succeeded"
    assert int(Path(run.log).read_text().split()[1]) <= LIMITS.processes + 8
    assert any("refused more than 24 processes" in note for note in run.notes)
    run = execute(BUSY, limits=replace(LIMITS, memory=2 << 30))
    assert not run.notes
    assert float(Path(run.log).read_text().split()[1]) < 1.5  # without a limit, as many as there are cores


@pytest.mark.usefixtures("execute")
def test_the_kernel_has_the_limit_of_the_cores(cache: Cache) -> None:
    """On a busy machine, what the processes got would not show it."""
    with run_group(replace(LIMITS, cpus=2), cache) as group:
        (folder,) = (folder for folder, place in group.folders.items() if "cpu" in place.controllers)
        if group.folders[folder].version == 2:
            quota, period = map(int, (folder / "cpu.max").read_text().split())
        else:
            quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        assert quota == 2 * period


def test_nothing_survives_a_run_and_no_group_either(execute: Execute, tmp_path: Path) -> None:
    sleep, cache = unique_sleep(), Cache(tmp_path / "cache")
    assert execute(ENDS_EARLY.format(sleep=sleep), kind="none", cache=cache).status == "succeeded"
    wait_until_nobody_sleeps(sleep)
    groups = [group for file in (cache.root / "owners").iterdir() for group in noted_groups(file)]
    assert len(groups) == len(group_places())
    assert not [group for group in groups if group.exists()]


ALONE = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from tests.execute.test_group import FILE, execute_in
programs = [FILE.format(folder=folder) for folder in ("/dev/shm", "/tmp")]
print(json.dumps([asdict(execute_in(Path(sys.argv[1]), program)) for program in programs]))
"""
READ_ONLY = "awk '$3 ~ /^cgroup/ {print $2}' /proc/mounts | while read -r m; do mount -o remount,bind,ro $m; done; "


def test_where_no_group_can_be_made_files_in_memory_are_bounded_and_the_report_says_so(tmp_path: Path) -> None:
    command = ["unshare", "--mount", "sh", "-c", READ_ONLY + 'exec "$@"', "sh", sys.executable, "-c", ALONE, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    need("bubblewrap", "unshare failed" not in done.stderr, "no mount namespace can be made here")
    assert done.returncode == 0, done.stderr
    for run in json.loads(done.stdout):
        assert (run["status"], "No space left on device" in run["what"]) == ("failed", True)
        assert run["isolation"]["limits"] == {
            "memory": "per process",
            "processes": "not limited",
            "cores": "not limited",
        }
        assert PER_PROCESS in run["isolation"]["warnings"]
