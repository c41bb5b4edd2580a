"""The validation inputs, kept in the audit's folder so that a row can be shown with its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Validation
from repro_tui.support.context import Context
from repro_tui.support.sizes import size_text
from repro_tui.support.space import ROOM, remedy

KEEP_BELOW = 512 << 20


@dataclass(frozen=True, slots=True)
class Inputs:
    """The file that both sides are run on, and its number of rows (None if it is not a table in a known format)."""

    path: Path
    rows: int | None = None
    warnings: tuple[str, ...] = ()


def keep_inputs(validation: Validation, folder: Path, context: Context) -> Inputs:
    """Copies the inputs as a table into `folder` (inputs.parquet), if they are in a known format and not too large.

    Raises Inconclusive or OSError if the disk is full.
    """
    from repro_tui.formats.normalise import normalise_file

    assert validation.inputs is not None
    path = Path(validation.inputs)
    if path.stat().st_size > KEEP_BELOW:
        return Inputs(
            path,
            warnings=(f"{path.name} is larger than {size_text(KEEP_BELOW)} and is not kept in the audit's folder",),
        )
    try:
        rows = normalise_file(path, folder / "inputs.parquet", context)
    except Inconclusive as error:
        if remedy(error.what, "") == ROOM:
            raise  # it may be a table: without its rows, missing output rows would go unnoticed
        return Inputs(path, warnings=(f"the validation inputs cannot be shown as a table: {error.what}",))
    return Inputs(path, rows)
