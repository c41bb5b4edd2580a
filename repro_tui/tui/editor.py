"""Opens values in the user's editor, as temporary read-only copies: an audit's files cannot be changed there."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from repro_tui.support.paths import cache_root
from repro_tui.support.plain import to_plain
from repro_tui.support.regular import read_regular
from repro_tui.tui.widgets.safe import notify

if TYPE_CHECKING:
    from textual.app import App

EDITORS = ("sensible-editor", "nano", "vim", "vi")


def as_json(value: object) -> str:
    """A value as indented JSON."""
    return json.dumps(to_plain(value), indent=2, default=str) + "\n"


def as_text(value: object) -> str:
    """A value as text; two sides below each other."""
    if isinstance(value, dict) and {"a", "b"} <= set(value):
        return f"A: {value['a']}\nB: {value['b']}"
    return str(value)


def editor_command() -> list[str] | None:
    """The command of the user's editor: VISUAL, EDITOR, or the first of EDITORS that is installed; else None."""
    for name in ("VISUAL", "EDITOR"):
        command = shlex.split(os.environ.get(name, ""))
        if command and shutil.which(command[0]):
            return command
    return next(([name] for name in EDITORS if shutil.which(name)), None)


def edit(app: App[object], texts: dict[str, str]) -> None:
    """Opens copies of the texts, by file name, in the editor, and returns when it ends."""
    command = editor_command()
    if command is None:
        notify(app, "No editor was found: set EDITOR.", warn=True)
        return
    from repro_tui.support.cache import Cache

    cache = Cache(cache_root())
    with cache.temporary_folder() as folder:
        paths = [Path(folder, name) for name in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text, "utf-8", errors="backslashreplace")
            path.chmod(0o400)
        try:
            with app.suspend():
                status = subprocess.run([*command, *map(str, paths)], check=False).returncode
        except SuspendNotSupported:
            notify(app, "This terminal cannot be handed over to an editor.", warn=True)
            return
        except OSError as error:
            notify(app, f"{command[0]} did not start: {error.strerror or error}.", warn=True)
            return
    if status:
        notify(app, f"{command[0]} ended with exit status {status}.", warn=True)


def text_of_file(path: Path, most: int = 32 << 20) -> dict[str, str] | None:
    """A text file's name and content for the editor; None for a table, or for a file of more than `most` bytes."""
    try:
        content = b"" if path.suffix == ".parquet" else read_regular(path, most=most, links=False)
    except OSError:
        return None
    return None if path.suffix == ".parquet" else {path.name: content.decode("utf-8", "backslashreplace")}
