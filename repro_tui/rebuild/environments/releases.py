"""Lists the releases of a package between two versions.

uv has no command that lists releases, but it resolves `NAME>LOW,<HIGH` to the newest one. So the upper bound is lowered
to each release found, until none is left: for numpy between 1.26.0 and 2.1.0, `>1.26.0,<2.1.0` yields 2.0.2, then
`<2.0.2` yields 2.0.1, and so on. One call of uv per release, at most MOST of them, on metadata that uv caches.
"""

from __future__ import annotations

from packaging.version import Version

from repro_tui.rebuild.environments.pythons.interpreters import Interpreter, run_uv
from repro_tui.support.context import Context

MOST = 64
_COMPILE = "pip compile --quiet --no-build --no-header --no-annotate --no-deps --python".split()


def releases_between(name: str, low: str, high: str, interpreter: Interpreter, context: Context) -> tuple[str, ...]:
    """The versions strictly between two that have a wheel for the interpreter, ascending.

    Of more than MOST, the newest are returned.
    """
    versions: list[str] = []
    newest = high
    while len(versions) < MOST:
        version = _newest_below(name, low, newest, interpreter, context)
        if version is None:
            break
        versions.append(version)
        newest = version
    return tuple(reversed(versions))


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
