"""How the code reads, in numbers, and those of projects that engineers of this field hold up, measured the same way.

    python benchmarks/house.py [FOLDER …]

Of each package: lines of code; the length of functions (median, 90th percentile, longest); comments in 100 lines; the
share of docstrings that have several lines; `Any` in 1,000 lines, and the functions with `Any` in their signature; the
longest file. Without folders: this package, and pip-audit, httpx, nox and harlequin, installed for it into a temporary
folder. Nothing of them is imported.
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
PEERS = {"pip-audit": "pip_audit", "httpx": "httpx", "nox": "nox", "harlequin": "harlequin"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Counts:
    lines: int = 0
    comments: int = 0
    docstrings: int = 0
    long_docstrings: int = 0
    any_names: int = 0
    any_signatures: int = 0
    functions: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def add(self, text: str) -> None:
        tree = ast.parse(text)
        self.files.append(text.count("\n"))
        self.lines += sum(1 for line in text.splitlines() if line.strip())
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        self.comments += sum(token.type == tokenize.COMMENT for token in tokens)
        self.any_names += sum(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | Function) and (docstring := ast.get_docstring(node)):
                self.docstrings += 1
                self.long_docstrings += "\n" in docstring
            if isinstance(node, Function):
                self.functions.append((node.end_lineno or node.lineno) - node.lineno + 1)
                self.any_signatures += any(name.id == "Any" for name in _names_of_signature(node))

    def row(self) -> tuple[str, ...]:
        lengths = sorted(self.functions)
        return (
            f"{self.lines:,}",
            f"{median(lengths):.0f} / {lengths[int(0.9 * (len(lengths) - 1))]} / {lengths[-1]}",
            f"{100 * self.comments / self.lines:.1f}",
            f"{100 * self.long_docstrings / self.docstrings:.0f} %",
            f"{1000 * self.any_names / self.lines:.1f}",
            f"{self.any_signatures}",
            f"{max(self.files)}",
        )


def _names_of_signature(function: Function) -> Iterator[ast.Name]:
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
    for annotation in (function.returns, *(argument.annotation for argument in every if argument)):
        if annotation is not None:
            yield from (node for node in ast.walk(annotation) if isinstance(node, ast.Name))


def measured(folder: Path) -> Counts:
    counts = Counts()
    for path in sorted(folder.rglob("*.py")):
        counts.add(path.read_text("utf-8"))
    return counts


def peers(into: Path) -> dict[str, Path]:
    """The packages' folders, installed without what they need."""
    command = ["uv", "pip", "install", "--quiet", "--no-deps", "--target", str(into), *PEERS]
    subprocess.run([sys.executable, "-m", *command], check=True)
    return {name: into / package for name, package in PEERS.items()}


def main() -> None:
    """Prints the table."""
    head = ("package", "lines", "function: median / 90th / longest", "comments", "long docstrings", "Any", "in", "file")
    print(" | ".join(head))
    with tempfile.TemporaryDirectory() as place:
        folders = {path: Path(path) for path in sys.argv[1:]}
        for name, folder in (folders or {"repro-tui": ROOT / "repro_tui", **peers(Path(place))}).items():
            print(" | ".join((name, *measured(folder).row())), flush=True)


if __name__ == "__main__":
    main()
