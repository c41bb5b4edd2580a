"""Python environments from a lock or requirements file, built by uv in the cache.

1. The file becomes a list of pins, one `name==version` per package. A lock is complete; a requirements file usually is
   not, so uv resolves its dependencies as of `environment.as_of`. The result is remembered in the cache: the next
   rebuild gets the same versions. Packages that were not recorded are named in a warning, and the match is "unknown".
2. uv installs the pins from wheels only. Building a source distribution would execute its code on this machine.
3. The modules are compiled once by the interpreter itself, without executing any of them.
4. The inventory is read from the installed files, and compared with the pins.

The key of an environment is the hash of the interpreter and the pins: two records with the same pins share one folder.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from packaging.utils import canonicalize_name

from repro_tui.formats.lock_files import locked
from repro_tui.formats.requirements import RequirementLine, parse_requirements
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Match, Part
from repro_tui.rebuild.environments.interpreters import Interpreter, find_interpreter, run_uv
from repro_tui.rebuild.environments.inventory import (
    FolderView,
    host_facts,
    read_interpreter,
    read_python_packages,
)
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import beside_record, resolve_inside
from repro_tui.support.plain import from_plain, to_plain
from repro_tui.support.process import limited, run
from repro_tui.support.text import plural, show

FORMAT = "1"
_COMPILE = "pip compile --quiet --no-build --no-header --no-annotate --no-strip-markers".split()
_INSTALL = "pip install --no-build --no-deps --link-mode".split()
COMPILE_S, COMPILE_MEMORY = 900.0, 2 << 30  # seconds; bytes for each process
SKIPPED_TESTS = "[-]packages/(.*/)?tests?/"
USE_WHEELS = "record versions that have wheels for this Python and platform, or record an image"
CHECK_NETWORK = "check the network and the package index that uv uses (UV_DEFAULT_INDEX, proxies)"
# A fragment of uv's output (in lower case) and what to do about it, the most specific first.
REMEDIES = (
    ("no usable wheels", USE_WHEELS),
    ("building from source is disabled", USE_WHEELS),
    ("--no-build", USE_WHEELS),
    ("the network was disabled", "unset UV_OFFLINE, or fill uv's cache while online"),
    ("hash mismatch", "record the hashes of the intended files: the index has other files than were recorded"),
    ("failed to fetch", CHECK_NETWORK),
    ("error sending request", CHECK_NETWORK),
    (
        "not found in the package registry",
        "correct the package's name, or set UV_DEFAULT_INDEX to an index that has it",
    ),
    ("there is no version of", "correct the version, or set UV_DEFAULT_INDEX to an index that has it"),
    ("unsatisfiable", "correct the requirements, which contradict each other"),
)
SEE_LOG = "see the log of this step for the whole output of uv"


def rebuild_python_environment(
    record: Record, code: CodeTree | None, context: Context
) -> tuple[BuiltEnvironment, Part]:
    """The environment that a lock or requirements file describes, and how it was obtained.

    Raises Inconclusive where the file, the interpreter or a wheel is not available, and Refused for a requirements file
    with lines that could redirect or execute something.
    """
    environment = record.environment
    name = environment.lock or environment.requirements or ""
    with context.step("environment", f"rebuilding it from {show(name, 120)}") as step:
        text = _read(name, record, code)
        interpreter = _interpreter(record, step, context)
        pins = _pins(name, text, record, interpreter, step, context)
        built = made_environment(pins, interpreter, step, context, compiled=True)
        inventory = _inventory(Path(built.folder), built.key, interpreter, record, context)
        step.key, step.matches = built.key, _matches(pins, inventory, step)
        step.how = (
            f"{plural(len(inventory.python_packages), 'package')} from {show(name, 120)}, Python {interpreter.version}"
        )
    return replace(built, inventory=inventory, variables=environment.variables), step.part()


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
    return BuiltEnvironment(
        kind="venv",
        key=key,
        inventory=Inventory(),
        folder=str(folder),
        python=str(folder / "bin/python"),
        interpreter_root=interpreter.root,
        pins=tuple(pins),
    )


def _read(name: str, record: Record, code: CodeTree | None) -> bytes:
    if name.startswith("file:"):
        return _read_below_record(name.removeprefix("file:"), record)
    if code is None:
        raise Inconclusive(
            f"{name} is in the commit's tree, but the record has no code", "record code.repository and code.commit"
        )
    try:
        path = resolve_inside(Path(code.folder) / code.subdirectory, name)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise Inconclusive(f"{name} is not in the commit {code.commit}", "commit it, or correct the record") from error


def _read_below_record(name: str, record: Record) -> bytes:
    try:
        return beside_record(record.base, name).read_bytes()
    except (OSError, ValueError) as error:
        raise Inconclusive(
            f"{name} cannot be read below {record.base}", "restore it there, or correct the record"
        ) from error


def _interpreter(record: Record, step: Step, context: Context) -> Interpreter:
    version = record.environment.python
    if version is None:
        import platform

        version = ".".join(platform.python_version_tuple()[:2])
        step.warn(f"the record does not name a version of Python: {version}, which repro-tui runs on, is used")
    return find_interpreter(version, context)


def _link_mode(context: Context) -> str:
    """How uv installs files: copies where a run could write to them, because hard links would change uv's cache."""
    return "copy" if context.settings.isolation == "none" else "hardlink"


