"""Run × Run to findings: five areas, tolerances, noise. Called itself, it compares two tables: see `tables.compare`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """`repro_tui.compare(a, b)` is the function that people ask for, and this package has its name."""

    def __call__(self, *tables: Any, **options: Any) -> Any:
        """See `repro_tui.compare.tables.compare`."""
        from repro_tui.compare.tables import compare

        return compare(*tables, **options)


sys.modules[__name__].__class__ = _Callable
