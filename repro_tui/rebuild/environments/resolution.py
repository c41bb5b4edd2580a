"""From requirements to the complete pins of an environment, once: later rebuilds get the same versions.

What is pinned stays; what it needs besides is resolved as of a time, and named in a warning. A package that has no
wheel is built in the sandbox, and its wheel takes part in the resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repro_tui.formats.requirements import RequirementLine
from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.environments.builds.box import check_may_build
from repro_tui.rebuild.environments.builds.sdist import wheel_of_sdist
from repro_tui.rebuild.environments.pythons.interpreters import Interpreter, run_uv
from repro_tui.rebuild.environments.uv import Resolving, WithoutWheel, check_uv, has_no_dates, resolve, without_dates
from repro_tui.rebuild.environments.venv import pin_name, wheel_of
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text
from repro_tui.support.text import plural, show

FORMAT = "2"
MOST_BUILDS = 50
_CHECK = "pip install --quiet --no-build --no-deps --dry-run --target".split()


@dataclass(frozen=True, slots=True)
class ResolvedAt:
    """The time that packages which were not recorded are resolved at, and where it comes from.

    `as_of` is None for now. `described` ends a sentence, such as "2026-03-01, the commit's date".
    """

    as_of: str | None
    described: str = ""


@dataclass(slots=True)
class _Wheels:
    """The wheels that were built here for one environment: pins by `NAME==VERSION`."""

    pins: dict[str, str] = field(default_factory=dict)

    def links(self) -> tuple[str, ...]:
        folders = (wheel.parent for pin in self.pins.values() if (wheel := wheel_of(pin)))
        return tuple(dict.fromkeys(map(str, folders)))


def resolved_pins(
    lines: Sequence[RequirementLine],
    constraints: Sequence[RequirementLine],
    time: ResolvedAt,
    interpreter: Interpreter,
    step: Step,
    context: Context,
) -> list[str]:
    """The requirements and all that they need, one complete pin each, sorted.

    Raises Inconclusive where they cannot be resolved, or a package cannot be built.
    """
    if not lines:
        return []
    limits = sorted({str(line.requirement) for line in constraints})
    hashes = _recorded_hashes(lines, constraints)
    texts = sorted({line.text for line in lines})
    key = digest_text(
        FORMAT,
        interpreter.version,
        interpreter.platform,
        time.as_of or "",
        *texts,
        "--",
        *sorted({line.text for line in constraints}),
    )
    known = context.cache.read_note("resolutions", key)
    if known is None or not _are_there(known["built"], context):
        undated = tuple(sorted({canonicalize_name(line.requirement.name) for line in lines if line.pinned}))
        resolving = Resolving(interpreter, time.as_of, constraints=tuple(limits), undated=undated)
        known = asdict(_Resolution(lines, hashes, resolving, step, context).result(time))
        context.cache.write_note("resolutions", key, known)
    for warning in known["warnings"]:
        step.warn(warning)
    return _finished(known["pins"], known["built"], hashes, known["date"], step)


def _recorded_hashes(
    lines: Iterable[RequirementLine], constraints: Iterable[RequirementLine]
) -> dict[str, tuple[str, ...]]:
    """The hashes of each required package, from all the lines that name it, and from the constraints."""
    hashes: dict[str, tuple[str, ...]] = {canonicalize_name(line.requirement.name): () for line in lines}
    for line in (*lines, *constraints):
        name = canonicalize_name(line.requirement.name)
        if line.hashes or name in hashes:
            hashes[name] = tuple(dict.fromkeys((*hashes.get(name, ()), *line.hashes)))
    return hashes


def _are_there(built: dict[str, str], context: Context) -> bool:
    """Whether the wheels that were built for a resolution may be used, and are still in the cache."""
    for name, pin in built.items():
        if context.settings.no_build:
            check_may_build(name, context)
        wheel = wheel_of(pin)
        if wheel is None or not wheel.is_file():
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Result:
    """What a resolution came to: pins, wheels that were built for it by `NAME==VERSION`, its date, and warnings."""

    pins: list[str]
    built: dict[str, str]
    date: str
    warnings: list[str]


@dataclass(slots=True)
class _Resolution:
    """One resolution, and the wheels that are built on its way."""

    lines: Sequence[RequirementLine]
    hashes: Mapping[str, tuple[str, ...]]
    resolving: Resolving
    step: Step
    context: Context
    wheels: _Wheels = field(default_factory=_Wheels)
    warnings: list[str] = field(default_factory=list)

    def result(self, time: ResolvedAt) -> _Result:
        """The complete pins; as of now, where the index does not say when its files were uploaded."""
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        try:
            return _Result(self._newest(self._pins()), self.wheels.pins, time.described or today, self.warnings)
        except Inconclusive as error:
            if time.as_of is None or not has_no_dates(error):
                raise
        self.warnings.append(without_dates("packages that are not pinned", time.as_of))
        self.resolving = replace(self.resolving, as_of=None)
        return _Result(self._newest(self._pins()), self.wheels.pins, today, self.warnings)

    def _pins(self, *more: str) -> list[str]:
        """The pins, with what they need built where that has no wheel. `more` are requirements besides the lines."""
        attempt = partial(self._attempt, *more)
        return _building(attempt, self.hashes, self.resolving, self.wheels, self.step, self.context)

    def _attempt(self, *more: str) -> list[str]:
        texts = sorted({str(line.requirement) for line in self.lines})  # hashes are checked when they are installed
        return resolve([*texts, *more], self._with_links(), self.step, self.context)

    def _with_links(self) -> Resolving:
        return replace(self.resolving, links=self.wheels.links())

    def _newest(self, pins: list[str]) -> list[str]:
        """The pins again, after newer releases were tried that were passed over.

        From wheels alone, uv takes an old release of a package rather than one that needs what has no wheel.
        """
        count = len(self.wheels.pins)
        for pin in self._passed_over(pins):
            try:
                self._attempt(pin)
            except WithoutWheel:
                self._build_for(pin)
            except Inconclusive:
                continue  # the requirements contradict it
        return self._pins() if len(self.wheels.pins) > count else pins

    def _passed_over(self, pins: list[str]) -> list[str]:
        """The newest releases of what is not pinned, where the pins have older ones."""
        texts = sorted({str(line.requirement) for line in self.lines if not line.pinned})
        newest = resolve(texts, self._with_links(), self.step, self.context, alone=True) if texts else []
        return [pin for pin in newest if pin not in pins]

    def _build_for(self, pin: str) -> None:
        try:
            self._pins(pin)
        except Inconclusive as error:
            self.warnings.append(f"an older release than {show(pin, 120)} is used: {error.what}")


def _building(
    attempt: Callable[[], list[str]],
    hashes: Mapping[str, tuple[str, ...]],
    resolving: Resolving,
    wheels: _Wheels,
    step: Step,
    context: Context,
) -> list[str]:
    """Repeats an attempt, each time with one wheel more, until no package lacks one.

    `hashes` are the recorded ones of each package.
    """
    for _ in range(MOST_BUILDS):
        try:
            return attempt()
        except WithoutWheel as error:
            built = {pin.partition("==")[0] for pin in wheels.pins}
            lacking = [(canonicalize_name(name), versions) for name, versions in error.candidates]
            name, versions = next((item for item in lacking if item[0] not in built), ("", ""))
            if not name:
                raise
            version, pin = wheel_of_sdist(f"{name}{versions}", hashes.get(name, ()), resolving, step, context)
            wheels.pins[f"{name}=={version}"] = pin
    raise Inconclusive(
        f"more than {MOST_BUILDS} packages have no wheel for this Python and platform",
        "correct environment.python, or record an image",
    )


def _finished(
    pins: list[str], built: dict[str, str], hashes: Mapping[str, tuple[str, ...]], date: str, step: Step
) -> list[str]:
    """The pins with the recorded hashes, and with the wheels that were built here; a warning names the unrecorded."""
    unrecorded = [pin for pin in pins if pin_name(pin) not in hashes]
    if unrecorded:
        names = show(", ".join(unrecorded), 300)
        step.warn(f"{plural(len(unrecorded), 'package')} not recorded, resolved as of {date}: {names}")
    if built:
        step.log(f"built in the sandbox, because there is no wheel: {show(', '.join(sorted(built)), 300)}")
    whole = {f"{pin_name(pin)}=={pin.partition('==')[2]}": pin for pin in pins}
    return sorted(
        built.get(text) or " ".join([pin, *(f"--hash={value}" for value in hashes.get(pin_name(pin), ()))])
        for text, pin in whole.items()
    )


def with_wheels(
    pins: Sequence[str], time: ResolvedAt, interpreter: Interpreter, step: Step, context: Context
) -> list[str]:
    """The complete pins of a lock, with those that have no wheel replaced by wheels that are built of their sources.

    The sources have the recorded hashes. Raises Inconclusive where a package is not there or cannot be built.
    """
    key = digest_text(FORMAT, interpreter.executable, interpreter.version, interpreter.platform, *pins)
    known = context.cache.read_note("prepared", key)
    if known is None or not _are_there(known["built"], context):
        known = {"built": _prepared(pins, time, interpreter, step, context).pins}
        context.cache.write_note("prepared", key, known)
    built: dict[str, str] = known["built"]
    if built:
        step.log(f"built in the sandbox, because there is no wheel: {show(', '.join(sorted(built)), 300)}")
    return [built.get(pin.split()[0], pin) for pin in pins]


def _prepared(pins: Sequence[str], time: ResolvedAt, interpreter: Interpreter, step: Step, context: Context) -> _Wheels:
    wheels = _Wheels()
    target, listing = context.cache.temporary(), context.cache.temporary().with_suffix(".txt")
    hashes = {
        pin_name(pin): tuple(word.removeprefix("--hash=") for word in pin.split() if word.startswith("--hash="))
        for pin in pins
    }

    def attempt() -> list[str]:
        rest = [pin for pin in pins if pin.split()[0] not in wheels.pins]
        listing.write_text("\n".join(rest) + "\n", "utf-8")
        _check_wheels(target, listing, interpreter, context)
        return rest

    try:
        _building(attempt, hashes, Resolving(interpreter, time.as_of), wheels, step, context)
    finally:
        listing.unlink(missing_ok=True)
    return wheels


def _check_wheels(target: Path, listing: Path, interpreter: Interpreter, context: Context) -> None:
    """Asks uv whether each package has a wheel; nothing is downloaded but what indexes say of them."""
    options = ["--python", interpreter.executable, "--requirements", str(listing)]
    done = run_uv([*_CHECK, str(target), *options], context)
    check_uv("the packages cannot be installed", done, context)


def declared_lines(texts: Sequence[str]) -> list[RequirementLine]:
    """Requirements without a file of their own as lines. Raises ValueError with the first that is not one."""
    from repro_tui.formats.requirements import as_requirement

    return [RequirementLine(0, as_requirement(text)) for text in texts]


def extra_of(requirement: Requirement, extras: Sequence[str], markers: dict[str, str]) -> bool:
    """Whether a requirement of a package applies where these of its extras are installed."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**markers, "extra": extra}) for extra in ("", *extras))
