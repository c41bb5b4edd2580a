"""Tasks that run at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


def at_once(tasks: list[Callable[[], object]], workers: int) -> None:
    """Runs the tasks in order on that many threads; the first error is raised when all have ended."""
    with ThreadPoolExecutor(workers) as pool:
        futures: list[Future[object]] = [pool.submit(task) for task in tasks]
    for future in futures:
        future.result()
