"""The user's configuration: theme, keys, limits; every mistake in it is reported before anything runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from repro_tui.formats.config import load_config
from repro_tui.model.errors import Refused
from repro_tui.tui.app import Auditor
from repro_tui.tui.config import automatic_theme, interface_config
from repro_tui.tui.dialogs import ChoiceDialog
from tests.tui.driving import press, written
from tests.tui.folders import finished


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REPRO_TUI_CONFIG", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "config.toml"


def test_without_a_file_there_are_defaults(config: Path) -> None:
    defaults = load_config()
    assert (defaults.theme, defaults.mouse, defaults.keys) == ("auto", True, {})
    assert defaults.limits.memory <= 8 << 30


def test_all_of_it_is_read(config: Path) -> None:
    config.write_text(
        'theme = "repro-contrast"\nmouse = false\n[keys]\n"predictions.sort" = "T"\n"everywhere.help" = ["f1", "?"]\n'
        '[limits]\nmemory = "2GiB"\nprocesses = 64\nlog = "1MB"\n'
    )
    interface, limits = interface_config(), load_config().limits
    assert (interface.theme, interface.mouse) == ("repro-contrast", False)
    assert interface.keys == {"predictions.sort": "T", "everywhere.help": "f1,question_mark"}
    assert (limits.memory, limits.processes, limits.log) == (2 << 30, 64, 1_000_000)


def test_all_mistakes_are_reported_at_once_with_their_place(config: Path) -> None:
    config.write_text('theme = 3\ncolour = "red"\n[limits]\nmemory = "lots"\ncpus = -1\n')
    with pytest.raises(Refused) as error:
        load_config()
    message = "\n".join(map(str, error.value.mistakes))
    for place in ("theme", "colour", "limits.memory", "limits.cpus"):
        assert f"{config}: {place}" in message
    assert len(error.value.mistakes) == 4


def test_a_theme_and_keys_have_to_exist(config: Path) -> None:
    config.write_text('theme = "repro-drak"\n[keys]\n"predictions.sorrt" = "T"\n"everywhere.help" = "not a key"\n')
    with pytest.raises(Refused) as error:
        interface_config()
    message = "\n".join(map(str, error.value.mistakes))
    assert "did you mean repro-dark?" in message
    assert "did you mean predictions.sort?" in message
    assert "everywhere.help: is not a valid key" in message


def test_one_key_cannot_do_two_things(config: Path) -> None:
    config.write_text('[keys]\n"predictions.sort" = "w"\n')
    with pytest.raises(Refused, match=r"w would be both audit\.export and predictions\.sort"):
        interface_config()


async def test_own_keys_work_and_are_shown_in_hints_and_help(config: Path, tmp_path: Path) -> None:
    config.write_text('[keys]\n"predictions.sort" = "T"\n')
    app = Auditor(finished(tmp_path / "audit"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "5", "t")
        assert not isinstance(app.screen, ChoiceDialog)
        assert "T sort" in written(app).splitlines()[-1]
        await press(pilot, "T")
        assert isinstance(app.screen, ChoiceDialog)
        await press(pilot, "escape", "question_mark")
        pages = [written(app)]
        for _ in range(6):
            await press(pilot, "pagedown")
            pages.append(written(app))
        assert "T                Sort the table by another column" in "".join(pages)


def test_a_wrong_configuration_is_refused_before_anything_runs(config: Path, tmp_path: Path) -> None:
    """Headless, too, for the limits are in it."""
    config.write_text("[limits]\nmemory = 5\n")
    done = subprocess.run(
        [sys.executable, "-m", "repro_tui", "a", "b", "--report"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"{config}: limits.memory" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        ({"TERM": "xterm-256color"}, "repro-dark"),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;15"}, "repro-light"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "repro-dark"),
        ({"TERM": "linux"}, "repro-16"),
        ({"TERM": "xterm", "COLORFGBG": "0;15"}, "repro-16-light"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "repro-mono"),
    ],
)
def test_the_theme_of_a_terminal(environment: dict[str, str], theme: str) -> None:
    assert automatic_theme(environment) == theme


def test_the_example_of_the_documentation_is_a_configuration(config: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "interface.md").read_text()
    config.write_text(page.partition("```toml\n")[2].partition("```")[0])
    interface = interface_config()
    assert interface.keys == {"predictions.sort": "T", "everywhere.help": "question_mark,f1"}
    assert load_config().limits.memory == 4 << 30
