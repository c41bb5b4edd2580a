"""The validation inputs, kept in the audit's folder so that a row can be opened with what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Validation
from repro_tui.support.context import Context
from repro_tui.support.space import ROOM, remedy

KEEP_BELOW = 512 << 20


@dataclass(frozen=True, slots=True)
class Inputs:
    """The file both sides are run on, and its number of rows (None where it is not a table that we read)."""

    path: Path
    rows: int | None = None
    warnings: tuple[str, ...] = ()


def take_inputs(validation: Validation, folder: Path, context: Context) -> Inputs:
    """Copies the inputs as a table into `folder` (inputs.parquet), as far as they are one of the known formats.

    Raises Inconclusive or OSError where the disk is full.
    """
    from repro_tui.formats.normalise import normalise_file

    assert validation.inputs is not None
    path = Path(validation.inputs)
    if path.stat().st_size > KEEP_BELOW:
        return Inputs(path, warnings=(f"{path.name} is too large to be kept in the audit's folder",))
    try:
        rows = normalise_file(path, folder / "inputs.parquet", context)
    except Inconclusive as error:
        if remedy(error.what, "") == ROOM:
            raise  # they may well be a table: without their rows nobody could tell that an output lacks some
        return Inputs(path, warnings=(f"the validation inputs are not a table that can be shown: {error.what}",))
    return Inputs(path, rows)
