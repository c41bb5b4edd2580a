"""The interface of a terminal that does not show UTF-8: ASCII only, and every character in its cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from repro_tui.tui.app import Auditor
from repro_tui.tui.ascii_lines import ascii_line
from tests.tui.driving import press, written
from tests.tui.folders import CAUSES, finished, stressed


@pytest.mark.parametrize(
    ("line", "drawn"),
    [
        ("≠ numpy   1.26…    2", "!=numpy   1.26...  2"),
        ("4f1c…9e2b 4f1c…8e2b", "4f1c~9e2b 4f1c~8e2b"),
        ("reading …   ", "reading ...  "[:12]),
        ("0.52… 0.57…  x", "0.52~ 0.57~  x"),
        ("╭─ Keys ─╮│a│╰─╯", "+- Keys -+|a|+-+"),
        ("▁▄▅█ ⠁⣿", "_=## .#"),
        ("1.26.4 → 2.1.3 a → b ›", "1.26.4 ->2.1.3 a ->b >"),
        ("café 鍵 \u00a0", "caf? ??  "),
    ],
)
def test_lines(line: str, drawn: str) -> None:
    assert ascii_line(line) == drawn


@given(st.text(alphabet="≠…→█鍵é ab\u0308│⣿", max_size=30))
def test_a_line_keeps_its_width_and_what_is_ascii(line: str) -> None:
    drawn = ascii_line(line)
    assert drawn.isascii()
    assert len(drawn) == cell_len(line)
    assert "".join(c for c in drawn if c in "ab") == "".join(c for c in line if c in "ab")


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_every_screen_is_ascii(size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro_tui.tui.app.is_utf8", lambda *_: False)
    app = Auditor(finished(tmp_path / "audit", "é鍵", causes=CAUSES, own_predictions=stressed("é鍵")))
    async with app.run_test(size=size) as pilot:
        routes = ("1", "2", "3", "enter", "4", "5", "v", "v", "v", "v", "enter", "6", "7", "l", "o", "question_mark")
        for key in (*routes, "escape", "escape", "escape", "escape"):
            await press(pilot, key)
            seen = written(app)
            assert seen.isascii(), (key, {c for c in seen if not c.isascii()})
        assert type(app.screen).__name__ == "PickerScreen"
