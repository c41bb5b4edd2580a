"""Mutation testing: how many small mistakes in the core of the comparison and of the search for the cause tests detect.

    python benchmarks/mutants.py [--each 40] [--seed 1] [FILE …]

Each mutant is the package with one operator, constant or condition of one file changed. The tests of that file (TESTS)
are run on it in a copy of the project; the mutant is killed if one of them fails. Prints every survivor, with its line
before and after, and the score of each file with its 95 % interval (Wilson). Mutants are drawn with a fixed seed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import itertools
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from repro_tui.compare.columns.statistics import interval

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 400
Change = Callable[[Any], None]  # mutates a node in place
COMPARE, EXPLAIN = "repro_tui/compare", "repro_tui/explain"
COLUMNS, ROWS, NOISE = (f"{COMPARE}/{room}" for room in ("columns", "rows", "noise"))
PREDICTIONS = "compare/test_predictions.py"
TRAPS, SCALE, KINDS = (f"compare/columns/test_{name}.py" for name in ("traps", "scale", "kinds"))
ALL_RUNS = "compare/noise/test_all_runs.py"
OF_NOISE = [
    *(f"compare/noise/test_{name}.py" for name in ("noise_columns", "exchange", "noise", "truth_table")),
    ALL_RUNS,
]
# Each mutated file, and the tests (below tests/) that are run on its mutants.
TESTS = {
    f"{COLUMNS}/tolerance.py": ["compare/columns/test_tolerance.py", SCALE, TRAPS, PREDICTIONS, KINDS],
    f"{COLUMNS}/cells.py": [PREDICTIONS, TRAPS, SCALE, KINDS, "compare/columns/test_measures.py"],
    f"{COLUMNS}/number_pairs.py": [
        "compare/columns/test_numbers.py",
        TRAPS,
        SCALE,
        "compare/columns/test_types.py",
        PREDICTIONS,
    ],
    f"{ROWS}/alignment.py": [
        "compare/rows/test_pairing.py",
        ALL_RUNS,
        PREDICTIONS,
        "compare/rows/test_database.py",
        "compare/test_properties.py",
    ],
    f"{ROWS}/answered.py": ["compare/rows/test_answered.py", ALL_RUNS, PREDICTIONS],
    f"{NOISE}/exchange.py": OF_NOISE,
    f"{NOISE}/verdict.py": OF_NOISE,
    f"{NOISE}/columns.py": OF_NOISE,
    f"{NOISE}/numbers.py": [*OF_NOISE, "compare/columns/test_types.py"],
    f"{NOISE}/row_selection.py": OF_NOISE,
    f"{COMPARE}/truth/outcomes.py": ["compare/truth/test_truth.py", "compare/truth/test_metrics.py"],
    f"{EXPLAIN}/game.py": [f"explain/test_{name}.py" for name in ("game", "function", "budget")],
    f"{EXPLAIN}/lattice.py": ["explain/test_lattice.py", "explain/test_function.py"],
    f"{EXPLAIN}/window.py": ["explain/test_lattice.py"],
    f"{EXPLAIN}/search.py": ["explain/test_search.py", "explain/test_noise.py"],
    f"{EXPLAIN}/trials.py": ["explain/test_search.py", "explain/test_noise.py"],
    f"{EXPLAIN}/measure.py": ["explain/test_search.py", "explain/test_noise.py"],
    f"{EXPLAIN}/answer.py": ["explain/test_answer.py"],
}
SWAPS: dict[type[ast.AST], list[type[ast.AST]]] = {
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Mult],
    ast.And: [ast.Or],
    ast.Or: [ast.And],
    ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd],
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}


def mutants(source: str) -> list[str]:
    """The source text of every mutant of a file."""
    tree = ast.parse(source)
    texts = []
    decorators = {
        id(part)
        for node in ast.walk(tree)
        for decorator in getattr(node, "decorator_list", ())
        for part in ast.walk(decorator)
    }
    for number, node in enumerate(ast.walk(tree)):
        for change in _changes(node) if id(node) not in decorators else ():
            mutant = copy.deepcopy(tree)
            change(next(itertools.islice(ast.walk(mutant), number, None)))
            text = ast.unparse(mutant)
            if text != ast.unparse(tree):
                texts.append(text)
    return texts


def _changes(node: ast.AST) -> Iterator[Change]:
    """What one node of the code can become."""
    if isinstance(node, ast.Compare):
        yield from (_first_operator(kind) for kind in SWAPS.get(type(node.ops[0]), []))
    elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and not _is_annotation(node):
        yield from (_set("op", kind()) for kind in SWAPS.get(type(node.op), []))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield _set("op", ast.UAdd())
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield lambda mutated: setattr(mutated, "test", ast.UnaryOp(ast.Not(), mutated.test))
    else:
        yield from _changed_values(node)


def _changed_values(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        yield _set("value", not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, ast.Name) and node.id in NAMES:
        yield _set("id", NAMES[node.id])
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield _set("attr", NAMES[node.attr])


def _set(field: str, value: object) -> Change:
    return lambda node: setattr(node, field, value)


def _first_operator(kind: type[ast.AST]) -> Change:
    return lambda node: node.ops.__setitem__(0, kind())


def _is_annotation(node: ast.AST) -> bool:
    """`int | None` is a type."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and _is_type(node.right)


