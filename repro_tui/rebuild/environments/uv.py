"""What uv is asked: to resolve requirements, and what its failures mean."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.environments.pythons.interpreters import Interpreter, run_uv
from repro_tui.support.context import Context, Step
from repro_tui.support.process import Completed
from repro_tui.support.redact import strip_url
from repro_tui.support.text import join_names, shorten_middle, show

_COMPILE = "pip compile --quiet --no-build --no-header --no-annotate --no-strip-markers".split()
USE_WHEELS = "record versions that have wheels for this Python and platform, or record an image"
CHECK_NETWORK = "check the network and the package index that uv uses (UV_DEFAULT_INDEX, proxies)"
USE_VERSION = "correct the version, or set UV_DEFAULT_INDEX to an index that has it"
AFTER_DATE = (
    "the packages were uploaded after the date that they are resolved as of: name a later one (--as-of, or "
    "environment.as_of), or correct the requirements"
)
# A fragment of uv's output (in lower case) and what to do about it, the most specific first.
REMEDIES = (
    ("no usable wheels", USE_WHEELS),
    ("building from source is disabled", USE_WHEELS),
    ("--no-build", USE_WHEELS),
    ("the network was disabled", "unset UV_OFFLINE, or fill uv's cache while online"),
    ("hash mismatch", "record the hashes of the intended files: the index has other files than were recorded"),
    ("failed to fetch", CHECK_NETWORK),
    ("error sending request", CHECK_NETWORK),
    ("the latest version satisfying the requirement is", AFTER_DATE),
    (
        "not found in the package registry",
        "correct the package's name, or set UV_DEFAULT_INDEX to an index that has it",
    ),
    ("there is no version of", USE_VERSION),
    ("there are no versions of", USE_VERSION),
    ("unsatisfiable", "correct the requirements, which contradict each other"),
)
LONGEST_ERROR = 600  # characters; the cause of a chain of errors is at its end
SEE_LOG = "see the log of this step for the whole output of uv"
_WITHOUT_WHEEL = re.compile(r"Wheels are required for `([^`]+)`")
_SPECIFIERS = r"(?P<specifiers>(?:===|[=<>!~]=|[<>])[^\s,]+(?:,(?:[=<>!~]=|[<>])[^\s,]+)*)"
_NO_ERROR = ("warning: ", "Using Python ", "Resolved ", "Prepared ", "Uninstalled ", "Installed ")
_NO_DATES = "missing an upload date"
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")


@dataclass(frozen=True, slots=True)
class Resolving:
    """What requirements are resolved for: an interpreter, as of a time (RFC 3339; None: now).

    `links` are folders with wheels that were built here; `undated` are packages whose version is recorded, so that the
    time does not apply to them.
    """

    interpreter: Interpreter
    as_of: str | None = None
    links: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    undated: tuple[str, ...] = ()


class WithoutWheel(Inconclusive):
    """Packages of which no wheel fits, one of which has to be built.

    `candidates` are their names, each with the versions that are asked for, those first that others depend on.
    """

    def __init__(self, error: Inconclusive, candidates: Sequence[tuple[str, str]]) -> None:
        super().__init__(error.what, error.do)
        self.candidates = tuple(candidates)


def resolve(
    texts: Sequence[str], resolving: Resolving, step: Step, context: Context, *, alone: bool = False
) -> list[str]:
    """The pins (`NAME==VERSION`) of requirements and all that they need, from wheels only, sorted.

    With `alone`, what they need is left out. Raises WithoutWheel where a package has to be built, else Inconclusive.
    """
    files = [context.cache.temporary().with_suffix(suffix) for suffix in (".in", ".txt")]
    try:
        for file, lines in zip(files, (texts, resolving.constraints), strict=True):
            file.write_text("\n".join(lines) + "\n", "utf-8")
        options = [*_options(resolving), *(["--no-deps"] if alone else []), "--constraints", str(files[1])]
        done = run_uv([*_COMPILE, *options, str(files[0])], context)
        if done.exit_code != 0 and "exclude-newer" in done.text:
            # Where the index has no dates, uv only says so in a warning, which it leaves out where it is quiet.
            done = run_uv([*(word for word in _COMPILE if word != "--quiet"), *options, str(files[0])], context)
    finally:
        for file in files:
            file.unlink(missing_ok=True)
    log_output(done.text if done.exit_code else "", step, context)
    if done.exit_code != 0:
        raise uv_failed("the requirements cannot be resolved", done.text, context)
    lines = [line.strip() for line in done.text.splitlines()]
    return sorted(line.split(";")[0].strip() for line in lines if line and not line.startswith(("#", "warning")))


def _options(resolving: Resolving) -> list[str]:
    until = ["--exclude-newer", resolving.as_of] if resolving.as_of else []
    if resolving.as_of:
        for name in resolving.undated:
            until += ["--exclude-newer-package", f"{name}=9999-01-01T00:00:00Z"]
    own = os.environ.get("UV_FIND_LINKS", "").split(",") if resolving.links else []  # else uv reads the variable itself
    links = [word for folder in (*own, *resolving.links) if folder for word in ("--find-links", folder)]
    return [*until, *links, "--python", resolving.interpreter.executable]


def has_no_dates(error: Inconclusive) -> bool:
    """Whether a failure is that of an index that does not say when its files were uploaded."""
    return _NO_DATES in error.what


def without_dates(packages: str, as_of: str) -> str:
    """The warning that an index has no dates, so that `packages` were resolved as of now instead of an earlier time."""
    return (
        f"{_index()} does not say when its files were uploaded: {packages} are the newest of today that fit, "
        f"and may be newer than {as_of[:10]}"
    )


def _index() -> str:
    """The package index, as far as variables name it: uv may be configured by a file as well."""
    urls = [url for name in _INDEXES for url in os.environ.get(name, "").split()]
    shown = [show(strip_url(url.rpartition("=")[2] if "=" in url.partition("://")[0] else url), 200) for url in urls]
    return f"the package index {join_names(list(dict.fromkeys(shown)))}" if shown else "the package index that uv uses"


def log_output(text: str, step: Step, context: Context) -> None:
    """Adds the output of a program to the log of a step."""
    for line in text.splitlines():
        step.log(show(context.redactor.scrub(line), 500))


def check_uv(problem: str, done: Completed, context: Context) -> None:
    """Raises the error for a call of uv that failed; its message begins with `problem`."""
    if done.exit_code != 0:
        raise uv_failed(problem, done.text, context)


def uv_failed(problem: str, text: str, context: Context) -> Inconclusive:
    """The error for a failed call of uv: its output in one line without its box drawing, and a remedy for its cause."""
    message = " ".join(re.sub(r"[\u2500-\u257f\u25b6\u00d7]+", " ", context.redactor.scrub(_only_error(text))).split())
    message = message.removeprefix("error: ").removeprefix("Because ")
    names = dict.fromkeys(_WITHOUT_WHEEL.findall(message))
    if names or "no usable wheels" in message or "building from source is disabled" in message.lower():
        problem = f"{problem}: a package has no wheel for this Python and platform"
    remedy = next((remedy for fragment, remedy in REMEDIES if fragment in message.lower()), SEE_LOG)
    error = Inconclusive(f"{problem}: {show(shorten_middle(message, LONGEST_ERROR))}", remedy)
    needed = sorted(names, key=lambda name: not re.search(rf"\bdepends? on {re.escape(name)}\b", message))
    return WithoutWheel(error, [(name, _asked_for(name, message)) for name in needed]) if needed else error


def _only_error(text: str) -> str:
    """The output of uv without its progress and its warnings, but for the one that an index has no dates."""
    lines = text.splitlines()
    dated = [line for line in lines if line.startswith("warning: ") and _NO_DATES in line]
    return "\n".join([*dated[:1], *(line for line in lines if not line.startswith(_NO_ERROR))])


def _asked_for(name: str, message: str) -> str:
    """The specifiers by which a package is asked for: `==4.9.*`, or those of all versions that have no wheel."""
    for before in ("depends? on ", "you require ", ""):
        match = re.search(rf"{before}\b{re.escape(name)}(?:\[[^\]]*\])?{_SPECIFIERS}", message)
        if match:
            return match.group("specifiers").rstrip(".")
    return ""
