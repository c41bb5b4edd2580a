"""Real SIF images: read as data, run in isolation, and compared by their contents."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.execute.apptainer import ApptainerRunner
from repro_tui.execute.choose import check_runner
from repro_tui.formats.sif import read_sif
from repro_tui.model.errors import Cancelled, Inconclusive
from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Environment, Record
from repro_tui.model.request import Settings
from repro_tui.model.run import Limits, Run
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, Workspace
from repro_tui.rebuild.environments.sif import rebuild_sif
from repro_tui.sources.resolve import load_record
from repro_tui.support.context import Context
from tests.audit.project import PREDICT, ROWS, Project
from tests.execute.test_group import CROWD, LIMITS, MANY
from tests.execute.test_local import log
from tests.processes import (
    STUBBORN,
    cancelled_once,
    ended_at_its_limit,
    sleepers,
    unique_sleep,
    wait_until,
    wait_until_nobody_sleeps,
)
from tests.systems.apptainer.conftest import Images, apptainer

pytestmark = pytest.mark.apptainer
HEAD = "import os, subprocess, sys, time\ninputs, output = sys.argv[1:3]\n"
WRITE = "open(output, 'w').write('id,v\\n1,2\\n')\n"


def side(project: Project, file: Path, name: str, **changes: Any) -> dict[str, Any]:
    shutil.copyfile(file, project.folder / f"{name}.sif")
    return project.deployment(environment={"sif": f"{name}.sif", "variables": {"TOKEN": "c4n4ry-record"}}, **changes)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project", {"sif": "a.sif"})
    program = PREDICT.replace("noise = ", "import scoring\nnoise = ").replace(
        'model["weight"] *', 'model["weight"] * scoring.FACTOR *'
    )
    made.commit = made.repository.commit({"predict.py": program})
    return made


def scores(folder: Path, name: str) -> dict[str, float]:
    table = pq.read_table(folder / name / "run-1.parquet").to_pydict()
    return dict(zip(table["id"], map(float, table["score"]), strict=True))


def test_the_record_is_what_apptainer_itself_tells(images: Images, context: Context) -> None:
    path = images("1.0")
    attributes = json.loads(apptainer("inspect", "--json", "--all", str(path)))["data"]["attributes"]
    sif = read_sif(path, "sif")
    assert (sif.labels, sif.scripts, sif.definition.strip()) == (
        attributes["labels"],
        attributes["environment"],
        attributes["deffile"].strip(),
    )
    record = load_record(f"sif:{path}", context)
    assert record.code is not None
    assert (record.code.repository, record.code.commit, record.code.in_image) == (
        "https://git.example.org/credit.git",
        "9f2c" * 10,
        True,
    )
    assert (record.base, record.environment) == (str(path.parent), Environment(sif="credit.sif"))
    assert record.description.startswith("made from docker-daemon repro-tui-test-sif:")
    assert record.provenance["code.commit"] == "sif: label org.opencontainers.image.revision"
    assert {item.field for item in record.missing} >= {"parameters", "data", "predict", "validation.inputs"}


def test_an_image_without_labels_names_no_commit(images: Images, context: Context) -> None:
    record = load_record(f"sif:{images('1.5')}", context)
    (missing,) = (item for item in record.missing if item.field == "code")
    assert record.code is None
    assert "no label org.opencontainers.image.source" in missing.why
    assert "%labels" in missing.do


def test_what_it_holds_is_read_without_running_it(images: Images, context: Context) -> None:
    path = images("1.0")
    record = Record("a", "a", base=str(path.parent), environment=Environment(sif=path.name))
    built, part = rebuild_sif(record, replace(context))
    inventory = built.inventory
    assert inventory.python_packages["scoring"].version == "1.0"
    assert set(inventory.python_packages["scoring"].files) == {"scoring.py", "scoring-1.0.dist-info/METADATA"}
    assert inventory.system["os"] == "debian"
    assert inventory.system_packages["libc6"]
    assert inventory.interpreter["version"].startswith("3.")
    assert built.variables["GREETING"] == "hello"
    assert not inventory.unknown
    assert not part.cached
    assert rebuild_sif(record, context)[1].cached


@pytest.fixture
def execute(images: Images, tmp_path: Path, context: Context) -> Any:
    (context.folder.parent / "audit.json").write_text("{}")
    inputs = tmp_path / "in,puts:1.csv"
    inputs.write_text("id\n1\n")
    tree = context.cache.root / "tree"
    tree.mkdir()
    tree.chmod(0o755)
    image = images("1.0")

    def run(program: str, timeout_s: float = 240, **options: Any) -> Run:
        (tree / "predict.py").write_text(HEAD + program)
        environment = BuiltEnvironment("sif", "k", Inventory(), str(image), variables={"OWN": 'a,b $(id) "c"'})
        command = ("python3", "/repro/code/predict.py", "{inputs}", "{output}")
        code: Any = object()  # only its presence matters
        workspace = Workspace("k", "a", command, timeout_s, environment, BuiltParameters({}), code, tree=str(tree))
        settings = Settings(**({"limits": Limits(memory=2 << 30)} | options))
        return ApptainerRunner().run(workspace, inputs, 1, replace(context, settings=settings))

    return run


def test_a_run_sees_its_own_things_and_nothing_of_the_host(
    execute: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOST_SECRET", "APPTAINERENV_HOST_SECRET", "SINGULARITYENV_HOST_SECRET"):
        monkeypatch.setenv(name, "c4n4ry")
    monkeypatch.setenv("APPTAINER_BIND", str(tmp_path))
    (tmp_path / "secret").write_text("c4n4ry")
    run = execute(
        "for item in sorted(os.environ.items()): print(*item)\n"
        "import socket\nprint('interfaces', [name for _, name in socket.if_nameindex()], socket.gethostname())\n"
        "try: socket.create_connection(('127.0.0.1', 1), 1)\nexcept OSError as error: print('loopback', error.errno)\n"
        "try: socket.create_connection(('192.0.2.1', 80), 1)\nexcept OSError as error: print('outside', error.errno)\n"
        f"print('seen', [p for p in ('{tmp_path}/secret', '/root/.ssh', '/sys/kernel') if os.path.exists(p)])\n"
        "for path in (sys.argv[0], inputs, '/x', '/repro/x', '/proc/sys/kernel/core_pattern'):\n"
        "    try:\n        open(path, 'a'); print('WRITABLE', path)\n    except OSError: pass\n"
        "open('/tmp/x', 'w').write('x')\nprint('user', os.getuid())\n" + WRITE,
        seed=7,
    )
    text = log(run)
    assert run.status == "succeeded", text
    assert "c4n4ry" not in text
    assert re.findall("WRITABLE (.*)", text) == ["/repro/code/predict.py"]  # of its own copy, which is thrown away
    assert str(tmp_path) not in text
    assert "interfaces ['lo'] repro" in text
    assert "outside 101" in text  # ENETUNREACH
    assert "seen []" in text
    assert f"user {65534 if os.geteuid() == 0 else os.geteuid()}" in text
    for line in ("GREETING hello", 'OWN a,b $(id) "c"', "HOME /tmp", "PYTHONHASHSEED 7", "TZ UTC", "REPRO_SEED 7"):
        assert line in text
    assert run.isolation is not None
    assert (run.isolation.kind, run.isolation.network, run.isolation.probed) == ("container", "none", True)
    assert run.isolation.detail["interfaces"] == "lo"
    assert run.isolation.detail["capabilities"] == "none"
    assert run.isolation.detail["host files"] == "hidden"
    assert run.isolation.detail["root"] == "read-only"


WAITS = "while not os.path.exists('/repro/output/seen'): time.sleep(0.05)\n"
# It soon becomes another program, so it notes its own command line.
LAUNCHER = '#!/bin/sh\ncat /proc/$$/cmdline >> {seen}\nexec {apptainer} "$@"\n'


def command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes().decode("utf-8", "replace")


def test_no_variable_of_a_run_is_in_a_command_line(
    execute: Any, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value, seen, out = 'a,b $(id) "c"', set[str](), context.folder / "output-1" / "out"
    launcher, launched = tmp_path / "bin" / "apptainer", tmp_path / "launched"
    launcher.parent.mkdir()
    launcher.write_text(LAUNCHER.format(seen=launched, apptainer=shutil.which("apptainer")))
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", str(launcher.parent), prepend=os.pathsep)
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(execute, "print('has', os.environ['OWN'])\n" + WAITS + WRITE)

        def begun() -> bool:
            """The step itself runs, and not only what starts it."""
            lines = set(command_lines())
            seen.update(lines)
            return run.done() or any(line.startswith("python3\0/repro/code/predict.py\0") for line in lines)

        try:
            wait_until(begun, "the run has begun")
            seen.update(command_lines())
        finally:
            with contextlib.suppress(FileNotFoundError):
                (out / "seen").touch()
    assert run.result().status == "succeeded", log(run.result())
    assert f"has {value}" in log(run.result())
    assert "predict.py" in launched.read_text()
    seen.add(launched.read_text())
    assert not [line for line in seen if value in line or "\0OWN=" in line]


def test_the_hosts_network_is_there_only_where_it_is_asked_for(execute: Any) -> None:
    run = execute(WRITE, network="host")
    assert run.isolation.network == "host"
    assert any("network" in warning for warning in run.isolation.warnings)


def test_a_failure_is_told_with_its_last_words(execute: Any) -> None:
    run = execute("sys.exit('the weights are missing')\n")
    assert (run.status, run.exit_code) == ("failed", 1)
    assert "the weights are missing" in run.what


def test_a_run_that_ignores_term_is_killed_with_all_its_children(execute: Any) -> None:
    sleep = unique_sleep()
    program = STUBBORN.format(sleep=sleep, session=True)
    run = ended_at_its_limit(lambda limit_s: execute(program, timeout_s=limit_s), "waiting", "TERM was sent")
    assert run.status == "timed-out"
    wait_until_nobody_sleeps(sleep)


def test_a_cancelled_run_leaves_nothing(execute: Any, context: Context) -> None:
    sleep = unique_sleep()
    program = f"import subprocess\nsubprocess.Popen(['sleep', '{sleep}'])\ntime.sleep(600)\n"
    with cancelled_once(lambda: sleepers(sleep), context.cancel), pytest.raises(Cancelled):
        execute(program, timeout_s=600)
    wait_until_nobody_sleeps(sleep)
    assert not (context.folder / "output-1").exists()


def test_memory_is_limited(execute: Any) -> None:
    run = execute(MANY, limits=LIMITS)
    assert run.status == "out-of-memory", run.what
    assert "160 MiB" in run.what
    run = execute(CROWD, limits=LIMITS)
    assert any("refused more than 24 processes" in note for note in run.notes), run


def test_a_changed_parameter_is_audited_row_by_row(project: Project, images: Images) -> None:
    changed = {"values": {"threshold": 5.0, "shift": 0.25}}
    a, b = side(project, images("1.0"), "a"), side(project, images("1.0"), "b", parameters=changed)
    project.record(a=a, b=b)
    result = project.audit()
    assert (result.status, result.report["verdict"]) == (1, "drift"), result.report["summary"]
    areas = result.report["areas"]
    assert [areas[name]["status"] for name in ("code", "environment", "parameters", "data")] == [
        "same",
        "same",
        "different",
        "same",
    ], areas["environment"]
    folder = project.audits()[-1]
    scores_a, scores_b = scores(folder, "a"), scores(folder, "b")
    assert len(scores_a) == ROWS
    assert all(scores_b[row] == pytest.approx(scores_a[row] + 0.25) for row in scores_a)
    assert "c4n4ry-record" not in result.stdout
    assert AuditFolder(folder)


def test_a_changed_package_is_found_in_the_image_and_in_every_row(project: Project, images: Images) -> None:
    project.record(a=side(project, images("1.0"), "a"), b=side(project, images("1.5"), "b"))
    result = project.audit("--repeat", "1")
    environment = result.report["areas"]["environment"]
    findings = {tuple(item["path"]): (item["a"], item["b"]) for item in environment["findings"]}
    assert findings["packages", "scoring"] == ("1.0", "1.5")
    assert not any(path[0] == "system packages" for path in findings)
    folder = project.audits()[-1]
    scores_a, scores_b = scores(folder, "a"), scores(folder, "b")
    assert all(scores_b[row] == pytest.approx(1.5 * scores_a[row]) for row in scores_a)


def test_two_builds_of_one_content_are_the_same(project: Project, images: Images) -> None:
    a, b = images("1.5"), images("1.5+again")
    assert a.read_bytes() != b.read_bytes()
    project.record(a=side(project, a, "a"), b=side(project, b, "b"))
    result = project.audit("--repeat", "1")
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.report["summary"]
    assert result.report["areas"]["environment"]["status"] == "same", result.report["areas"]["environment"]


def test_code_inside_the_image_is_audited_by_reference(project: Project, images: Images) -> None:
    command = 'python3 -c \'import csv,scoring;r=list(csv.DictReader(open("{inputs}")));o=open("{output}","w")'
    command += ';o.write("id,score\\n");[o.write(x["id"]+","+str(scoring.FACTOR)+"\\n") for x in r]\''
    for name, version in (("a", "1.5"), ("b", "1.5+again")):
        shutil.copyfile(images(version), project.folder / f"{name}.sif")
    result = project.run(
        "sif:a.sif", "sif:b.sif", "--report", "--repeat", "1", "--inputs", "inputs.csv", "--predict", command
    )
    assert result.report["verdict"] == "identical", result.report["summary"]
    assert set(scores(project.audits()[-1], "a").values()) == {1.5}


def test_a_written_record_of_an_image_is_audited(project: Project, images: Images) -> None:
    step = ("--predict", 'python3 -c \'import sys; open(sys.argv[1], "w").write(open("{inputs}").read())\' {output}')
    shutil.copyfile(images("1.0"), project.folder / "prod.sif")
    done = project.run("record", "sif:prod.sif", "-o", "prod.toml", "--inputs", "inputs.csv", *step)
    assert done.status == 0, done.stderr
    text = (project.folder / "prod.toml").read_text()
    assert 'sif = "prod.sif"' in text
    assert "# missing: " in text
    result = project.run("prod.toml", "sif:prod.sif", "--report", "--repeat", "1", "--inputs", "inputs.csv", *step)
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.report["summary"]
    assert result.report["areas"]["environment"]["status"] == "same"


def test_no_apptainer_is_told(
    project: Project, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [folder for folder in os.environ["PATH"].split(":") if not (Path(folder) / "apptainer").exists()]
    project.record(a=side(project, images("1.0"), "a"), b=side(project, images("1.0"), "b"))
    result = project.audit(PATH=":".join(kept))
    assert result.status == 3
    assert "apptainer is not on PATH" in json.dumps(result.report["sides"])


def test_a_damaged_file_system_is_inconclusive(images: Images, tmp_path: Path, context: Context) -> None:
    whole = bytearray(images("1.0").read_bytes())
    start = read_sif(images("1.0"), "sif").offset
    whole[start + 96 : start + (1 << 20)] = bytes((1 << 20) - 96)
    (tmp_path / "x.sif").write_bytes(whole)
    record = Record("a", "a", base=str(tmp_path), environment=Environment(sif="x.sif"))
    with pytest.raises(Inconclusive, match=r"cannot be read|digest"):
        rebuild_sif(record, context)


def test_other_runners_and_isolations_are_refused_beforehand() -> None:
    assert check_runner("sif", Settings(runner="docker")) is not None
    assert check_runner("sif", Settings(isolation="bubblewrap")) is not None
    assert check_runner("sif", Settings(runner="apptainer")) is None
