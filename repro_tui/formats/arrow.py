"""Makes Arrow start without pandas, in our own processes that never pass it a pandas frame."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType, SimpleNamespace


def without_pandas() -> None:
    """Saves this process the import of pandas (half a second), which Arrow uses to check whether it was given a frame.

    Arrow checks once before it creates its first array, and once before the first array becomes one of NumPy: here it
    finds classes that have no instances. Other parts of
    pandas (such as its timestamps, for nanoseconds) are imported when Arrow needs them. Trap: this process cannot
    create pandas frames from Arrow tables afterwards.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    sys.modules["pandas"] = _PandasStub()
    try:
        pa.array([0.0]).to_numpy()
    finally:
        del sys.modules["pandas"]


class _PandasStub(ModuleType):
    """The parts of pandas that Arrow imports for its check."""

    def __init__(self) -> None:
        super().__init__("pandas")
        classes = {name: type(name, (), {}) for name in ("DataFrame", "Index", "Categorical", "Series")}
        self.__dict__.update(classes, __version__=_version())
        types = SimpleNamespace(is_extension_array_dtype=lambda kind: False, DatetimeTZDtype=type("Zoned", (), {}))
        extensions = SimpleNamespace(ExtensionArray=type("Array", (), {}), ExtensionDtype=type("Type", (), {}))
        self.api = SimpleNamespace(types=types, extensions=extensions)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") or sys.modules.get("pandas") is self:
            raise AttributeError(name)
        return getattr(import_module("pandas"), name)


def _version() -> str:
    from importlib.metadata import version

    return version("pandas")
