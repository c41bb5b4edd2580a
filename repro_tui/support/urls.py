"""URLs that others wrote: taken apart without an error, since `urlsplit` raises for an unclosed bracket in the host."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split_url(url: str) -> SplitResult:
    """The parts of a URL; all of them empty where it is not valid."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts
