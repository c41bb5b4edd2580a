"""Reads parameter files in YAML, JSON and TOML as data, within limits, and writes them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import cast

from repro_tui.formats.documents import no_duplicates
from repro_tui.model.errors import Inconclusive
from repro_tui.support.sizes import size_over
from repro_tui.support.text import show

FORMATS = (".yaml", ".yml", ".json", ".toml")
DEEPEST = 64
LARGEST = 64 << 20  # bytes of a file
MOST_VALUES = 2_000_000
FAST_FROM = 256 << 10  # characters of YAML from which libyaml reads it
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


def parse_any(content: bytes, suffix: str, name: str) -> object:
    """The value in a file with that extension. Raises Inconclusive if it cannot be read or is too large or too deep."""
    if len(content) > LARGEST:
        raise too_large(name, len(content))
    try:
        value = _parse(content.decode("utf-8"), suffix)
    except (ValueError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = f"{name} cannot be read as {suffix[1:].upper()}: {show(first, 300)}"
        raise Inconclusive(reason, f"correct {name}") from error
    check_size(value, name)
    return value


def _parse(text: str, suffix: str) -> object:
    if suffix == ".json":
        document: object = json.loads(text, object_pairs_hook=no_duplicates)
        return document
    if suffix == ".toml":
        return tomllib.loads(text)
    return parse_yaml(text)


def too_large(name: str, size: int) -> TooLargeError:
    """The error for a file of that many bytes."""
    own, most = size_over(size, LARGEST)
    return TooLargeError(f"{name} has {own}, and at most {most} are read", "record it as data instead")


def parse_yaml(text: str) -> object:
    """Parses YAML as PyYAML's safe loader does, which the deployed code probably uses. Raises ValueError.

    A long text is read by libyaml, ten times as fast, where its nesting is surely bounded.
    """
    import yaml

    loader: type[yaml.SafeLoader] = yaml.SafeLoader
    if len(text) >= FAST_FROM and yaml.__with_libyaml__ and _is_shallow(text):
        loader = yaml.CSafeLoader  # type: ignore[assignment]
    try:
        document: object = yaml.load(text, Loader=loader)  # noqa: S506 - both are safe loaders
    except yaml.MarkedYAMLError as error:  # its full text quotes the line, which may contain a secret
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ValueError(f"line {line}: {str(error.problem).partition(':')[0]}") from error
    except yaml.YAMLError as error:
        raise ValueError(type(error).__name__) from error
    return document


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
        level = [node for node in below if isinstance(node, dict | list)]
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
