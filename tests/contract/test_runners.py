"""The promises of every runner, tested in a real environment of each. A registered runner without a case fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro_tui.model.errors import Cancelled
from repro_tui.model.run import Limits
from repro_tui.model.workspace import BuiltParameters
from repro_tui.rebuild.parameters import store_files
from tests.contract.case import CANARY
from tests.contract.runner_case import WRITE, RunnerCase
from tests.processes import (
    STUBBORN,
    cancelled_once,
    ended_at_its_limit,
    sleepers,
    unique_sleep,
    wait_until_nobody_sleeps,
)

pytestmark = pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <socket.socket .*docker.sock:pytest.PytestUnraisableExceptionWarning"
)


def log(run: object) -> str:
    return Path(run.log).read_text()  # type: ignore[attr-defined]


def test_a_run_gives_its_table_and_the_isolation_it_had(case: RunnerCase) -> None:
    run = case.run("print('hello')\n" + WRITE)
    assert (run.status, run.exit_code, run.rows, run.output_format, run.number) == ("succeeded", 0, 1, "CSV", 1), run
    assert log(run) == "hello\n"
    assert Path(run.predictions).parent == case.context.folder
    assert run.isolation is not None
    assert run.isolation.probed
    assert run.isolation.network == "none"
    assert run.seconds > 0
    left = {path.name for path in case.context.folder.iterdir()}
    assert left == {"run-1.log", "run-1.parquet"}, "what a run needed for itself has to be removed"


def test_it_sees_its_inputs_and_nothing_of_the_host(case: RunnerCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_SECRET", CANARY)
    secret = case.context.folder.parent / "secret"
    secret.write_text(CANARY)
    folder, _ = store_files({"params.yaml": b"a: 1", "conf/model.yaml": b"b: 2"}, case.context)
    case.parameters = BuiltParameters({"params.yaml": {"a": 1}}, str(folder), per_file=True)
    run = case.run(
        "import socket\nprint(open(inputs).read().split(), sorted(os.environ.items()))\n"
        "params = os.environ['REPRO_PARAMS']\n"
        "print('params', [open(f'{params}/{name}').read() for name in ('params.yaml', 'conf/model.yaml')])\n"
        f"print('seen', os.path.exists({str(secret)!r}), [name for _, name in socket.if_nameindex()])\n"
        "for path in (inputs, '/usr/x', '/proc/sys/kernel/core_pattern'):\n"
        "    try:\n        open(path, 'a'); print('WRITABLE', path)\n    except OSError: pass\n"
        "try: socket.create_connection(('192.0.2.1', 80), 2)\nexcept OSError as error: print('errno', error.errno)\n"
        + WRITE
    )
    text = log(run)
    assert run.status == "succeeded", text
    assert "['id', '1']" in text
    assert "params ['a: 1', 'b: 2']" in text
    assert CANARY not in text
    assert "seen False ['lo']" in text
    assert "WRITABLE" not in text
    assert "errno 101" in text  # ENETUNREACH


def test_what_is_fixed_for_both_sides_is_fixed(case: RunnerCase) -> None:
    case.settings = {"seed": 7}
    text = log(case.run("for item in sorted(os.environ.items()): print(*item)\nimport socket\n" + WRITE))
    for line in ("PYTHONHASHSEED 7", "TZ UTC", "LC_ALL C.UTF-8", "HOME /tmp", "OMP_NUM_THREADS 1", "REPRO_SEED 7"):
        assert f"{line}\n" in text


@pytest.mark.parametrize(
    ("program", "status", "message"),
    [
        ("sys.exit('the weights are missing')\n", "failed", "the weights are missing"),
        ("pass\n", "no-output", "wrote no output"),
        ("os.symlink('/etc/hostname', output)\n", "no-output", "it must be a readable file, not a link"),
        ("open(output, 'w').write('a,b\\n1\\n')\n", "unreadable-output", "line 2 has 1 fields"),
        ("sys.exit(137)\n", "failed", "137"),
    ],
)
def test_what_goes_wrong_is_reported(case: RunnerCase, program: str, status: str, message: str) -> None:
    run = case.run(program)
    assert run.status == status, run
    assert message in run.what
    assert run.do
    assert not run.predictions


def test_the_memory_limit_is_the_programs_own_and_not_that_of_what_starts_it(case: RunnerCase) -> None:
    """Apptainer itself needs 1.8 GiB of address space: when the limit applied to it, runs failed at random."""
    case.settings = {"limits": Limits(memory=256 << 20)}
    run = case.run(WRITE)
    assert run.status == "succeeded", (run, log(run))
    assert case.run("bytearray(1 << 30)\n").status == "out-of-memory"


def test_a_run_over_its_time_is_ended_with_all_its_children(case: RunnerCase) -> None:
    sleep = unique_sleep()
    program = STUBBORN.format(sleep=sleep, session=True)
    run = ended_at_its_limit(lambda limit_s: case.run(program, limit_s), "waiting")
    assert (run.status, run.exit_code) == ("timed-out", None)
    wait_until_nobody_sleeps(sleep)


def test_a_cancelled_run_leaves_nothing(case: RunnerCase) -> None:
    sleep = unique_sleep()
    program = f"import subprocess\nsubprocess.Popen(['sleep', '{sleep}'])\ntime.sleep(600)\n"
    with cancelled_once(lambda: sleepers(sleep), case.context.cancel), pytest.raises(Cancelled):
        case.run(program, timeout_s=600)
    wait_until_nobody_sleeps(sleep)
    assert {path.name for path in case.context.folder.iterdir()} <= {"run-1.log"}
