"""The program from a shell: it starts fast, prints one clear line for each mistake, and has honest exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from repro_tui.cli.docs import commands_page
from repro_tui.cli.headless import finish
from repro_tui.cli.report_options import FORMATS, targets_of
from repro_tui.formats.wire.schemas import schema_text
from tests.audit.project import Project, Result
from tests.report.sample import rich_report

HEAVY = ("textual", "rich", "pydantic", "pandas", "numpy", "pyarrow", "duckdb", "docker", "git", "deepdiff", "msgspec")


def run(*arguments: str, folder: Path | None = None, **variables: str) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "repro_tui", *arguments],
        cwd=folder,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def loaded(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom repro_tui.cli.main import main\n"
        f"sys.argv = ['repro-tui', *{arguments!r}]\ntry:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("audit", "--help"), ("schema", "record")])
def test_nothing_heavy_is_imported_for_short_answers(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) & set(HEAVY) == set()


def test_a_headless_audit_never_imports_the_interface() -> None:
    code = "import sys, repro_tui.cli.headless, repro_tui.cli.audit, repro_tui.audit.engine, repro_tui.audit.plan\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "print('textual' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_page_of_the_commands_is_what_the_program_says() -> None:
    assert (Path(__file__).parents[2] / "docs" / "cli.md").read_text() == commands_page()  # `make docs` writes it


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("only-one",), "B"),
        (("a", "b", "--fail-on", "everything"), "--fail-on"),
        (("a", "b", "--column-tolerance", "x"), "--column-tolerance"),
        (("a", "b", "--memory", "lots"), "--memory"),
        (("a", "b", "--atol", "-1"), "--atol"),
        (("a", "b", "--runner", "kubernetes"), "--runner"),
        (("a", "b", "--unknown"), "--unknown"),
        (("a", "b", "--report"), "repro.toml"),
        (("wandb:nowhere", "b", "--report"), "wandb:nowhere"),
        (("runs:/abc", "b", "--report"), "is not a run"),
        (("show", "nowhere"), "nowhere"),
        (("schema", "nothing"), "nothing"),
        ((), "terminal"),
    ],
)
def test_bad_arguments_are_one_line_and_2(arguments: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    result = run(*arguments, folder=tmp_path)
    assert (result.status, result.stdout) == (2, ""), result.stderr
    assert expected in result.stderr
    assert all(line.startswith("repro-tui: ") for line in result.stderr.splitlines())


def test_report_targets_are_checked_before_anything_runs(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    project.record(a=project.deployment(), b=project.deployment())
    (project.folder / "link.json").symlink_to("/etc/passwd")
    (project.folder / "folder").mkdir()
    for target in ("link.json", "folder", "absent/x.json"):
        result = run("record.json#a", "record.json#b", "--report", target, folder=project.folder)
        assert result.status == 2, target
        assert target.partition("/")[0] in result.stderr
    for arguments, problem in (
        (("--report", "x.txt"), "--report: the name x.txt has no ending of a report format: end it in one of .json, "),
        (("--report", "x.md", "--markdown", "x.md"), "2 reports would be written to x.md"),
        (("--format", "json=-", "--report", "-"), "only one report can go to standard output"),
    ):
        result = run("record.json#a", "record.json#b", *arguments, folder=project.folder)
        assert (result.status, problem in result.stderr) == (2, True), result.stderr
    assert project.audits() == []


@pytest.mark.parametrize(
    ("file", "beginning"),
    [("x.json", "{"), ("x", "{"), ("x.MD", "## "), ("x.html", "<!doctype html>"), ("x.xml", "<?xml ")],
)
def test_the_ending_of_a_report_names_its_format(file: str, beginning: str, tmp_path: Path) -> None:
    (target,) = targets_of({**dict.fromkeys(FORMATS), "report": file, "format": ()})  # type: ignore[typeddict-item]
    assert finish(rich_report(), [replace(target, file=str(tmp_path / file))], quiet=True) == 1
    assert (tmp_path / file).read_text("utf-8").startswith(beginning)


def test_a_format_that_is_named_twice_is_written_twice(tmp_path: Path) -> None:
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    named = tuple(f"markdown={file}" for file in files)
    targets = targets_of({**dict.fromkeys(FORMATS), "format": named})  # type: ignore[typeddict-item]
    finish(rich_report(), targets, quiet=True)
    assert [file.read_text("utf-8")[:3] for file in files] == ["## ", "## "]


def test_a_report_is_valid_written_whole_and_alone_on_standard_output(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    values = {"threshold": 5.0, "::error::x [/red]\x1b]52;c;aGk=\x07": "::warning::\x1b[2J\u202e<script>"}
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": values}))
    result = project.audit(
        "--junit", "out.xml", "--markdown", "out.md", "--html", "out.html", "--fail-on", "parameters"
    )
    assert result.status == 1, result.stderr
    assert result.stdout.isascii()
    jsonschema.validate(result.report, json.loads(schema_text("report")))
    for text in (
        result.stdout,
        result.stderr,
        *((project.folder / f"out.{kind}").read_text() for kind in ("xml", "md", "html")),
    ):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    listed = run("list", "--json")
    assert [audit["verdict"] for audit in json.loads(listed.stdout)["audits"]] == ["identical"]


def test_a_full_disk_leaves_the_old_report(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    project.record(a=project.deployment(), b=project.deployment())
    assert project.audit().status == 0
    (project.folder / "old.json").write_text("old")
    code = (
        "import resource, sys\nfrom repro_tui.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\nimport signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nsys.exit(main())"
    )
    arguments = ["show", str(project.audits()[0]), "--report", "old.json", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=project.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr.startswith("repro-tui: old.json: the report cannot be written")
    assert (project.folder / "old.json").read_text() == "old"
    assert [path.name for path in project.folder.glob(".old*")] == []


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminals_of_other_encodings_do_not_fail(encoding: str, tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": {"threshold": 5.0, "é…≠": 1}}))
    sides = ("record.json#a", "record.json#b")  # without a report, the summary is what goes to standard output
    result = project.run(*sides, "--fail-on", "any", *project.options(), PYTHONIOENCODING=encoding, LC_ALL="C")
    assert result.status == 1, result.stderr
    assert "Traceback" not in result.stderr


def test_a_closed_pipe_prints_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "repro_tui", "schema", "report"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_home_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = {f"REPRO_TUI_{name}": str(tmp_path / "file" / "x") for name in ("CACHE", "AUDITS")}
    result = run("a", "b", "--report", folder=tmp_path, **blocked)
    assert result.status == 2
    assert "REPRO_TUI_CACHE" in result.stderr


@pytest.mark.parametrize(("home", "reason"), [("/proc/absent", "cannot be created"), ("", "HOME is not set")])
def test_without_a_home_it_says_which_folders_to_set(home: str, reason: str, tmp_path: Path) -> None:
    unset = {f"REPRO_TUI_{name}": "" for name in ("CACHE", "AUDITS", "CONFIG")}
    xdg = {f"XDG_{name}_HOME": "" for name in ("CACHE", "STATE", "CONFIG")}
    result = run("a", "b", "--report", folder=tmp_path, HOME=home, **unset, **xdg)
    assert (result.status, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert reason in line
    assert "REPRO_TUI_CACHE and REPRO_TUI_AUDITS to writable folders" in line
    assert list(tmp_path.iterdir()) == []


def test_doctor_finds_git_and_uv_and_says_how_to_get_the_rest() -> None:
    checks = {check["name"]: check for check in json.loads(run("doctor", "--json").stdout)}
    assert checks["git"]["state"] == "found"
    assert checks["uv"]["state"] == "found"
    assert all(check["do"] for check in checks.values() if check["state"] == "missing")


def test_the_cache_is_listed_and_pruned(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    project.record(a=project.deployment(), b=project.deployment())
    assert project.audit().status == 0
    assert "environments" in run("cache", "info").stdout
    assert "0 B" not in run("cache", "prune", "--all").stdout.partition(";")[0]
    assert project.audit().status == 0
