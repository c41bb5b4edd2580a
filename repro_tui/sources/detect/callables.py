"""What of a source file can be called as a predict step: functions by their names, and methods of classes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro_tui.model.record import Predict
from repro_tui.sources.detect.candidate import StepCandidate
from repro_tui.sources.detect.source import last_name

_CALLABLE = re.compile(
    r"(predict|infer|score|inference|make_predictions?|run_inference)(_df|_frame|_batch|_proba|_all)?"
)
_TABLE = re.compile(r"df|frame|data|input|row|record|x$|features|samples|batch|texts?|payload|request")
_MODEL = re.compile(r"path|file|model|weights|checkpoint|artifact")
_NO_STEP = ("BaseModel", "ABC", "Protocol", "PythonModel", "Module", "TestCase", "HttpUser")


def is_callable_name(name: str) -> bool:
    """Whether a function of this name predicts, such as predict_batch."""
    return bool(_CALLABLE.fullmatch(name))


def module_of(path: str) -> tuple[str, tuple[str, ...]]:
    """The name of the module in a file, and what it lacks where it cannot be imported by it."""
    module = path.removesuffix(".py").replace("/", ".").removeprefix("src.")
    importable = all(part.isidentifier() for part in module.split("."))
    return module, () if importable else ("a module that can be imported",)


def as_table(names: list[str]) -> tuple[str, ...]:
    """What is lacking where the first argument does not seem to be the inputs."""
    return () if names and _TABLE.search(names[0].lower()) else (f"a table as {names[0] if names else 'an argument'}",)


def methods_of(path: str, module: ast.Module, models: list[str]) -> Iterator[StepCandidate]:
    """Methods such as `Model("models/m.pkl").predict(data)`: of classes that are made with nothing or a model's path.

    Estimators, which have to be fitted first, are none; nor is a class that only others are derived from.
    """
    for item in module.body:
        if not isinstance(item, ast.ClassDef) or {last_name(base) for base in item.bases} & {*_NO_STEP}:
            continue
        methods = {part.name: part for part in item.body if isinstance(part, ast.FunctionDef)}
        named = [name for name in methods if is_callable_name(name) and not methods[name].decorator_list]
        if named and "fit" not in methods and len(taken := _required(methods[named[0]])) == 1:
            yield _method(path, item.name, named[0], taken, _made(methods.get("__init__"), models))


def _required(function: ast.FunctionDef) -> list[str]:
    """The arguments without a default, but for self."""
    plain = function.args.args[1 : len(function.args.args) - len(function.args.defaults)]
    keywords = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return [item.arg for item in [*plain, *(item for item, default in keywords if default is None)]]


def _made(constructor: ast.FunctionDef | None, models: list[str]) -> tuple[str, tuple[str, ...]]:
    """The arguments that a class is made with, in brackets ("" for none), and what nobody can know of them."""
    required = _required(constructor) if constructor else []
    if len(required) == 1 and len(models) == 1 and _MODEL.search(required[0].lower()):
        return f"({models[0]!r})", ()
    arguments = ", ".join(f"{name}={name.upper()!r}" for name in required)
    return f"({arguments})" if required else "", tuple(f"a value for {name}" for name in required)


def _method(
    path: str, class_name: str, method: str, taken: list[str], made: tuple[str, tuple[str, ...]]
) -> StepCandidate:
    module, no_module = module_of(path)
    step = Predict(call=f"{module}:{class_name}{made[0]}.{method}")
    why = f"{path} has the method {class_name}.{method}({taken[0]})"
    return StepCandidate(step, path, why, 10, (*as_table(taken), *made[1], *no_module))
