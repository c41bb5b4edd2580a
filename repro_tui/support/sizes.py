"""Sizes as users write them: 4GiB, 500 MB."""

from __future__ import annotations

import re

from repro_tui.support.text import quote

UNITS = {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "KB": 10**3, "MB": 10**6, "GB": 10**9, "B": 1, "": 1}


def size_of(text: str) -> int:
    """The size in bytes. Raises ValueError if the text is not a size."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    if not match or match.group(2).upper() not in UNITS:
        raise ValueError(f"{quote(text)} is not a size such as 4GiB or 500MB")
    return int(float(match.group(1)) * UNITS[match.group(2).upper()])
