"""Sizes as users write them, 4GiB or 500 MB, and as they read them: 300 MiB."""

from __future__ import annotations

import re

from repro_tui.support.text import plural, quote

UNITS = {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "KB": 10**3, "MB": 10**6, "GB": 10**9, "B": 1, "": 1}


def size_of(text: str) -> int:
    """The size in bytes. Raises ValueError if the text is not a size."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    if not match or match.group(2).upper() not in UNITS:
        raise ValueError(f"{quote(text)} is not a size such as 4GiB or 500MB")
    return int(float(match.group(1)) * UNITS[match.group(2).upper()])


def size_text(size: float) -> str:
    """A number of bytes in the largest unit that it fills, with three digits: 17 bytes, 300 MiB, 1.46 GiB.

    It is for limits and for totals. Sizes that are compared are shown in bytes, or two that differ would look the same.
    """
    names = ("bytes", "KiB", "MiB", "GiB", "TiB")
    value, unit = float(size), 0
    while value >= 1023.5 and unit < len(names) - 1:
        value, unit = value / 1024, unit + 1
    if unit == 0:
        return plural(round(value), "byte")
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    number = f"{value:,.{digits}f}"
    return f"{number.rstrip('0').rstrip('.') if digits else number} {names[unit]}"


def size_over(size: int, most: int) -> tuple[str, str]:
    """A size and the limit that it exceeds; both in bytes where they would look the same otherwise."""
    if size_text(size) == size_text(most):
        return f"{size:,} bytes", f"{most:,} bytes"
    return size_text(size), size_text(most)
