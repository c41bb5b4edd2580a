"""What docs/ says about records and reports is what the program reads and writes."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from repro_tui.compare.columns.tolerance import DEFAULTS
from repro_tui.formats.wire.record import RecordFields, check_record
from repro_tui.model.finding import Accepted, Area, Finding
from repro_tui.model.gate import GateReport, KnownChange
from repro_tui.model.predictions import VERDICTS, Column, Noise, PredictionsArea, Rows, WorstRow
from repro_tui.model.record import Missing
from repro_tui.model.report import AuditInfo, Report, SideReport, Tool
from repro_tui.model.run import Isolation, Run
from repro_tui.model.workspace import Part

DOCS = Path(__file__).parents[2] / "docs"
KINDS = (Report, Tool, AuditInfo, SideReport, Missing, Part, Run, Isolation, Area, Finding, PredictionsArea, Column)
GATE = (Accepted, GateReport, KnownChange)


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text("utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page(name), re.S)


def fields(schema: dict[str, Any]) -> Iterator[str]:
    for part in (schema, *schema.get("$defs", {}).values()):
        yield from part.get("properties", {})


def test_the_example_is_a_record() -> None:
    for number, example in enumerate(blocks("record", "toml")):
        document = tomllib.loads(example) if number == 0 else {"schema": 1} | tomllib.loads(example)
        assert list(check_record(document, "record.md").deployments) == ["prod"]


def test_every_field_of_a_record_is_described() -> None:
    prose = re.sub(r"```.*?```", "", page("record"), flags=re.S)
    described = {name for text in re.findall(r"`([^`]+)`", prose) for name in re.findall(r"\w+", text)}
    assert set(fields(RecordFields.model_json_schema())) <= described


@pytest.mark.parametrize("kind", [*KINDS, *GATE, Rows, Noise, WorstRow])
def test_every_key_of_a_report_is_described(kind: type[Any]) -> None:
    described = set(re.findall(r"[A-Za-z0-9_]+", page("report")))
    assert {field.name for field in dataclasses.fields(kind)} <= described


def test_the_example_of_a_finding_is_one() -> None:
    (example,) = blocks("report", "json")
    assert Finding(**{**json.loads(example), "children": ()}).change == "changed"


def test_every_column_of_the_differences_is_described() -> None:
    from repro_tui.compare.columns.differences import SCHEMA

    described = re.findall(
        r"`([a-z_]+)`", page("report").partition("### differences.parquet")[2].partition("## The other")[0]
    )
    assert set(SCHEMA.names) <= set(described)


def test_the_verdicts_and_tolerances_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| (\S+) \| (\S+) \| (\S+) \|$", page("comparison"), re.M)
    tolerances = {name: (float(rtol), float(atol)) for name, rtol, atol in rows if name in DEFAULTS}
    assert tolerances == DEFAULTS
    assert (
        re.findall(r"^\| `([a-z-]+)` \| (?:a side|same|equal|every|over)", page("comparison"), re.M)[0] == VERDICTS[-1]
    )
    assert all(f"| `{verdict}` |" in page("comparison") for verdict in VERDICTS)


@pytest.mark.parametrize("name", ["record", "report", "safety", "proofs", "comparison", "gate"])
def test_links_between_pages_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+\.md)\)", page(name)):
        assert (DOCS / target).is_file()


@pytest.mark.parametrize("path", [*DOCS.rglob("*.md"), *DOCS.parent.glob("*.md")], ids=lambda path: path.name)
def test_no_page_has_the_marks_of_a_merge(path: Path) -> None:
    assert not re.search(r"^(<{7}|={7}|>{7})( |$)", path.read_text("utf-8"), re.MULTILINE)


def test_no_entry_of_the_changelog_stands_twice() -> None:
    entries = re.findall(r"^- .*(?:\n  .*)*", (DOCS.parent / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert [entry for entry in entries if entries.count(entry) > 1] == []
