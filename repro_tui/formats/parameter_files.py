"""Parameter files in YAML, JSON and TOML, read as data with bounds and written back."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import show

FORMATS = (".yaml", ".yml", ".json", ".toml")
DEEPEST = 64
MOST_VALUES = 100_000


def parse(content: bytes, suffix: str, name: str) -> dict[str, Any]:
    """The table in a parameter file. Raises Inconclusive where it is not one, or is deeper than 64 levels."""
    value = parse_any(content, suffix, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Inconclusive(f"{name} holds no table of parameters at its top", "make its top a table of names")
    return value


def parse_any(content: bytes, suffix: str, name: str) -> Any:
    """Whatever a file of that ending holds. Raises Inconclusive where it cannot be read or is deeper than 64 levels."""
    try:
        value = _parse(content.decode("utf-8"), suffix)
    except (ValueError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = f"{name} cannot be read as {suffix[1:].upper()}: {show(first, 300)}"
        raise Inconclusive(reason, "correct the file") from error
    _check_size(value, name)
    return value


def _parse(text: str, suffix: str) -> Any:
    if suffix == ".json":
        return json.loads(text, object_pairs_hook=_without_duplicates)
    if suffix == ".toml":
        return tomllib.loads(text)
    return _parse_yaml(text)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands there twice")
    return table


def _parse_yaml(text: str) -> Any:
    """YAML as PyYAML's safe loader reads it, which is what the code sees."""
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:  # its text would quote the line, which may hold a secret
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ValueError(f"line {line}: {str(error.problem).partition(':')[0]}") from error
    except yaml.YAMLError as error:
        raise ValueError(type(error).__name__) from error


def _check_size(value: Any, name: str) -> None:
    """Bounds depth and number of values as they would be written out: YAML's aliases can stand for billions."""
    seen, level = 0, [value]
    for _ in range(DEEPEST + 1):
        level = [item for node in level for item in _below(node)]
        seen += len(level)
        if seen > MOST_VALUES:
            raise Inconclusive(f"{name} holds more than {MOST_VALUES:,} values", "keep so much as data instead")
        if not level:
            return
    raise Inconclusive(f"{name} is nested deeper than {DEEPEST} levels", "make the file flatter")


def _below(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def write(values: Any, suffix: str) -> bytes:
    """The values in the format of that ending. Raises Inconclusive where the format cannot hold one of them."""
    try:
        return _write(values, suffix).encode("utf-8")
    except (TypeError, ValueError) as error:
        raise Inconclusive(
            f"the parameters cannot be written as {suffix[1:].upper()}: {error}", "record values that the format holds"
        ) from error


def _write(values: Any, suffix: str) -> str:
    if suffix == ".json":
        return json.dumps(values, indent=2) + "\n"
    if suffix == ".toml":
        import tomli_w

        return tomli_w.dumps(values)
    import yaml

    text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    return text
