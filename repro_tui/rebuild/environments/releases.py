"""The releases of a package between two versions, as uv's index has them for one Python."""

from __future__ import annotations

from packaging.version import Version

from repro_tui.rebuild.environments.interpreters import Interpreter, run_uv
from repro_tui.support.context import Context

MOST = 64
_COMPILE = "pip compile --quiet --no-build --no-header --no-annotate --no-deps --python".split()


def releases_between(name: str, low: str, high: str, interpreter: Interpreter, context: Context) -> tuple[str, ...]:
    """The versions strictly between two, ascending, that have a wheel; at most the 64 newest. Empty where none is."""
    found: list[str] = []
    newest = high
    while len(found) < MOST:
        below = _newest_below(name, low, newest, interpreter, context)
        if below is None:
            break
        found.append(below)
        newest = below
    return tuple(reversed(found))


def _newest_below(name: str, low: str, high: str, interpreter: Interpreter, context: Context) -> str | None:
    source = context.cache.temporary().with_suffix(".in")
    source.write_text(f"{name}>{Version(low).public},<{Version(high).public}\n", "utf-8")
    try:
        done = run_uv([*_COMPILE, interpreter.executable, str(source)], context, 120)
    finally:
        source.unlink()
    lines = [line for line in done.text.splitlines() if line.partition("==")[1]]
    version = lines[0].partition("==")[2].split(";")[0].strip() if done.exit_code == 0 and lines else ""
    return version if version and Version(low) < Version(version) < Version(high) else None
