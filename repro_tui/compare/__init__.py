"""Run × Run to findings: five areas, tolerances, noise. Called itself, it compares two tables: see `tables.compare`."""

from repro_tui.support.callable_package import call_as

call_as(__name__, "tables", "compare")
