"""Live endpoints: nothing is rebuilt, and nothing is known about them but their answers."""

from __future__ import annotations

import secrets

from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Predict, Record
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, Workspace
from repro_tui.support.context import Context

UNKNOWN = "a live endpoint does not report what it runs"
RECORDED = "a live endpoint is only queried: its recorded {} not rebuilt, because it may run something else"


def live(record: Record, predict: Predict, context: Context) -> Workspace:
    """The workspace of a live endpoint. Its key is random, because what it serves can change between two requests."""
    with context.step("environment", "a live endpoint") as step:
        step.how = "a live endpoint: it is only queried, and its environment is unknown"
        recorded = _recorded(record)
        if recorded:
            step.warn(RECORDED.format(f"{', '.join(recorded)} {'are' if len(recorded) > 1 else 'is'}"))
        key = f"live:{secrets.token_hex(16)}"
        environment = BuiltEnvironment("endpoint", key, Inventory(unknown={"environment": UNKNOWN}))
    return Workspace(
        key=key,
        name=record.name,
        command=(),
        timeout_s=predict.timeout_s,
        environment=environment,
        parameters=BuiltParameters({}, unknown=UNKNOWN),
        predict=predict,
        validation=record.validation,
        parts=(step.part(),),
    )


def _recorded(record: Record) -> list[str]:
    parts = {
        "code": record.code is not None,
        "environment": record.environment.kind != "unrecorded",
        "parameters": bool(record.parameters.names or record.parameters.values),
        "data": bool(record.data),
    }
    return [name for name, present in parts.items() if present]
