"""Loads untrusted TOML, YAML and JSON: limited in size and depth, without duplicate keys, aliases and tags."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from repro_tui.model.errors import Mistake, Refused
from repro_tui.support.regular import open_regular
from repro_tui.support.sizes import size_text
from repro_tui.support.system_errors import system_remedy
from repro_tui.support.text import quote, show

if TYPE_CHECKING:
    import yaml

LARGEST = 1 << 20
DEEPEST = 64
MOST_DIGITS = 4000


def load_document(path: Path, floats: Callable[[str], object] = float) -> dict[str, object]:
    """The document in a file, in the format of its extension. Raises Refused with the file and, if known, the line.

    `floats` converts the text of a number with a fraction or an exponent.
    """
    try:
        with open_regular(path) as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise Refused(
            Mistake(show(str(path), 300), f"cannot be read: {error.strerror}: {system_remedy(error)}")
        ) from error
    return parse_document(content, path.suffix, str(path), floats)


def parse_document(
    content: bytes, suffix: str, name: str, floats: Callable[[str], object] = float
) -> dict[str, object]:
    """The document in these bytes; `suffix` is .toml, .yaml, .yml or .json, `name` is for messages. Raises Refused."""
    if len(content) > LARGEST:
        raise Refused(Mistake(name, f"is larger than {size_text(LARGEST)}"))
    try:
        value = _parse(content.decode("utf-8"), suffix, floats)
        check_depth(value)
    except UnicodeDecodeError as error:
        raise Refused(Mistake(name, f"byte {error.start} is not UTF-8")) from error
    except RecursionError as error:
        raise Refused(Mistake(name, f"is nested deeper than {DEEPEST}")) from error
    except ValueError as error:
        raise Refused(Mistake(name, _one_line(error))) from error
    if not isinstance(value, dict):
        raise Refused(Mistake(name, "is not a table of fields"))
    return value


def _parse(text: str, suffix: str, floats: Callable[[str], object]) -> object:
    if re.search(rf"[0-9_]{{{MOST_DIGITS}}}", text):
        raise ValueError(f"a number has more than {MOST_DIGITS} digits")
    if suffix == ".toml":
        return tomllib.loads(text, parse_float=floats)
    if suffix == ".json":
        return json.loads(text, object_pairs_hook=no_duplicates, parse_constant=_no_constant, parse_float=floats)
    if suffix in (".yaml", ".yml"):
        return _yaml(text, floats)
    raise ValueError("has no known file extension: expected .toml, .yaml, .yml or .json")


def no_duplicates(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """A dict of these pairs, in their order. Raises ValueError with the first duplicate key."""
    table = dict(pairs)
    if len(table) < len(pairs):
        duplicate = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {quote(duplicate)} occurs twice")
    return table


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a valid JSON number")


def check_depth(value: object) -> None:
    """Raises ValueError where lists and tables are nested deeper than DEEPEST."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"is nested deeper than {DEEPEST}")
        level = [
            item
            for node in level
            if isinstance(node, dict | list)
            for item in (node.values() if isinstance(node, dict) else node)
            if isinstance(item, dict | list)
        ]


def _one_line(error: ValueError) -> str:
    return " ".join(str(error).split())[:300]


def _yaml(text: str, floats: Callable[[str], object]) -> object:
    """Parses YAML's core schema only: `no` and `1:30` are text; aliases, tags and duplicate keys are mistakes."""
    import yaml

    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ValueError(f"line {_line(event)}: is nested deeper than {DEEPEST}")
            _check_event(event)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    return _value(node, floats)


def _line(place: yaml.Event | yaml.Node) -> int:
    return place.start_mark.line + 1 if place.start_mark else 0


def _check_event(event: yaml.Event) -> None:
    import yaml

    line = _line(event)
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise ValueError(f"line {line}: anchors and aliases are not supported: write out the value")
    if tag := getattr(event, "tag", None):
        raise ValueError(f"line {line}: the tag {tag} is not supported")


_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE, _FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def _value(node: yaml.Node | None, floats: Callable[[str], object]) -> object:
    import yaml

    if isinstance(node, yaml.MappingNode):
        pairs = [(_key(key), _value(value, floats)) for key, value in node.value]
        try:
            return no_duplicates(pairs)
        except ValueError as error:
            raise ValueError(f"line {_line(node)}: {error}") from error
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, floats) for item in node.value]
    return _scalar(node, floats) if isinstance(node, yaml.ScalarNode) else None


def _key(node: yaml.Node) -> str:
    import yaml

    if not isinstance(node, yaml.ScalarNode):
        raise ValueError(f"line {_line(node)}: a key must be text")  # noqa: TRY004
    return str(node.value)


def _scalar(node: yaml.ScalarNode, floats: Callable[[str], object]) -> object:
    text: str = node.value
    if node.style is not None:  # quoted, or a block
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return bool(_TRUE.fullmatch(text))
    if _INTEGER.fullmatch(text):
        return int(text)
    if not _FLOAT.fullmatch(text):
        return text
    return floats(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
