"""One word for one thing: no class name twice, and no name that says nothing of what it names."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACES = ("repro_tui", "tests", "benchmarks")
# What a variable or an argument is never called: a reader could not tell what it holds.
VARIABLES = frozenset({"told", "words", "say", "tell", "found", "one", "other", "what", "how", "still", "beyond"})
# What no function is called by itself.
FUNCTIONS = frozenset({"take", "give", "make", "of", "say", "tell", "told", "still", "quiet", "beyond", "within"})
# Classes of which each is the only one of its file's kind, or that a framework looks for by this name.
TWICE = frozenset({"Handler"})


@cache
def trees() -> tuple[tuple[str, ast.Module], ...]:
    paths = [path for place in PLACES for path in sorted((ROOT / place).rglob("*.py"))]
    return tuple((str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8"))) for path in paths)


def bound(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The variables and arguments of a file, with their lines; the fields of a class are the contract's to name."""
    fields = {
        id(statement.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in fields:
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.lineno, node.name


def test_no_variable_has_a_name_that_says_nothing() -> None:
    places = [f"{path}:{line}: {name}" for path, tree in trees() for line, name in bound(tree) if name in VARIABLES]
    assert not places


def test_no_function_has_a_name_that_says_nothing() -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    places = [
        f"{path}:{node.lineno}: {node.name}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, functions) and node.name in FUNCTIONS
    ]
    assert not places


def test_no_class_name_stands_for_two_things() -> None:
    classes = defaultdict(list)
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name not in TWICE:
                classes[node.name].append(f"{path}:{node.lineno}")
    assert not {name: places for name, places in classes.items() if len(places) > 1}


def test_no_merge_was_left_unfinished() -> None:
    pages = [
        path for pattern in ("*.md", "*.toml", "docs/**/*.md", "repro_tui/**/*.tcss") for path in ROOT.glob(pattern)
    ]
    assert len(pages) > 20
    marks = ("<" * 7 + " ", "=" * 7 + "\n", ">" * 7 + " ")
    assert not [
        path.name for path in pages for line in path.read_text("utf-8").splitlines(True) if line.startswith(marks)
    ]
