"""The policy file: a record file, or a file that has a policy but no deployments."""

from __future__ import annotations

from collections.abc import Mapping

from repro_tui.formats.wire.gate import AcceptedFields, GateFields
from repro_tui.formats.wire.mistakes import Table, check
from repro_tui.formats.wire.record import check_record


class PolicyFields(Table):
    """The tables of a file that has a policy but no deployments."""

    gate: GateFields = GateFields()
    accepted: list[AcceptedFields] = []


def check_policy(document: Mapping[str, object], file: str) -> PolicyFields:
    """The policy in a document. Raises Refused with every mistake, each with its place in `file`.

    Where it is a record file, the mistakes of its other tables are raised as well.
    """
    if "deployments" in document:
        record = check_record(document, file)
        return PolicyFields(gate=record.gate, accepted=record.accepted)
    return check(PolicyFields, {name: document[name] for name in ("gate", "accepted") if name in document}, file)
