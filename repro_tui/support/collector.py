"""Python's garbage collector rests while a program starts: a start makes what lives until the end, and no garbage.

Every import and a report's thousands of findings would be walked again and again only to find that all of it is used.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting_collector() -> Iterator[None]:
    """The collector rests until `wake_collector` is called in the block, or else until the block ends."""
    gc.disable()
    try:
        yield
    finally:
        wake_collector()


def wake_collector() -> None:
    """Ends a rest: what was made in it is never walked again, and what comes later is collected as ever."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