def _pins(name: str, raw: bytes, record: Record, interpreter: Interpreter, step: Step, context: Context) -> list[str]:
    """The complete pinned requirements, one package each."""
    if record.environment.lock is not None:
        return locked(raw, name, interpreter.markers)
    lines, mistakes = parse_requirements(raw.decode("utf-8", "replace"), name)
    if mistakes:
        raise Refused.all(mistakes)
    try:
        applicable = [line for line in lines if _applies(line, interpreter)]
    except ValueError as error:  # a marker that parses, but compares incomparable values
        raise Refused(f"{name}: {show(error, 300)}") from error
    for line in applicable:
        if not line.pinned:
            step.warn(f"{name}: line {line.number}: {show(str(line.requirement), 120)} is not pinned")
    return _with_dependencies(applicable, record.environment.as_of, interpreter, step, context) if applicable else []


def _applies(line: RequirementLine, interpreter: Interpreter) -> bool:
    marker = line.requirement.marker
    return marker is None or marker.evaluate({**interpreter.markers, "extra": ""})


def _with_dependencies(
    lines: list[RequirementLine], as_of: str | None, interpreter: Interpreter, step: Step, context: Context
) -> list[str]:
    """The requirements and their dependencies. They are resolved once and cached, so later rebuilds do not change."""
    texts = sorted(line.text for line in lines)
    key = digest_text(FORMAT, interpreter.version, interpreter.platform, as_of or "", *texts)
    known = context.cache.read_note("resolutions", key)
    if known is None:
        pins = _resolve(texts, as_of, interpreter, step, context)
        known = {"pins": pins, "date": as_of[:10] if as_of else f"{datetime.now(UTC):%Y-%m-%d}"}
        context.cache.write_note("resolutions", key, known)
    hashes: dict[str, tuple[str, ...]] = {canonicalize_name(line.requirement.name): line.hashes for line in lines}
    pins = [" ".join([pin, *(f"--hash={value}" for value in hashes.get(pin_name(pin), ()))]) for pin in known["pins"]]
    unrecorded = [pin for pin in known["pins"] if pin_name(pin) not in hashes]
    if unrecorded:
        names = show(", ".join(unrecorded), 300)
        step.warn(f"{plural(len(unrecorded), 'package')} not recorded, resolved as of {known['date']}: {names}")
    return sorted(pins)


def _resolve(texts: list[str], as_of: str | None, interpreter: Interpreter, step: Step, context: Context) -> list[str]:
    source = context.cache.temporary().with_suffix(".in")
    source.write_text("\n".join(texts) + "\n", "utf-8")
    until = ["--exclude-newer", as_of] if as_of else []
    try:
        done = run_uv([*_COMPILE, *until, "--python", interpreter.executable, str(source)], context)
    finally:
        source.unlink()
    _log(done.text if done.exit_code else "", step, context)
    if done.exit_code != 0:
        raise _uv_failed("the requirements cannot be resolved", done.text, context)
    lines = [line.strip() for line in done.text.splitlines()]
    return sorted(line.split(";")[0].strip() for line in lines if line and not line.startswith(("#", "warning")))


def _build(
    folder: Path, pins: list[str], interpreter: Interpreter, step: Step, context: Context, compiled: bool
) -> None:
    step.progress(f"building it with uv: {plural(len(pins), 'package')}, Python {interpreter.version}")
    created = run_uv(["venv", "--quiet", "--clear", "--python", interpreter.executable, str(folder)], context)
    if created.exit_code != 0:
        raise _uv_failed("the environment cannot be created", created.text, context)
    if pins:
        _install(folder, pins, step, context)
        if compiled:
            _compile(folder, interpreter, step, context)


