"""Arrow in processes of our own, where nothing hands it a frame of pandas."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any


def without_pandas() -> None:
    """Spares this process the import of pandas (half a second), by which Arrow sees whether it was handed a frame.

    Arrow looks once, before the first array is made: here it sees classes that nothing is an instance of. The rest of
    pandas (its timestamps, for nanoseconds) is imported where Arrow asks for it. It cannot make frames afterwards.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    sys.modules["pandas"] = _Stand()
    try:
        pa.array([], pa.null())
    finally:
        del sys.modules["pandas"]


class _Stand(ModuleType):
    """What Arrow takes from pandas when it looks."""

    def __init__(self) -> None:
        super().__init__("pandas")
        nothing = {name: type(name, (), {}) for name in ("DataFrame", "Index", "Categorical", "Series")}
        self.__dict__.update(nothing, __version__=_version())
        of_types = SimpleNamespace(is_extension_array_dtype=lambda kind: False, DatetimeTZDtype=type("Zoned", (), {}))
        of_extensions = SimpleNamespace(ExtensionArray=type("Array", (), {}), ExtensionDtype=type("Type", (), {}))
        self.api = SimpleNamespace(types=of_types, extensions=of_extensions)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or sys.modules.get("pandas") is self:
            raise AttributeError(name)
        return getattr(import_module("pandas"), name)


def _version() -> str:
    from importlib.metadata import version

    return version("pandas")
