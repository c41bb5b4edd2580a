"""What was written is measured while it changes, and not at every poll."""

from __future__ import annotations

from pathlib import Path

from repro_tui.support.amounts import Amount, Pace, amount_in


def test_folders_that_vanish_meanwhile_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_bytes(b"x" * 8192)
    amount = amount_in(tmp_path / "there", tmp_path / "gone")
    assert amount.files == 1
    assert amount.size >= 8192


def test_a_measurement_is_made_now_and_then_or_on_request() -> None:
    taken: list[Amount] = []
    pace = Pace()
    for now in (False, False, True, False):
        pace.measure(lambda: taken.append(Amount()), now=now)
    assert len(taken) == 2
