"""What a syntax tree of Python says: names, literal texts, functions. Nothing is imported or run."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator

_SAME = ("Path", "PurePath", "str", "abspath", "realpath", "resolve", "absolute", "fspath")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def dotted(node: ast.AST) -> str:
    """A name such as `click.option`; "" of anything but names and attributes."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""


def last_name(node: ast.AST) -> str:
    """The last part of a name, whatever it is an attribute of: `add_argument` of `parser.add_argument`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def text_of(node: ast.AST | None, constants: dict[str, str] | None = None) -> str | None:
    """The text that a node is without running anything: a literal, a known constant, or Path("…") of one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return (constants or {}).get(node.id)
    if isinstance(node, ast.Call) and last_name(node.func) in _SAME:
        return text_of(node.args[0] if node.args else getattr(node.func, "value", None), constants)
    if (above := _above(node, constants)) is not None:
        return above
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _joined((node.left, node.right), constants)
    if isinstance(node, ast.Call) and last_name(node.func) == "join" and len(node.args) > 1:
        return _joined(node.args, constants)
    return None


def _above(node: ast.AST | None, constants: dict[str, str] | None) -> str | None:
    """The text of dirname(PATH), PATH.parent or PATH.parents[N]; None of anything else."""
    steps, inner = 1, None
    if isinstance(node, ast.Call) and last_name(node.func) == "dirname" and node.args:
        inner = node.args[0]
    elif isinstance(node, ast.Attribute) and node.attr == "parent":
        inner = node.value
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
        index = node.slice
        inner, steps = (
            node.value.value,
            index.value + 1 if isinstance(index, ast.Constant) and isinstance(index.value, int) else 0,
        )
    text = text_of(inner, constants) if inner is not None and 0 < steps < 20 else None
    for _ in range(steps if text is not None else 0):
        text = posixpath.dirname(text or "") or "."
    return text


def _joined(nodes: tuple[ast.expr, ...] | list[ast.expr], constants: dict[str, str] | None) -> str | None:
    parts = [text_of(node, constants) for node in nodes]
    return "/".join(part for part in parts if part) if all(part is not None for part in parts) else None


def constants_of(module: ast.Module, path: str) -> dict[str, str]:
    """The names that a file assigns a text once, anywhere, such as TEST = "data/test.csv"; `path` is its `__file__`."""
    texts: dict[str, str] = {"__file__": path}
    often: set[str] = set()
    for node in ast.walk(module):
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            continue
        name, text = node.targets[0].id, text_of(node.value, texts)
        if name in texts or text is None:
            often.add(name)
        else:
            texts[name] = text
    return {name: text for name, text in texts.items() if name not in often}


def functions_of(module: ast.Module) -> Iterator[Function]:
    """The functions at the top level of a file."""
    for node in module.body:
        if isinstance(node, Function):
            yield node


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument; None where it is not given."""
    return next((item.value for item in call.keywords if item.arg == name), None)


def is_true(node: ast.expr | None) -> bool:
    """Whether a node is the literal True."""
    return isinstance(node, ast.Constant) and node.value is True
