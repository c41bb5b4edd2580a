"""Virtual environments in the cache: made by uv from pins, compiled once, and listed as data.

The key of an environment is the hash of the interpreter and the pins: two records with the same pins share one folder.
A pin is `NAME==VERSION` or `NAME @ file:///…` for a wheel that was built here, with its hashes. uv installs wheels
only: building a source distribution would execute its code on this machine.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, replace
from pathlib import Path
from urllib.parse import unquote

from packaging.utils import canonicalize_name, parse_wheel_filename

from repro_tui.model.inventory import Inventory
from repro_tui.model.workspace import BuiltEnvironment
from repro_tui.rebuild.environments.contents.inventory import (
    FolderView,
    host_facts,
    read_interpreter,
    read_python_packages,
)
from repro_tui.rebuild.environments.pythons.interpreters import Interpreter, run_uv
from repro_tui.rebuild.environments.uv import check_uv
from repro_tui.rebuild.environments.wheel_files import install_wheels
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.plain import from_plain, to_plain
from repro_tui.support.process import limited, run
from repro_tui.support.text import plural, show
from repro_tui.support.urls import split_url

FORMAT = "2"
_INSTALL = "pip install --no-build --no-deps --link-mode".split()
COMPILE_S, COMPILE_MEMORY = 900.0, 2 << 30  # seconds; bytes for each process
# Tests, and what `venv` adds and few programs import.
NOT_COMPILED = "[-]packages/((.*/)?tests?/|(setuptools|pkg_resources|_distutils_hack)/)"
# The folders of the cache with wheels that were built of a commit, and of source distributions.
PROJECT_WHEELS, SOURCE_WHEELS = "project-wheels", "source-wheels"
PROJECT_PREFIX = "project:"  # the source of a package that is installed from the commit


def made_environment(
    pins: list[str], interpreter: Interpreter, step: Step, context: Context, *, compiled: bool = False
) -> BuiltEnvironment:
    """The environment with these packages and no others, from the cache or built now. Its inventory is not read yet.

    With `compiled`, a new environment gets bytecode, which pays off if it runs more than a few times. Raises
    Inconclusive where uv cannot build it.
    """
    key = digest_text(
        FORMAT, interpreter.executable, interpreter.version, interpreter.platform, _link_mode(context), *pins
    )
    folder, step.cached = context.cache.folder(
        "environments", key, lambda folder: _build(folder, pins, interpreter, step, context, compiled), context.cancel
    )
    return replace(environment_at(folder, key, interpreter.root), pins=tuple(pins))


def environment_at(folder: Path, key: str, interpreter_root: str) -> BuiltEnvironment:
    """The environment in a folder of the cache, whose Python is `bin/python`. Its inventory is not read yet."""
    return BuiltEnvironment(
        kind="venv",
        key=key,
        inventory=Inventory(),
        folder=str(folder),
        python=str(folder / "bin/python"),
        interpreter_root=interpreter_root,
    )


def _link_mode(context: Context) -> str:
    """How uv installs files: copies where a run could write to them, because hard links would change uv's cache."""
    return "copy" if context.settings.isolation == "none" else "hardlink"


def _build(
    folder: Path, pins: list[str], interpreter: Interpreter, step: Step, context: Context, compiled: bool
) -> None:
    step.progress(f"building it with uv: {plural(len(pins), 'package')}, Python {interpreter.version}")
    created = run_uv(["venv", "--quiet", "--clear", "--python", interpreter.executable, str(folder)], context)
    check_uv("the environment cannot be created", created, context)
    if pins:
        _install(folder, pins, step, context)
        _forget_paths(folder, pins)
        if compiled:
            _compile(folder, interpreter, step, context)


def _install(folder: Path, pins: list[str], step: Step, context: Context) -> None:
    listing = context.cache.temporary().with_suffix(".txt")
    listing.write_text("\n".join(pins) + "\n", "utf-8")
    hashed = ["--require-hashes"] if all("--hash=" in pin for pin in pins) else []
    target = ["--python", str(folder / "bin/python"), "--requirements", str(listing)]
    site, names = next(folder.glob("lib/*/site-packages")), {pin_name(pin) for pin in pins}
    try:
        install = [*_INSTALL, _link_mode(context), *hashed, *target]
        install_wheels(install, names, site, "the packages cannot be installed", step, context)
    finally:
        listing.unlink()


