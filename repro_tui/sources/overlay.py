"""What the command line lays over a record, and the validation inputs that both sides must share."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from repro_tui.formats.documents import load_document
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.record import Predict, Record, Validation
from repro_tui.sources.endpoint import settled
from repro_tui.support import grammar
from repro_tui.support.hashes import digest_file
from repro_tui.support.values import merge

WITHOUT_SERVER = ("lock", "requirements", "sif")
INPUTS_ARE = "the validation inputs are"  # begins a source's warning of the inputs that it found: --inputs take it back


def lay_over(
    record: Record,
    *,
    inputs: str | None,
    predict: str | None,
    protocol: str | None,
    params: str | None,
    here: Path,
    truth: str | None = None,
) -> Record:
    """The record with the options laid over it; each is read from the folder `here`. Raises Refused.

    A live endpoint takes --protocol and no --predict; a side that is rebuilt from a lock keeps its command,
    for there is no server of it.
    """
    given = dict(record.provenance)
    if inputs is not None:
        validation = replace(record.validation, inputs=_inputs(inputs, here), sha256=None)
        missing = tuple(item for item in record.missing if item.field != "validation.inputs")
        warnings = tuple(told for told in record.warnings if not told.startswith(INPUTS_ARE))
        record = replace(record, validation=validation, missing=missing, warnings=warnings)
        given["validation.inputs"] = "--inputs"
    if truth is not None:
        record = replace(record, validation=replace(record.validation, truth=truth))
        given["validation.truth"] = "--truth"
    laid = _predict(record, predict, protocol)
    if laid is not None and laid != record.predict:
        record = replace(record, predict=laid)
        given["predict.command" if laid.command else "predict.protocol"] = "--predict or --protocol"
        record = replace(record, missing=tuple(item for item in record.missing if item.field != "predict"))
    if params is not None:
        values = merge(record.parameters.values, load_document(here / params))
        record = replace(record, parameters=replace(record.parameters, values=values))
        given["parameters.values"] = "--params"
    return settled(replace(record, provenance=given))


def _inputs(inputs: str, here: Path) -> str:
    path = (here / inputs).absolute()
    if not path.is_file():
        raise Refused(Mistake("--inputs", f"there is no file {path}"))
    return str(path)


def _predict(record: Record, predict: str | None, protocol: str | None) -> Predict | None:
    """The predict step with --predict or --protocol laid over it, as far as they are for this record."""
    if protocol is not None and protocol not in ("mlflow", "open-inference"):
        raise Refused(Mistake("--protocol", f"{protocol!r} is not a protocol: expected mlflow or open-inference"))
    known = record.predict or Predict()
    command = _words(predict) if predict is not None else ()
    if known.url:
        return replace(known, protocol=protocol or known.protocol)  # type: ignore[arg-type]
    if command:
        return Predict(command, None, known.timeout_s)
    if protocol and (record.environment.kind not in WITHOUT_SERVER or not known.command):
        starts = () if known.protocol is None else known.command
        return replace(known, protocol=protocol, command=starts)  # type: ignore[arg-type]
    return record.predict


def _words(predict: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(predict))
    except ValueError as error:
        raise Refused(Mistake("--predict", f"cannot be split into words: {error}")) from error
    unknown = [name for word in words for name in grammar.placeholders(word)]
    if not words or unknown:
        known = ", ".join(f"{{{name}}}" for name in grammar.PLACEHOLDERS)
        raise Refused(Mistake("--predict", f"has {', '.join(unknown) or 'no command'}: the placeholders are {known}"))
    return words


def common_validation(a: Record, b: Record) -> tuple[Validation, tuple[str, ...]]:
    """The validation that both sides are run with, and warnings. Raises Refused where their inputs differ."""
    one, other = a.validation, b.validation
    inputs = one.inputs or other.inputs
    if inputs is None:
        raise Refused(
            Mistake("validation.inputs", "neither record names validation inputs: give them with --inputs FILE")
        )
    if one.inputs and other.inputs and one.inputs != other.inputs:
        digests = [digest_file(Path(path)).sha256 for path in (one.inputs, other.inputs)]
        if digests[0] != digests[1]:
            words = (
                f"A and B name different inputs (sha256 {digests[0]} and {digests[1]}): say which with --inputs FILE"
            )
            raise Refused(Mistake("validation.inputs", words))
    chosen = one if one.inputs else replace(other, key=one.key or other.key, columns=one.columns or other.columns)
    warnings = []
    if one.inputs and other.inputs and (one.key != other.key or one.columns != other.columns):
        warnings.append("the records compare by other keys or column rules: A's are used")
    return replace(chosen, inputs=inputs), tuple(warnings)
