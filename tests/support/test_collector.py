"""The garbage collector rests while the interface starts, and never longer."""

from __future__ import annotations

import gc

import pytest

from repro_tui.support.collector import resting_collector, wake_collector


def test_a_rest_ends_when_it_is_ended_or_with_its_block_or_with_an_error() -> None:
    with resting_collector():
        assert not gc.isenabled()
        wake_collector()
        assert gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), resting_collector():
        raise KeyError
    assert gc.isenabled()
    gc.unfreeze()


def test_what_was_made_in_a_rest_is_not_walked_again() -> None:
    gc.unfreeze()
    with resting_collector():
        pass
    assert gc.get_freeze_count() > 0
    gc.unfreeze()
    wake_collector()
    assert gc.get_freeze_count() == 0  # nothing to wake: what is made later is collected as ever
