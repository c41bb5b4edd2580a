"""Python environments from a lock or requirements file, made by uv in the cache: wheels only, nothing is executed."""

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
from repro_tui.support.paths import resolve_inside
from repro_tui.support.plain import from_plain, to_plain
from repro_tui.support.process import limited, run
from repro_tui.support.text import plural, show

FORMAT = "1"
_COMPILE = "pip compile --quiet --no-build --no-header --no-annotate --no-strip-markers".split()
_INSTALL = "pip install --no-build --no-deps --link-mode".split()
COMPILE_S, COMPILE_MEMORY = 900.0, 2 << 30  # the memory in bytes, of each of its processes
TESTS = "[-]packages/(.*/)?tests?/"
DO = "see the log of this step; the packages have to be installable as wheels from your index"


def rebuild_python_environment(
    record: Record, code: CodeTree | None, context: Context
) -> tuple[BuiltEnvironment, Part]:
    """The environment that a lock or requirements file of the commit's tree describes.

    Raises Inconclusive where the file, the Python or a wheel is not there.
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
    """The environment that holds these packages and no others, from the cache or made now; it is not listed yet.

    `compiled`: one that is made now gets its bytecode, which pays where it runs more than a few times.
    Raises Inconclusive where uv cannot make it.
    """
    key = digest_text(FORMAT, interpreter.executable, interpreter.version, interpreter.platform, _links(context), *pins)
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
        return _beside_the_record(name.removeprefix("file:"), record)
    if code is None:
        raise Inconclusive(f"{name} is in the commit's tree, and the record has no code", "record code, or an image")
    try:
        path = resolve_inside(Path(code.folder) / code.subdirectory, name)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise Inconclusive(f"{name} is not in the commit {code.commit}", "record a file that is committed") from error


def _beside_the_record(name: str, record: Record) -> bytes:
    try:
        return resolve_inside(Path(record.base), name).read_bytes()
    except (OSError, ValueError) as error:
        raise Inconclusive(f"{name} cannot be read below {record.base}", "put it beside the record") from error


def _interpreter(record: Record, step: Step, context: Context) -> Interpreter:
    version = record.environment.python
    if version is None:
        import platform

        version = ".".join(platform.python_version_tuple()[:2])
        step.warn(f"the record does not say which Python: {version}, which this program runs on, was taken")
    return find_interpreter(version, context)


def _links(context: Context) -> str:
    """An environment that the run could write to must not share its files with uv's cache."""
    return "copy" if context.settings.isolation == "none" else "hardlink"


def _pins(name: str, raw: bytes, record: Record, interpreter: Interpreter, step: Step, context: Context) -> list[str]:
    """The complete pinned requirements, one package each."""
    if record.environment.lock is not None:
        return locked(raw, name, interpreter.markers)
    lines, mistakes = parse_requirements(raw.decode("utf-8", "replace"), name)
    if mistakes:
        raise Refused.all(mistakes)
    try:
        wanted = [line for line in lines if _applies(line, interpreter)]
    except ValueError as error:  # markers that parse, but compare what cannot be compared
        raise Refused(f"{name}: {show(error, 300)}") from error
    for line in wanted:
        if not line.pinned:
            step.warn(f"{name}: line {line.number}: {show(str(line.requirement), 120)} is not pinned")
    return _completed(wanted, record.environment.as_of, interpreter, step, context) if wanted else []


def _applies(line: RequirementLine, interpreter: Interpreter) -> bool:
    marker = line.requirement.marker
    return marker is None or marker.evaluate({**interpreter.markers, "extra": ""})


def _completed(
    lines: list[RequirementLine], as_of: str | None, interpreter: Interpreter, step: Step, context: Context
) -> list[str]:
    """The requirements with what they need in turn, resolved once and remembered: the next time nothing moves."""
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
        told = show(", ".join(unrecorded), 300)
        step.warn(f"{len(unrecorded)} packages were not recorded, and were resolved as of {known['date']}: {told}")
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
    step.progress(f"making it with uv: {len(pins)} packages, Python {interpreter.version}")
    made = run_uv(["venv", "--quiet", "--clear", "--python", interpreter.executable, str(folder)], context)
    if made.exit_code != 0:
        raise _uv_failed("the environment cannot be made", made.text, context)
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
                _links(context),
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
    """Makes the bytecode of the modules: runs see the folder read-only, and each would compile what it imports anew.

    The interpreter itself does so without its `site`, so that nothing of the packages is executed (not even a .pth
    file). A module that cannot be compiled, as some are for other Pythons, stays as it is, and so do packages' tests.
    """
    step.progress("compiling its modules")
    compiler = [interpreter.executable, "-I", "-S", "-m", "compileall", "-qq", "-j", str(min(4, os.cpu_count() or 1))]
    done = run(
        [*limited(COMPILE_MEMORY), *compiler, "-x", TESTS, str(folder / "lib")],
        environment={"PATH": os.defpath},
        cancel=context.cancel,
        timeout_s=COMPILE_S,
    )
    why = f"it took more than {COMPILE_S:.0f} s" if done.timed_out else done.text.strip().rpartition("\n")[2]
    if why:
        step.log(f"not all of its modules were compiled, which each run then does itself: {show(why, 300)}")


def _log(text: str, step: Step, context: Context) -> None:
    for line in text.splitlines():
        step.log(show(context.redactor.scrub(line), 500))


def _uv_failed(what: str, text: str, context: Context) -> Inconclusive:
    """uv's own words in one line; where a package has no wheel, that is what is said."""
    words = " ".join(re.sub(r"[\u2500-\u257f\u25b6\u00d7]+", " ", context.redactor.scrub(text)).split())
    words = words.removeprefix("error: ").removeprefix("Because ")
    if "no usable wheels" in words or "building from source is disabled" in words.lower() or "--no-build" in words:
        what = f"{what}: a package has no wheel for this Python and platform, and nothing is built on this machine"
    return Inconclusive(f"{what}: {show(words, 500)}", DO)


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
    """Whether what is installed is what was asked for, version by version."""
    wanted = {pin_name(pin): pin.split()[0].partition("==")[2] for pin in pins}
    found = {name: package.version for name, package in inventory.python_packages.items()}
    wrong = [f"{name} {found.get(name, 'absent')}" for name, version in wanted.items() if found.get(name) != version]
    if wrong:
        step.warn(f"installed otherwise than recorded: {show(', '.join(wrong), 300)}")
        return "differs"
    return "unknown" if step.warnings else "matches"


def pin_name(pin: str) -> str:
    """The normalised name of the package that a pinned requirement is of."""
    return canonicalize_name(re.split(r"[=\[ ;]", pin, maxsplit=1)[0])
