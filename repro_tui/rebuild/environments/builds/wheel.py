"""Wheels that are built here, each once: its tools resolved as of a time, the build in the sandbox, the wheel kept.

The tools are what `[build-system]` requires, else setuptools and wheel, from wheels only. Those of the time of the
source are tried first. Where they cannot build it because this Python is younger than they are, those that were there
when this Python had settled are tried.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from repro_tui.formats.requirements import as_requirement
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import BuiltEnvironment
from repro_tui.rebuild.environments.builds.box import Build, check_may_build, run_build
from repro_tui.rebuild.environments.builds.log_causes import log_cause
from repro_tui.rebuild.environments.pythons.dates import settled
from repro_tui.rebuild.environments.pythons.interpreters import Interpreter
from repro_tui.rebuild.environments.uv import Resolving, has_no_dates, log_output, resolve, without_dates
from repro_tui.rebuild.environments.venv import PROJECT_WHEELS, made_environment, pin_of_wheel
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.regular import is_regular, read_regular
from repro_tui.support.text import show
from repro_tui.support.tracebacks import HEAD, error_in, telling_lines

FORMAT = "1"
DEFAULT_TOOLS = ("setuptools", "wheel")
FIRST_TOOLS = "2019-06-01T00:00:00Z"  # setuptools has had its build backend since February 2019
LAST_LINES = 4
# Lines of uv about the build, after those of the build.
_OF_UV = (
    "[tool.uv",
    "or `uv pip install",
    "hint:",
    "Building wheel",
    "Building source",
    "error: Failed to build",
    "cause: The build backend",
    "cause: Call to",
    "[stderr]",
    "[stdout]",
)


@dataclass(frozen=True, slots=True)
class BuildSource:
    """What a wheel is built of.

    `described` names it in messages, `path` is a source distribution or the tree of a commit, `identity` the hash of
    its content, `kind` the folder of the cache for its wheels, `as_of` the time of its tools. `requires` are its build
    requirements, `member` is the folder of the project in a tree. `expected` is the start of the wheel's name, where it
    is known: `NAME==VERSION`.
    """

    described: str
    path: Path
    identity: str
    kind: str
    requires: tuple[str, ...] = DEFAULT_TOOLS
    as_of: str | None = None
    member: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    expected: str = ""


def _time_of(source: BuildSource) -> str | None:
    """The time of the build tools: that of the source, but none before tools could be called as they are today."""
    return max(source.as_of, FIRST_TOOLS) if source.as_of else None


def built_wheel(source: BuildSource, interpreter: Interpreter, step: Step, context: Context) -> str:
    """The pin of the wheel of a source, from the cache or built now.

    Raises Inconclusive where it cannot be built, with the last words of the build.
    """
    check_may_build(source.described, context)
    key = digest_text(
        *(FORMAT, interpreter.executable, interpreter.version, interpreter.platform, source.identity, source.member),
        *(source.as_of or "", *source.requires, *(f"{name}={value}" for name, value in source.variables.items())),
    )
    folder, _ = context.cache.folder(
        source.kind, key, lambda folder: _build(source, folder, interpreter, step, context), context.cancel
    )
    wheel = next(folder.glob("*.whl"))
    name = parse_wheel_filename(wheel.name)[0]
    return pin_of_wheel(name, wheel, hashlib.sha256(read_regular(wheel)).hexdigest())


def _build(source: BuildSource, folder: Path, interpreter: Interpreter, step: Step, context: Context) -> None:
    """Builds the wheel into the folder: with the tools of its time, else with those that know this Python."""
    own = _time_of(source)
    times = list(dict.fromkeys((own, settled(own, interpreter))))
    for place, as_of in enumerate(times):
        try:
            _attempt(source, as_of, folder, interpreter, step, context)
            return
        except Inconclusive as error:
            if place + 1 == len(times):
                raise
            step.log(f"{show(error.what, 500)}; trying the build tools of {show(times[place + 1], 10)}")


def _attempt(
    source: BuildSource, as_of: str | None, folder: Path, interpreter: Interpreter, step: Step, context: Context
) -> None:
    tools = _tools(source, as_of, interpreter, step, context)
    step.progress(f"building {show(source.described, 120)} in the sandbox")
    done = run_build(Build(source.path, tools, source.member, source.variables), folder, context)
    log_output(done.text, step, context)
    wheels = [wheel for wheel in folder.glob("*.whl") if is_regular(wheel) and _is_wheel(wheel, source)]
    if done.exit_code != 0 or len(wheels) != 1:
        for wheel in folder.glob("*"):
            remove_tree(wheel)
        raise _failed(source, done.text if not done.timed_out else "the build took too long", context)


def _is_wheel(path: Path, source: BuildSource) -> bool:
    """Whether a file is a wheel of the source, and not of another package."""
    try:
        name, version, _, _ = parse_wheel_filename(path.name)
        expected, _, release = source.expected.partition("==")
        return path.is_file() and (not expected or (name, version) == (canonicalize_name(expected), Version(release)))
    except (InvalidWheelFilename, InvalidVersion):
        return False


def _tools(
    source: BuildSource, as_of: str | None, interpreter: Interpreter, step: Step, context: Context
) -> BuiltEnvironment:
    """The environment that builds it."""
    texts = sorted(_with_wheel(source, interpreter))
    key = digest_text(FORMAT, interpreter.version, interpreter.platform, as_of or "", *texts)
    known = context.cache.read_note("build-tools", key)
    if known is None:
        try:
            known = {"pins": _tool_pins(source, texts, Resolving(interpreter, as_of), step, context)}
        except Inconclusive as error:
            raise Inconclusive(f"the build tools of {source.described} are missing: {error.what}", error.do) from error
        context.cache.write_note("build-tools", key, known)
    return made_environment(known["pins"], interpreter, step, context)


def _tool_pins(source: BuildSource, texts: list[str], resolving: Resolving, step: Step, context: Context) -> list[str]:
    """The pins of the build tools; as of now, where the index does not say when its files were uploaded."""
    try:
        return resolve(texts, resolving, step, context)
    except Inconclusive as error:
        if resolving.as_of is None or not has_no_dates(error):
            raise
    step.warn(without_dates(f"the build tools of {source.described}", resolving.as_of))
    return resolve(texts, replace(resolving, as_of=None), step, context)


def _with_wheel(source: BuildSource, interpreter: Interpreter) -> set[str]:
    """Build requirements that apply. Older releases of setuptools need the package wheel as well.

    Raises Inconclusive for text that is not a requirement: uv would read an option in it.
    """
    texts = set()
    for text in source.requires:
        try:
            requirement = as_requirement(text)
            if requirement.marker is not None and not requirement.marker.evaluate({**interpreter.markers, "extra": ""}):
                continue
        except ValueError as error:
            raise Inconclusive(
                f"{source.described} cannot be built: {error}", "correct [build-system] requires"
            ) from error
        texts.add(str(requirement))
        if canonicalize_name(requirement.name) == "setuptools":
            texts.add("wheel")
    return texts


def _failed(source: BuildSource, text: str, context: Context) -> Inconclusive:
    """The error of a build, with its last words: those of the compiler first, else the exception that ended it."""
    lines = [line for line in context.redactor.scrub(text).splitlines() if not line.strip().startswith(_OF_UV)]
    said = [line.strip() for line in telling_lines(lines)]
    errors = [line for line in said if "error:" in line.lower()]
    raised = error_in(lines) if HEAD in said and len(errors) < 2 else None
    last = raised.text if raised else "; ".join((errors if len(errors) > 1 else said)[-LAST_LINES:])
    lacks, do = log_cause(text)
    because = f" ({lacks})" if lacks else ""
    reason = f"{source.described} cannot be built: {show(last or 'the build printed nothing', 600)}{because}"
    instead = "record an image" if source.kind == PROJECT_WHEELS else "record a version that has a wheel, or an image"
    return Inconclusive(reason, f"{do}, or {instead}" if do else instead)
