"""Hands the results of worker threads over to the interface's own thread, unless a later worker superseded them.

Cancelling a worker does not stop its thread: without this check, the late result of an earlier request would be drawn
over the result of the latest one.
"""

from __future__ import annotations

from collections.abc import Callable

from textual.worker import get_current_worker


def superseded() -> bool:
    """Whether a later worker replaced this one, or its screen was closed; called in the worker's thread."""
    return get_current_worker().is_cancelled


def hand_over(callback: Callable[..., object], *arguments: object) -> None:
    """Calls `callback` on the interface's own thread, unless the worker was superseded; called in the worker's thread.

    The check runs on the interface's thread, where workers are cancelled, too: no cancellation can come between the
    check and the call.
    """
    worker = get_current_worker()
    worker.node.app.call_from_thread(lambda: None if worker.is_cancelled else callback(*arguments))
