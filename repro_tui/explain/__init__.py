"""Drift to causes: hybrids, shares, the search inside a factor. Called itself, it explains: see `function.explain`."""

from repro_tui.support.callable_package import call_as

call_as(__name__, "function", "explain")
