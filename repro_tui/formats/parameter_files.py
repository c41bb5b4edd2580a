"""Reads parameter files in YAML, JSON and TOML as data, within limits, and writes them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import cast

from repro_tui.formats.documents import no_duplicates
from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import show

FORMATS = (".yaml", ".yml", ".json", ".toml")
DEEPEST = 64
MOST_VALUES = 100_000


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
    try:
        value = _parse(content.decode("utf-8"), suffix)
    except (ValueError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = f"{name} cannot be read as {suffix[1:].upper()}: {show(first, 300)}"
        raise Inconclusive(reason, f"correct {name}") from error
    _check_size(value, name)
    return value


def _parse(text: str, suffix: str) -> object:
    if suffix == ".json":
        document: object = json.loads(text, object_pairs_hook=no_duplicates)
        return document
    if suffix == ".toml":
        return tomllib.loads(text)
    return _parse_yaml(text)


def _parse_yaml(text: str) -> object:
    """Parses YAML with PyYAML's safe loader, as the deployed code probably does."""
    import yaml

    try:
        document: object = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:  # its full text quotes the line, which may contain a secret
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ValueError(f"line {line}: {str(error.problem).partition(':')[0]}") from error
    except yaml.YAMLError as error:
        raise ValueError(type(error).__name__) from error
    return document


def _check_size(value: object, name: str) -> None:
    """Limits the depth and the number of values as they would be written out: YAML aliases can expand to billions."""
    seen, level = 0, [value]
    for _ in range(DEEPEST + 1):
        level = [item for node in level for item in _below(node)]
        seen += len(level)
        if seen > MOST_VALUES:
            raise Inconclusive(f"{name} has more than {MOST_VALUES:,} values", "record it as data instead")
        if not level:
            return
    raise Inconclusive(f"{name} is nested deeper than {DEEPEST} levels", f"reduce the nesting of {name}")


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
