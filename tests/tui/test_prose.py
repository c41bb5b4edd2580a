"""Prose in panes of a bounded height: nothing is cut off unseen."""

from __future__ import annotations

import pytest
from textual.content import Content

from repro_tui.tui.widgets.prose import cut_to


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_a_cut_is_seen_and_fits(most: int) -> None:
    text = Content("one two three\nfour five\nsix seven 8")
    shown = cut_to(text, most, 13).plain.split("\n")
    assert len(shown) == min(most, 3)
    assert all(len(line) <= 13 for line in shown)
    assert shown[-1].endswith(" …") == (most < 3)
    assert shown[-1] == {1: "one two thr …", 2: "four five …"}.get(most, "six seven 8")
