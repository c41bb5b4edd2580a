"""Every command, given what nobody makes: one clear line and status 2, in seconds."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repro_tui.cli.main import main
from repro_tui.support.cache import remove_tree
from repro_tui.support.plain import dumps
from tests.audit.project import PREDICT
from tests.conftest import GitRepository
from tests.report.sample import rich_report
from tests.shapes.makers import NO_DOCUMENT, NO_FILE, ODD_NAMES, SPECIAL, in_seconds, nested_folders
from tests.templates import Templates

Call = Callable[..., tuple[int, str, str]]
Maker = Callable[[Path], None]
COMMIT = "9f2c" * 10


def shapes(makers: dict[str, Maker]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("make", makers.values(), ids=makers)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs the program in this process."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["repro-tui", *map(str, arguments)])
        capsys.readouterr()
        with in_seconds():
            status = main()
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    remove_tree(tmp_path)  # pytest cannot remove what is nested deeply


def refused(result: tuple[int, str, str], *names: str) -> None:
    status, out, err = result
    assert status == 2, (status, err)
    assert out == ""
    assert 1 <= len(err.splitlines()) <= 4, err
    assert len(err) < 2000, err
    assert "Traceback" not in err
    assert "Errno" not in err
    assert all(name in err for name in names), err


# -- records and what they name -------------------------------------------------------------------------------------


@shapes(NO_FILE | NO_DOCUMENT)
@pytest.mark.parametrize("command", ["audit", "explain", "verify"])
def test_a_record_that_is_no_record(command: str, make: Maker, here: Path, call: Call) -> None:
    make(here / "odd.json")
    operands = ("odd.json#a",) if command == "verify" else ("odd.json#a", "odd.json#b")
    refused(call(command, *operands), "odd.json")


@shapes(SPECIAL)
def test_a_nearest_record_that_is_no_file(make: Maker, here: Path, call: Call) -> None:
    make(here / "repro.toml")
    refused(call("audit", "a", "b"))
    status, out, err = call("list")
    assert (status, err) == (0, "")
    assert "none" in out


RECORDED = {
    "validation.inputs": {"validation": {"inputs": "odd"}},
    "expected.predictions": {"deployments": {"a": {"expected": {"predictions": "odd"}}}},
    "data": {"deployments": {"a": {"data": [{"path": "odd", "source": "file"}]}}},
    "environment.sif": {"deployments": {"a": {"environment": {"sif": "odd"}}}},
}


@shapes(SPECIAL)
@pytest.mark.parametrize("place", RECORDED)
def test_a_file_that_a_record_names(place: str, make: Maker, here: Path, call: Call) -> None:
    make(here / "odd")
    (here / "inputs.csv").write_text("id,x\n1,2\n")
    whole = {"environment": {"requirements": "r.txt"}, "predict": {"command": "predict"}}
    document = {"schema": 1, "validation": {"inputs": "inputs.csv"}, "deployments": {"a": whole}} | RECORDED[place]
    if own := document["deployments"]["a"]:
        document["deployments"] = {"a": whole | own}
    (here / "r.json").write_text(json.dumps(document))
    refused(call("audit", "r.json#a", "r.json#a"))


@pytest.mark.parametrize("name", [name for name in ODD_NAMES if "#" not in name])
def test_names_that_nobody_gives(name: str, here: Path, call: Call) -> None:
    (here / name).write_text("x")
    for command in (("audit", "--", name, name), ("verify", "--", name), ("show", "--", name)):
        status, out, err = call(*command)
        assert (status, out) == (2, ""), err
        assert "\x1b" not in err
        assert "\u202e" not in err
        assert len(err.splitlines()) <= 3


@pytest.mark.parametrize("name", ["x" * 5000, "a/" * 3000, "../" * 2000 + "etc/passwd", "x" * 300 + ".toml"])
def test_a_reference_that_is_too_long_for_a_path(name: str, here: Path, call: Call) -> None:
    for command in (("audit", name, name), ("verify", name), ("show", name), ("record", name)):
        refused(call(*command))


# -- an audit's folder from somebody else ---------------------------------------------------------------------------

EVENTS = '{"kind": "step", "side": "a", "step": "code", "status": "started"}\n'


@pytest.fixture(scope="module")
def finished() -> tuple[str, str]:
    report = rich_report()
    side = {"name": "prod", "reference": "prod"}
    request = {"id": report.audit.id, "a": side, "b": side, "started": "2026-01-05T10:00:00Z"}
    return json.dumps(request), dumps(report)


@pytest.fixture
def audit(here: Path, finished: tuple[str, str]) -> Path:
    path = Path(os.environ["REPRO_TUI_AUDITS"]) / "20260105T100000-abc"
    path.mkdir(parents=True)
    for name, text in zip(("audit.json", "report.json", "journal.jsonl"), (*finished, EVENTS), strict=True):
        (path / name).write_text(text)
    return path


def replaced(path: Path, make: Maker) -> None:
    path.unlink(missing_ok=True)
    make(path)


def test_a_finished_audit_is_shown(audit: Path, call: Call) -> None:
    status, out, _ = call("show", audit, "--report", "-")
    assert (status, json.loads(out)["verdict"]) == (1, "drift")
    assert "drift" in call("list")[1]


@shapes(NO_FILE | NO_DOCUMENT)
def test_a_report_that_is_no_report(make: Maker, audit: Path, call: Call) -> None:
    replaced(audit / "report.json", make)
    for options in ((), ("--report", "-"), ("--junit", "j.xml")):
        refused(call("show", audit, *options), "report.json")
    assert call("list")[0] == 0
    assert call("list", "--json")[0] == 0


@pytest.mark.parametrize(
    ("verdict", "status"),
    [("drift", 256), ("drift", -256), ("drift", 2), ("drift", 1 << 64), ("not-comparable", 0), ("undecided", 1)],
)
def test_a_report_whose_status_would_end_as_another_one(verdict: str, status: int, audit: Path, call: Call) -> None:
    changed = json.loads((audit / "report.json").read_text()) | {"verdict": verdict, "exit_status": status}
    (audit / "report.json").write_text(json.dumps(changed))
    refused(call("show", audit), "report.json", "its exit_status is", str(status))
    refused(call("show", audit, "--report", "-"), "report.json")


@shapes(NO_FILE | NO_DOCUMENT)
def test_a_request_that_is_no_request(make: Maker, audit: Path, call: Call) -> None:
    replaced(audit / "audit.json", make)
    assert call("list")[0] == 0
    assert call("show", audit)[0] in (1, 2)
    (audit / "report.json").unlink()
    assert call("show", audit)[0] in (2, 3)


@shapes(NO_FILE | {"holes": NO_DOCUMENT["holes"]})
def test_a_journal_that_is_no_journal(make: Maker, audit: Path, call: Call) -> None:
    (audit / "report.json").unlink()
    replaced(audit / "journal.jsonl", make)
    refused(call("show", audit), "journal.jsonl")


JOURNALS = {
    "a nested line": '{"kind": "step", "detail": ' + '{"a":' * 100_000 + "\n",
    "a line that is nested less": '{"kind": "end", "detail": {"a": ' + "[" * 900 + "]" * 900 + "}}\n",
    "no status": '{"kind": "end", "detail": {"exit_status": "x"}}\n',
    "another status": '{"kind": "end", "detail": {"exit_status": 99999}}\n',
    "a list": "[]\n",
    "escapes": json.dumps({"kind": "end", "text": "\x1b[2J\n::error::x"}) + "\n",
    "no end": '{"kind": "step", "step": "code"',
    "bytes": "\udcff\udcfe\n",
}


@pytest.mark.parametrize("text", JOURNALS.values(), ids=JOURNALS)
def test_a_journal_with_hostile_events(text: str, audit: Path, call: Call) -> None:
    (audit / "report.json").unlink()
    (audit / "journal.jsonl").write_text(EVENTS + text, errors="surrogateescape")
    status, out, err = call("show", audit)
    assert (status, out) == (3, "")
    assert "ended without a report at A code" in err
    assert "\x1b" not in err
    assert not [line for line in err.splitlines() if line.startswith("::")]


def test_a_journal_of_400_megabytes_is_refused_at_once(audit: Path, call: Call) -> None:
    (audit / "report.json").unlink()
    with (audit / "journal.jsonl").open("a") as stream:
        stream.truncate(400 << 20)
    refused(call("show", audit), "journal.jsonl", "400 MiB")


@shapes(SPECIAL)
def test_a_lock_that_is_none(make: Maker, audit: Path, call: Call) -> None:
    replaced(audit / "engine.lock", make)
    assert call("show", audit)[0] == 1
    assert call("list")[0] == 0


def test_a_newer_schema_and_missing_and_other_files(audit: Path, call: Call) -> None:
    (audit / "else").mkdir()
    nested_folders(audit / "deep", 300)
    (audit / "report.json").write_text(json.dumps({"schema": 2}))
    refused(call("show", audit), "its schema is '2'")
    (audit / "report.json").write_text("{}")
    refused(call("show", audit), "report.json")
    (audit / "audit.json").unlink()
    (audit / "report.json").unlink()
    refused(call("show", audit))


# -- working trees ---------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(here: Path, templates: Templates, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits that `init` and `record` read."""
    repository = GitRepository(here / "project")
    repository.commit({"predict.py": PREDICT, "requirements.txt": "six==1.16.0\n", "inputs.csv": "id,x\n1,2\n"})
    repository.commit({"note.txt": "x"})
    monkeypatch.chdir(repository.folder)
    return repository.folder


@shapes(SPECIAL)
def test_a_working_tree_with_something_else(make: Maker, tree: Path, call: Call) -> None:
    for name in ("pyproject.toml", "requirements.txt", "inputs.csv", ".gitignore", "repro.toml", "data.csv.dvc"):
        replaced(tree / name, make)
    for command in (("init", "HEAD", ".", "--yes"), ("record", ".", "-o", "out.toml")):
        status, _, err = call(*command)
        assert status in (0, 2, 3), err
        assert "Traceback" not in err


def test_a_working_tree_that_is_nested_deeply(tree: Path, call: Call) -> None:
    nested_folders(tree / "deep", 1100)
    for command in (("init", "HEAD", ".", "--yes"), ("record", ".", "-o", "out.toml")):
        status, _, err = call(*command)
        assert status in (0, 2, 3), err
        assert status == 0 or "nested" in err, err
