"""Accepts differences of a finished audit: writes each into the policy file as exactly this change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from repro_tui.formats.policy_text import fields_of, snippet, with_entries
from repro_tui.gate.identity import accepted_change, name_of
from repro_tui.gate.predictions import accepted_bounds, accepted_evidence
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.finding import AreaName, Finding
from repro_tui.model.gate import AcceptedChange
from repro_tui.model.report import Report
from repro_tui.support.paths import real_path
from repro_tui.support.plain import write_atomically
from repro_tui.support.regular import read_regular
from repro_tui.support.system_errors import system_remedy
from repro_tui.support.text import join_names, quote, show

STATIC: tuple[AreaName, ...] = ("code", "environment", "parameters", "data")
PREDICTIONS = "predictions"
MOST_LISTED = 20
LARGEST = 1 << 20  # bytes of a policy file


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a person decides: why something is accepted, until which day (UTC), and who answers for it."""

    reason: str
    until: date
    owner: str = ""
    bounds: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises Refused where it has no reason, or its last day is over."""
        mistakes = []
        if not self.reason.strip():
            mistakes.append(Mistake("--reason", "is empty: say why the change is accepted"))
        if self.until < datetime.now(UTC).date():
            mistakes.append(Mistake("--until", f"{self.until} is over: name today (UTC) or a later day"))
        if mistakes:
            raise Refused.all(mistakes)


def parse_day(text: str) -> date:
    """The day in a text. Raises ValueError where it is not YYYY-MM-DD."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{quote(text)} is not a day: expected YYYY-MM-DD, such as 2027-01-31") from None


def entries_of(report: Report, patterns: Sequence[str], decision: Acceptance) -> list[AcceptedChange]:
    """The entries that accept what these patterns name in a report; nothing that is unknown is ever among them.

    A pattern is that of --ignore: `environment.packages.numpy`, `parameters.*`, `predictions` or `predictions.COLUMN`.
    Raises Refused with every mistake at once.
    """
    decision.check()
    if report.grade is not None:
        raise Refused("a verification compares with what was recorded, so there is no difference to accept")
    entries: list[AcceptedChange] = []
    mistakes: list[Mistake] = []
    for pattern in patterns:
        try:
            entries += _of_pattern(report, pattern, decision)
        except Refused as error:
            mistakes += error.mistakes
    if mistakes:
        raise Refused.all(mistakes)
    completed = (replace(entry, owner=decision.owner, audit=report.audit.id) for entry in entries)
    return list({repr(replace(entry, place="")): entry for entry in completed}.values())


def _of_pattern(report: Report, pattern: str, decision: Acceptance) -> Iterator[AcceptedChange]:
    reason, until = decision.reason.strip(), decision.until.isoformat()
    area, _, column = pattern.partition(".")
    if area == PREDICTIONS:
        predictions = report.areas.predictions
        if decision.bounds:
            yield accepted_bounds(predictions, _column(report, column), decision.bounds, reason, until)
        elif column:
            raise Refused(Mistake(show(pattern, 200), "is one column: accept it within --bound, or all of predictions"))
        else:
            yield accepted_evidence(predictions, reason, until)
        return
    findings = list(_matching(report, pattern))
    if not findings:
        raise Refused(Mistake(show(pattern, 200), _no_such(report, pattern)))
    mistakes: list[Mistake] = []
    for name, finding in findings:
        try:
            yield accepted_change(name, finding, reason, until)
        except Refused as error:
            mistakes += error.mistakes
    if mistakes:
        raise Refused.all(mistakes)


def _column(report: Report, name: str) -> str:
    names = [column.name for column in report.areas.predictions.columns]
    if name and name not in names:
        known = join_names([show(column, 80) for column in names], "or", most=8)
        raise Refused(Mistake(f"predictions.{show(name, 100)}", f"is not an output column: expected {known}"))
    return name


def _matching(report: Report, pattern: str) -> Iterator[tuple[AreaName, Finding]]:
    for area in STATIC:
        for finding in getattr(report.areas, area).findings:
            name = name_of(area, finding)
            if finding.change != "same" and (name == pattern or fnmatchcase(name, pattern)):
                yield area, finding


def _no_such(report: Report, pattern: str) -> str:
    """Why a pattern names nothing; of a part of a finding, the finding."""
    for area in STATIC:
        for finding in getattr(report.areas, area).findings:
            if any(name_of(area, child) == pattern for child in finding.children):
                return f"is a part of {show(name_of(area, finding), 200)}: accept that"
    return f"is no difference of this audit: {differences_in(report)}"


def differences_in(report: Report) -> str:
    """The differences of an audit that can be named, in a sentence."""
    names = [
        show(name_of(area, finding), 120)
        for area in STATIC
        for finding in getattr(report.areas, area).findings
        if finding.change not in ("same", "unknown")
    ]
    names += [PREDICTIONS] if report.verdict == "drift" else []
    return f"it has {join_names(names, most=MOST_LISTED)}" if names else "it has no difference that can be accepted"


def accept(file: Path, entries: Sequence[AcceptedChange]) -> None:
    """Writes the entries into a policy file, as a whole or not at all. Raises Refused."""
    target = real_path(file)
    name = show(str(file), 200)
    if target.suffix != ".toml":
        text = show(snippet([fields_of(entry) for entry in entries]).replace("\n", "; "), 1000)
        raise Refused(Mistake(name, f"is not TOML, in which alone changes are accepted: add by hand: {text}"))
    try:
        exists = target.exists()
        before = read_regular(target, most=LARGEST).decode("utf-8") if exists else ""
        mode = target.stat().st_mode & 0o777 if exists else 0o644
        write_atomically(target, with_entries(before, entries, name).encode("utf-8"), mode=mode)
    except UnicodeDecodeError as error:
        raise Refused(Mistake(name, f"byte {error.start} is not UTF-8")) from error
    except OSError as error:
        raise Refused(Mistake(name, f"cannot be written: {error.strerror}: {system_remedy(error)}")) from error


def policy_file_of(policy_file: str, here: Path) -> Path:
    """The file to write into: that of the audit, or on another machine the nearest repro.toml. Raises Refused."""
    from repro_tui.sources.recordfile import FILE_NAME, nearest_file

    if policy_file and Path(policy_file).is_file():
        return Path(policy_file)
    nearest = nearest_file(here)
    if nearest is None:
        raise Refused(f"there is no {FILE_NAME} in or above {here}: name the file to write with --file")
    return nearest


def in_words(entry: AcceptedChange) -> str:
    """What an entry accepts, in one line."""
    if entry.evidence:
        return f"{entry.path}: exactly the cells that differ"
    if entry.bounds:
        return f"{entry.path}: {' and '.join(entry.bounds)}"
    if entry.a is None and entry.b is None:
        return f"{show(entry.path, 200)}: exactly what differs below it"
    sides = {"added": f"only in B: {show(entry.b, 80)}", "removed": f"only in A: {show(entry.a, 80)}"}
    return f"{show(entry.path, 200)}: {sides.get(str(entry.change), f'{show(entry.a, 80)} → {show(entry.b, 80)}')}"
