"""Keeps secret values out of everything that is shown or written: only allow-listed names show their value, all others
a keyed digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import secrets
import string
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import overload
from urllib.parse import unquote, unquote_plus, urlsplit, urlunsplit

from repro_tui.support.needles import Needles, merged
from repro_tui.support.secret_forms import SHORTEST_SECRET, forms_of
from repro_tui.support.shown_variables import is_plain, is_private_name, matches

LONGEST_PARSED = 1 << 20  # characters of a value in which secrets are searched for

# Environment variables whose values matter for reproducibility and hold no credentials.
SAFE_VARIABLES = frozenset(
    "CUBLAS_WORKSPACE_CONFIG CUDA_VISIBLE_DEVICES GPG_KEY HOME HOSTNAME LANG LANGUAGE LC_ALL LD_LIBRARY_PATH LOGNAME "
    "MKL_NUM_THREADS NUMEXPR_NUM_THREADS NVIDIA_DRIVER_CAPABILITIES NVIDIA_VISIBLE_DEVICES OMP_NUM_THREADS "
    "OPENBLAS_NUM_THREADS PATH PWD PYTHONDONTWRITEBYTECODE PYTHONHASHSEED PYTHONPATH PYTHONUNBUFFERED PYTHON_VERSION "
    "SHELL SOURCE_DATE_EPOCH TERM TF_CPP_MIN_LOG_LEVEL TF_DETERMINISTIC_OPS TF_ENABLE_ONEDNN_OPTS TMPDIR TZ USER "
    "VIRTUAL_ENV XLA_FLAGS".split()
)
_SECRET_NAME = re.compile(
    r"(?i)(pass(word|wd|phrase)?|secret|token(?!i[sz])|api[-_.]?key|access[-_.]?key|private[-_.]?key|credential|auth(orization)?"
    r"|bearer|cookie|session|dsn|connection[-_.]?string|signature|\bsas\b|(^|[-_.])(pwd|key|pat)$)"
)
# Names under which a number is a count or a limit, though they speak of tokens or keys.
_COUNT_NAME = re.compile(
    r"(?i)(^|[-_.])(max|min|num|n|count|limit|size|length|len|budget|timeout|ttl|seed|rate|ratio|weight|id|tokens"
    r"|interval|epochs?|steps?|seconds|days|threshold)([-_.]|$)"
)
_PASSWORD_NAME = re.compile(
    r"(?i)(pass(word|wd|phrase)?|secret|credential|api[-_.]?key|private[-_.]?key|(^|[-_.])pwd$)"
)
# A PIN or a code of one use is a secret if it is digits: `pin` also names versions, processors and contacts. It is the
# name's last word (`cardPin`, `PIN_CODE`, `sim.pin2`), so that `spin`, `pinned` and PyTorch's `pin_memory` are none.
_PIN_NAME = re.compile(
    r"((^|[^A-Za-z])(?i:pin|puk|otp|cvv|cvc)|(?<=[a-z0-9])(Pin|PIN|Puk|PUK|Otp|OTP|Cvv|CVV|Cvc|CVC))"
    r"([-_. ]?(?i:code|number|no|nr|value|[0-9]))?$"
)
_PIN = re.compile(r"[0-9]([ -]?[0-9]){2,}")
LONGEST_NUMBER = 8  # digits: a longer number under a secret name is a secret, whatever the name
# What people and programs write where a secret should be, and words of reports: hiding these would hide other things.
_COMMON = frozenset(
    "password passwords passphrase changeme changeit required optional disabled enabled undefined default defaults "
    "localhost username postgres postgresql anonymous redacted unknown standard basic_auth not-recorded not-comparable "
    "different identical succeeded timed-out out-of-memory no-output unreadable-output important predictions "
    "environment parameters container bubblewrap namespace probability production development staging testing "
    "requirements dockerfile unrecorded declared endpoint embedding".split()
)
# A number, a version, a path or a word: values of settings that are not secret, unless their name says so.
_ORDINARY = re.compile(
    r"[-+]?[0-9.,_]+([eE][-+]?[0-9]+)?|v?[0-9]+(\.[0-9a-z]+){1,4}|[A-Za-z]{1,12}|[a-z]{1,12}(_[a-z]{1,12}){1,3}|(unix:path=)?(/[\w.-]{1,20}){1,12}/?"
)
_NAMED = re.compile(r"([\w.-]+)\s*=\s*([^;&\s]+)")
EDGE = 2  # characters of base64 that hold bits of a secret and of what is beside it
CUT = "…"  # where a value was cut to be shown
_BASE64_CHARACTERS = string.ascii_letters + string.digits + "+/_-"
_URL = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+")


class Redactor:
    """Hides secret values; equal values have equal digests under one key (each audit has its own key)."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._values: set[str] = set()
        self._labels: dict[str, str] = {}
        self._needles: Needles | None = None
        self._patterns: set[tuple[str, ...]] = set()

    def digest(self, value: str) -> str:
        """A keyed digest: it shows whether two values are the same, and nothing else."""
        raw = value.encode("utf-8", "surrogatepass")
        return "hidden:" + hmac.new(self._key, raw, hashlib.sha256).hexdigest()[:12]

    def learn(self, value: str) -> None:
        """Registers a secret value, so that `scrub` finds it in every form (`secret_forms`).

        Of a URL, a connection string or a JSON document, the secrets in it are registered too. Values shorter than
        SHORTEST_SECRET, and common words, are ignored: they would match in ordinary text.
        """
        with self._lock:
            for part in (value, *secrets_in(value)):
                self._learn(part)

    def _learn(self, value: str) -> None:
        if len(value) < SHORTEST_SECRET or value.lower() in _COMMON or value in self._values:
            return
        self._values.add(value)
        hidden = self.digest(value)
        for form, encoding in forms_of(value).items():
            if not encoding:
                self._labels[form] = hidden if form == value else self.digest(form)
            else:
                self._labels.setdefault(form, f"{hidden}({encoding})")
        self._needles = None

    def learn_setting(self, name: str, value: str) -> None:
        """Registers the value of a setting: any under a secret name, and others if they do not look ordinary."""
        if is_secret_text(name, value) or not is_ordinary(value):
            self.learn(value)

    def scrub(self, text: str) -> str:
        """A text in which the registered secret values are replaced by their digests, with the name of their form.

        Where the text was cut (at `…`), the part of a value that is left is replaced too.
        """
        needles = self._index()
        if not needles.labels:
            return text
        places = [_whole(text, place) for place in needles.find(text)]
        if CUT in text:
            places += _parts(text, needles)
        return _replaced(text, merged(places)) if places else text

    def text(self, text: str) -> str:
        """A text without the registered secrets, in which every URL has lost its user, password, query and fragment.

        A digest of a URL that lost some of it stands behind it: two that differ only in that still differ.
        """

        def hide(match: re.Match[str]) -> str:
            url = match.group()
            stripped = strip_url(url)
            return stripped if stripped == url else f"{stripped} ({self.digest(url)})"

        return self.scrub(_URL.sub(hide, text))

    def _index(self) -> Needles:
        needles = self._needles
        if needles is None:
            with self._lock:
                needles = self._needles = Needles(dict(self._labels))
        return needles

    def scrub_all(self, value: object) -> object:
        """JSON values in which every text, and every key, is scrubbed."""
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, dict):
            return {self.scrub(key) if isinstance(key, str) else key: self.scrub_all(it) for key, it in value.items()}
        if isinstance(value, list | tuple):
            return [self.scrub_all(item) for item in value]
        return value

    def add_patterns(self, patterns: tuple[str, ...]) -> None:
        """Registers which variables a record shows; one is shown where all records say so."""
        self._patterns.add(patterns)

    def shows_variable(self, name: str, value: str) -> bool:
        """Whether the value of an environment variable is shown.

        A name that suggests a secret needs to be in the patterns as it is.
        """
        if name in SAFE_VARIABLES:
            return True
        secret = is_secret_text(name, value)
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
            return {key: self.value(name if is_secret_name(name) else str(key), it) for key, it in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(name, item) for item in value]
        if is_secret_value(name, value):
            return self.digest(str(value))
        return strip_urls(value) if isinstance(value, str) else value


