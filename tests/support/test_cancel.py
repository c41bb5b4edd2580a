"""A part of the work can be ended by itself, and ends with the whole."""

from __future__ import annotations

import threading
import time

import pytest

from repro_tui.model.errors import Cancelled, Ended
from repro_tui.support.cancel import CancelToken


def test_a_part_is_ended_alone_with_its_reason() -> None:
    whole = CancelToken()
    part, another = whole.child(), whole.child()
    threading.Timer(0.05, part.end, ("ended, because B had failed",)).start()
    began = time.monotonic()
    with pytest.raises(Ended, match="because B had failed"):
        part.wait(60)
    assert time.monotonic() - began < 50
    assert (part.cancelled, another.cancelled, whole.cancelled) == (True, False, False)
    another.check()
    another.wait(0.001)


def test_a_part_ends_with_the_whole_and_by_its_signal() -> None:
    whole = CancelToken()
    part = whole.child()
    part.end("no longer needed")
    whole.cancel(15)
    with pytest.raises(Cancelled) as raised:
        part.wait(60)
    assert (raised.value.exit_status, isinstance(raised.value, Ended)) == (143, False)
