"""Sizes as users write and read them; and that every message has them in the same form."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import repro_tui
from repro_tui.support.sizes import size_of, size_over, size_text

BYTES = re.compile(r"^ (?:[KMGT]iB|[KMGT]B)\b")
EXACT = {"clients/http_child.py", "clients/docker_pull.py"}  # in a container, without this package; as it moves on


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (300 << 20, "300 MiB"),
        (1023 << 20, "1,023 MiB"),
        ((1 << 30) - 1, "1 GiB"),
        (4 << 30, "4 GiB"),
        (1_567_663_063, "1.46 GiB"),
        (9 * 10**15, "8,185 TiB"),
    ],
)
def test_a_size_in_the_largest_unit_that_it_fills(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize("text", ["300MiB", "1.5 GiB", "64KiB", "17"])
def test_a_limit_is_shown_as_it_was_given(text: str) -> None:
    shown = size_text(size_of(text))
    assert size_of(shown.removesuffix(" bytes")) == size_of(text)
    assert shown.replace(" ", "") in (text.replace(" ", ""), f"{text}bytes")


def test_a_size_and_the_limit_that_it_exceeds_never_look_the_same() -> None:
    assert size_over(65 << 20, 64 << 20) == ("65 MiB", "64 MiB")
    assert size_over((64 << 20) + 1, 64 << 20) == ("67,108,865 bytes", "67,108,864 bytes")


def test_every_message_has_its_sizes_from_here() -> None:
    """No message divides bytes by itself: that is how "0.292969 GiB" came about."""
    root = Path(repro_tui.__file__).parent
    own = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in sorted(root.rglob("*.py"))
        if str(path.relative_to(root)) not in EXACT
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr)
        for before, after in zip(node.values, node.values[1:], strict=False)
        if isinstance(before, ast.FormattedValue) and isinstance(after, ast.Constant) and BYTES.match(str(after.value))
    ]
    assert not own
