"""The bill of materials is valid CycloneDX, always the same, and names what it leaves out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from repro_tui.evidence.sbom import bill_of_materials
from repro_tui.model.inventory import Inventory, PythonPackage
from repro_tui.model.report import Report, Sides
from tests.report.sample import rich_report

INVENTORY = Inventory(
    interpreter={"implementation": "CPython", "version": "3.11.7"},
    system={"os": "debian", "os version": "12", "libc": "glibc 2.36"},
    image={"id": "sha256:" + "ab" * 32},
    python_packages={
        "scikit_learn": PythonPackage("1.5.2", "index", "cd" * 32, {"sklearn/__init__.py": "ef" * 32}),
        "openblas": PythonPackage("0.3.28", "conda"),
    },
    system_packages={"libc6": "2.36-9+deb12u9", "g++": "4:12.2.0-3"},
    unknown={"files": "the image's files were not read"},
)
DATA = [
    {"path": "models/credit.pkl", "source": "s3://models/credit.pkl", "sha256": "12" * 32},
    {"path": "lookup.csv", "source": "file:lookup.csv", "md5": "34" * 16},
    {"path": "lookup.csv", "source": "file:again.csv"},
]


def report() -> Report:
    whole = rich_report()
    record = whole.sides.b.record | {"data": DATA, "code": {"commit": "9e" * 20, "repository": "code"}}
    return replace(whole, sides=Sides(whole.sides.a, replace(whole.sides.b, record=record)))


def document(inventory: Inventory = INVENTORY) -> Any:
    text = bill_of_materials(report(), "b", inventory)
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert problem is None, problem
    assert text == bill_of_materials(report(), "b", inventory)
    return json.loads(text)


def properties(item: Any) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in item.get("properties", ())}


def test_what_ran_is_listed() -> None:
    parts = [(part["type"], part["name"], part.get("version"), part.get("purl")) for part in document()["components"]]
    assert set(parts) == {
        ("operating-system", "debian", "12", None),
        ("platform", "CPython", "3.11.7", None),
        ("library", "scikit_learn", "1.5.2", "pkg:pypi/scikit-learn@1.5.2"),
        ("library", "openblas", "0.3.28", "pkg:conda/openblas@0.3.28"),
        ("library", "libc6", "2.36-9+deb12u9", "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9"),
        ("library", "g++", "4:12.2.0-3", "pkg:deb/debian/g%2B%2B@4:12.2.0-3"),
        ("machine-learning-model", "models/credit.pkl", None, None),
        ("data", "lookup.csv", None, None),
    }
    assert len(parts) == 9


def test_data_have_the_hashes_of_the_record() -> None:
    hashes = [part["hashes"] for part in document()["components"] if part.get("hashes")]
    assert sorted(hashes, key=str) == [
        [{"alg": "MD5", "content": "34" * 16}],
        [{"alg": "SHA-256", "content": "12" * 32}],
    ]


def test_the_deployment_is_what_all_belongs_to() -> None:
    whole = document()
    root = whole["metadata"]["component"]
    assert (root["type"], root["name"], root["version"]) == ("application", "staging", "9e" * 20)
    [depends] = [entry["dependsOn"] for entry in whole["dependencies"] if entry["ref"] == root["bom-ref"]]
    assert sorted(depends) == sorted(part["bom-ref"] for part in whole["components"])


def test_what_could_not_be_read_is_named() -> None:
    facts = properties(document()["metadata"])
    assert facts["repro-tui:unknown:files"] == "the image's files were not read"
    assert facts["repro-tui:image"] == "sha256:" + "ab" * 32


def test_an_empty_inventory_and_hostile_names() -> None:
    assert document(Inventory())["components"]
    hostile = {"a\x1b[31m\x00b": PythonPackage("\ud800", "\n"), "": PythonPackage("")}
    assert "\x1b" not in json.dumps(document(Inventory(python_packages=hostile)), ensure_ascii=False)
