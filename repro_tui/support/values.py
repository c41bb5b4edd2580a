"""Merging of plain nested values."""

from __future__ import annotations


def merge(base: dict[str, object], over: dict[str, object]) -> dict[str, object]:
    """`base` with the values of `over`: tables are merged at every depth, anything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
