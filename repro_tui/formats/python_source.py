"""Python source as a syntax tree: parsed within limits, never imported and never run."""

from __future__ import annotations

import ast
import warnings

LARGEST_SOURCE = 256 << 10
MOST_NESTED = 90  # Python's own parser gives up at 100 to 200 brackets
MOST_IN_A_ROW = 400
_NESTING = (b"-", b"+", b"~", b"not ", b"lambda", b".", b"*", b"(", b"if ", b"await ")


def parse_source(content: bytes) -> ast.Module | None:
    """The syntax tree of a source file; None where it is too large, too deep, or not Python."""
    if len(content) > LARGEST_SOURCE or b"\0" in content or _is_deep(content):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def _is_deep(content: bytes) -> bool:
    """Whether some line could nest deeper than the parser's stack: a hostile file must not end this process."""
    depth = 0
    for line in content.split(b"\n"):
        if any(line.count(mark) > MOST_IN_A_ROW for mark in _NESTING):
            return True
        for byte in line:
            depth += (byte in b"([{") - (byte in b")]}")
            if depth > MOST_NESTED:
                return True
        depth = max(depth, 0)
    return False
