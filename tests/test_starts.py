"""Every process of ours is started where it is tied to its parent, and every scratch folder has an owner.

A process that is started elsewhere outlives a killed audit; a folder that is made elsewhere stays after it. What is
listed here does neither, for the reason given.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1] / "repro_tui"
STARTS = {"Popen", "call", "check_call", "check_output", "run", "fork", "system", "popen", "posix_spawn", "execute"}
STARTERS = {"subprocess", "os", "_git()", "multiprocessing"}
# Only files with these words are parsed: it takes a while.
MENTIONED = re.compile(r"subprocess|multiprocessing|tempfile|_git\(\)|os\.(fork|system|popen|posix_spawn|spawn)")
MAY_START = {
    "airflow.py": "in Airflow's environment, which has nothing else of ours",
    "support/process.py": "the place that ties them",
    "clients/git/process.py": "GitPython starts git; the command and the environment are tied and marked",
    "formats/child.py": "the forker ends when its socket closes, and its readers with it; it is marked",
    "formats/forked.py": "readers end with the forker",
    "audit/launch.py": "the engine outlives the view that started it, and is an owner itself",
    "cli/headless.py": "what writes the files of an audit outlives the terminal that was lost",
    "support/enter_child.py": "the first process of a sandbox, which ends with it",
    "tui/editor.py": "the user's editor, in the foreground",
    "examples/demo.py": "git in the demo's own project, in the foreground",
    "cli/docs.py": "draws pictures for the documentation",
    "cli/walk.py": "records the interface for the documentation",
}
IN_SCRATCH = "in the scratch folder of its parent, which has an owner"
MAY_MAKE = {
    "compare/files/archives.py": IN_SCRATCH,
    "compare/files/child.py": IN_SCRATCH,
    "compare/files/compressed.py": IN_SCRATCH,
    "compare/files/pickles.py": IN_SCRATCH,
    "compare/tables.py": "the folder of the result, which the caller reads",
    "tui/written_table.py": "a file beside the one that the user saves",
    "cli/doctor.py": "the settings of a client that answers at once",
    "cli/docs.py": "draws pictures for the documentation",
    "rebuild/environments/dockerfiles/build_context.py": "a file without a name",
    "support/isolation.py": "an empty file, for the time of one trial",
}


def calls(text: str) -> Iterator[tuple[str, str]]:
    """The calls of a file: what is called, and on what."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value), node.func.attr
        elif isinstance(node, ast.ImportFrom) and node.module in ("subprocess", "tempfile", "multiprocessing"):
            yield node.module, f"from {node.module} import"


def places(condition: Callable[[str, str], bool]) -> set[str]:
    """The files with such a call, below the package."""
    texts = {path: path.read_text("utf-8") for path in ROOT.rglob("*.py") if "credit" not in path.parts}
    likely = {path: text for path, text in texts.items() if MENTIONED.search(text)}
    return {str(path.relative_to(ROOT)) for path, text in likely.items() if any(condition(*it) for it in calls(text))}


def test_processes_are_started_in_one_place() -> None:
    def starts(source: str, name: str) -> bool:
        return (source in STARTERS and (name in STARTS or name.startswith("spawn"))) or name == "from subprocess import"

    assert places(starts) == set(MAY_START)


def test_scratch_folders_are_made_in_one_place() -> None:
    assert places(lambda source, name: source == "tempfile") == set(MAY_MAKE)
