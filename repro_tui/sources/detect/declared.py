"""Candidates that a project declares: stages of DVC, entry points of MLproject files, commands of a package."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping

from repro_tui.formats.python_source import parse_source
from repro_tui.model.record import Predict
from repro_tui.sources.detect.arguments import Argument, arguments_of
from repro_tui.sources.detect.candidate import (
    StepCandidate,
    command_words,
    escaped,
    likelihood,
    readable,
    surest,
    value_for,
    with_ends,
)
from repro_tui.sources.detect.tables_used import TablesUsed, tables_used
from repro_tui.sources.detect.tree import ProjectTree, basename, parent
from repro_tui.support import grammar

_PLACE = re.compile(r"\{(\w+)\}")


def stage_steps(tree: ProjectTree) -> Iterator[StepCandidate]:
    """The stages of dvc.yaml files: the table among the dependencies is the inputs, that among the outputs is read."""
    for path in tree.named("dvc.yaml"):
        stages = tree.table(path).get("stages")
        for name, stage in stages.items() if isinstance(stages, dict) else ():
            if isinstance(stage, dict) and isinstance(stage.get("cmd"), str) and likelihood(name) > 0:
                yield _of_stage(path, name, stage, tuple(_parameter_files(stage, tree.table(path), path)))


def _parameter_files(stage: Mapping[str, object], document: Mapping[str, object], path: str) -> Iterator[str]:
    """The files of the parameters that a stage lists, and of the variables that it is written with."""
    wdir = posixpath.join(parent(path), str(stage.get("wdir") or "."))
    names = [(wdir, name) for name in _listed_files(stage.get("params"), "params.yaml")]
    names += [(wdir, name) for name in _listed_files(stage.get("vars"), "")]
    names += [(parent(path), name) for name in _listed_files(document.get("vars"), "")]
    seen = set()
    for folder, name in names:
        joined = posixpath.normpath(posixpath.join(folder, name))
        if name and "${" not in joined and grammar.relative_path(joined) is None and joined not in seen:
            seen.add(joined)
            yield joined


def _listed_files(entries: object, default: str) -> Iterator[str]:
    """The files of a list of DVC: keys are of the file `default`, or, where there is none, texts are `FILE:KEYS`."""
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and default:
            yield from map(str, entry)
        elif isinstance(entry, str):
            yield default or entry.partition(":")[0]


def _of_stage(path: str, name: str, stage: Mapping[str, object], parameters: tuple[str, ...]) -> StepCandidate:
    command = str(stage["cmd"])
    lacks = ["its variables (${…})"] if "${" in command else []
    inputs, outputs = (readable(tuple(_paths(stage.get(key), path))) for key in ("deps", "outs"))
    for tables, word in ((inputs, "dependencies"), (outputs, "outputs")):
        if len(tables) != 1:
            lacks.append(f"one table among its {word} (it has {len(tables)})")
    predict = Predict(
        command=_shell(escaped(command), path),
        inputs=inputs[0] if len(inputs) == 1 else "",
        output=outputs[0] if len(outputs) == 1 else "",
    )
    points = likelihood(name) + 10 - 5 * len(lacks)
    needs = tuple(_paths(stage.get("deps"), path))
    return StepCandidate(
        predict, path, f"the stage {name} of {path}", points, tuple(lacks), needs=needs, parameters=parameters
    )


def _shell(command: str, path: str) -> tuple[str, ...]:
    """A command line as arguments; through a shell where it needs one, or another folder."""
    folder = parent(path)
    try:
        parts = tuple(shlex.split(command))
    except ValueError:
        parts = ()
    if parts and folder == "." and not re.search(r"[|&;<>$`*\n]|^\s*\w+=", command):
        return parts
    return ("sh", "-c", command if folder == "." else f"cd {shlex.quote(folder)} && {command}")


def _paths(entries: object, path: str) -> Iterator[str]:
    for entry in entries if isinstance(entries, list) else ():
        name = next(iter(entry), "") if isinstance(entry, dict) else entry
        joined = posixpath.normpath(posixpath.join(parent(path), str(name)))
        if name and grammar.relative_path(joined) is None:
            yield joined


def entry_point_steps(tree: ProjectTree) -> Iterator[StepCandidate]:
    """The entry points of MLproject files, and the commands that a package installs."""
    for path in tree.named("MLproject"):
        entries = tree.table(path, ".yaml").get("entry_points")
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("command"), str):
                yield _of_mlproject(tree, path, name, entry)
    for path in tree.named("pyproject.toml"):
        for name, target in _console_scripts(tree.table(path)).items():
            if likelihood(name) > 0:
                yield from _of_console_script(tree, path, name, target)


def _of_mlproject(tree: ProjectTree, path: str, name: str, entry: Mapping[str, object]) -> StepCandidate:
    declared = entry.get("parameters")
    parameters = declared if isinstance(declared, dict) else {}
    arguments = [_parameter(str(key), value) for key, value in parameters.items()]
    chosen = {role: surest(arguments, role) for role in ("input", "output")}
    values = {argument.name: value_for(argument, chosen, []) or "" for argument in arguments}
    command = _command(str(entry["command"]), values)
    script = next((word for word in command.split() if word.endswith(".py") and word in tree.files), "")
    module = parse_source(tree.content(script)) if script else None
    used = tables_used(module, script) if module else TablesUsed()
    predict, missing, why = with_ends(_shell(command, path), used)
    missing += tuple(f"a value for {key}" for key, value in values.items() if value.isupper())
    likely = likelihood(name) + likelihood(basename(script))
    if likely < 0:
        missing = (*missing, "predictions (its name suggests training)")
    points = likely + 6 - 4 * len(missing)
    return StepCandidate(
        predict, path, f"the entry point {name} of {path} {why}", points, missing, used.texts, used.reads
    )


def _command(template: str, values: Mapping[str, str]) -> str:
    """The command of an entry point with its parameters; all other braces are literal."""
    parts = _PLACE.split(template)
    texts = [escaped(text) if number % 2 == 0 else values.get(text, text.upper()) for number, text in enumerate(parts)]
    return "".join(texts)


def _parameter(name: str, value: object) -> Argument:
    table = value if isinstance(value, dict) else {"type": value}
    default = table.get("default")
    is_path = str(table.get("type", "path")) in ("path", "string", "uri", "str")
    return Argument(name, "", default is None, None if default is None else str(default), is_path)


def _console_scripts(document: Mapping[str, object]) -> dict[str, str]:
    tool = document.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    tables = [table.get("scripts") for table in (document.get("project"), poetry) if isinstance(table, dict)]
    return {str(k): v for table in tables if isinstance(table, dict) for k, v in table.items() if isinstance(v, str)}


def _of_console_script(tree: ProjectTree, path: str, name: str, target: str) -> Iterator[StepCandidate]:
    """A command that the installed project has; its arguments are those of the module that it is in."""
    module_path = target.partition(":")[0].replace(".", "/") + ".py"
    script = next((p for p in tree.ending(module_path) if p in (module_path, f"src/{module_path}")), "")
    module = parse_source(tree.content(script)) if script else None
    if module is None:
        return
    used = tables_used(module, script)
    parts, lacks = command_words(arguments_of(module), [])
    predict, missing, why = with_ends((escaped(name), *parts), used)
    points = likelihood(name) + 11 - 5 * len(missing)
    yield StepCandidate(
        predict, script, f"the command {name} of {path} {why}", points, (*missing, *lacks), used.texts, used.reads
    )
