"""`ledger:FILE#ID`: a deployment from a ledger, a file with one JSON object per line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from repro_tui.formats.documents import parse_document
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.record import Code, Environment, Missing, Parameters, Predict, Record, Validation
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.text import show

DIRTY = Missing("code.dirty", "the ledger does not record whether the tree was clean", "deploy only from a clean tree")
TEXTS = ("repository", "commit", "requirements", "inputs")


class Ledger:
    """Reads the line of a deployment in the ledger. Nothing is executed."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of `ledger:FILE#ID`. Raises Refused."""
        file, _, deployment_id = reference.removeprefix("ledger:").partition("#")
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
            if entry.get("id") == deployment_id:
                return _record(entry, reference, path.parent, place)
        raise Refused(Mistake(show(reference, 200), f"the ledger has no such deployment {show(deployment_id, 80)!r}"))


def _record(entry: dict[str, Any], reference: str, base: Path, place: str) -> Record:
    """Every field with its place. Raises Refused with all mistakes in the line at once."""
    values = {name: entry.get(name) for name in TEXTS}
    command = entry.get("command")
    mistakes = [Mistake(place, f"{name} is not a string") for name in TEXTS if not isinstance(values[name], str)]
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        mistakes.append(Mistake(place, "command is not a list of strings"))
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
