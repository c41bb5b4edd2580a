"""Writes a draft as a record file: every guess is a comment, with what could stand in its place."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro_tui.audit.drafting import Draft, DraftSide, inputs_file
from repro_tui.audit.recording import check_target, without_secrets
from repro_tui.formats.python_versions import MATURES_WORDS
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.record import Code, Missing, Parameters, Predict, Record, Validation
from repro_tui.sources.companions import Companions, relocated
from repro_tui.sources.detect.candidate import StepCandidate
from repro_tui.sources.detect.environments import NO_ENVIRONMENT
from repro_tui.sources.detect.parameters import ParameterChoice
from repro_tui.sources.detect.project import data_files
from repro_tui.sources.document import document_of
from repro_tui.sources.record_text import Guess, Remarks, record_text
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.paths import real_path
from repro_tui.support.plain import write_atomically
from repro_tui.support.text import show

MOST_ALTERNATIVES = 5
OUTPUT_BY_HAND = 'write output = "-" here if it prints its predictions, or output = "FILE", the file that it writes'
STEP_BY_HAND = 'write command = ["python", "SCRIPT", "{inputs}", "{output}"], or call = "MODULE:FUNCTION", here'


@dataclass(frozen=True, slots=True)
class DraftRecord:
    """The record file of a draft: its text, and what is missing in it (deployment "" is the validation)."""

    text: str
    missing: tuple[tuple[str, Missing], ...] = ()


def write_draft(draft: Draft, names: tuple[str, str], output: str, force: bool, context: Context) -> DraftRecord:
    """Writes the record of a draft to the file `output`.

    It is read back and validated first. Raises Refused before anything is written.
    """
    target = (context.here / output).absolute()
    if target.suffix != ".toml":
        raise Refused(
            Mistake("-o", f"{show(output, 200)} does not end in .toml: init writes comments, which need TOML")
        )
    check_target(target, force)
    companions = Companions(real_path(target.parent), f"{target.stem}.files", context.cache.root)
    written = draft_record(draft, names, output, companions, context)
    companions.write()
    write_atomically(target, written.text.encode("utf-8"), mode=0o644)
    return written


def draft_record(
    draft: Draft, names: tuple[str, str], output: str, companions: Companions, context: Context
) -> DraftRecord:
    """The text of a draft's record, validated, and what is missing in it."""
    inputs = inputs_file(draft, context)
    validation = Validation(inputs=str(inputs) if inputs else None, key=draft.key)
    document: dict[str, object] = {"schema": 1}
    remarks: dict[str, Remarks] = {}
    deployments: dict[str, object] = {}
    for name, side in zip(names, draft.sides, strict=True):
        record = without_secrets(_record(side, name, validation, draft), context.redactor)
        single = document_of(relocated(record, companions))
        deployments |= _with_tables(single)
        document |= {"validation": single.get("validation", {})}
        missing = (*_side_missing(side), *_hidden(record))
        remarks[name] = Remarks(missing, tuple(record.provenance.items()), tuple(_guesses(side, draft.wishes.python)))
    document |= {"deployments": deployments}
    gaps = tuple(_validation_missing(draft, inputs))
    general = Remarks(gaps, guesses=tuple(_validation_guesses(draft, inputs)), heading=tuple(_heading(draft)))
    text = record_text(document, ".toml", general, output, remarks)
    lacking = [("", gap) for gap in gaps] + [(name, gap) for name, own in remarks.items() for gap in own.missing]
    return DraftRecord(text, tuple(lacking))


def _with_tables(document: dict[str, object]) -> dict[str, object]:
    """The deployments of a document, each with the tables that alternatives may stand below."""
    deployments = document["deployments"]
    assert isinstance(deployments, dict)
    return {name: {"environment": {}, "predict": {}} | table for name, table in deployments.items()}


def _record(side: DraftSide, name: str, validation: Validation, draft: Draft) -> Record:
    revision, project = side.revision, side.project
    taken = draft.inputs if draft.inputs in project.tree.files else ""
    files = data_files(project, side.step, taken or "", " ".join(side.predict.command) if side.predict else "")
    return Record(
        name=name,
        reference=f"git:{revision.commit}",
        base=str(revision.root / side.folder),
        code=Code(str(revision.root), revision.commit, side.folder),
        environment=side.environment_fields(),
        parameters=Parameters.of_files(side.parameters.names),
        data=tuple(file.item for file in files),
        predict=side.predict,
        validation=validation,
        provenance={f"data.{number}": file.named_by for number, file in enumerate(files)},
    )


def _hidden(record: Record) -> tuple[Missing, ...]:
    """What was left out of the record because it may be a secret."""
    return record.missing


# -- what is missing ------------------------------------------------------------------------------------------------


def _side_missing(side: DraftSide) -> Iterator[Missing]:
    if side.environment is None:
        yield Missing("environment", f'{NO_ENVIRONMENT}: commit one, and write requirements = "FILE" here')
    step, predict = side.step, side.predict
    if predict is None or not predict.is_recorded:
        yield Missing("predict", f"no script, function, notebook or stage that predicts was found: {STEP_BY_HAND}")
    elif step and step.lacks:
        yield Missing("predict", f"{step.why}; complete by hand: {'; '.join(step.lacks)}")
    elif not step and predict.command and not predict.output and not grammar.names_output(predict.command):
        yield Missing("predict", f"the command does not contain {{output}}: {OUTPUT_BY_HAND}")


