"""The proofs of docs/proofs.md: every promise, bad input and fault names tests, and each of these exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
SECTIONS = {"Bad inputs": 42, "Faults": 17}


def rows(section: str) -> dict[int, str]:
    """The rows of a section's table by their number."""
    text = (DOCS / "proofs.md").read_text("utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (\d+) \|(.*)\|$", text, re.MULTILINE)
    return {int(number): line for number, line in lines}


def named(line: str) -> list[str]:
    """The tests that a row names, as FILE::NAME."""
    return re.findall(r"`([\w/]+\.py::[\w:]+)`", line)


@cache
def names_in(file: str) -> set[str]:
    """The tests of a file, those of a class as CLASS::NAME."""
    names = set()
    for node in ast.parse((TESTS / file).read_text("utf-8")).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        names |= {f"{prefix}{member.name}" for member in members if isinstance(member, functions)}
    return names


def promises() -> list[int]:
    """The numbers of the promises of safety.md."""
    text = (DOCS / "safety.md").read_text("utf-8").partition("## Promises\n")[2].partition("\n## ")[0]
    return [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]


def test_every_promise_bad_input_and_fault_has_its_row() -> None:
    assert promises() == sorted(rows("Promises")) == list(range(1, len(promises()) + 1))
    assert len(promises()) > 10
    for section, count in SECTIONS.items():
        assert sorted(rows(section)) == list(range(1, count + 1)), section


@pytest.mark.parametrize("section", ["Promises", *SECTIONS])
def test_each_row_names_tests_that_exist(section: str) -> None:
    for number, line in rows(section).items():
        assert named(line), (section, number)
        for test in named(line):
            file, _, name = test.partition("::")
            assert name.rpartition("::")[2].startswith("test_"), test
            assert (TESTS / file).is_file(), test
            assert name in names_in(file), test


def test_a_test_that_was_renamed_is_missed() -> None:
    assert "test_of_long_ago" not in names_in("test_proofs.py")
    assert named("| x | `test_proofs.py::test_of_long_ago` |") == ["test_proofs.py::test_of_long_ago"]
