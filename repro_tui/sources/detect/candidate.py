"""A candidate for the predict step, and the command line that a script's arguments make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from repro_tui.model.record import Predict
from repro_tui.sources.detect.arguments import Argument
from repro_tui.sources.detect.data import READABLE
from repro_tui.sources.detect.tables_used import TablesUsed

# How likely a script, a function or a stage with this word in its name is the predict step.
_LIKELY = {
    **dict.fromkeys(("predict", "prediction", "predictions", "predictor"), 10),
    **dict.fromkeys(("infer", "inference", "score", "scoring", "scorer"), 9),
    **dict.fromkeys(("batch", "classify", "forecast"), 6),
    **dict.fromkeys(("evaluate", "evaluation", "eval"), 5),
    **dict.fromkeys(("test", "validate", "validation"), 2),
    **dict.fromkeys(("train", "training", "fit"), -6),
}


@dataclass(frozen=True, slots=True)
class StepCandidate:
    """A candidate: the step, the file that it is in, why it is one, and what is still to be written by hand.

    `lacks` is empty where it is complete; `texts` are the
    literal texts of its source, `reads` the tables that it reads at fixed paths, `needs` the paths of all the data that
    it depends on (None: unknown), and `parameters` the files of parameters that it is declared with.
    """

    predict: Predict
    path: str
    why: str
    points: int
    lacks: tuple[str, ...] = ()
    texts: frozenset[str] = frozenset()
    reads: tuple[str, ...] = ()
    needs: tuple[str, ...] | None = None
    parameters: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether it reads inputs and writes an output, as far as that can be seen."""
        return not self.lacks


def likelihood(name: str) -> int:
    """The points of a name by its words: predict_batch has those of predict."""
    parts = re.split(r"[^a-z]+|(?<=[a-z])(?=[A-Z])", name.lower())
    return max((_LIKELY[word] for word in parts if word in _LIKELY), default=0)


def command_words(arguments: list[Argument], models: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of a command line for these arguments, and what has to be written by hand."""
    chosen = {role: surest(arguments, role) for role in ("input", "output")}
    parts: list[str] = []
    lacks: list[str] = []
    for argument in arguments:
        value = value_for(argument, chosen, models)
        if value is None:
            continue
        if value.isupper():
            lacks.append(f"a value for {argument.flag or argument.name}")
        parts += [argument.flag, value] if argument.flag else [value]
    return tuple(parts), tuple(lacks)


def surest(arguments: list[Argument], role: str) -> Argument | None:
    """The argument whose name says most plainly that it is the input or the output; None of none."""
    fitting = [argument for argument in arguments if argument.role == role]
    return max(fitting, key=lambda argument: argument.sureness, default=None)


def value_for(argument: Argument, chosen: Mapping[str, Argument | None], models: list[str]) -> str | None:
    """What is passed for an argument; None where it can be left out, a word in capitals where nobody can know it."""
    if argument is chosen["input"]:
        return "{inputs}"
    if argument is chosen["output"]:
        return "{output}"
    if argument.flag and not argument.required:
        return None
    if argument.default is not None:
        return escaped(argument.default)
    if not argument.required:
        return None
    if argument.role == "model" and len(models) == 1:
        return escaped(models[0])
    return re.sub(r"\W+", "_", argument.name).upper() or "VALUE"


def escaped(text: str) -> str:
    """A text as a word of a command, in which single braces are placeholders."""
    return text.replace("{", "{{").replace("}", "}}")


def with_ends(command: tuple[str, ...], used: TablesUsed) -> tuple[Predict, tuple[str, ...], str]:
    """The step with where it reads its inputs and writes its output, what of it is unknown, and that in words."""
    inputs, no_input, reading = _input(command, used)
    output, no_output, writing = _output(command, used)
    missing = tuple(text for text in (no_input, no_output) if text)
    why = " and ".join(text for text in (reading, writing) if text) or "has a name that suggests it"
    return Predict(command=command, inputs=inputs, output=output), missing, why


def _input(command: tuple[str, ...], used: TablesUsed) -> tuple[str, str, str]:
    """Where a step reads its inputs ("": where it is told), what is unknown about it, and that in words."""
    if any(_has(word, "{inputs}") for word in command):
        return "", "", "takes an input"
    reads = readable(used.reads)
    if len(reads) == 1:
        return reads[0], "", f"reads {reads[0]}"
    return "", f"which of {', '.join(reads[:4])} are the inputs" if reads else "where it reads its inputs", ""


def _output(command: tuple[str, ...], used: TablesUsed) -> tuple[str, str, str]:
    """Where a step writes its output ("": where it is told), what is unknown about it, and that in words."""
    if any(_has(word, "{output}") for word in command):
        return "", "", "takes an output"
    if writes := readable(used.writes):
        return _likeliest(writes), "", f"writes {_likeliest(writes)}"
    if used.streams:
        return "-", "", "writes a table to its standard output"
    if used.prints:
        return "-", "an output file: its standard output is used, which must have one row for each input row", "prints"
    return "", "where it writes its output", ""


def _has(word: str, placeholder: str) -> bool:
    """Whether a word of a command has a placeholder, which is not escaped by double braces."""
    return placeholder in word.replace("{{", "").replace("}}", "")


def readable(paths: tuple[str, ...]) -> list[str]:
    """Those of these paths that can be inputs or an output by their endings."""
    return [path for path in paths if path.lower().endswith(READABLE)]


def _likeliest(paths: list[str]) -> str:
    return max(paths, key=lambda path: bool(re.search(r"pred|score|result|output|submission", path.lower())))
