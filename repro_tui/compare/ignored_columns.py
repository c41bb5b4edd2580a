"""Output columns that are left out: a clock or a run id says nothing about the predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow.parquet as pq

from repro_tui.model.record import ColumnRule, Validation
from repro_tui.model.request import Settings
from repro_tui.model.run import Run
from repro_tui.support.hashes import digest_file


def column_names(runs: Sequence[Run]) -> tuple[str, ...]:
    """The columns that at least one run has, in the order in which they first appear."""
    return tuple(dict.fromkeys(name for run in runs for name in pq.read_schema(run.predictions).names))


def ignored_columns(names: Sequence[str], validation: Validation, settings: Settings) -> tuple[str, ...]:
    """Those of these columns that the record (`ignore = true`) or the command line (`--ignore predictions.NAME`) leaves
    out.

    Columns of the key are never left out.
    """
    key = settings.key or validation.key
    return tuple(name for name in names if name not in key and _ignored(name, validation, settings))


def _ignored(name: str, validation: Validation, settings: Settings) -> bool:
    declared = validation.columns.get(name, ColumnRule()).ignore
    return declared or any(fnmatchcase(f"predictions.{name}", pattern) for pattern in settings.ignore)


def unused_rules(names: Sequence[str], validation: Validation, settings: Settings) -> tuple[str, ...]:
    """The rules of the record and the command line that match none of these columns, as misspelt names do."""
    key = settings.key or validation.key
    free = [f"predictions.{name}" for name in names if name not in key]
    patterns = [pattern for pattern in settings.ignore if pattern.startswith("predictions.")]
    return (
        *(f"--ignore {pattern}" for pattern in patterns if not any(fnmatchcase(name, pattern) for name in free)),
        *(f"--column-tolerance {name}" for name in settings.column_tolerances if name not in names),
        *(f"validation.columns.{name}" for name in validation.columns if name not in names),
    )


def without_columns(runs: Sequence[Run], ignored: Sequence[str], folder: Path) -> list[Run]:
    """The runs without these columns, so that runs that differ nowhere else have the same bytes.

    Files are rewritten to `folder`, each content once; without `ignored` columns the runs are returned unchanged.
    """
    if not ignored:
        return list(runs)
    folder.mkdir(parents=True, exist_ok=True)
    rewritten: dict[str, Run] = {}
    for run in runs:
        if run.output_sha256 not in rewritten:
            target = folder / f"without-{len(rewritten)}-{run.output_sha256[:16]}.parquet"
            _copy(Path(run.predictions), target, ignored)
            rewritten[run.output_sha256] = replace(
                run, predictions=str(target), output_sha256=digest_file(target).sha256
            )
    return [replace(rewritten[run.output_sha256], number=run.number) for run in runs]


def _copy(source: Path, target: Path, ignored: Sequence[str]) -> None:
    with pq.ParquetFile(source) as file:
        names = [name for name in file.schema_arrow.names if name not in ignored]
        schema = file.schema_arrow
        for name in ignored:
            if name in schema.names:
                schema = schema.remove(schema.get_field_index(name))
        with pq.ParquetWriter(target, schema) as writer:
            for number in range(file.num_row_groups):
                writer.write_table(file.read_row_group(number, columns=names).select(names))
