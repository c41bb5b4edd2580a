"""The policy file of an audit: `[gate]` and `[[accepted]]`, in the record file of both sides or the nearest repro.toml.

A policy is that of the project as it stands, not of the revisions that are compared: what a commit's own record says of
a gate does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from repro_tui.formats.documents import load_document
from repro_tui.model.errors import Refused
from repro_tui.model.gate import AcceptedChange
from repro_tui.model.request import GateSettings, Policy, Tolerance
from repro_tui.sources.recordfile import locate, nearest_file
from repro_tui.sources.resolve import source_of
from repro_tui.support.budgets import parse_budget
from repro_tui.support.paths import real_path
from repro_tui.support.regular import is_regular


def policy_of(references: Sequence[str], here: Path) -> Policy:
    """The policy of an audit of these references. Raises Refused with every mistake in its file."""
    file = policy_file(references, here)
    return read_policy(file) if file is not None else Policy()


def policy_file(references: Sequence[str], here: Path) -> Path | None:
    """The record file, if all references name one and the same; else the nearest repro.toml, if there is one."""
    files = [_record_file(reference, here) for reference in references]
    paths = {real_path(file) for file in files if file is not None}
    return paths.pop() if len(paths) == 1 and None not in files else nearest_file(here)


def _record_file(reference: str, here: Path) -> Path | None:
    try:
        if source_of(reference, here) != "recordfile":
            return None
        file = locate(reference, here)[0]
    except Refused:
        return None
    return file if is_regular(file) else None


def read_policy(file: Path) -> Policy:
    """The policy in a file. Raises Refused with every mistake, each with its place."""
    from repro_tui.formats.wire.policy import check_policy

    document = load_document(file)
    if not document.keys() & {"gate", "accepted"}:
        return Policy(str(file))
    fields = check_policy(document, file.name)
    gate = fields.gate
    runs, seconds = parse_budget(gate.budget) if gate.budget else (None, None)
    settings = GateSettings(
        fail_on=tuple(gate.fail_on) if gate.fail_on else None,
        tolerance=Tolerance(gate.atol, gate.rtol),
        column_tolerances={name: Tolerance(column.atol, column.rtol) for name, column in gate.columns.items()},
        explain=gate.explain,
        explain_runs=runs,
        explain_seconds=seconds,
        repeat=gate.repeat,
        isolation=gate.isolation,
    )
    accepted = tuple(
        AcceptedChange(
            **entry.model_dump() | {"until": entry.until.isoformat(), "bounds": tuple(entry.bounds)},
            place=f"{file.name}: accepted.{number}",
        )
        for number, entry in enumerate(fields.accepted)
    )
    return Policy(str(file), settings, accepted)
