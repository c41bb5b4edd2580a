"""Applies the options of the command line to a record, and settles the validation inputs that both sides share."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

from repro_tui.formats.documents import load_document
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.overrides import Overrides
from repro_tui.model.record import LOCAL_KINDS, Parameters, Predict, Record, Validation
from repro_tui.sources.endpoint import settled
from repro_tui.sources.overlay_environment import with_environment
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_file
from repro_tui.support.regular import is_regular, open_regular
from repro_tui.support.text import quote, show
from repro_tui.support.values import merge

WITHOUT_SERVER = (*LOCAL_KINDS, "sif")
# A source's warning about the inputs that it chose begins with this: --inputs makes it moot, and removes it.
INPUTS_ARE = "the validation inputs are"


def lay_over(record: Record, overrides: Overrides, context: Context) -> Record:
    """The record with the options of the command line applied. Paths are relative to the current folder.

    A live endpoint ignores --predict. A side that is rebuilt from a lock file, a requirements file or a SIF has no
    server, so it ignores --protocol where its record has a command. Raises Refused for an option that cannot be read.
    """
    given = overrides
    record = with_environment(record, given, context)
    provenance = dict(record.provenance)
    if given.inputs is not None:
        validation = replace(record.validation, inputs=_inputs(given.inputs, context.here), sha256=None)
        missing = tuple(item for item in record.missing if item.field != "validation.inputs")
        warnings = tuple(warning for warning in record.warnings if not warning.startswith(INPUTS_ARE))
        record = replace(record, validation=validation, missing=missing, warnings=warnings)
        provenance["validation.inputs"] = "--inputs"
    if given.truth is not None:
        record = replace(record, validation=replace(record.validation, truth=given.truth))
        provenance["validation.truth"] = "--truth"
    predict_step = _predict(record, given.predict, given.protocol)
    if predict_step is not None and predict_step != record.predict:
        record = replace(record, predict=predict_step)
        provenance[predict_step.place] = "--predict or --protocol"
        record = replace(record, missing=tuple(item for item in record.missing if item.field != "predict"))
    if given.params is not None:
        record = replace(record, parameters=_parameters(record.parameters, given.params, context.here))
        provenance["parameters.values"] = "--params"
    return settled(replace(record, provenance=provenance))


def _parameters(recorded: Parameters, params: str, here: Path) -> Parameters:
    """The recorded parameters with the values of a file over them; of parameters in several files, by file."""
    values = load_document(here / params)
    mistakes = grammar.parameter_values(recorded.files, values) if recorded.files else []
    if mistakes:
        names = ", ".join(show(name, 120) for name in recorded.files)
        rule = f"the parameters are in {len(recorded.files)} files, {names}: {show(params, 200)} needs a table for each"
        raise Refused.all([Mistake("--params", f"{rule}: {show(mistake, 300)}") for mistake in mistakes])
    return replace(recorded, values=merge(recorded.values, values))


def _inputs(inputs: str, here: Path) -> str:
    path = (here / inputs).absolute()
    if not path.is_file():
        raise Refused(Mistake("--inputs", f"the file {path} does not exist"))
    return str(path)


def _predict(record: Record, predict: str | None, protocol: str | None) -> Predict | None:
    """The predict step after --predict and --protocol, as far as they apply to this record."""
    if protocol is not None and protocol not in ("mlflow", "open-inference"):
        raise Refused(Mistake("--protocol", f"{quote(protocol)} is not a protocol: expected mlflow or open-inference"))
    recorded = record.predict or Predict()
    step = step_of(predict) if predict is not None else None
    if recorded.url:
        return replace(recorded, protocol=protocol or recorded.protocol)  # type: ignore[arg-type]
    if step:
        return _with_step(recorded, step)
    runs_here = recorded.command or recorded.call or recorded.notebook
    if protocol and (record.environment.kind not in WITHOUT_SERVER or not runs_here):
        return _with_server(recorded, protocol)
    return record.predict


def _with_step(recorded: Predict, step: Predict) -> Predict:
    """The recorded step with what another one runs; where it reads and writes is kept, unless a command says it."""
    if recorded.protocol:
        return replace(step, timeout_s=recorded.timeout_s)
    output = "" if grammar.names_output(step.command) else recorded.output
    return replace(recorded, command=step.command, call=step.call, notebook=step.notebook, output=output)


def _with_server(recorded: Predict, protocol: str) -> Predict:
    """The recorded step as a server that is queried: what only steps without one have is dropped."""
    if recorded.is_recorded and not recorded.protocol:
        recorded = replace(recorded, command=(), call="", notebook="", inputs="", output="", columns=())
    return replace(recorded, protocol=protocol)  # type: ignore[arg-type]


def step_of(text: str) -> Predict:
    """The step that --predict names: a command, `call:MODULE:FUNCTION` or `notebook:PATH`. Raises Refused."""
    kind, mark, rest = text.partition(":")
    if mark and kind == "call":
        if not rest or grammar.callable_reference(rest):
            expected = 'call:package.module:function, or call:package.module:Class("literal").method'
            raise Refused(Mistake("--predict", f"{quote(text, 100)} is not a function: expected {expected}"))
        return Predict(call=rest)
    if mark and kind == "notebook":
        if (mistake := grammar.relative_path(rest)) or not rest.endswith(".ipynb"):
            raise Refused(Mistake("--predict", f"{quote(rest, 100)} {mistake or 'is not a notebook (.ipynb)'}"))
        return Predict(notebook=rest)
    return Predict(command=_split_command(text))


def _split_command(predict: str) -> tuple[str, ...]:
    try:
        arguments = tuple(shlex.split(predict))
    except ValueError as error:
        raise Refused(Mistake("--predict", f"cannot be split into arguments ({error}): check its quotes")) from error
    unknown = [name for word in arguments for name in grammar.placeholders(word)]
    if not arguments:
        raise Refused(
            Mistake("--predict", "is empty: expected a command such as 'python predict.py {inputs} {output}'")
        )
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in grammar.PLACEHOLDERS)
        names = ", ".join(dict.fromkeys(unknown))
        raise Refused(Mistake("--predict", f"has the unknown placeholder {names}: the placeholders are {known}"))
    return arguments


def common_validation(a: Record, b: Record) -> tuple[Validation, tuple[str, ...]]:
    """The validation that both sides run with, and warnings about what differs between the two records.

    The inputs, key and rules of A take precedence; where only one record names inputs, both sides use them. Without
    any, the validation has none. Raises Refused where a file of inputs cannot be read, or where the two records name
    files of different content.
    """
    left, right = a.validation, b.validation
    inputs = left.inputs or right.inputs
    _check_readable(left.inputs, right.inputs)
    if left.inputs and right.inputs and left.inputs != right.inputs:
        digests = [digest_file(Path(path)).sha256 for path in (left.inputs, right.inputs)]
        if digests[0] != digests[1]:
            message = f"A and B name different inputs (sha256 {digests[0]} and {digests[1]}): choose with --inputs FILE"
            raise Refused(Mistake("validation.inputs", message))
    validation = (
        left if left.inputs else replace(right, key=left.key or right.key, columns=left.columns or right.columns)
    )
    warnings = []
    if left.inputs and right.inputs and (left.key != right.key or left.columns != right.columns):
        warnings.append("the records of A and B have different keys or column rules: those of A are used")
    return replace(validation, inputs=inputs), tuple(warnings)


def _check_readable(*inputs: str | None) -> None:
    """Raises Refused with every file of inputs that cannot be opened: nothing is started that could not be run."""
    problems = [_unreadable(path) for path in dict.fromkeys(inputs) if path]
    mistakes = [Mistake("validation.inputs", problem) for problem in problems if problem]
    if mistakes:
        raise Refused.all(mistakes)


def _unreadable(path: str) -> str:
    """Why a file of inputs cannot be read; "" where it can."""
    shown = show(path, 300)
    if not is_regular(Path(path)):
        state = "is not a regular file" if os.path.lexists(path) else "does not exist"
        return f"{shown} {state}: name a table with --inputs FILE"
    try:
        open_regular(path).close()
    except OSError as error:
        return f"{shown} cannot be read ({error.strerror}): make it readable, or name another file with --inputs FILE"
    return ""
