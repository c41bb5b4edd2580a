"""The functions for notebooks: typed, silent, checked as the command line is, and as docs/python.md shows them."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pandas as pd
import pytest

import repro_tui
from repro_tui.cli.main import program
from repro_tui.examples.demo import prepare
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.overrides import ONE_SIDED
from repro_tui.model.report import Report

PAGE = (Path(__file__).parents[1] / "docs" / "python.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", PAGE, re.DOTALL)
FUNCTIONS = (repro_tui.compare, repro_tui.explain, repro_tui.audit, repro_tui.open_audit)
# Options of the command line: where reports go, and what only a terminal has.
NOT_FROM_PYTHON = frozenset(
    {"report", "junit", "markdown", "html", "format", "quiet", "no_mouse", "annotations", "attest"}
)
NAMED_OTHERWISE = {"everything": "all_findings", "column_tolerance": "column_tolerances"}


def run(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("code", "printed"), [e for e in EXAMPLES if "repro_tui.audit(" not in e[0]])
def test_an_example_prints_what_the_page_shows(code: str, printed: str, tmp_path: Path) -> None:
    assert run(code, tmp_path) == printed


@pytest.mark.network
def test_the_examples_of_an_audit_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_TUI_AUDITS", str(tmp_path / "audits"))
    prepare(tmp_path / "demo")
    audited = [(code, printed) for code, printed in EXAMPLES if "repro_tui.audit(" in code]
    assert len(audited) == 2
    for code, printed in audited:
        assert run(code, tmp_path / "demo") == printed


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_signature_names_every_option_with_its_type(function: object) -> None:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    assert kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    annotations = [parameter.annotation for parameter in signature.parameters.values()]
    assert inspect.Parameter.empty not in (*annotations, signature.return_annotation)


def test_every_option_of_the_command_line_has_an_argument() -> None:
    command = program.get_command(click.Context(program), "audit")
    assert command is not None
    options = {option.name for option in command.params if isinstance(option, click.Option)} - NOT_FROM_PYTHON
    one_sided = {f"{side}_{name}" for side in ("a", "b") for name in ONE_SIDED}
    assert one_sided <= options
    options -= one_sided
    arguments = set(inspect.signature(repro_tui.audit).parameters)
    budget = {"explain_runs", "explain_seconds"}  # two numbers, where the command line has one option for either
    expected = {NAMED_OTHERWISE.get(name or "", name) for name in options} - {"explain_budget", "help"}
    assert expected <= arguments
    assert arguments - expected == budget | {"a", "b", "only_a", "only_b"}


def test_the_import_is_light() -> None:
    code = (
        "import sys, repro_tui; print(sorted({'numpy', 'pandas', 'pyarrow', 'duckdb', 'textual'} & sys.modules.keys()))"
    )
    assert run(code, Path.cwd()) == "[]\n"


def test_packages_can_be_imported_although_functions_have_their_names() -> None:
    code = "from repro_tui.compare.rows import pairs; import repro_tui.audit.plan; print(repro_tui.audit.__name__)"
    assert run(code, Path.cwd()) == "audit\n"


def test_nothing_is_written_to_standard_output(tmp_path: Path) -> None:
    """DuckDB draws a progress bar during long queries unless that is disabled."""
    code = (
        "import pandas as pd, repro_tui\n"
        "a = pd.DataFrame({'id': range(2_000_000), 'v': 1.0})\n"
        "repro_tui.compare(a, a.sample(frac=1, random_state=1).assign(v=2.0), key='id')\n"
    )
    assert run(code, tmp_path) == ""


def test_all_mistakes_of_the_settings_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_TUI_AUDITS", str(tmp_path / "audits"))
    with pytest.raises(Refused) as caught:
        repro_tui.audit(
            "prod",
            "staging",
            repeat=0,
            seed=-1,
            atol=-1.0,
            rtol=float("nan"),
            column_tolerances={"score": (0.1, float("inf"))},
            runner="nobody",
            isolation="jail",  # type: ignore[arg-type]
            network="all",  # type: ignore[arg-type]
            fail_on=("everything",),  # type: ignore[arg-type]
            memory=1,
            memory_limit=1,
        )
    places = [mistake.place for mistake in caught.value.mistakes]
    assert places == [
        *("repeat", "seed", "atol", "rtol", "column_tolerances.score", "runner", "isolation", "network", "fail_on"),
        *("memory", "memory_limit"),
    ]
    assert not (tmp_path / "audits").exists()


def test_a_reference_that_does_not_exist_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(repro_tui.Refused):
        repro_tui.audit("prod", "staging")
    with pytest.raises(repro_tui.Refused):
        repro_tui.open_audit(tmp_path)
    with pytest.raises(repro_tui.Refused):
        repro_tui.compare(tmp_path / "absent.csv", pd.DataFrame({"v": [1]}))


def test_the_report_is_the_engines_and_an_engine_that_died_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from repro_tui.audit.folder import AuditFolder
    from repro_tui.audit.follow import report_of

    assert inspect.signature(repro_tui.audit).return_annotation == Report.__name__
    folder = tmp_path / "20261130T000000Z-abcdef"
    folder.mkdir()
    (folder / "journal.jsonl").write_text('{"kind": "step", "side": "a", "step": "run 1", "status": "started"}\n')
    with pytest.raises(Inconclusive, match=r"ended without a report at A run 1\. Run the audit again"):
        report_of(AuditFolder(folder))
    assert os.listdir(folder) == ["journal.jsonl"]  # noqa: PTH208
