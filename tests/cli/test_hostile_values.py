"""A control character in any value of the command line is shown as exactly `\\u{1b}`, whoever refuses the value."""

from __future__ import annotations

import sys

import click
import pytest

from repro_tui.cli.main import main, program
from tests.conftest import GitRepository

HOSTILE = "a\x1b[2Jb"
# The commands with options that take a value, each with what it needs besides. `explain` and `verify` have audit's.
COMMANDS = {"audit": ["x", "x"], "record": ["x"], "show": ["x"], "init": [], "list": []}
# In a line of TOML, which `init` shows as it wrote it, the escape is TOML's own.
ESCAPED = ("a\\u{1b}[2Jb", "a\\u001b[2Jb")


def options_of(command: str) -> list[str]:
    """The options of a command that take a value."""
    loaded = program.get_command(click.Context(program), command)
    assert loaded is not None
    return [item.opts[0] for item in loaded.params if isinstance(item, click.Option) and not item.is_flag]


OPTIONS = [(name, *operands, option, HOSTILE) for name, operands in COMMANDS.items() for option in options_of(name)]
REFERENCES = [(HOSTILE, "x"), *((name, HOSTILE) for name in ("record", "show", "schema", "init", "cache"))]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> GitRepository:
    repository = GitRepository(tmp_path_factory.mktemp("hostile") / "project")
    repository.commit({"predict.py": "", "requirements.txt": ""})
    return repository


@pytest.mark.parametrize(
    "arguments", [*OPTIONS, *REFERENCES], ids=lambda arguments: " ".join(arguments[:-1]) or "reference"
)
def test_a_hostile_value_is_escaped_once(
    arguments: tuple[str, ...],
    repository: GitRepository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(repository.folder)
    monkeypatch.setattr(sys, "argv", ["repro-tui", *arguments])
    main()
    shown = "".join(capsys.readouterr())
    assert [text for text in ("\x1b", "\\x1b", "\\\\") if text in shown] == []
    assert "[2J" not in shown or any(text in shown for text in ESCAPED)
    (repository.folder / "repro.toml").unlink(missing_ok=True)
