"""The versions of Python in a commit's files, and in Poetry's notation."""

from __future__ import annotations

import pytest

from repro_tui.formats.locks.poetry_versions import allows, specifiers
from repro_tui.formats.python_versions import pinned_version, release_of


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.11.4\n", "3.11.4"),
        ("python-3.9.7", "3.9.7"),
        ("cpython-3.12\n", "3.12"),
        ("# 3.8 for production\n\n3.10.2 3.9.1\n", "3.10.2"),
        ("pypy3.9-7.3.9\n3.9\n", "3.9"),
        ("my-environment\n", None),
        ("3\n", None),
        ("2.7.18\n", None),
        ("", None),
    ],
)
def test_the_first_exact_version_of_a_pin_counts(text: str, version: str | None) -> None:
    assert pinned_version(text) == version


def test_the_release_of_a_version() -> None:
    assert [release_of(version) for version in ("3.11.7", "3.11", "3.14.0a1+")] == ["3.11", "3.11", "3.14"]


def test_alternatives_are_allowed_one_by_one_and_have_no_standard_notation() -> None:
    assert [allows("~2.7 || ^3.6", version) for version in ("2.7.18", "3.5.0", "3.9.1")] == [True, False, True]
    for text in ("^1 || ^2", "!!", "^x.y"):
        with pytest.raises(ValueError, match=r"."):
            specifiers(text)
