"""One screen about a draft: what was found, what is missing, and what to type next."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from repro_tui.audit.draft_record import predict_lines, relative_inputs
from repro_tui.audit.drafting import Draft, DraftSide
from repro_tui.model.record import Missing
from repro_tui.support.text import join_names, plural, shorten_middle, show

WIDTH, HEIGHT = 80, 24
_LABEL = 13
_MOST_NOTES, _MOST_MISSING = 3, 6


def screen(draft: Draft, names: tuple[str, str], output: str, missing: Sequence[tuple[str, Missing]]) -> list[str]:
    """The lines, at most 24 of at most 80 columns."""
    rows = [("looked at", " and ".join(_revision(side) for side in draft.sides)), *_found(draft)]
    rows += [("note", note) for note in list(_notes(draft))[:_MOST_NOTES]]
    rows += [*_missing(missing), ("wrote", f"{show(output, 300)}: each guess is a comment in it")]
    command = f"repro-tui {names[0]} {names[1]}"
    if output != "repro.toml":
        command = f"repro-tui {show(output, 300)}#{names[0]} {show(output, 300)}#{names[1]}"
    declared = any(gap.field == "validation.inputs" for _, gap in missing)
    until = " (without inputs, it only compares what is declared)" if declared else ""
    rows.append(("next", f"complete the file, then: {command}{until}" if missing else command))
    return _laid_out(rows)


def _laid_out(rows: list[tuple[str, str]]) -> list[str]:
    """The rows on one screen: a long text takes several lines where there is room for them."""
    for most in (4, 3, 2, 1):
        lines = [line for label, text in rows for line in _lines(label, text, most)]
        if len(lines) <= HEIGHT:
            break
    return lines[:HEIGHT]


def _lines(label: str, text: str, most: int) -> list[str]:
    width = WIDTH - _LABEL
    parts = textwrap.wrap(show(text, 2000), width, break_on_hyphens=False) or [""]
    if len(parts) > most:
        parts = [*parts[: most - 1], f"{parts[most - 1][: width - 1]}…"]
    return [f"{label if not number else '':<{_LABEL}}{part}" for number, part in enumerate(parts)]


def _revision(side: DraftSide) -> str:
    where = f" in {shorten_middle(side.folder, 20)}" if side.folder != "." else ""
    return f"{side.revision.commit[:9]} ({side.project.day}){where}"


def _found(draft: Draft) -> Iterator[tuple[str, str]]:
    rows = {
        "environment": [_environment(side) for side in draft.sides],
        "parameters": [join_names(side.parameters.names, most=4) or "none" for side in draft.sides],
        "data": [_data(side) for side in draft.sides],
        "predict": ["; ".join(predict_lines(side.predict)) if side.predict else "none" for side in draft.sides],
    }
    for label, (a, b) in rows.items():
        if a == b:
            yield label, a
        else:
            yield label, f"A: {a}"
            yield "", f"B: {b}"
    key = f", key {', '.join(draft.key)}" if draft.key else ", rows matched by position"
    yield "inputs", f"{relative_inputs(draft)}{key}" if draft.inputs else "none"


def _environment(side: DraftSide) -> str:
    file = side.environment
    others = len(side.project.environments) - 1
    python = f", Python {side.python}{'' if side.project.python == side.python else ' (guessed)'}"
    more = f" (of {others + 1})" if others > 0 else ""
    return f"{file.kind} {file.path}{more}{python if side.needs_python else ''}" if file else f"none{python}"


def _data(side: DraftSide) -> str:
    counts = [(len(side.project.tracked), "tracked by DVC"), (len(side.project.committed), "committed")]
    return join_names([f"{plural(count, 'file')} {how_kept}" for count, how_kept in counts if count]) or "none"


def _notes(draft: Draft) -> Iterator[str]:
    for side in draft.sides:
        yield from side.notes
    unresolved = dict.fromkeys(text for side in draft.sides for text in side.parameters.unresolved)
    if unresolved:
        yield f"parameters: {join_names(list(unresolved), most=2)}: compared as code"
    if draft.a.revision.commit == draft.b.revision.commit:
        yield "A and B are the same commit: name two revisions, as in repro-tui init v1 v2"
    tree = draft.b.project.tree
    if tree.unread:
        yield f"not understood, and left out: {join_names([show(path, 60) for path in tree.unread], most=3)}"
    if tree.unsafe:
        yield f"{plural(tree.unsafe, 'file')} left out whose names no record can hold"


def _missing(missing: Sequence[tuple[str, Missing]]) -> Iterator[tuple[str, str]]:
    """What is missing, once where both deployments lack it."""
    gaps: dict[tuple[str, str], list[str]] = {}
    for name, gap in missing:
        gaps.setdefault((gap.field, gap.why), []).append(name)
    for (field, why), names in list(gaps.items())[:_MOST_MISSING]:
        where = f" of {names[0]}" if len(names) == 1 and names[0] else ""
        yield "missing", f"{field}{where}: {why}"
    if len(gaps) > _MOST_MISSING:
        yield "", (f"and {len(gaps) - _MOST_MISSING} more, which are comments in the file")
