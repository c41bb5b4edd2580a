"""Which environment variables show their values: a cause such as SCALE from 1 to 2 must not be hidden from on-call.

A value is shown where its name is known to be harmless, or where the value itself cannot be a credential: a number, a
truth value, a version or short plain words, and the name does not suggest a secret. Patterns of a record, such as
MODEL_*, show more. Everything else is only known by its keyed digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

_LONGEST = 24
_WORDS = r"[A-Za-z]{1,16}([-_.][A-Za-z]{1,16}){0,2}"
_PLAIN = re.compile(
    r"[+-]?\d{1,12}|[+-]?(\d*\.\d+|\d+\.)([eE][+-]?\d{1,3})?|[+-]?\d{1,12}[eE][+-]?\d{1,3}"  # numbers
    r"|v?\d{1,4}(\.\d{1,4}){1,3}|\d{4}-\d{2}-\d{2}"  # versions and days
    r"|(float|bfloat|int|uint|bf|fp|tf)\d{1,3}|(cuda|gpu|cpu|mps):\d{1,2}"  # types of numbers, and devices
    rf"|{_WORDS}|"
)
# Names whose plain values identify somebody or let somebody in, besides those that suggest a credential.
_PRIVATE_NAME = re.compile(
    r"(?i)(login|user(name)?$|account|passcode|salt|mnemonic|seed_?phrase|licen[cs]e|iban|card"
    r"|ssn|webhook|cert)"
)


def is_plain(value: str) -> bool:
    """Whether a value is a number, a truth value, a version or short plain words."""
    return len(value) <= _LONGEST and _PLAIN.fullmatch(value) is not None


def is_private_name(name: str) -> bool:
    """Whether a plain value under this name may still identify somebody or let somebody in."""
    return _PRIVATE_NAME.search(name) is not None


def matches(name: str, patterns: Iterable[str], *, exactly: bool) -> bool:
    """Whether a name matches a pattern with * and ?; `exactly`: only one without them counts."""
    return any(name == pattern or (not exactly and fnmatchcase(name, pattern)) for pattern in patterns)
