"""A terminal reproducibility auditor for machine-learning deployments.

For notebooks and scripts, `repro_tui.open_audit(path)` opens an audit by its folder or report.json: `.report()` is the
report as dataclasses, `.to_pandas()` every differing cell as a frame. `repro_tui.compare(a, b, key=["id"])` compares
two tables of predictions, files or frames, by the same rules. `repro_tui.explain(a, b, evaluate)` finds which factors
make any function of them answer otherwise.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
_PUBLIC = {"open_audit": "repro_tui.audit.folder"}
_CALLABLE = ("compare", "explain")


def __getattr__(name: str) -> Any:
    """The public functions, imported when they are asked for: the program starts without them."""
    if name in _CALLABLE:
        return import_module(f"{__name__}.{name}")
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
