"""The environment of a run is exactly its own, whichever shell hands it over, and no command line has it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from repro_tui.execute.hidden_variables import hidden_variables
from repro_tui.support.isolation import inside

PRINTS = "import json, os; print(json.dumps([dict(os.environ), open('/proc/self/cmdline').read(), os.getcwd()]))"
# Values that shells read in other ways, and names that shells do not let go or give values of their own.
VARIABLES = {
    "PATH": "/nowhere",
    "QUOTED": "a'b\"c$(id)`id`\\ \n\t!*",
    "EMPTY": "",
    "PWD": "/elsewhere",
    "SHLVL": "7",
    "LC_ALL": "xx_YY.UTF-8",
    "IFS": "x",
    "UID": "5",
    "PPID": "6",
    "RANDOM": "7",
    "SECONDS": "8",
    "SHELLOPTS": "xtrace",
    "BASH_ENV": "/nowhere",
    "ENV": "/nowhere",
    "_": "me",
    "with.dot": "d",
    "with-dash": "e",
    "ÄÖ": "ü",
}


@pytest.fixture(params=["dash", "bash", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A shell by the name of sh, as images have it."""
    path = shutil.which(request.param)
    if path is None:
        pytest.skip(f"{request.param} is not installed")
    (tmp_path / "sh").symlink_to(path)
    return str(tmp_path / "sh")


@pytest.mark.parametrize("variables", [VARIABLES, {"ONLY": "one"}, {}], ids=["hostile", "one", "none"])
def test_a_run_has_exactly_its_variables(shell: str, variables: dict[str, str], tmp_path: Path) -> None:
    command = inside(variables, str(tmp_path), [sys.executable, "-I", "-c", PRINTS])
    with hidden_variables(command) as (arguments, script):
        arguments[arguments.index("/bin/sh")] = shell
        assert not [word for word in arguments if any(value and value in word for value in ("$(id)", "/elsewhere"))]
        done = subprocess.run(arguments, stdin=script, capture_output=True, text=True, check=True)
    environment, command_line, folder = json.loads(done.stdout)
    own = {"LC_CTYPE": environment["LC_CTYPE"]} if "LC_CTYPE" in environment else {}  # of Python itself
    assert environment == variables | own
    assert (command_line.split("\0")[1:4], folder) == (["-I", "-c", PRINTS], str(tmp_path))
    assert done.stderr == ""


def test_a_command_without_an_env_of_ours_is_as_it_was() -> None:
    command = ["env", "NAME=value", "python3", "-c", "pass", "env"]
    with hidden_variables(command) as (arguments, script):
        assert (arguments, script) == (command, None)