def _is_type(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in {"None", "str", "int", "float"})


def changed_lines(before: str, after: str) -> str:
    """The first line that differs, before and after."""
    pairs = zip(ast.unparse(ast.parse(before)).splitlines(), after.splitlines(), strict=False)
    old, new = next(pair for pair in pairs if pair[0] != pair[1])
    return f"{old.strip()}\n        {new.strip()}"


def survives(folder: Path, name: str, text: str) -> bool:
    """Whether the tests of a file pass with this text, in a copy of the project."""
    before = (folder / name).read_text()
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly"]
    command = [sys.executable, "-m", "pytest", *options, *(f"tests/{test}" for test in TESTS[name])]
    environment = os.environ | {
        "REPRO_TUI_FAST": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(folder),
    }
    try:
        (folder / name).write_text(text)
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return False
    finally:
        (folder / name).write_text(before)
    return done.returncode == 0


def absent_files() -> list[str]:
    """The files of TESTS that do not exist."""
    tests = {f"tests/{test}" for names in TESTS.values() for test in names}
    return sorted(name for name in {*TESTS, *tests} if not (ROOT / name).is_file())


def main() -> None:
    """Prints survivors and scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", default=list(TESTS), help="files to mutate; default: all of TESTS")
    parser.add_argument("--each", type=int, default=40, help="mutants of each file")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if absent := absent_files():
        sys.exit(f"not found: {', '.join(absent)}: correct TESTS in {__file__}")
    with tempfile.TemporaryDirectory() as root:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(2):
            folder = Path(root) / str(number)
            for part in ("repro_tui", "tests", "benchmarks"):
                shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copy(ROOT / "pyproject.toml", folder)
            copies.put(folder)

        def survives_in_a_copy(name: str, text: str) -> bool:
            folder = copies.get()
            try:
                return survives(folder, name, text)
            finally:
                copies.put(folder)

        for name in options.files:
            source = (ROOT / name).read_text()
            if not survives_in_a_copy(name, source):
                sys.exit(f"{name}: its tests fail without any change")
            every = mutants(source)
            texts = random.Random(options.seed).sample(every, min(options.each, len(every)))
            with ThreadPoolExecutor(2) as pool:
                survived = list(pool.map(lambda text, name=name: survives_in_a_copy(name, text), texts))
            for text in itertools.compress(texts, survived):
                print(f"  {changed_lines(source, text)}", flush=True)
            killed = len(texts) - sum(survived)
            low, high = interval(killed, len(texts))
            print(f"{name}: {killed} of {len(texts)} killed, {low:.0%} to {high:.0%}", flush=True)


if __name__ == "__main__":
    main()