def is_secret_name(name: str) -> bool:
    """Whether a name suggests a credential."""
    return bool(_SECRET_NAME.search(name) or _PIN_NAME.search(name))


def is_secret_text(name: str, value: str) -> bool:
    """Whether a text under this name is a credential: under the name of a PIN, only digits are."""
    return bool(_SECRET_NAME.search(name) or (_PIN_NAME.search(name) and _PIN.fullmatch(value)))


def is_password_name(name: str) -> bool:
    """Whether a name is that of a password or the like: whatever stands under it is a credential."""
    return bool(_PASSWORD_NAME.search(name) or _PIN_NAME.search(name))


def is_secret_value(name: str, value: object) -> bool:
    """Whether the value under a name is a credential: text, and numbers that are not a count or a limit."""
    if value is None or isinstance(value, bool) or not is_secret_name(name):
        return False
    if isinstance(value, str) or (isinstance(value, int) and not _SECRET_NAME.search(name)):
        return is_secret_text(name, str(value))
    if not isinstance(value, int | float):
        return True
    if _COUNT_NAME.search(name):
        return False
    return is_password_name(name) or len(str(value)) >= LONGEST_NUMBER


def is_ordinary(value: str) -> bool:
    """Whether a value is a number, a version, a path, a word or two: no secret, unless its name says so."""
    return bool(_ORDINARY.fullmatch(value))


