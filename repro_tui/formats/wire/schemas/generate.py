"""Generates the JSON Schemas of the record and the report from the code that reads and writes them."""

from __future__ import annotations

import json

from pydantic import TypeAdapter

from repro_tui.formats.wire.record import RecordFields
from repro_tui.model.report import Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def generate() -> dict[str, str]:
    """The text of both schemas, by name."""
    record = RecordFields.model_json_schema()
    report = TypeAdapter(Report).json_schema(mode="serialization")
    return {"record": _text(record, "repro-tui record"), "report": _text(report, "repro-tui report")}


def _text(schema: dict[str, object], title: str) -> str:
    whole = {"$schema": DIALECT} | schema | {"title": title}
    return json.dumps(whole, indent=2, ensure_ascii=True) + "\n"