def _install(folder: Path, pins: list[str], step: Step, context: Context) -> None:
    listing = context.cache.temporary().with_suffix(".txt")
    listing.write_text("\n".join(pins) + "\n", "utf-8")
    hashed = ["--require-hashes"] if all("--hash=" in pin for pin in pins) else []
    try:
        done = run_uv(
            [
                *_INSTALL,
                _link_mode(context),
                *hashed,
                "--python",
                str(folder / "bin/python"),
                "--requirements",
                str(listing),
            ],
            context,
        )
    finally:
        listing.unlink()
    _log(done.text, step, context)
    if done.exit_code != 0:
        raise _uv_failed("the packages cannot be installed", done.text, context)


def _compile(folder: Path, interpreter: Interpreter, step: Step, context: Context) -> None:
    """Compiles the modules to bytecode. Runs see the folder read-only, so each would otherwise compile what it imports.

    The interpreter runs without `site`, so that nothing of the packages is executed, not even a .pth file. Modules that
    cannot be compiled (some are for other versions of Python) and tests of packages are left uncompiled.
    """
    step.progress("compiling its modules")
    compiler = [interpreter.executable, "-I", "-S", "-m", "compileall", "-qq", "-j", str(min(4, os.cpu_count() or 1))]
    done = run(
        [*limited(COMPILE_MEMORY), *compiler, "-x", SKIPPED_TESTS, str(folder / "lib")],
        environment={"PATH": os.defpath},
        cancel=context.cancel,
        timeout_s=COMPILE_S,
    )
    reason = f"it took more than {COMPILE_S:.0f} s" if done.timed_out else done.text.strip().rpartition("\n")[2]
    if reason:
        step.log(f"some modules were not compiled, so each run compiles them itself: {show(reason, 300)}")


def _log(text: str, step: Step, context: Context) -> None:
    for line in text.splitlines():
        step.log(show(context.redactor.scrub(line), 500))


def _uv_failed(problem: str, text: str, context: Context) -> Inconclusive:
    """The error for a failed call of uv: its output in one line without its box drawing, and a remedy for its cause."""
    message = " ".join(re.sub(r"[\u2500-\u257f\u25b6\u00d7]+", " ", context.redactor.scrub(text)).split())
    message = message.removeprefix("error: ").removeprefix("Because ")
    if (
        "no usable wheels" in message
        or "building from source is disabled" in message.lower()
        or "--no-build" in message
    ):
        problem = (
            f"{problem}: a package has no wheel for this Python and platform, and nothing is built on this machine"
        )
    remedy = next((remedy for fragment, remedy in REMEDIES if fragment in message.lower()), SEE_LOG)
    return Inconclusive(f"{problem}: {show(message, 500)}", remedy)


def _inventory(folder: Path, key: str, interpreter: Interpreter, record: Record, context: Context) -> Inventory:
    known = context.cache.read_note("inventory", key)
    view = None if known else FolderView(folder, context.cache.hashes)
    if view is not None:
        packages, unknown = read_python_packages(view)
        facts = read_interpreter(view)
        known = to_plain({"packages": {n: asdict(p) for n, p in packages.items()}, "unknown": unknown, "facts": facts})
        context.cache.write_note("inventory", key, known)
    assert known is not None
    facts = {"implementation": interpreter.implementation, "version": interpreter.version}
    return from_plain(
        Inventory,
        {
            "interpreter": known["facts"] | facts,
            "system": host_facts(),
            "python_packages": known["packages"],
            "unknown": known["unknown"],
            "variables": record.environment.variables,
        },
    )


def _matches(pins: list[str], inventory: Inventory, step: Step) -> Match:
    """Whether the installed versions are the pinned ones."""
    pinned = {pin_name(pin): pin.split()[0].partition("==")[2] for pin in pins}
    installed = {name: package.version for name, package in inventory.python_packages.items()}
    mismatches = [
        f"{name} {installed.get(name, 'absent')}" for name, version in pinned.items() if installed.get(name) != version
    ]
    if mismatches:
        step.warn(f"installed versions differ from the recorded ones: {show(', '.join(mismatches), 300)}")
        return "differs"
    return "unknown" if step.warnings else "matches"


def pin_name(pin: str) -> str:
    """The normalised name of the package in a pinned requirement."""
    return canonicalize_name(re.split(r"[=\[ ;]", pin, maxsplit=1)[0])
