"""The local runner: what a run can see, reach and use in a real sandbox."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repro_tui.execute.choose import check_runner
from repro_tui.execute.local import LocalRunner
from repro_tui.execute.sandbox import AS_YOU
from repro_tui.model.errors import Cancelled, Refused
from repro_tui.model.inventory import Inventory
from repro_tui.model.request import Settings
from repro_tui.model.run import Limits, Run
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, Workspace
from repro_tui.support.context import Context
from repro_tui.support.isolation import choose
from repro_tui.support.self_probe import EXPECTED
from tests.conftest import need
from tests.processes import (
    STUBBORN,
    cancelled_once,
    ended_at_its_limit,
    sleepers,
    unique_sleep,
    wait_until_nobody_sleeps,
)

WRITE = "open(output, 'w').write('id,v\\n1,2\\n')\n"
HEAD = "import os, sys, time\ninputs, output = sys.argv[1:3]\n"
Execute = Callable[..., Run]


def works(kind: str) -> bool:
    try:
        choose(Settings(isolation=kind))  # type: ignore[arg-type]
    except Refused:
        return False
    return True


@pytest.fixture(params=["bubblewrap", "namespace", "none"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def execute(kind: str, tmp_path: Path, context: Context) -> Execute:
    return runner(kind, tmp_path, context)


@pytest.fixture
def sandboxed(tmp_path: Path, context: Context) -> Execute:
    return runner("bubblewrap", tmp_path, context)


def runner(kind: str, tmp_path: Path, context: Context) -> Execute:
    need("bubblewrap", works(kind), f"{kind} does not work here")
    (context.folder.parent / "audit.json").write_text("{}")
    inputs = tmp_path / "inputs.csv"
    inputs.write_text("id\n1\n")

    def execute(program: str, timeout_s: float = 240, **options: object) -> Run:
        tree = context.cache.root / "tree"
        tree.mkdir(exist_ok=True)
        (tree / "predict.py").write_text(HEAD + program)
        root = str(Path(sys.base_prefix).resolve())
        environment = BuiltEnvironment("venv", "k", Inventory(), sys.prefix, f"{sys.prefix}/bin/python", root)
        command = ("python", "predict.py", "{inputs}", "{output}")
        workspace = Workspace("k", "a", command, timeout_s, environment, BuiltParameters({}), tree=str(tree))
        settings = Settings(isolation=kind, limits=Limits(memory=2 << 30), **options)  # type: ignore[arg-type]
        return LocalRunner().run(workspace, inputs, 1, replace(context, settings=settings))

    return execute


def log(run: Run) -> str:
    return Path(run.log).read_text()


def test_a_run_that_succeeds(execute: Execute) -> None:
    run = execute("print('hello')\n" + WRITE)
    assert (run.status, run.exit_code, run.rows, run.output_format) == ("succeeded", 0, 1, "CSV"), run.what
    assert log(run) == "hello\n"
    assert Path(run.predictions).is_file()


def test_the_environment_is_fixed_and_the_hosts_stays_out(execute: Execute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_SECRET", "c4n4ry")
    run = execute("for item in sorted(os.environ.items()): print(*item)\nprint(os.umask(0))\n" + WRITE, seed=7)
    text = log(run)
    assert "c4n4ry" not in text
    for line in ("PYTHONHASHSEED 7", "TZ UTC", "LC_ALL C.UTF-8", "OMP_NUM_THREADS 1", "HOME /tmp", "REPRO_SEED 7"):
        assert line in text


def test_the_network_is_off(sandboxed: Execute) -> None:
    run = sandboxed("import socket\nprint([name for _, name in socket.if_nameindex()])\n" + WRITE)
    assert log(run) == "['lo']\n"
    assert run.isolation is not None
    assert run.isolation.detail == EXPECTED | {"user": "65534"}


def test_the_network_of_the_host_is_told(sandboxed: Execute) -> None:
    run = sandboxed(WRITE, network="host")
    assert run.isolation is not None
    assert run.isolation.network == "host"
    assert any("network" in warning for warning in run.isolation.warnings)


def test_the_hosts_files_are_hidden_and_nothing_but_the_code_can_be_changed(sandboxed: Execute, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("c4n4ry")
    run = sandboxed(
        f"for path in ('{tmp_path}/secret', '/etc/shadow', '/root/.ssh', '/home'):\n    print(os.path.exists(path))\n"
        "for path in (inputs, '/usr/x', '/repro/x', '/x'):\n"
        "    try:\n        open(path, 'a'); print('WRITABLE', path)\n    except OSError: print('refused')\n" + WRITE
    )
    assert log(run).split() == ["False"] * 4 + ["refused"] * 4
    assert run.status == "succeeded"


def test_the_user_of_a_run_has_a_name_and_the_hosts_users_are_hidden(sandboxed: Execute) -> None:
    run = sandboxed(
        "import grp, pwd\nprint(pwd.getpwuid(os.getuid())[0], grp.getgrgid(os.getgid())[0], os.path.expanduser('~'))\n"
        "print(*(user[0] for user in pwd.getpwall()))\n" + WRITE
    )
    assert log(run).splitlines() == ["nobody nogroup /tmp", "root nobody"]


def test_no_sandbox_is_said_in_so_many_words(tmp_path: Path, context: Context) -> None:
    run = runner("none", tmp_path, context)(WRITE)
    assert run.isolation is not None
    assert run.isolation.warnings == (AS_YOU,)


def test_a_failure_is_told_with_its_last_words(execute: Execute) -> None:
    run = execute("sys.exit('the weights are missing')\n")
    assert (run.status, run.exit_code) == ("failed", 1)
    assert "the weights are missing" in run.what


def test_a_run_that_ignores_term_is_killed_with_all_its_children(execute: Execute, kind: str) -> None:
    sleep = unique_sleep()
    program = STUBBORN.format(sleep=sleep, session=False)
    events = ("waiting", "TERM was sent") if kind != "bubblewrap" else ("waiting",)  # which ends everything at TERM
    run = ended_at_its_limit(lambda limit_s: execute(program, timeout_s=limit_s), *events)
    assert run.status == "timed-out"
    wait_until_nobody_sleeps(sleep)


def test_a_cancelled_run_leaves_nothing(execute: Execute, context: Context) -> None:
    sleep = unique_sleep()
    program = f"import subprocess\nsubprocess.Popen(['sleep', '{sleep}'])\ntime.sleep(600)\n"
    with cancelled_once(lambda: sleepers(sleep), context.cancel), pytest.raises(Cancelled):
        execute(program, timeout_s=600)
    wait_until_nobody_sleeps(sleep)


def test_a_flood_and_a_line_without_end_are_bounded(sandboxed: Execute) -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = sandboxed(
        "line = 'x' * 99_999 + '\\n'\nfor _ in range(3_000): sys.stdout.write(line)\n"
        "for _ in range(500): sys.stdout.write('y' * 100_000)\nprint('the end')\n" + WRITE
    )
    assert run.status == "succeeded", run.what
    assert Path(run.log).stat().st_size < 6 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB: the engine holds none of it


def test_memory_is_limited(sandboxed: Execute) -> None:
    run = sandboxed("bytearray(4 << 30)\n")
    assert run.status == "out-of-memory"
    assert "2 GiB" in run.what


def test_an_own_exit_of_137_is_not_called_out_of_memory(sandboxed: Execute) -> None:
    run = sandboxed("sys.exit(137)\n")
    assert (run.status, run.exit_code) == ("failed", 137)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("pass\n", "wrote no output"),
        ("os.symlink('/etc/hostname', output)\n", "it must be a readable file, not a link"),
        ("os.mkdir(output)\n", "not a regular file"),
        ("os.mkfifo(output)\n", "not a regular file"),
    ],
)
def test_an_output_that_is_no_file_is_told(sandboxed: Execute, program: str, reason: str) -> None:
    run = sandboxed(program)
    assert run.status == "no-output"
    assert reason in run.what


def test_an_output_that_is_no_table_is_told(sandboxed: Execute) -> None:
    run = sandboxed("open(output, 'w').write('a,b\\n1\\n')\n")
    assert run.status == "unreadable-output"
    assert "line 2 has 1 fields" in run.what


def test_what_cannot_be_run_is_refused_beforehand() -> None:
    assert check_runner("image", Settings(runner="local")) is not None
    assert check_runner("lock", Settings(runner="docker")) is not None
    assert check_runner("image", Settings(isolation="bubblewrap")) is not None
    assert check_runner("requirements", Settings(isolation="none")) is None
    assert check_runner("requirements", Settings(isolation="none", user="root")) is not None
    assert check_runner("dockerfile", Settings(user="root")) is None
    with pytest.raises(Refused, match="needs an image"):
        choose(Settings(isolation="container"))
