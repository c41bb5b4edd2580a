"""Drift to causes: hybrids, shares, the search inside a factor. Called itself, it explains: see `function.explain`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """`repro_tui.explain(a, b, evaluate)` is the function that people ask for, and this package has its name."""

    def __call__(self, *sides: Any, **options: Any) -> Any:
        """See `repro_tui.explain.function.explain`."""
        from repro_tui.explain.function import explain

        return explain(*sides, **options)


sys.modules[__name__].__class__ = _Callable
