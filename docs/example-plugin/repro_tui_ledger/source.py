"""`ledger:FILE#ID`: a deployment from a ledger, a file with one JSON object a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from repro_tui.formats.documents import parse_document
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.record import Code, Environment, Missing, Parameters, Predict, Record, Validation
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.text import show

DIRTY = Missing("code.dirty", "the ledger does not keep whether the tree was clean", "refuse to deploy a dirty tree")
TEXTS = ("repository", "commit", "requirements", "inputs")


class Ledger:
    """Reads the line of a deployment; nothing is executed."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of `ledger:FILE#ID`. Raises Refused."""
        file, _, wanted = reference.removeprefix("ledger:").partition("#")
        try:
            path = (context.here / file).resolve()
            lines = path.read_bytes().splitlines()
        except (OSError, ValueError) as error:
            raise Refused(
                Mistake(show(reference, 200), f"the ledger cannot be read: {show(str(error), 300)}")
            ) from error
        for number, line in enumerate(lines, 1):
            place = f"{show(path.name, 80)}, line {number}"
            entry = parse_document(line, ".json", place)
            if entry.get("id") == wanted:
                return _record(entry, reference, path.parent, place)
        raise Refused(Mistake(show(reference, 200), "the ledger has no such deployment"))


def _record(entry: dict[str, Any], reference: str, base: Path, place: str) -> Record:
    """Every field with its place; what is wrong with the line is told all at once."""
    values = {name: entry.get(name) for name in TEXTS}
    words = entry.get("command")
    mistakes = [Mistake(place, f"{name} is no text") for name, value in values.items() if not isinstance(value, str)]
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        mistakes.append(Mistake(place, "command is no list of words"))
    if problem := grammar.commit(str(values["commit"])):
        mistakes.append(Mistake(f"{place}: commit", problem))
    if mistakes:
        raise Refused.all(mistakes)
    fields = ("code.repository", "code.commit", "environment.requirements", "parameters.values", "predict.command")
    return Record(
        name=show(entry["id"], 80),
        reference=reference,
        base=str(base),
        code=Code(str((base / entry["repository"]).resolve()), entry["commit"]),
        environment=Environment(requirements=entry["requirements"]),
        parameters=Parameters(values=dict(entry.get("parameters") or {})),
        predict=Predict(tuple(entry["command"])),
        validation=Validation(str((base / entry["inputs"]).resolve()), ("id",)),
        provenance=dict.fromkeys((*fields, "validation.inputs", "validation.key"), place),
        missing=(DIRTY,),
    )
