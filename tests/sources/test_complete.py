"""Completion of references: deployments, record files, folders and revisions, with nothing executed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from repro_tui.sources.complete import completions

RECORD = "schema = 1\n[deployments.{}]\ndescription = 'd'\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "repro.toml").write_text(RECORD.format("prod") + "[deployments.staging]\n")
    (tmp_path / "old.toml").write_text(RECORD.format("v1"))
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "other.yaml").write_text("schema: 1\ndeployments:\n  canary: {}\n")
    return tmp_path


def references(typed: str, here: Path) -> list[str]:
    return [item.reference for item in completions(typed, here)]


def test_deployments_come_first_then_other_files(here: Path) -> None:
    assert references("", here) == ["prod", "staging", "old.toml#v1"]


def test_what_begins_with_the_text_comes_before_what_contains_it(here: Path) -> None:
    assert references("st", here) == ["staging"]
    assert references("o", here)[0] == "old.toml#v1"


def test_a_folder_is_gone_into(here: Path) -> None:
    assert references("./", here) == ["./old.toml#v1", "./records/"]
    assert references("rec", here) == ["records/"]
    assert references("records/", here) == ["records/other.yaml#canary"]
    assert references("nowhere/", here) == []


def test_branches_and_tags_loose_and_packed_and_from_a_worktree(here: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=here, check=True, capture_output=True)

    git("init", "-b", "main")
    git("commit", "--allow-empty", "-m", "one")
    git("tag", "v1.0")
    git("pack-refs", "--all")
    git("branch", "feature/x")
    git("worktree", "add", str(here / "tree"))
    assert sorted(references("git:", here)) == ["git:feature/x", "git:main", "git:tree", "git:v1.0"]
    assert references("git:v", here) == ["git:v1.0"]
    assert "git:main" in references("git:", here / "tree")


def test_the_repository_configuration_is_not_executed(here: Path) -> None:
    subprocess.run(["git", "init"], cwd=here, check=True, capture_output=True)
    (here / ".git" / "config").write_text(f"[core]\nfsmonitor = touch {here}/marker\n")
    references("git:", here)
    assert not (here / "marker").exists()
