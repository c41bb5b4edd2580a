"""The promises of every reporter. A registered one without a reader for its format here fails."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from prometheus_client.parser import text_string_to_metric_families

from repro_tui.model.errors import Refused
from repro_tui.report.write import write_report
from repro_tui.support.registry import load, names
from tests.report.sample import (
    accepted_report,
    declared_report,
    hostile_report,
    lost_report,
    many_findings,
    rich_report,
    same_report,
)
from tests.report.test_hostile import HIDDEN, HOSTILE


def _html(text: str) -> None:
    parser = HTMLParser()
    parser.feed(text)
    parser.close()
    assert text.rstrip().endswith("</html>")


def _markdown(text: str) -> None:
    assert text.startswith("#")


def _commands(text: str) -> None:
    lines = text.split("\n")
    assert lines.pop() == ""
    assert all(re.fullmatch(r"::(error|warning|notice) file=[^,:]+,line=1,title=[^,:]*::.*", line) for line in lines)


def _metrics(text: str) -> None:
    assert list(text_string_to_metric_families(text))


def _variables(text: str) -> None:
    names = [line.partition("=")[0] for line in text.splitlines()]
    assert names == [f"REPRO_TUI_{name}" for name in ("VERDICT", "EXIT_STATUS", "AUDIT", "SUMMARY")]


READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "junit": ElementTree.fromstring,
    "html": _html,
    "markdown": _markdown,
    "github": _commands,
    "gitlab": json.loads,
    "prometheus": _metrics,
    "dotenv": _variables,
    "tsv": lambda text: list(csv.reader(text.splitlines(), delimiter="\t")),
}
REPORTS = {
    "rich": rich_report,
    "same": same_report,
    "lost": lost_report,
    "declared": declared_report,
    "accepted": accepted_report,
    "many": lambda: many_findings(3_000),
}


@pytest.fixture(params=sorted(names("repro_tui.reporters")))
def reporter(request: pytest.FixtureRequest) -> str:
    assert request.param in READERS, f"add a reader for {request.param} to READERS: every reporter needs one"
    return str(request.param)


def written(reporter: str, folder: Path, report: object) -> str:
    file = folder / "report"
    write_report(report, reporter, str(file))
    return file.read_bytes().decode("utf-8")


@pytest.mark.parametrize("kind", REPORTS)
def test_the_format_can_be_parsed_and_is_deterministic(reporter: str, kind: str, tmp_path: Path) -> None:
    text = written(reporter, tmp_path, REPORTS[kind]())
    READERS[reporter](text)
    assert text == written(reporter, tmp_path, REPORTS[kind]())
    assert text.endswith("\n")


def test_the_verdict_is_reported(reporter: str, tmp_path: Path) -> None:
    assert rich_report().verdict in written(reporter, tmp_path, rich_report())
    assert lost_report().sides.b.what.partition(",")[0] in written(reporter, tmp_path, lost_report()).replace("\\", "")


def test_what_was_accepted_is_said_with_its_reason_and_what_has_expired(reporter: str, tmp_path: Path) -> None:
    text = written(reporter, tmp_path, accepted_report()).replace("\\", "")
    outcome = reporter in ("tsv", "prometheus", "dotenv")  # which have the predictions, or the outcome, only
    for phrase in () if outcome else ("numpy 2 is released", "2027-01-31", "expired", "a trial"):
        assert phrase in text, phrase


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_breaks_nothing(reporter: str, text: str, tmp_path: Path) -> None:
    page = written(reporter, tmp_path, hostile_report(text))
    READERS[reporter](page)
    assert not HIDDEN.search(page)


def test_a_link_is_not_written_through(reporter: str, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("kept")
    (tmp_path / "report").symlink_to(tmp_path / "target")
    written(reporter, tmp_path, rich_report())
    assert (tmp_path / "target").read_text() == "kept"


def test_an_unknown_reporter_is_refused() -> None:
    with pytest.raises(Refused, match="there is no reporter named 'absent'"):
        load("repro_tui.reporters", "absent")


@pytest.mark.parametrize("kind", ["lost", "declared"])
def test_predictions_that_were_not_compared_do_not_look_the_same(reporter: str, kind: str, tmp_path: Path) -> None:
    text = written(reporter, tmp_path, REPORTS[kind]()).lower().replace("\\", "")
    assert REPORTS[kind]().areas.predictions.what.lower() in text
    assert not re.search(r"(?<![\d,])0 (rows?|cells|in a|matched)\b|identical", text)
