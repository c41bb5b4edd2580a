"""The program's own folders, and paths that must not leave their root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from repro_tui.model.errors import Refused
from repro_tui.support.paths import cache_root, is_inside, make_private, resolve_inside


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a\0b"])
def test_paths_that_leave(path: str) -> None:
    assert not is_inside(path)


@pytest.mark.parametrize("path", ["a", "a/b", "./a", "..a", "a..b/c"])
def test_paths_that_stay(path: str) -> None:
    assert is_inside(path)


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/out").symlink_to("/etc")
    with pytest.raises(ValueError, match="through a link"):
        resolve_inside(tmp_path / "root", "out/passwd")


def test_xdg_is_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REPRO_TUI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "repro-tui"


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match=r"cannot be created.*REPRO_TUI_CACHE"):
        make_private(tmp_path / "file/cache")


def test_a_pipe_is_no_file_of_a_record(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        resolve_inside(tmp_path, "pipe")
