"""Writes a record's document as TOML, YAML or JSON.

What is missing, and where each field was read, becomes comments (JSON has none). The text is parsed again and compared
with the document before it is returned, so a value that a format cannot hold is refused and never written as another:
`null` does not exist in TOML, for example, nor infinity in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from repro_tui.formats.documents import parse_document
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.record import Missing
from repro_tui.support.text import show

_PLAIN_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
SECTIONS = ("code", "environment", "parameters", "data", "predict", "expected")


@dataclass(frozen=True, slots=True)
class Guess:
    """A value that was chosen among others: its field, why it was chosen, and the others as lines of TOML."""

    field: str
    why: str
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remarks:
    """The content of the comments: what is missing, where each field was read (dotted field, place), and guesses.

    `heading` are lines at the top of the file.
    """

    missing: tuple[Missing, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    guesses: tuple[Guess, ...] = ()
    heading: tuple[str, ...] = ()

    def for_sections(self, *sections: str) -> list[str]:
        """The comment lines of the fields in these sections: origins first, then what is missing."""
        origins = [_from(field, place) for field, place in self.provenance if _in(field, sections)]
        chosen = [guess for guess in self.guesses if guess.why and _in(guess.field, sections)]
        guesses = [f"# guessed: {show(guess.field, 200)}: {show(guess.why, 500)}" for guess in chosen]
        return origins + guesses + [f"# {missing_words(item)}" for item in self.missing if _in(item.field, sections)]

    def alternatives(self, section: str) -> list[str]:
        """The comment lines, below a section's table, of what could stand there instead."""
        lines = [line for guess in self.guesses if _in(guess.field, (section,)) for line in guess.alternatives]
        return [f"# {show(line, 500)}" for line in lines]

    def outside_sections(self) -> list[str]:
        """The comment lines of missing fields that belong to no section."""
        known = ("validation", *SECTIONS)
        return [f"# {missing_words(item)}" for item in self.missing if not _in(item.field, known)]


def _in(field: str, sections: tuple[str, ...]) -> bool:
    return any(field == section or field.startswith(f"{section}.") for section in sections)


def _from(field: str, place: str) -> str:
    return f"# {show(field, 200)}: from {show(place, 300)}"


def missing_words(item: Missing) -> str:
    """A missing field in one line: its name, the reason, and how to have it recorded next time."""
    do = f"; next time: {show(item.do, 500)}" if item.do else ""
    return f"missing: {show(item.field, 200)}: {show(item.why, 500)}{do}"


def record_text(
    document: Mapping[str, object],
    suffix: str,
    remarks: Remarks,
    name: str,
    deployments: Mapping[str, Remarks] = MappingProxyType({}),
) -> str:
    """The document in the format of a file suffix (".toml", ".yaml", ".yml" or ".json").

    `name` is the file's name in messages. `deployments` are the remarks of each deployment where there are several (in
    TOML); `remarks` are then those of the validation. Raises Refused where the text would not read back as the same
    document, or where the document is not a valid record.
    """
    from repro_tui.formats.wire.record import check_record

    try:
        text = _serialized(document, suffix, remarks, deployments)
    except (TypeError, ValueError) as error:
        raise Refused(Mistake(name, f"a value cannot be written as {suffix[1:].upper()}: {error}")) from error
    parsed = parse_document(text.encode("utf-8"), suffix, name)
    _check_same(document, parsed, suffix, name)
    check_record(parsed, name)
    return text


def _serialized(
    document: Mapping[str, object], suffix: str, remarks: Remarks, deployments: Mapping[str, Remarks]
) -> str:
    if suffix == ".toml":
        return _toml(document, remarks, deployments)
    return _json(document, remarks) if suffix == ".json" else _yaml(document, remarks)


def _check_same(document: object, parsed: object, suffix: str, name: str, place: str = "") -> None:
    """Raises Refused with the first field that would be read back as another value."""
    if isinstance(document, dict) and isinstance(parsed, dict) and document.keys() == parsed.keys():
        for key, value in document.items():
            _check_same(value, parsed[key], suffix, name, f"{place}.{key}".lstrip("."))
        return
    if isinstance(document, list) and isinstance(parsed, list) and len(document) == len(parsed):
        for number, (expected, actual) in enumerate(zip(document, parsed, strict=True)):
            _check_same(expected, actual, suffix, name, f"{place}.{number}")
        return
    value = float(document) if isinstance(document, Decimal) else document
    if type(value) is type(parsed) and (value == parsed or (value != value and parsed != parsed)):
        return
    message = f"{show(value, 100)} cannot be written as {suffix[1:].upper()}: choose another format by the suffix of -o"
    raise Refused(Mistake(f"{name}: {show(place, 300)}", message))