def _forget_paths(folder: Path, pins: list[str]) -> None:
    """Replaces the paths of wheels that were built here, which only this machine knows, by what they were built of."""
    for pin in pins:
        wheel = wheel_of(pin)
        if wheel is None:
            continue
        for note in folder.glob("lib/python3*/site-packages/*.dist-info/direct_url.json"):
            if canonicalize_name(note.parent.name.removesuffix(".dist-info").rpartition("-")[0]) != pin_name(pin):
                continue
            note.unlink()
            if is_of_commit(pin):
                note.write_text(json.dumps({"url": f"{PROJECT_PREFIX}{pin_name(pin)}", "dir_info": {}}), "ascii")


def _compile(folder: Path, interpreter: Interpreter, step: Step, context: Context) -> None:
    """Compiles the modules to bytecode. Runs see the folder read-only, so each would otherwise compile what it imports.

    The interpreter runs without `site`, so that nothing of the packages is executed, not even a .pth file. Modules that
    cannot be compiled (some are for other versions of Python) and tests of packages are left uncompiled.
    """
    step.progress("compiling its modules")
    compiler = [interpreter.executable, "-I", "-S", "-m", "compileall", "-qq", "-j", str(min(4, os.cpu_count() or 1))]
    done = run(
        [*limited(COMPILE_MEMORY), *compiler, "-x", NOT_COMPILED, str(folder / "lib")],
        environment={"PATH": os.defpath},
        cancel=context.cancel,
        timeout_s=COMPILE_S,
    )
    reason = f"it took more than {COMPILE_S:.0f} s" if done.timed_out else done.text.strip().rpartition("\n")[2]
    if reason:
        step.log(f"some modules were not compiled, so each run compiles them itself: {show(reason, 300)}")


def inventory_of_venv(
    built: BuiltEnvironment, interpreter: Interpreter, variables: dict[str, str], context: Context
) -> Inventory:
    """The contents of a virtual environment; they are read once."""
    known = context.cache.read_note("inventory", built.key)
    view = None if known else FolderView(Path(built.folder), context.cache.hashes)
    if view is not None:
        packages, unknown = read_python_packages(view)
        facts = read_interpreter(view)
        known = to_plain({"packages": {n: asdict(p) for n, p in packages.items()}, "unknown": unknown, "facts": facts})
        context.cache.write_note("inventory", built.key, known)
    assert known is not None
    facts = {"implementation": interpreter.implementation, "version": interpreter.version}
    return from_plain(
        Inventory,
        {
            "interpreter": known["facts"] | facts,
            "system": host_facts(),
            "python_packages": known["packages"],
            "unknown": known["unknown"],
            "variables": variables,
        },
    )


def pin_name(pin: str) -> str:
    """The normalised name of the package in a pinned requirement."""
    return canonicalize_name(re.split(r"[=\[ ;]", pin, maxsplit=1)[0])


def pin_version(pin: str) -> str:
    """The version in a pinned requirement."""
    wheel = wheel_of(pin)
    if wheel is not None:
        return str(parse_wheel_filename(wheel.name)[1])
    return pin.split()[0].partition("==")[2]


def wheel_of(pin: str) -> Path | None:
    """The wheel on this machine that a pin installs; None for a package from the index."""
    _, at, rest = pin.partition(" @ ")
    return Path(unquote(split_url(rest.split()[0]).path)) if at else None


def is_of_commit(pin: str) -> bool:
    """Whether a pin installs a project of a commit: it belongs to the code, and not to what the code needs."""
    wheel = wheel_of(pin)
    return wheel is not None and wheel.parent.parent.name == PROJECT_WHEELS


def pin_of_wheel(name: str, wheel: Path, sha256: str) -> str:
    """The pin that installs a wheel on this machine."""
    return f"{canonicalize_name(name)} @ {wheel.as_uri()} --hash=sha256:{sha256}"
