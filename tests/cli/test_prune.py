"""`repro-tui prune` removes what is old and nothing else: whatever somebody still refers to stays, and is listed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from repro_tui.audit.folder import engine_lock
from repro_tui.cli.main import program
from repro_tui.model.errors import Refused
from repro_tui.model.record import Record
from repro_tui.model.request import Request
from repro_tui.support.plain import write_json

ENTRY = """
[[accepted]]
path = "parameters.x"
change = "changed"
a = 1
b = 2
reason = "agreed"
until = 2020-01-01
audit = "{audit}"
"""


def audit(name: str, days: int, policy: str = "") -> Path:
    """The folder of an audit that was started that many days ago."""
    folder = Path(os.environ["REPRO_TUI_AUDITS"]) / name
    folder.mkdir(parents=True)
    started = datetime.now(UTC) - timedelta(days=days)
    record = Record("prod", "prod")
    request = Request(name, record, record, started=f"{started:%Y-%m-%dT%H:%M:%SZ}", policy_file=policy)
    write_json(folder / "audit.json", request)
    (folder / "a").mkdir()
    (folder / "a" / "run-1.log").write_text("log")
    return folder


def prune(*arguments: str) -> str:
    result = CliRunner().invoke(program, ["prune", *arguments])
    assert result.exit_code == 0, result.exception
    return result.output


def test_old_audits_go_and_those_that_are_referred_to_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, elsewhere, broken = tmp_path / "repro.toml", tmp_path / "elsewhere.toml", tmp_path / "broken.toml"
    here.write_text(ENTRY.format(audit="named"))
    elsewhere.write_text(ENTRY.format(audit="named-elsewhere"))
    broken.write_text("[[accepted]\n")
    monkeypatch.chdir(tmp_path)
    audit("young", 29, str(elsewhere))
    kept = {
        "named": "an accepted change in",
        "named-elsewhere": "an accepted change in",
        "pinned": "it is pinned",
        "unreadable": "its request cannot be read",
        "of-broken": "it cannot be read what its policy file accepts",
        "running": "it is running",
    }
    for name in kept:
        audit(name, 31, str(broken) if name == "of-broken" else "")
    old = audit("old", 31, str(here))
    assert CliRunner().invoke(program, ["pin", "pinned"]).exit_code == 0
    (Path(os.environ["REPRO_TUI_AUDITS"]) / "unreadable" / "audit.json").write_text("{}")
    with engine_lock(Path(os.environ["REPRO_TUI_AUDITS"]) / "running"):
        listed = prune("--audits", "30d", "--dry-run")
        assert "would remove old" in listed
        assert old.is_dir()
        lines = prune("--audits", "30d").splitlines()
    assert [line for line in lines if line.startswith("removed")] == ["removed old"]
    for name, reason in kept.items():
        assert any(line.startswith(f"kept {name}: {reason}") for line in lines), (name, lines)
    left = {path.name for path in Path(os.environ["REPRO_TUI_AUDITS"]).iterdir()}
    assert left == {*kept, "young"}
    assert CliRunner().invoke(program, ["pin", "pinned", "--unpin"]).exit_code == 0
    assert "removed pinned" in prune("--audits", "30d")


def test_the_oldest_entries_of_the_cache_go_until_it_fits() -> None:
    root = Path(os.environ["REPRO_TUI_CACHE"])
    for number in range(4):
        folder = root / "folders" / "code" / f"k{number}"
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 100_000)
        manifest = folder.with_name(f"k{number}.manifest")
        manifest.write_text("{}")
        for path in (folder, manifest):
            os.utime(path, (1_000_000 + number,) * 2)
    root.chmod(0o700)
    assert "would be removed" in prune("--cache", "250kB", "--dry-run")
    assert len(list((root / "folders" / "code").iterdir())) == 8
    prune("--cache", "250kB")
    left = sorted(path.name for path in (root / "folders" / "code").iterdir())
    assert left == ["k2", "k2.manifest", "k3", "k3.manifest"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "nothing to prune is named"),
        (("--audits", "soon"), "is not an age"),
        (("--cache", "much"), "is not a size"),
    ],
)
def test_what_to_prune_has_to_be_named(arguments: tuple[str, ...], problem: str) -> None:
    result = CliRunner().invoke(program, ["prune", *arguments])
    assert isinstance(result.exception, Refused) or result.exit_code == 2
    assert problem in f"{result.output}{result.exception}"
