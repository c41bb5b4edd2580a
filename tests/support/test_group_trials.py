"""The group by which it is tried whether groups can be made goes with the next trial, if its process was killed."""

from __future__ import annotations

import os
from pathlib import Path

from repro_tui.support import process
from repro_tui.support.control_groups.places import _works


def test_the_trial_of_a_process_that_was_killed_is_removed_and_no_other_is(tmp_path: Path) -> None:
    done = process.query(["/bin/sh", "-c", "echo $$"], environment={"PATH": os.defpath}, timeout_s=60)
    dead, living = (tmp_path / f"repro-tui-trial-{pid}-abc" for pid in (done.stdout.strip(), os.getpid()))
    unowned = tmp_path / "repro-tui-trial-abc"
    for folder in (dead, living, unowned):
        folder.mkdir()
    _works(tmp_path)
    assert [folder.exists() for folder in (dead, living, unowned)] == [False, True, True]
