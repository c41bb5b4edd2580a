"""Where a tracker says that the code was: remotes lose their passwords, and what is not here is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro_tui.sources.recorded_repository import absence, local_repository, usable_remote
from tests.conftest import GitRepository


@pytest.mark.parametrize(
    ("recorded", "remote"),
    [
        ("https://ada:s3cr3t-w0rd@example.org/x.git", "https://example.org/x.git"),
        ("https://s3cr3t-t0ken@example.org/x.git", "https://example.org/x.git"),
        ("ssh://git@example.org:2222/x.git", "ssh://git@example.org:2222/x.git"),
        ("ssh://git:s3cr3t-w0rd@example.org/x.git", "ssh://git@example.org/x.git"),
        ("git@example.org:ada/x.git", "git@example.org:ada/x.git"),
        ("/srv/git/x", "/srv/git/x"),
        ("ext::sh -c touch", ""),
        ("http://example.org/x.git", ""),
        ("--upload-pack=x", ""),
        ("", ""),
    ],
)
def test_a_remote_is_used_without_its_password(recorded: str, remote: str) -> None:
    assert usable_remote(recorded) == remote


def test_the_repository_of_a_program_is_the_one_that_it_is_in(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "project")
    repository.commit({"src/train.py": ""})
    assert local_repository(str(repository.folder / "src" / "train.py")) == repository.folder
    assert local_repository(str(tmp_path / "gone" / "train.py")) is None
    assert local_repository("train.py") is None
    assert local_repository("\0") is None
    assert absence(str(repository.folder)) == ""
    assert "is not on this machine" in absence(str(tmp_path / "gone"))
    assert absence("https://example.org/x.git") == ""
