"""How a part of a workspace was obtained. A report has it without having to know workspaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Match = Literal["matches", "differs", "unknown"]


@dataclass(frozen=True, slots=True)
class Part:
    """How one part of a workspace was obtained, for the report.

    `step` is `code`, `environment`, `parameters` or `data`; `key` the content hash that it is cached by;
    `matches` whether it is what the record says (`unknown` if the record has no hash).
    """

    step: str
    how: str
    cached: bool = False
    seconds: float = 0.0
    key: str = ""
    matches: Match = "unknown"
    warnings: tuple[str, ...] = ()
