"""The options and arguments of a script, read from its syntax tree: argparse, click, typer, fire and sys.argv."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from repro_tui.sources.detect.source import Function, dotted, functions_of, is_true, keyword, last_name, text_of

_INPUT = re.compile(
    r"(inputs?|infile|data|dataset|csv|features?|samples?|source|src|test|val|valid|validation|x|rows|batch|payload)"
)
_OUTPUT = re.compile(
    r"(outputs?|out|outfile|predictions?|preds?|predicted|results?|dest|destination|submission|scores?|save|target)"
)
_MODEL = re.compile(r"(models?|weights|checkpoint|ckpt|artifact|estimator|classifier|pipeline|clf)")
_NOT_A_PATH = re.compile(
    r"(size|dim|type|name|names|column|columns|col|cols|format|shape|ratio|split|seed|num|n|rate|url|sep|mode|uri|id)"
)
_PLACES = frozenset({"path", "file", "filename", "filepath", "dir", "folder", "csv", "data", "fname", "location"})


@dataclass(frozen=True, slots=True)
class Argument:
    """One option (`flag` is its longest spelling) or positional argument ("") of a script, by the order of writing.

    `default` is its default as text where that is a literal; `required`: the script does not run without it.
    """

    name: str
    flag: str = ""
    required: bool = False
    default: str | None = None
    is_path: bool = True

    @property
    def role(self) -> str:
        """What it seems to be: "input", "output", "model" or ""."""
        parts = [part for part in re.split(r"[-_.\s]+|(?<=[a-z])(?=[A-Z])", self.name) if part]
        lowered = [part.lower() for part in parts]
        if not self.is_path or any(_NOT_A_PATH.fullmatch(part) for part in lowered):
            return ""
        for role, pattern in (("output", _OUTPUT), ("model", _MODEL), ("input", _INPUT)):
            if any(pattern.fullmatch(part) for part in lowered):
                return role
        return ""

    @property
    def sureness(self) -> int:
        """How plainly the name says that role: 2 for `input` or `output_path`, 1 for `test_data`."""
        lowered = {part.lower() for part in re.split(r"[-_.\s]+", self.name) if part} - _PLACES
        plain = {"input", "inputs", "output", "outputs", "out", "predictions", "preds", "infile", "outfile", "model"}
        return 2 if lowered and lowered <= plain else 1


def arguments_of(module: ast.Module) -> list[Argument]:
    """The arguments that a script takes; empty where it takes none, or where they cannot be read."""
    declared = [*_argparse(module), *_decorated(module)]
    return (
        declared or [*_called(module, ("typer.run", "run")), *_called(module, ("fire.Fire", "Fire"))] or _argv(module)
    )


# -- argparse -------------------------------------------------------------------------------------------------------


def _argparse(module: ast.Module) -> Iterator[Argument]:
    for call in _calls(module):
        if last_name(call.func) == "add_argument" and (argument := _argument(call)):
            yield argument


def _argument(call: ast.Call) -> Argument | None:
    names = [text for node in call.args if (text := text_of(node))]
    action = text_of(keyword(call, "action")) or ""
    if not names or action in ("store_true", "store_false", "version", "help", "count"):
        return None
    flags = [name for name in names if name.startswith("-")]
    name = text_of(keyword(call, "dest")) or max(flags or names, key=len).lstrip("-")
    default = keyword(call, "default")
    optional = text_of(keyword(call, "nargs")) in ("?", "*") or default is not None
    required = is_true(keyword(call, "required")) if flags else not optional
    return Argument(name, max(flags, key=len, default=""), required, _default(default), _is_path(keyword(call, "type")))


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """The calls in a file, in the order in which they are written."""
    calls = [item for item in ast.walk(node) if isinstance(item, ast.Call)]
    yield from sorted(calls, key=lambda call: (call.end_lineno or 0, call.end_col_offset or 0))


def _default(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float) and node.value is not True:
        return str(node.value)
    return text_of(node)


def _is_path(node: ast.expr | None) -> bool:
    """Whether a type, if any is given, could be that of a path."""
    return last_name(node) not in ("int", "float", "bool", "INT", "FLOAT", "BOOL") if node is not None else True


# -- click and typer ------------------------------------------------------------------------------------------------


def _decorated(module: ast.Module) -> Iterator[Argument]:
    for function in functions_of(module):
        calls = [node for node in function.decorator_list if isinstance(node, ast.Call)]
        declared = [argument for call in calls if (argument := _click(call))]
        yield from declared
        if not declared and any(_is_typer(node) for node in function.decorator_list):
            yield from _parameters(function)


def _click(call: ast.Call) -> Argument | None:
    kind = last_name(call.func)
    if kind not in ("option", "argument"):
        return None
    names = [text for node in call.args if (text := text_of(node))]
    if not names or is_true(keyword(call, "is_flag")):
        return None
    default = keyword(call, "default")
    flags = [part for name in names for part in name.split("/")[:1] if part.startswith("-")]
    if kind == "option" and not flags:
        return None
    plain = [name for name in names if not name.startswith("-")]
    name = (plain or [max(flags, key=len).lstrip("-")])[0]
    required = is_true(keyword(call, "required")) if flags else default is None
    return Argument(name, max(flags, key=len, default=""), required, _default(default), _is_path(keyword(call, "type")))


def _is_typer(node: ast.expr) -> bool:
    name = dotted(node.func if isinstance(node, ast.Call) else node)
    return name.endswith((".command", ".callback")) and not name.startswith("click.")


# -- functions whose parameters are the arguments -------------------------------------------------------------------


def _called(module: ast.Module, callers: tuple[str, str]) -> Iterator[Argument]:
    """The parameters of the function that `typer.run(f)` or `fire.Fire(f)` is called with."""
    functions = {function.name: function for function in functions_of(module)}
    for call in _calls(module):
        if dotted(call.func) == callers[0] or (call.args and dotted(call.func) == callers[1]):
            function = functions.get(last_name(call.args[0])) if call.args else None
            if function is not None:
                yield from _parameters(function, all_options=callers[1] == "Fire")
                return


def _parameters(function: Function, all_options: bool = False) -> Iterator[Argument]:
    positional = function.args.args
    padded = [None] * (len(positional) - len(function.args.defaults)) + list(function.args.defaults)
    keywords = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    for parameter, default in (*zip(positional, padded, strict=True), *keywords):
        if parameter.arg not in ("self", "ctx"):
            yield _parameter(parameter, default, all_options)


def _parameter(parameter: ast.arg, default: ast.expr | None, all_options: bool) -> Argument:
    """One parameter; typer's Option(…) and Argument(…), as a default or in Annotated, say what it is."""
    declared = _declaration(default) or _declaration(parameter.annotation)
    value = default
    if isinstance(default, ast.Call) and declared is default:
        value = default.args[0] if default.args else keyword(default, "default")
    missing = value is None or (isinstance(value, ast.Constant) and value.value is ...)
    option = all_options or (last_name(declared.func) == "Option" if declared else default is not None)
    spelled = [
        text for node in (declared.args if declared else ()) if (text := text_of(node)) and text.startswith("--")
    ]
    flag = (spelled or [f"--{parameter.arg if all_options else parameter.arg.replace('_', '-')}"])[0] if option else ""
    annotation = parameter.annotation
    return Argument(parameter.arg, flag, missing, None if missing else _default(value), _is_path(annotation))


