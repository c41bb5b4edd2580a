"""What the child processes of MLflow's and W&B's clients share: one command in, one line of JSON out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

Command = Callable[[str, Path], Mapping[str, object]]


def answer_command(
    extra: str, describe: Command, fetch: Command, error_answer: Callable[[Exception], Mapping[str, object]]
) -> int:
    """Runs the command in the arguments, `describe` or `fetch` with SUBJECT FOLDER, and prints its answer.

    `extra` is the extra of repro-tui that has the client. Returns the exit status: 1 if the answer is an error. The
    answer is a line of its own, whatever the client has printed before it.
    """
    command, subject, folder = sys.argv[1:4]
    answer: Mapping[str, object]
    try:
        answer = describe(subject, Path(folder)) if command == "describe" else fetch(subject, Path(folder))
    except ImportError as error:
        do = f"reinstall repro-tui with the extra {extra}; in its checkout: pipx install --force '.[{extra}]'"
        answer = {"error": f"{error.name} is not installed", "do": do}
    except Exception as error:  # noqa: BLE001 - a client raises whatever its service or back end does
        answer = error_answer(error)
    print()
    print(json.dumps(answer, default=str))
    return 1 if "error" in answer else 0


def plain_error(error: Exception) -> dict[str, str]:
    """The answer for an error that needs no words of its own."""
    return {"error": " ".join(str(error).split())[:500] or type(error).__name__}