# -- TOML -----------------------------------------------------------------------------------------------------------


def _toml(document: Mapping[str, object], remarks: Remarks, deployments: Mapping[str, Remarks]) -> str:
    blocks = _blocks(document, remarks, deployments)
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _blocks(
    document: Mapping[str, object], remarks: Remarks, deployments: Mapping[str, Remarks]
) -> Iterator[list[str]]:
    yield [f"# {show(line, 500)}" for line in remarks.heading]
    yield ["schema = 1", *remarks.outside_sections()]
    validation = _as_table(document.get("validation"))
    table = _table(("validation",), validation, "validation" in document)
    yield [*remarks.for_sections("validation"), *table, *remarks.alternatives("validation")]
    for name, deployment in _as_table(document["deployments"]).items():
        yield from _deployment(name, _as_table(deployment), deployments.get(name, remarks))


def _deployment(name: str, deployment: Mapping[str, object], remarks: Remarks) -> Iterator[list[str]]:
    path = ("deployments", name)
    flat = {key: value for key, value in deployment.items() if key not in SECTIONS}
    yield _table(path, flat, bool(flat) or not deployment)
    for section in SECTIONS:
        if section == "data":
            items = deployment.get("data")
            yield from _data(path, items if isinstance(items, list) else [], remarks)
            continue
        table = _as_table(deployment.get(section))
        lines = _table((*path, section), table, section in deployment)
        yield [*remarks.for_sections(section), *lines, *remarks.alternatives(section)]


def _data(path: tuple[str, ...], items: Sequence[Mapping[str, object]], remarks: Remarks) -> Iterator[list[str]]:
    import tomli_w

    header = f"[[{_dotted((*path, 'data'))}]]"
    for number, item in enumerate(items):
        yield [*remarks.for_sections(f"data.{number}"), header, *tomli_w.dumps(item).rstrip("\n").split("\n")]
    numbered = {f"data.{number}" for number in range(len(items))}
    remaining = [
        item for item in remarks.missing if _in(item.field, ("data",)) and not _in(item.field, tuple(numbered))
    ]
    yield Remarks(tuple(remaining)).for_sections("data")


def _table(path: tuple[str, ...], table: Mapping[str, object], present: bool) -> list[str]:
    import tomli_w

    if not present:
        return []
    nested: Mapping[str, object] = table
    for key in reversed(path):
        nested = {key: nested}
    return tomli_w.dumps(nested).strip("\n").split("\n")


def _as_table(value: object) -> Mapping[str, object]:
    """A part of a document; empty where it is absent."""
    return value if isinstance(value, dict) else {}


def _dotted(path: tuple[str, ...]) -> str:
    import tomli_w

    return ".".join(tomli_w.dumps({key: 0}).rpartition(" = ")[0] for key in path)


# -- YAML and JSON --------------------------------------------------------------------------------------------------


def _yaml(document: Mapping[str, object], remarks: Remarks) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    def represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        style = None if _PLAIN_WORD.fullmatch(text) else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def represent_number(dumper: yaml.SafeDumper, number: Decimal) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:float", str(number))

    Dumper.add_representer(str, represent_text)
    Dumper.add_representer(Decimal, represent_number)
    body = yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=False, width=100_000)
    comments = [*remarks.outside_sections(), *remarks.for_sections("validation", *SECTIONS)]
    return "\n".join([*comments, body])


def _json(document: Mapping[str, object], remarks: Remarks) -> str:
    """JSON has no comments: what is missing is only printed on standard error.

    json cannot write a Decimal, so each is written as a marker string first and then replaced by its digits.
    """
    decimals: list[Decimal] = []

    def mark(value: object) -> str:
        if not isinstance(value, Decimal):
            raise TypeError(f"{type(value).__name__} is not a JSON type")
        decimals.append(value)
        return f"\x00{len(decimals) - 1}\x00"

    text = json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False, default=mark)
    for number, value in enumerate(decimals):
        text = text.replace(f'"\\u0000{number}\\u0000"', str(value), 1)
    return text + "\n"
