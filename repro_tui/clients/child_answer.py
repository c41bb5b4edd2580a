"""What the child processes of MLflow's and W&B's clients share: one command in, one line of JSON out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from repro_tui.support.extras import bring_module

Command = Callable[[str, Path], Mapping[str, object]]


def answer_command(describe: Command, fetch: Command, error_answer: Callable[[Exception], Mapping[str, object]]) -> int:
    """Runs the command in the arguments, `describe` or `fetch` with SUBJECT FOLDER, and prints its answer.

    Returns the exit status: 1 if the answer is an error, which for a missing package names the extra that has it. The
    answer is a line of its own, whatever the client has printed before it.
    """
    command, subject, folder = sys.argv[1:4]
    answer: Mapping[str, object]
    try:
        answer = describe(subject, Path(folder)) if command == "describe" else fetch(subject, Path(folder))
    except Exception as error:  # noqa: BLE001 - a client raises whatever its service or back end does
        module = missing_module(error)
        absent = {"error": f"{module} is not installed", "do": bring_module(module)}
        answer = absent if module else error_answer(error)
    print()
    print(json.dumps(answer, default=str))
    return 1 if "error" in answer else 0


def missing_module(error: BaseException | None) -> str:
    """The module whose absence caused an error, which a client may have wrapped in its own; "" for another cause."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return error.name
        error = error.__cause__ or error.__context__
    return ""


def plain_error(error: Exception) -> dict[str, str]:
    """The answer for an error that needs no words of its own."""
    return {"error": " ".join(str(error).split())[:500] or type(error).__name__}
