"""Packages that are called as the function that people ask them for: `repro_tui.compare(a, b)`."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


def call_as(package: str, module: str, function: str) -> None:
    """Makes a package callable: the call goes to a function of one of its modules, which is imported only then."""

    class Callable(ModuleType):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return getattr(import_module(f"{package}.{module}"), function)(*arguments, **options)

    sys.modules[package].__class__ = Callable
