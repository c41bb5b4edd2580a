"""Candidates for the predict step among scripts, functions and notebooks, by their syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from repro_tui.formats.python_source import LARGEST_SOURCE, parse_source
from repro_tui.model.record import Predict
from repro_tui.sources.detect.arguments import Argument, arguments_of
from repro_tui.sources.detect.callables import as_table, is_callable_name, methods_of, module_of
from repro_tui.sources.detect.candidate import StepCandidate, command_words, escaped, likelihood, with_ends
from repro_tui.sources.detect.notebooks import notebook_source
from repro_tui.sources.detect.routes import routes_of
from repro_tui.sources.detect.source import Function, functions_of
from repro_tui.sources.detect.tables_used import TablesUsed, tables_used
from repro_tui.sources.detect.tree import ProjectTree, basename, parent

_SKIPPED = frozenset(
    {"setup.py", "conftest.py", "__init__.py", "noxfile.py", "tasks.py", "fabfile.py", "versioneer.py"}
)
_SKIPPED_FOLDERS = frozenset({"tests", "test", "docs", "doc", ".github", "examples", "benchmarks"})
_STARTED = re.compile(r"""(?mi)^[ \t]*(?:ENTRYPOINT|CMD)\b[^\n]*?(?<![\w./-])(?P<name>python3?)(?![\w.-])""")
_LARGEST_NOTEBOOK = 8 << 20


def script_steps(tree: ProjectTree, models: list[str]) -> Iterator[StepCandidate]:
    """The scripts with a telling name or an input argument, and functions such as predict(df).

    `models` are the paths of the project's models: the only one is passed where a script requires one.
    """
    for path in tree.ending(".py"):
        if _is_candidate(path):
            yield from _of_source(tree, path, models)


def _is_candidate(path: str) -> bool:
    name = basename(path)
    folders = path.split("/")[:-1]
    return name not in _SKIPPED and not name.startswith("test_") and not _SKIPPED_FOLDERS.intersection(folders)


def _of_source(tree: ProjectTree, path: str, models: list[str]) -> Iterator[StepCandidate]:
    content = tree.content(path)
    if not content or len(content) > LARGEST_SOURCE:
        return
    module = parse_source(content)
    if module is None:
        tree.unread[path] = "is not Python that can be parsed"
        return
    try:
        yield from _of_script(tree, path, models, arguments_of(module), tables_used(module, path))
        yield from (_of_function(path, function, tables_used(module, path)) for function in _callables(module))
        yield from methods_of(path, module, models)
        yield from routes_of(path, module)
    except RecursionError:
        tree.unread[path] = "is nested too deeply"


def _of_script(
    tree: ProjectTree, path: str, models: list[str], arguments: list[Argument], used: TablesUsed
) -> Iterator[StepCandidate]:
    points = likelihood(basename(path).removesuffix(".py"))
    if points <= 0 and not any(argument.role == "input" for argument in arguments):
        return
    parts, lacks = command_words(arguments, models)
    predict, missing, why = with_ends((_interpreter(tree), *_launch(tree, path), *parts), used)
    if (points <= 0 and missing) or (len(missing) > 1 and not arguments):
        return
    if points < 0:
        missing = (*missing, "predictions (its name suggests training)")
    points += 10 - 5 * len(missing)
    yield StepCandidate(predict, path, f"{path} {why}", points, (*missing, *lacks), used.texts, used.reads)


def _interpreter(tree: ProjectTree) -> str:
    """`python`, or `python3` where the Dockerfiles start that: images of a distribution have no other."""
    texts = [tree.text(path) for path in tree.files if basename(path) == "Dockerfile"]
    names = {match["name"] for text in texts for match in _STARTED.finditer(text)}
    return "python3" if names == {"python3"} else "python"


def _launch(tree: ProjectTree, path: str) -> tuple[str, ...]:
    """How a script is started: a module of a package by -m, any other as a file."""
    folder = parent(path)
    if folder != "." and f"{folder}/__init__.py" in tree.files:
        top = folder
        while f"{parent(top)}/__init__.py" in tree.files:
            top = parent(top)
        if parent(top) == ".":
            return ("-m", escaped(path.removesuffix(".py").replace("/", ".")))
    return (escaped(path),)


def _callables(module: object) -> Iterator[Function]:
    if isinstance(module, ast.Module):
        for function in functions_of(module):
            required = len(function.args.args) - len(function.args.defaults)
            keywords = [default for default in function.args.kw_defaults if default is None]
            plain = isinstance(function, ast.FunctionDef) and not function.decorator_list
            takes = (required in (1, 2) and not keywords) or (required == 0 and len(keywords) == 1)
            if plain and is_callable_name(function.name) and takes:
                yield function


def _of_function(path: str, function: Function, used: TablesUsed) -> StepCandidate:
    """A function that takes a table. One with a second argument may want the model: a person has to look."""
    module, no_module = module_of(path)
    by_name = [] if function.args.args else [argument.arg for argument in function.args.kwonlyargs]
    names = [argument.arg for argument in function.args.args] or by_name[:1]
    required = len(names) - len(function.args.defaults)
    second = required == 2 and names[1] not in ("params", "parameters", "config", "cfg")
    lacks = (*as_table(names), *((f"a value for {names[1]}",) if second else ()), *no_module)
    step = Predict(call=f"{module}:{function.name}")
    return StepCandidate(
        step, path, f"{path} has the function {function.name}({', '.join(names)})", 12, lacks, used.texts
    )


def notebook_steps(tree: ProjectTree) -> Iterator[StepCandidate]:
    """The notebooks with a telling name."""
    for path in tree.ending(".ipynb"):
        points = likelihood(basename(path).removesuffix(".ipynb"))
        if points > 0 and ".ipynb_checkpoints" not in path.split("/") and (step := notebook_step(tree, path, points)):
            yield step


def notebook_step(tree: ProjectTree, path: str, points: int = 0) -> StepCandidate | None:
    """A notebook as a step, with the tables that it reads and writes; None where it cannot be read."""
    if tree.files[path].size > _LARGEST_NOTEBOOK:
        return None
    source = notebook_source(tree.head(path, _LARGEST_NOTEBOOK))
    if source is None:
        tree.unread[path] = "is not a notebook that can be read"
    module = parse_source(source.encode("utf-8", "replace")) if source is not None else None
    if module is None:
        return None
    used = replace(tables_used(module, path), prints=False, streams=False)
    predict, missing, why = with_ends((), used)
    notebook, points = replace(predict, notebook=path), points + 4 - 4 * len(missing)
    return StepCandidate(notebook, path, f"{path} {why}", points, missing, used.texts, used.reads)
