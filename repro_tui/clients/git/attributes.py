"""The conversions that .gitattributes asks of a checkout, one line for each pattern."""

from __future__ import annotations

import re

from repro_tui.support.text import show

MOST = 50
NOT_APPLIED = re.compile(r" (export-subst|filter=(?!lfs\b)\S+)( |$)")
_CONVERTING = re.compile(
    r"(text=auto|text|crlf(=\w+)?|eol=\w+|ident|export-subst|working-tree-encoding=\S+|filter=\S+)"
)


def conversions(path: str, content: bytes) -> list[str]:
    """One line for each pattern of an attributes file that would convert files on checkout (at most MOST lines)."""
    converted = []
    for line in content.decode("utf-8", "replace").splitlines():
        pattern, *attributes = line.split()[:50] or [""]
        converting = [name for name in attributes if _CONVERTING.fullmatch(name)]
        if converting and not pattern.startswith("#"):
            converted.append(f"{show(path, 200)}: {show(pattern, 200)} {show(' '.join(converting), 200)}")
    return converted[:MOST]
