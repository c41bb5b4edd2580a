"""Finds the error in the last lines of a program's output: what a reader wants to know of a log of thousands of lines.

A Python traceback ends with the exception, but its last lines may also be quoted source, a row of carets, the note of a
chain ("During handling of the above exception, another exception occurred:"), or standard output that was flushed late.
The exception that ended the program is the last one of its chain; those before it are its causes. Tracebacks of
"Exception ignored in" ended nothing. Without a traceback, the last line that begins like an error counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = "Traceback (most recent call last):"
GROUP_HEAD = f"Exception Group {HEAD}"
CHAINS = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
IGNORED = "Exception ignored in"
MOST_CAUSES = 3
CARETS = re.compile(r"\s*[~^]*\^[~^]*\s*|\s*~+\s*")
FRAME = re.compile(r'\s+File "[^"]*", line \d+')
REPEATED = re.compile(r"\s+\[Previous line repeated \d+ more times?\]")
BUILD_PREFIX = re.compile(r"#\d+ \d+\.\d+ ")  # of BuildKit: step and seconds
GROUP_MARGIN = re.compile(r"(?:  )*(?:\| |\+ (?=Exception Group))|\s*\+-[+-]*-.*")
# Lines that begin like the error of a program: an exception's name, "error:", "fatal:", "npm ERR!", a panic, a signal.
NAMED = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Warning|NotFound|Failed)(?::.*)?")
ERROR = re.compile(
    r"(?:\S{1,40}: )?(?:fatal|error|critical|panic)(?: error)?(?:\[\S+\])?[:!]"
    r"|(?:CRITICAL|FATAL|ERROR)\b"
    r"|thread '[^']*' panicked|Exception in thread|Segmentation fault|Bus error|Killed\b|Aborted\b"
    r"|terminate called|[×✗] ",
    re.IGNORECASE,
)
# The same in the bytes of a file, for the first error of a log: a line of these is searched for.
ERROR_BYTES = re.compile(
    rb"(?m)^[^\n]{0,80}?(?:Traceback \(most recent call last\):|\b[A-Z]\w*(?:Error|Exception)\b(?::|$)"
    rb"|\b(?i:fatal|error|critical|panic)(?:\[\w+\])?[:!]|\b(?:CRITICAL|FATAL|ERROR)\b|panicked at"
    rb"|Segmentation fault|out of memory)"
)


@dataclass(frozen=True, slots=True)
class LoggedError:
    """An error in a program's output: the number of its line (from 0), its text, and its causes, the nearest first."""

    line: int
    text: str
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Block:
    """One traceback: the lines of its head and of its exception, the exception, and whether it continues a chain."""

    head: int
    line: int
    text: str
    chained: bool


def error_in(lines: Sequence[str]) -> LoggedError | None:
    """The error that ended a program, in the last lines of its output; None where no line looks like one."""
    plain = [_without_margin(line) for line in lines]
    blocks = _blocks(plain)
    if blocks:
        last = len(blocks) - 1
        first = last
        while first > 0 and blocks[first].chained:
            first -= 1
        causes = tuple(block.text for block in reversed(blocks[first:last]))
        return LoggedError(
            blocks[last].line, blocks[last].text, (causes or _members(plain, blocks[last]))[:MOST_CAUSES]
        )
    return _without_head(plain) or _last_named(plain)


def telling_lines(lines: Sequence[str]) -> list[str]:
    """The lines without carets, frames and the quoted source below them, and blank lines."""
    kept: list[str] = []
    frame = False
    for line in lines:
        quoted = frame and line.startswith("    ")
        frame = bool(FRAME.match(line))
        if line.strip() and not (quoted or frame or CARETS.fullmatch(line) or REPEATED.fullmatch(line)):
            kept.append(line)
    return kept


def _without_margin(line: str) -> str:
    line = BUILD_PREFIX.sub("", line, count=1)
    return GROUP_MARGIN.sub("", line, count=1)


def _blocks(lines: Sequence[str]) -> list[_Block]:
    blocks: list[_Block] = []
    for head, line in enumerate(lines):
        start = line.find(GROUP_HEAD) if GROUP_HEAD in line else line.find(HEAD)
        if start < 0 or _is_ignored(lines, head):
            continue
        end = next((n for n in range(head + 1, len(lines)) if _is_outside(lines[n], start)), None)
        if end is not None and HEAD not in lines[end]:
            text = lines[end][start:].strip() or lines[end].strip()
            blocks.append(_Block(head, end, text, bool(blocks) and _is_chained(lines, blocks[-1].line, head)))
    return blocks


def _is_outside(line: str, start: int) -> bool:
    """Whether a line after the head of a traceback is no frame, source or carets: it is the exception."""
    text = line[start:] if not line[:start].strip() else line
    return bool(text.strip()) and not text.startswith((" ", "\t"))


def _is_ignored(lines: Sequence[str], head: int) -> bool:
    return IGNORED in lines[head] or (head > 0 and IGNORED in lines[head - 1])


def _is_chained(lines: Sequence[str], end: int, head: int) -> bool:
    return any(line.strip() in CHAINS for line in lines[end + 1 : head])


def _members(lines: Sequence[str], group: _Block) -> tuple[str, ...]:
    """The exceptions of an exception group, which stand below it without chain."""
    if "Group:" not in group.text:
        return ()
    return tuple(line.strip() for line in lines[group.line + 1 :] if NAMED.fullmatch(line.strip()))


def _without_head(lines: Sequence[str]) -> LoggedError | None:
    """The exception below frames whose head is not among the lines, or that have none (errors of syntax)."""
    for number in range(len(lines) - 1, 0, -1):
        if not lines[number].strip() or lines[number].startswith((" ", "\t")):
            continue
        above = number - 1
        while above >= 0 and lines[above].startswith((" ", "\t")):
            if FRAME.match(lines[above]):
                return LoggedError(number, lines[number].strip())
            above -= 1
    return None


def _last_named(lines: Sequence[str]) -> LoggedError | None:
    for pattern in (NAMED, ERROR):
        for number in range(len(lines) - 1, -1, -1):
            text = lines[number].strip()
            if pattern.fullmatch(text) if pattern is NAMED else pattern.match(text):
                return LoggedError(number, text)
    return None
