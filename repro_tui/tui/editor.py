"""The user's own editor and pager, on copies that are thrown away: what an audit recorded cannot be changed here."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import SuspendNotSupported

from repro_tui.support.plain import to_plain
from repro_tui.tui.widgets.safe import say

if TYPE_CHECKING:
    from textual.app import App

EDITORS = ("sensible-editor", "nano", "vim", "vi")


def as_json(value: Any) -> str:
    """A value as JSON that every editor and program can read."""
    return json.dumps(to_plain(value), indent=2, default=str) + "\n"


def editor_command() -> list[str] | None:
    """The user's editor: VISUAL, EDITOR, or one that is there."""
    for name in ("VISUAL", "EDITOR"):
        words = shlex.split(os.environ.get(name, ""))
        if words and shutil.which(words[0]):
            return words
    return next(([name] for name in EDITORS if shutil.which(name)), None)


def edit(app: App[Any], texts: dict[str, str]) -> None:
    """Opens copies of the texts, and comes back when the editor ends."""
    command = editor_command()
    if command is None:
        say(app, "no editor was found: set EDITOR", warn=True)
        return
    with tempfile.TemporaryDirectory(prefix="repro-tui-") as folder:
        paths = [Path(folder, name) for name in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text, "utf-8", errors="backslashreplace")
            path.chmod(0o400)
        try:
            with app.suspend():
                status = subprocess.run([*command, *map(str, paths)], check=False).returncode
        except SuspendNotSupported:
            say(app, "this terminal cannot be handed to an editor", warn=True)
            return
        except OSError as error:
            say(app, f"{command[0]} did not start: {error.strerror}", warn=True)
            return
    if status:
        say(app, f"{command[0]} ended with {status}", warn=True)


def text_of_file(path: Path, most: int = 32 << 20) -> dict[str, str] | None:
    """A text file for the editor; None where it is a table, or too large."""
    if path.suffix == ".parquet" or path.stat().st_size > most:
        return None
    return {path.name: path.read_bytes().decode("utf-8", "backslashreplace")}
