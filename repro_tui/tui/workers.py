"""What a thread worked out is shown on the interface's own thread, unless it was superseded meanwhile.

Cancelling a worker does not stop its thread: without a look at this, the late answer to an earlier question would
be drawn over the answer to the last.
"""

from __future__ import annotations

from collections.abc import Callable

from textual.worker import get_current_worker


def superseded() -> bool:
    """Whether a later worker took this one's place, or its screen was left; asked in the worker's thread."""
    return get_current_worker().is_cancelled


def hand_over(callback: Callable[..., object], *arguments: object) -> None:
    """Calls back on the interface's own thread with what a worker's thread found, unless the worker was superseded.

    It is looked at there, where workers are cancelled too, so that none can be in between.
    """
    worker = get_current_worker()
    worker.node.app.call_from_thread(lambda: None if worker.is_cancelled else callback(*arguments))
