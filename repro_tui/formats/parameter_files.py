"""Reads parameter files in YAML, JSON and TOML as data, within limits, and writes them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from repro_tui.formats.documents import no_duplicates
from repro_tui.model.errors import Inconclusive
from repro_tui.support.sizes import size_over
from repro_tui.support.text import quote, show

if TYPE_CHECKING:
    import yaml

FORMATS = (".yaml", ".yml", ".json", ".toml")
DEEPEST = 64
LARGEST = 64 << 20  # bytes of a file
MOST_VALUES = 2_000_000
FAST_FROM = 256 << 10  # characters of YAML from which libyaml reads it
NESTED = (dict, list)  # asked of every value: a union would be made anew each time
MERGED = "tag:yaml.org,2002:merge"
SAFE_DEPTH = 1_000  # of brackets and indentation, which libyaml's recursion bears


class TooLargeError(Inconclusive):
    """A file of parameters that the deployed code may well read, but that is too large to be compared by its values."""


def parse(content: bytes, suffix: str, name: str) -> dict[str, object]:
    """The table of parameters in a file. Raises Inconclusive if it cannot be read, is not a table, or is too large."""
    value = parse_any(content, suffix, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Inconclusive(
            f"{name} does not contain a table of parameters at its top level",
            "make its top level a table of names and values",
        )
    return value


def parse_any(content: bytes, suffix: str, name: str, *, unique: bool = False) -> object:
    """The value in a file with that extension. Raises Inconclusive if it cannot be read or is too large or too deep.

    `unique`: also where a table of YAML has a key twice.
    """
    if len(content) > LARGEST:
        raise too_large(name, len(content))
    try:
        value = _parse(content.decode("utf-8"), suffix, unique)
    except (ValueError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = f"{name} cannot be read as {suffix[1:].upper()}: {show(first, 300)}"
        raise Inconclusive(reason, f"correct {name}") from error
    check_size(value, name)
    return value


def _parse(text: str, suffix: str, unique: bool) -> object:
    if suffix == ".json":
        document: object = json.loads(text, object_pairs_hook=no_duplicates)
        return document
    if suffix == ".toml":
        return tomllib.loads(text)
    return parse_yaml(text, unique=unique)


def too_large(name: str, size: int) -> TooLargeError:
    """The error for a file of that many bytes."""
    own, most = size_over(size, LARGEST)
    return TooLargeError(f"{name} has {own}, and at most {most} are read", "record it as data instead")


def parse_yaml(text: str, *, unique: bool = False) -> object:
    """Parses YAML as PyYAML's safe loader does, which the deployed code probably uses. Raises ValueError.

    Of a key that occurs twice in a table, the loader keeps the last value; with `unique`, it is an error. A long text
    is read by libyaml, ten times as fast, where its nesting is surely bounded.
    """
    import yaml

    loader: type[yaml.SafeLoader] = yaml.SafeLoader
    if len(text) >= FAST_FROM and yaml.__with_libyaml__ and _is_shallow(text):
        loader = yaml.CSafeLoader  # type: ignore[assignment]
    try:
        document = _loaded(loader(text), unique)
    except yaml.MarkedYAMLError as error:  # its full text quotes the line, which may contain a secret
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ValueError(f"line {line}: {str(error.problem).partition(':')[0]}") from error
    except yaml.YAMLError as error:
        raise ValueError(type(error).__name__) from error
    return document


def _loaded(loader: yaml.SafeLoader, unique: bool) -> object:
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if unique:
            _check_keys(node, loader)
        document: object = loader.construct_document(node)
        return document
    finally:
        loader.dispose()


def _check_keys(root: yaml.Node, loader: yaml.SafeLoader) -> None:
    """Raises ValueError where a table has a key twice, as Python sees it: 1, 1.0 and true are one key of a dict.

    What is merged in (`<<`) may be overridden by a key of the table itself.
    """
    import yaml

    seen: set[int] = set()  # aliases share nodes
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if not isinstance(node, yaml.MappingNode):
            waiting += node.value
            continue
        keys: set[object] = set()
        for key, value in node.value:
            waiting += [key, value]
            if isinstance(key, yaml.ScalarNode) and key.tag != MERGED:
                name = loader.construct_object(key)
                if name in keys:
                    line = key.start_mark.line + 1 if key.start_mark else 0
                    raise ValueError(f"line {line}: the key {quote(str(name))} occurs twice")
                keys.add(name)


def _is_shallow(text: str) -> bool:
    """Whether no value can be nested too deeply for libyaml: brackets that are open, and the deepest indentation."""
    deepest = depth = 0
    for bracket in re.finditer(r"[\[{\]}]", text):
        depth += 1 if bracket.group() in "[{" else -1
        deepest = max(deepest, depth)
    indented = max((match.end() - match.start() for match in re.finditer(r"(?m)^[ \-?:]+", text)), default=0)
    return deepest + indented < SAFE_DEPTH


def check_size(value: object, name: str, most: int = MOST_VALUES, deepest: int = DEEPEST) -> None:
    """Limits the depth and the number of values as they would be written out: YAML aliases can expand to billions.

    Raises TooLargeError.
    """
    seen, level = 0, [value]
    for _ in range(deepest + 1):
        below: list[object] = []
        for node in level:
            below += _below(node)
            if seen + len(below) > most:
                raise TooLargeError(f"{name} has more than {most:,} values", "record it as data instead")
        seen += len(below)
        level = [node for node in below if isinstance(node, NESTED)]
        if not level:
            return
    raise TooLargeError(f"{name} is nested deeper than {deepest} levels", f"reduce the nesting of {name}")


def _below(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def write(values: object, suffix: str) -> bytes:
    """The values in the format of that extension. Raises Inconclusive if the format cannot hold one of them."""
    try:
        return _write(values, suffix).encode("utf-8")
    except (TypeError, ValueError) as error:
        raise Inconclusive(
            f"the parameters cannot be written as {suffix[1:].upper()}: {error}",
            "record values that this format supports",
        ) from error


def _write(values: object, suffix: str) -> str:
    if suffix == ".json":
        return json.dumps(values, indent=2) + "\n"
    if suffix == ".toml":
        import tomli_w

        return tomli_w.dumps(cast("Mapping[str, object]", values))
    import yaml

    text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    return text
