"""Routes of web applications that predict: Flask, FastAPI, BentoML and the like, by their decorators and base classes.

A route answers one request of a protocol of its own. Servers are only queried in images, by the protocols of MLflow and
Open Inference, so a route is named as a candidate that a person has to complete: with a function of a table.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro_tui.model.record import Predict
from repro_tui.sources.detect.callables import is_callable_name, module_of
from repro_tui.sources.detect.candidate import StepCandidate, likelihood
from repro_tui.sources.detect.source import Function, dotted, last_name, text_of

FRAMEWORKS = {
    "flask": "Flask",
    "flask_restful": "Flask-RESTful",
    "flask_restx": "Flask-RESTX",
    "quart": "Quart",
    "fastapi": "FastAPI",
    "starlette": "Starlette",
    "litestar": "Litestar",
    "sanic": "Sanic",
    "bentoml": "BentoML",
    "aiohttp": "aiohttp",
    "bottle": "Bottle",
    "falcon": "Falcon",
    "django": "Django",
}
_DECORATORS = frozenset({"route", "post", "put", "get", "api", "api_route", "websocket", "api_view"})
_VIEWS = frozenset({"Resource", "MethodView", "APIView", "View", "HTTPEndpoint", "Controller"})
_METHODS = ("post", "put", "get", "on_post")
POINTS = 6


def routes_of(path: str, module: ast.Module) -> Iterator[StepCandidate]:
    """The routes of a file that predict, by their path or their name; none where it imports no web framework."""
    framework = _framework(module)
    if framework:
        for node in ast.walk(module):
            if isinstance(node, Function):
                yield from _of_function(path, node, framework, node in module.body)
            elif isinstance(node, ast.ClassDef):
                yield from _of_view(path, node, framework)


def _framework(module: ast.Module) -> str:
    """The name of the web framework that a file imports; "" of none."""
    names = [alias.name for node in ast.walk(module) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(module) if isinstance(node, ast.ImportFrom) and not node.level]
    return next((known for name in names if (known := FRAMEWORKS.get(name.partition(".")[0], ""))), "")


def _of_function(path: str, function: Function, framework: str, at_top: bool) -> Iterator[StepCandidate]:
    for decorator in function.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        if last_name(call.func if call else decorator) not in _DECORATORS:
            continue
        address = (text_of(call.args[0]) if call and call.args else None) or ""
        if is_callable_name(function.name) or likelihood(function.name) > 0 or likelihood(address) > 0:
            name = f"the {framework} route {address or dotted(call.func if call else decorator)} ({function.name})"
            yield _candidate(path, function.name if at_top else "", name)
            return


def _of_view(path: str, view: ast.ClassDef, framework: str) -> Iterator[StepCandidate]:
    methods = {item.name for item in view.body if isinstance(item, Function)}
    method = next((name for name in _METHODS if name in methods), "")
    if method and {last_name(base) for base in view.bases} & _VIEWS and likelihood(view.name) > 0:
        yield _candidate(path, "", f"the {framework} view {view.name}.{method}")


def _candidate(path: str, function: str, name: str) -> StepCandidate:
    """A route as a candidate; `function` is what it is called in its module ("": it cannot be imported)."""
    module, no_module = module_of(path)
    lacks = (
        "a function that takes a table and returns its predictions: a route answers single requests, and only images "
        "that serve the protocol of MLflow or Open Inference can be queried",
        *no_module,
    )
    step = Predict(call=f"{module}:{function or 'FUNCTION'}")
    return StepCandidate(step, path, f"{path} has {name}", POINTS, lacks)
