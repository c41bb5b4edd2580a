"""Keeps secret values out of everything that is shown or written: only allow-listed names show their value, all others
a keyed digest.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import overload
from urllib.parse import quote, urlsplit, urlunsplit

from repro_tui.support.shown_variables import is_plain, is_private_name, matches

SHORTEST_SECRET = 6

# Environment variables whose values matter for reproducibility and hold no credentials.
SAFE_VARIABLES = frozenset(
    "CUBLAS_WORKSPACE_CONFIG CUDA_VISIBLE_DEVICES GPG_KEY HOME HOSTNAME LANG LANGUAGE LC_ALL LD_LIBRARY_PATH LOGNAME "
    "MKL_NUM_THREADS NUMEXPR_NUM_THREADS NVIDIA_DRIVER_CAPABILITIES NVIDIA_VISIBLE_DEVICES OMP_NUM_THREADS "
    "OPENBLAS_NUM_THREADS PATH PWD PYTHONDONTWRITEBYTECODE PYTHONHASHSEED PYTHONPATH PYTHONUNBUFFERED PYTHON_VERSION "
    "SHELL SOURCE_DATE_EPOCH TERM TF_CPP_MIN_LOG_LEVEL TF_DETERMINISTIC_OPS TF_ENABLE_ONEDNN_OPTS TMPDIR TZ USER "
    "VIRTUAL_ENV XLA_FLAGS".split()
)
_SECRET_NAME = re.compile(
    r"(?i)(pass(word|wd|phrase)?|secret|token|api[-_.]?key|access[-_.]?key|private[-_.]?key|credential|auth(orization)?"
    r"|bearer|cookie|session|dsn|connection[-_.]?string|signature|\bsas\b|(^|[-_.])(pwd|key|pat)$)"
)
_URL = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+")


class Redactor:
    """Hides secret values; equal values have equal digests under one key (each audit has its own key)."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        self._learnt: dict[str, str] = {}
        self._patterns: set[tuple[str, ...]] = set()

    def digest(self, value: str) -> str:
        """A keyed digest: it shows whether two values are the same, and nothing else."""
        raw = value.encode("utf-8", "surrogatepass")
        return "hidden:" + hmac.new(self._key, raw, hashlib.sha256).hexdigest()[:12]

    def learn(self, value: str) -> None:
        """Registers a secret value, so that `scrub` finds it in plain, base64 and URL-encoded form.

        Values shorter than SHORTEST_SECRET are ignored: they would match in ordinary text.
        """
        if len(value) < SHORTEST_SECRET:
            return
        hidden = self.digest(value)
        raw = value.encode("utf-8", "surrogatepass")
        forms = {
            value,
            quote(raw, safe=""),
            quote(raw),
            b64encode(raw).decode().rstrip("="),
            urlsafe_b64encode(raw).decode().rstrip("="),
        }
        self._learnt = self._learnt | dict.fromkeys(forms, hidden)  # not in place: another thread may be scrubbing

    def scrub(self, text: str) -> str:
        """A text in which the registered secret values are replaced by their digests."""
        for form, hidden in self._learnt.items():
            if form in text:
                text = text.replace(form, hidden)
        return text

    def add_patterns(self, patterns: tuple[str, ...]) -> None:
        """Registers which variables a record shows; one is shown where all records say so."""
        self._patterns.add(patterns)

    def shows_variable(self, name: str, value: str) -> bool:
        """Whether the value of an environment variable is shown.

        A name that suggests a secret needs to be in the patterns as it is.
        """
        if name in SAFE_VARIABLES:
            return True
        secret = is_secret_name(name)
        if self._patterns and all(matches(name, patterns, exactly=secret) for patterns in self._patterns):
            return True
        return not secret and not is_private_name(name) and is_plain(value)

    def variable(self, name: str, value: str) -> str:
        """An environment variable's value if it is shown, else its digest."""
        return strip_urls(value) if self.shows_variable(name, value) else self.digest(value)

    @overload
    def value(self, name: str, value: dict[str, object]) -> dict[str, object]: ...

    @overload
    def value(self, name: str, value: object) -> object: ...

    def value(self, name: str, value: object) -> object:
        """A parameter or other value: hidden if its name suggests a secret; URLs lose their credentials."""
        if isinstance(value, dict):
            return {key: self.value(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(name, item) for item in value]
        if is_secret_name(name) and not isinstance(value, bool | int | float) and value is not None:
            return self.digest(str(value))
        return strip_urls(value) if isinstance(value, str) else value


def is_secret_name(name: str) -> bool:
    """Whether a name suggests a credential."""
    return bool(_SECRET_NAME.search(name))


def hide_words(command: Iterable[str], hide: Callable[[str], str] = lambda value: "(hidden)") -> Iterator[str]:
    """Yields a command's words without their secrets: in `--token=X`, `TOKEN=X`, after `--token`, and inside URLs."""
    follows = False
    for word in command:
        name, mark, value = word.partition("=")
        if follows and not word.startswith("-"):
            yield hide(word)
        elif mark and is_secret_name(name) and not any(map(str.isspace, name)):
            yield f"{name}={hide(value)}"
        else:
            yield strip_urls(word)
        follows = not mark and word.startswith("-") and is_secret_name(word)


def strip_url(url: str) -> str:
    """A URL without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(an invalid URL)"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def strip_urls(text: str) -> str:
    """A text in which every URL has lost its user, password, query and fragment."""
    return _URL.sub(lambda match: strip_url(match.group()), text)
