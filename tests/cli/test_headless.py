"""A report is written at status 3, whatever went wrong: a file of an earlier audit is never left in its place."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.cli.headless import finish, follow, run_headless
from repro_tui.cli.report_options import ReportOptions, targets_of
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Record
from repro_tui.model.request import Request
from repro_tui.report.junit import JUnitReporter
from repro_tui.report.write import ReportTarget
from repro_tui.support.plain import write_json
from tests.report.sample import rich_report


@pytest.fixture
def targets(tmp_path: Path) -> list[ReportTarget]:
    """Two requested files, which an earlier audit has written, too."""
    files = {"json": tmp_path / "report.json", "junit": tmp_path / "junit.xml"}
    for file in files.values():
        file.write_text("of an earlier audit")
    return [ReportTarget(f"--{name}", name, str(file)) for name, file in files.items()]


def written(targets: list[ReportTarget]) -> tuple[int, str]:
    """The exit status in the JSON, and the JUnit."""
    return json.loads(Path(targets[0].file).read_text())["exit_status"], Path(targets[1].file).read_text()


def test_an_engine_that_ended_without_a_report_has_one_of_that(tmp_path: Path, targets: list[ReportTarget]) -> None:
    folder = tmp_path / "audit"
    folder.mkdir()
    record = Record("prod", "prod")
    write_json(folder / "audit.json", Request("1", record, record, started="2026-12-01T00:00:00Z"))
    assert follow(AuditFolder(folder), targets, quiet=True) == 3
    status, junit = written(targets)
    assert (status, "<error" in junit) == (3, True)


@pytest.mark.parametrize(
    "error", [Inconclusive("it did not start"), OSError(errno.ENOSPC, "no space", "/x"), KeyError("x")]
)
def test_an_audit_that_cannot_be_started_has_a_report_of_that(
    error: Exception, targets: list[ReportTarget], capsys: pytest.CaptureFixture[str]
) -> None:
    def start() -> AuditFolder:
        raise error

    assert run_headless(start, ("prod", "staging"), targets, quiet=True) == 3
    status, junit = written(targets)
    assert (status, "<error" in junit) == (3, True)
    assert "\x1b" not in capsys.readouterr().err


def test_what_is_refused_writes_nothing(targets: list[ReportTarget]) -> None:
    def start() -> AuditFolder:
        raise Refused("a bad argument")

    with pytest.raises(Refused):
        run_headless(start, ("prod", "staging"), targets, quiet=True)
    assert Path(targets[0].file).read_text() == "of an earlier audit"


def test_a_reporter_that_fails_leaves_the_others_and_the_status_is_3(
    targets: list[ReportTarget], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("a slip")

    monkeypatch.setattr(JUnitReporter, "write", fail)
    assert finish(rich_report(), targets, quiet=True) == 3
    assert json.loads(Path(targets[0].file).read_text())["verdict"] == "drift"
    assert Path(targets[1].file).read_text() == "of an earlier audit"
    assert "the report cannot be written: ZeroDivisionError: a slip" in capsys.readouterr().err


@pytest.mark.parametrize("taken", [True, False])
def test_annotations_go_beside_a_report_on_standard_output(
    taken: bool, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    options = ReportOptions(
        report="-" if taken else None,
        junit=None,
        markdown=None,
        html=None,
        format=(),
        annotations=("github",),
        quiet=True,
        no_mouse=False,
    )
    requested = [target for target in targets_of(options) if target.reporter == "github"]
    finish(rich_report(), requested, quiet=True)
    output, errors = capfdbinary.readouterr()
    assert (b"::error " in output, b"::error " in errors) == (not taken, taken)