def secrets_in(value: str) -> Iterator[str]:
    """The secrets inside a value: credentials of a URL, of a connection string (`Password=…;`), leaves of JSON."""
    if "://" in value:
        yield from _in_url(value)
    for name, part in _NAMED.findall(value) if "=" in value and len(value) < LONGEST_PARSED else ():
        if is_secret_text(name, part.strip("\"'")):
            yield part.strip("\"'")
    if value.lstrip()[:1] in ("{", "[") and len(value) < LONGEST_PARSED:
        with contextlib.suppress(ValueError, RecursionError):
            yield from (
                leaf for name, leaf in _leaves(json.loads(value)) if is_secret_text(name, leaf) or not is_ordinary(leaf)
            )


def passwords_in(value: str) -> Iterator[str]:
    """The passwords that a text names, as connection strings do (`Server=…;Password=…`), whatever its own name."""
    for name, part in _NAMED.findall(value) if "=" in value and len(value) < LONGEST_PARSED else ():
        if is_password_name(name) and is_secret_text(name, part.strip("\"'")):
            yield part.strip("\"'")


def _leaves(document: object, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(document, dict):
        for key, item in document.items():
            yield from _leaves(item, name if is_secret_name(name) else str(key))
    elif isinstance(document, list):
        for item in document:
            yield from _leaves(item, name)
    elif isinstance(document, str):
        yield name, document


def _in_url(location: str) -> Iterator[str]:
    """User (without a password it is a token), password and query values of a URL, as they are written and meant."""
    try:
        parts = urlsplit(location)
        user, password = parts.username or "", parts.password or ""
    except ValueError:
        return
    named = [pair.partition("=") for pair in parts.query.split("&") if pair]
    values = [value for name, _, value in named if is_secret_text(name, value) or not is_ordinary(unquote(value))]
    users = [user] if not password or not is_ordinary(unquote(user)) else []
    for secret in (password, *users, *values):
        yield from dict.fromkeys((secret, unquote(secret), unquote_plus(secret)))
    if user and password:
        yield f"{unquote(user)}:{unquote(password)}"  # HTTP basic authorization sends both together, in base64


def _whole(text: str, place: tuple[int, int, str]) -> tuple[int, int, str]:
    """A place in base64 with the characters around it, which are parts of the secret's first and last bytes."""
    start, end, label = place
    if not label.endswith("(base64)"):
        return place
    before, after = text[max(0, start - EDGE) : start], text[end : end + EDGE]
    start -= len(before) - len(before.rstrip(_BASE64_CHARACTERS))
    return start, end + len(after) - len(after.lstrip(_BASE64_CHARACTERS).lstrip("=")), label


def _parts(text: str, needles: Needles) -> Iterator[tuple[int, int, str]]:
    """The beginnings of needles before a cut, and their ends after it."""
    for match in re.finditer(CUT, text):
        if begun := needles.begun_before(text, match.start()):
            yield match.start() - begun[0], match.start(), begun[1]
        if ended := needles.ended_after(text, match.end()):
            yield match.end(), match.end() + ended[0], ended[1]


def _replaced(text: str, places: list[tuple[int, int, str]]) -> str:
    kept, after = [], 0
    for start, end, label in places:
        kept += [text[after:start], label]
        after = end
    return "".join((*kept, text[after:]))


def hide_words(command: Iterable[str], hide: Callable[[str], str] = lambda value: "(hidden)") -> Iterator[str]:
    """Yields a command's words without their secrets: in `--token=X`, `TOKEN=X`, after `--token`, and inside URLs."""
    before = ""
    for word in command:
        name, mark, value = word.partition("=")
        if before and not word.startswith("-") and is_secret_text(before, word):
            yield hide(word)
        elif mark and is_secret_text(name, value) and not any(map(str.isspace, name)):
            yield f"{name}={hide(value)}"
        else:
            yield strip_urls(word)
        before = word if not mark and word.startswith("-") and is_secret_name(word) else ""


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
