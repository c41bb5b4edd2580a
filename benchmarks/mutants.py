"""How many small slips in the heart of the comparison and of the search for the cause some test would notice.

    python benchmarks/mutants.py [--each 40] [--seed 1] [FILE …]

Each mutant is the package with one operator, constant or condition of one file changed; the tests that fit that file
are run on it in a copy of the project, and it is killed where one of them fails. Prints every survivor, with its line
before and after, and the score of each file with its 95 % interval (Wilson). Mutants are drawn with a fixed seed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from repro_tui.compare.columns.statistics import interval

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 400
COMPARE, EXPLAIN = "repro_tui/compare", "repro_tui/explain"
NOISE = [f"noise/test_{name}" for name in ("noise_columns", "exchange", "noise", "all_runs", "truth_table")]
TESTS = {
    f"{COMPARE}/columns/tolerance.py": [
        *(
            "columns/test_tolerance",
            "columns/test_scale",
            "columns/test_traps",
            "columns/test_kinds",
            "test_predictions",
        )
    ],
    f"{COMPARE}/noise/exchange.py": NOISE,
    f"{COMPARE}/noise/verdict.py": NOISE,
    f"{COMPARE}/noise/columns.py": [*NOISE, "columns/test_types"],
    f"{COMPARE}/noise/chosen_rows.py": NOISE,
    f"{COMPARE}/rows/alignment.py": [
        *("rows/test_alignment", "noise/test_all_runs", "test_predictions", "rows/test_database", "test_properties")
    ],
    f"{COMPARE}/rows/answered.py": ["rows/test_answered", "noise/test_all_runs", "test_predictions"],
    f"{COMPARE}/truth/outcomes.py": [
        *("test_predictions", "columns/test_traps", "columns/test_scale", "columns/test_kinds", "columns/test_measures")
    ],
    f"{COMPARE}/columns/number_pairs.py": [
        *("columns/test_numbers", "columns/test_traps", "columns/test_scale", "columns/test_types", "test_predictions")
    ],
    f"{EXPLAIN}/game.py": ["test_game", "test_function", "test_budget"],
    f"{EXPLAIN}/lattice.py": ["test_lattice", "test_function"],
    f"{EXPLAIN}/window.py": ["test_lattice"],
    f"{EXPLAIN}/search.py": ["test_search", "test_noise"],
    f"{EXPLAIN}/trials.py": ["test_search", "test_noise"],
    f"{EXPLAIN}/measure.py": ["test_search", "test_noise"],
    f"{EXPLAIN}/answer.py": ["test_answer"],
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
    """Every mutant of a file, as its text."""
    tree = ast.parse(source)
    found = []
    decorators = {
        id(part) for node in ast.walk(tree) for one in getattr(node, "decorator_list", ()) for part in ast.walk(one)
    }
    for number, node in enumerate(ast.walk(tree)):
        for change in _changes(node) if id(node) not in decorators else ():
            mutant = copy.deepcopy(tree)
            place = next(other for at, other in enumerate(ast.walk(mutant)) if at == number)
            change(place)
            text = ast.unparse(mutant)
            if text != ast.unparse(tree):
                found.append(text)
    return found


def _changes(node: ast.AST) -> Iterator[Any]:
    """What one place of the code can become."""
    if isinstance(node, ast.Compare):
        yield from (_first(kind) for kind in SWAPS.get(type(node.ops[0]), []))
    elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and not _is_annotation(node):
        yield from (_put("op", kind()) for kind in SWAPS.get(type(node.op), []))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield _put("op", ast.UAdd())
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield lambda place: setattr(place, "test", ast.UnaryOp(ast.Not(), place.test))
    else:
        yield from _other_values(node)


def _other_values(node: ast.AST) -> Iterator[Any]:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        yield _put("value", not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, ast.Name) and node.id in NAMES:
        yield _put("id", NAMES[node.id])
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield _put("attr", NAMES[node.attr])


def _put(name: str, value: Any) -> Any:
    return lambda place: setattr(place, name, value)


def _first(kind: type[ast.AST]) -> Any:
    return lambda place: place.ops.__setitem__(0, kind())


def _is_annotation(node: ast.AST) -> bool:
    """`int | None` is a type."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and _is_type(node.right)


def _is_type(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in {"None", "str", "int", "float"})


def told(before: str, after: str) -> str:
    """The lines that differ."""
    pairs = zip(ast.unparse(ast.parse(before)).splitlines(), after.splitlines(), strict=False)
    one, other = next(pair for pair in pairs if pair[0] != pair[1])
    return f"{one.strip()}\n        {other.strip()}"


def survives(folder: Path, name: str, text: str) -> bool:
    """Whether the tests that fit the file pass with it."""
    before = (folder / name).read_text()
    tests = "tests/compare" if name.startswith(COMPARE) else "tests/explain"
    files = [path for stem in TESTS[name] if (path := folder / tests / f"{stem}.py").is_file()]
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        *map(str, files),
    ]
    try:
        (folder / name).write_text(text)
        environment = os.environ | {"REPRO_TUI_FAST": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return False
    finally:
        (folder / name).write_text(before)
    return done.returncode == 0


def main() -> None:
    """Prints survivors and scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", default=list(TESTS))
    parser.add_argument("--each", type=int, default=40, help="mutants of each file")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(2):
            folder = Path(place) / str(number)
            kept = shutil.ignore_patterns("__pycache__")
            for part in ("repro_tui", "tests"):
                shutil.copytree(ROOT / part, folder / part, ignore=kept)
            shutil.copy(ROOT / "pyproject.toml", folder)
            copies.put(folder)

        def tried(name: str, text: str) -> bool:
            folder = copies.get()
            try:
                return survives(folder, name, text)
            finally:
                copies.put(folder)

        for name in given.files:
            source = (ROOT / name).read_text()
            if not tried(name, source):
                sys.exit(f"{name}: its tests fail as it is")
            every = mutants(source)
            chosen = random.Random(given.seed).sample(every, min(given.each, len(every)))
            with ThreadPoolExecutor(2) as pool:
                alive = list(pool.map(lambda text, name=name: tried(name, text), chosen))
            for text, survived in zip(chosen, alive, strict=True):
                if survived:
                    print(f"  {told(source, text)}", flush=True)
            killed = len(chosen) - sum(alive)
            low, high = interval(killed, len(chosen))
            print(f"{name}: {killed} of {len(chosen)} killed, {low:.0%} to {high:.0%}", flush=True)


if __name__ == "__main__":
    main()