def _declaration(node: ast.expr | None) -> ast.Call | None:
    if isinstance(node, ast.Subscript):
        calls = [item for item in ast.walk(node.slice) if isinstance(item, ast.Call)]
        return next((call for call in calls if last_name(call.func) in ("Option", "Argument")), None)
    return node if isinstance(node, ast.Call) and last_name(node.func) in ("Option", "Argument") else None


# -- sys.argv -------------------------------------------------------------------------------------------------------


def _argv(module: ast.Module) -> list[Argument]:
    """The arguments that a script takes from `sys.argv[N]`, named by the variable that each is assigned to."""
    names: dict[int, str] = {}
    optional = "len(sys.argv) >" in ast.unparse(module) if any(_positions(module)) else False
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            for number in _positions(node.value):
                names.setdefault(number, last_name(node.targets[0]) or f"argument {number}")
    for number in _positions(module):
        names.setdefault(number, f"argument {number}")
    count = max(names, default=0)
    if not 0 < count < 10:
        return []
    return [Argument(names.get(n, f"argument {n}"), required=not optional) for n in range(1, count + 1)]


def _positions(node: ast.AST) -> Iterator[int]:
    for item in ast.walk(node):
        if isinstance(item, ast.Subscript) and dotted(item.value) in ("sys.argv", "argv"):
            index = item.slice
            if isinstance(index, ast.Constant) and isinstance(index.value, int) and index.value > 0:
                yield index.value
