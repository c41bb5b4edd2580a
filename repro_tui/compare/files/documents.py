"""JSON, YAML, TOML and the UBJSON of XGBoost: read as data within limits, and compared by path."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from repro_tui.compare.files.base import FileContent, FileDifferences, UnreadableError
from repro_tui.compare.files.nested import Walk
from repro_tui.compare.files.ubjson import parse_ubjson
from repro_tui.formats.documents import no_duplicates
from repro_tui.formats.parameter_files import check_size, parse_yaml
from repro_tui.model.errors import Inconclusive

LARGEST = 64 << 20
LARGEST_YAML = 16 << 20
MOST_VALUES = 5_000_000
DEEPEST = 200
EQUAL = "the values are equal, only the bytes differ (order of keys, whitespace, comments, or how numbers are written)"
_BLANK = b" \t\r\n"
Floats = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Document:
    """A kind of document: how it is recognised and read (`exact`: numbers as decimals). Reading raises ValueError."""

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[bytes], object]
    exact: Callable[[bytes], object]
    starts: Callable[[FileContent], bool]
    largest: int = LARGEST

    def matches(self, content: FileContent) -> bool:
        """Whether it starts like one, and where that does not tell, whether it is named like one."""
        return self.starts(content)

    def compare(self, a: FileContent, b: FileContent, differences: FileDifferences) -> str:
        """Adds each path whose value differs."""
        raw = [side.read(self.largest) for side in (a, b)]
        value_a, value_b = (read_with(self.read, content) for content in raw)
        compare_values(value_a, value_b, differences)
        if differences.count:
            return ""
        del value_a, value_b  # there may not be memory for both
        exact_a, exact_b = (read_with(self.exact, content) for content in raw)
        compare_values(exact_a, exact_b, differences)
        return "the numbers differ by less than 64-bit floats can represent" if differences.count else EQUAL


def compare_values(a: object, b: object, differences: FileDifferences) -> None:
    """Adds the differences of two documents."""
    Walk(differences).compare(a, b)


def read_with(read: Callable[[bytes], object], content: bytes) -> object:
    """The document in these bytes, of a bounded size and depth. Raises UnreadableError."""
    try:
        value = read(content)
        check_size(value, "it", MOST_VALUES, DEEPEST)
    except Inconclusive as error:
        raise UnreadableError(error.what) from error
    except (ValueError, RecursionError, ArithmeticError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise UnreadableError(first[:200] or type(error).__name__) from error
    return value


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig")


def json_of(content: bytes) -> object:
    """The JSON in these bytes. Raises ValueError, also for a key that occurs twice."""
    document: object = json.loads(_text(content), object_pairs_hook=no_duplicates)
    return document


def _exact_json(content: bytes) -> object:
    document: object = json.loads(_text(content), object_pairs_hook=no_duplicates, parse_float=Decimal)
    return document


def _toml(content: bytes) -> object:
    return tomllib.loads(_text(content))


def _exact_toml(content: bytes) -> object:
    return tomllib.loads(_text(content), parse_float=_decimal)


def _decimal(text: str) -> object:
    return Decimal(text) if text.lstrip("+-").lower() not in ("inf", "nan") else float(text)


def _yaml(content: bytes) -> object:
    return parse_yaml(_text(content), unique=True)


def _starts_json(content: FileContent) -> bool:
    """JSON begins with a bracket; UBJSON does too, but has a type's letter after it where JSON has a quote or blank."""
    head = content.head.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK)
    if b"\0" in content.head or head[:1] not in (b"{", b"["):
        return False
    following = head[1:].lstrip(_BLANK)[:1]
    if head[:1] == b"{":
        return following in (b'"', b"}")
    named = content.suffix in (".json", ".ipynb")
    return named and (following in b'"[{]-' or following.isalnum())  # TOML's sections begin with a bracket too


def _named(suffixes: tuple[str, ...]) -> Callable[[FileContent], bool]:
    return lambda content: content.suffix in suffixes and b"\0" not in content.head


def _starts_ubjson(content: FileContent) -> bool:
    return content.head[:2] in (b"{L", b"{i", b"{U", b"{I", b"{l", b"{$", b"{#") and b"\0" in content.head


JSON = Document("JSON", (".json",), json_of, _exact_json, _starts_json)
DOCUMENTS = (
    JSON,
    Document("UBJSON", (".ubj",), parse_ubjson, parse_ubjson, _starts_ubjson),
    Document("TOML", (".toml",), _toml, _exact_toml, _named((".toml",))),
    Document("YAML", (".yaml", ".yml"), _yaml, _yaml, _named((".yaml", ".yml")), LARGEST_YAML),
)