def _validation_missing(draft: Draft, inputs: Path | None) -> Iterator[Missing]:
    if inputs is not None:
        return
    table = next((item for item in draft.tables if item.path == draft.inputs), None)
    if table is not None and table.tracked is not None:
        path = show(table.path, 200)
        why = f"{path} is tracked by DVC and not on this machine: run dvc pull {path}, then init again with --force"
        yield Missing("validation.inputs", why)
        return
    why = "no table of the project has a name such as test.csv or validation.csv"
    yield Missing("validation.inputs", f'{why}: write inputs = "FILE" here, with what the predict step reads')


# -- guesses --------------------------------------------------------------------------------------------------------


def _heading(draft: Draft) -> Iterator[str]:
    revisions = [f"{side.revision.commit[:12]} of {side.project.day}" for side in draft.sides]
    yield f"Written by repro-tui init from commit {revisions[0]} and {revisions[1]}; nothing was executed."
    yield "Check the lines that are marked as guessed; the commented lines are the alternatives."


def _validation_guesses(draft: Draft, inputs: Path | None) -> Iterator[Guess]:
    others = [table.path for table in draft.tables if table.path != draft.inputs and table.tracked is None]
    lines = [_line("inputs", path) for path in others[:MOST_ALTERNATIVES]]
    if draft.wishes.inputs is None:
        reads = draft.b.step.reads if draft.b.step else ()
        why = ("the predict step reads it" if draft.inputs in reads else "its name") if inputs else ""
        yield Guess("validation.inputs", why, tuple(lines))
    if draft.key and draft.wishes.key is None:
        yield Guess("validation.key", f"{draft.key[0]} is unique in the inputs, and the predict step names it")
    elif draft.head.keys and not draft.key:
        yield Guess(
            "validation.key", "", (f"{_line('key', list(draft.head.keys))}  # if the output has it: unique there",)
        )
    if draft.head.truth:
        yield Guess(
            "validation.truth", "", (f"{_line('truth', draft.head.truth)}  # if it is the true value of each row",)
        )


def _guesses(side: DraftSide, wished: str | None) -> Iterator[Guess]:
    yield from _environment_guesses(side, wished)
    yield from _parameter_guesses(side.parameters, side.project.parameters)
    others_of_step = [step for step in side.steps if step is not side.step][:MOST_ALTERNATIVES]
    lines = tuple(line for step in others_of_step for line in _step_lines(step))
    if side.step:
        yield Guess("predict", side.step.why, lines)
    elif side.predict is None:
        yield Guess("predict", "", lines)


def _parameter_guesses(chosen: ParameterChoice, candidates: Sequence[str]) -> Iterator[Guess]:
    others = [path for path in candidates if path not in chosen.names][:MOST_ALTERNATIVES]
    if chosen.names:
        field = "parameters.files" if len(chosen.names) > 1 else "parameters.file"
        lines = [
            *(f"{text}: compared as code" for text in chosen.unresolved),
            *(_line("file", path) for path in others),
        ]
        yield Guess(field, chosen.why, tuple(lines))


def _environment_guesses(side: DraftSide, wished: str | None) -> Iterator[Guess]:
    chosen = side.environment
    others = [file for file in side.project.environments if chosen is None or file.path != chosen.path]
    lines = tuple(_line(file.kind, file.path) for file in others[:MOST_ALTERNATIVES])
    if chosen and others:
        yield Guess(f"environment.{chosen.kind}", "the nearest to the code, and the most exact", lines)
    if side.needs_python and side.python:
        yield from _python_guess(side, wished)


def _python_guess(side: DraftSide, wished: str | None) -> Iterator[Guess]:
    exact = next((item for item in side.project.pythons if item.version == side.python), None)
    if exact or side.python == wished:
        return
    ranges = [f"{item.path} allows {item.range}" for item in side.project.pythons[:2] if item.range]
    dated = side.python_of or side.project
    newest = dated.guessed_python()
    age = f"{newest} was the newest version that had been out for {MATURES_WORDS} on {dated.day}"
    if newest != side.python:
        age = f"{age}, and {side.python} is the nearest to it on this machine"
    if side.python_of:
        age = f"{age}, the date of the other side"
    yield Guess("environment.python", "; ".join([*ranges, age]))


def _step_lines(step: StepCandidate) -> Iterator[str]:
    lacks = f"; to complete: {'; '.join(step.lacks)}" if step.lacks else ""
    lines = list(predict_lines(step.predict))
    yield f"{lines[0]}  # {step.why}{lacks}"
    yield from lines[1:]


def predict_lines(predict: Predict) -> Iterator[str]:
    """The lines of TOML of a predict step."""
    for name in ("command", "call", "notebook", "inputs", "output"):
        if value := getattr(predict, name):
            yield _line(name, list(value) if isinstance(value, tuple) else value)


def _line(key: str, value: str | list[str]) -> str:
    """One line of TOML."""
    import tomli_w

    if isinstance(value, list):
        items = [tomli_w.dumps({"x": item}).strip().removeprefix("x = ") for item in value]
        return f"{key} = [{', '.join(items)}]"
    return tomli_w.dumps({key: value}).strip()


def relative_inputs(draft: Draft) -> str:
    """The validation inputs as a short name for the screen."""
    top = draft.b.revision.root / draft.b.folder
    place = Path(draft.inputs or "")
    return posixpath.normpath(place.relative_to(top).as_posix() if place.is_relative_to(top) else str(place))
