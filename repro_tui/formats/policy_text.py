"""Writes accepted changes into a policy file in TOML, and leaves every other character of it as it is."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, MutableMapping, Sequence

from repro_tui.formats.documents import parse_document
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.gate import AcceptedChange
from repro_tui.support.text import show

TABLE = "accepted"
# What says which change an entry is about; the other fields say why it is accepted, and are renewed.
IDENTITY = ("path", "change", "a", "b", "digest", "evidence", "bounds")
RENEWED = ("reason", "owner", "until", "audit")
ORDER = ("path", "change", "a", "b", "digest", "evidence", "bounds", "reason", "owner", "until", "audit")


def with_entries(text: str, entries: Sequence[AcceptedChange], name: str) -> str:
    """The text of a policy file with these accepted changes; of one that it has already, reason and date are renewed.

    `name` is the file's, for messages. Raises Refused where the file is not TOML, or cannot be written so that nothing
    else of it changes: the entries can then be added by hand.
    """
    from tomlkit.exceptions import TOMLKitError

    before = parse_document(text.encode("utf-8"), ".toml", name)
    tables = list({repr(_identity(fields)): fields for fields in map(fields_of, entries)}.values())
    written = text
    try:
        for fields in tables:
            written = _with(written, fields)
    except (TOMLKitError, AttributeError, TypeError, ValueError) as error:
        raise _by_hand(name, tables) from error
    if tomllib.loads(written) != _expected(before, tables) or not _keeps_lines(text, written):
        raise _by_hand(name, tables)
    return written


def fields_of(entry: AcceptedChange) -> dict[str, object]:
    """An entry as a table in TOML: without what it does not say."""
    import datetime

    values: dict[str, object] = {name: getattr(entry, name) for name in ORDER}
    values["bounds"] = list(entry.bounds)
    values["until"] = datetime.date.fromisoformat(entry.until)
    return {name: value for name, value in values.items() if value not in (None, "", []) or _is_value(name, value)}


def _is_value(name: str, value: object) -> bool:
    """Whether an empty text is a value of its own, as that of a parameter."""
    return name in ("a", "b") and value == ""


def snippet(tables: Sequence[Mapping[str, object]]) -> str:
    """Entries as they are written into a file in TOML."""
    import tomli_w

    return tomli_w.dumps({TABLE: [dict(table) for table in tables]})


def _keeps_lines(before: str, after: str) -> bool:
    """Whether every line stands where it stood, except those that renewing an entry changes."""
    rest = iter(after.splitlines())
    kept = (line for line in before.splitlines() if not line.lstrip().startswith((*RENEWED, TABLE)))
    return all(line in rest for line in kept)


def _identity(fields: Mapping[str, object]) -> list[tuple[object, type]]:
    """What an entry is about, with the types of its values: 1, 1.0 and true are three values."""
    return [(fields.get(name), type(fields.get(name))) for name in IDENTITY]


def _with(text: str, fields: Mapping[str, object]) -> str:
    """The text with one more entry, or with a renewed one; a new one stands at the end, unless there is a list."""
    import tomlkit
    from tomlkit.items import AoT

    document = tomlkit.parse(text)
    present = document.get(TABLE)
    same = [table for table in present or () if _identity(table.unwrap()) == _identity(fields)]
    if same:
        _renew(same[0], fields)
    elif present is None or isinstance(present, AoT):
        return _with_table(text, fields)
    else:
        table = tomlkit.inline_table()
        table.update(fields)
        present.append(table)
    return tomlkit.dumps(document)


def _renew(table: MutableMapping[str, object], fields: Mapping[str, object]) -> None:
    for name in RENEWED:
        if name in fields:
            table[name] = fields[name]
        else:
            table.pop(name, None)


def _with_table(text: str, fields: Mapping[str, object]) -> str:
    """The text with a table at its end, after an empty line, with the line breaks of the file."""
    added = snippet([fields])
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return text + (gap + added).replace("\n", "\r\n" if "\r\n" in text else "\n")


def _expected(before: Mapping[str, object], tables: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What the file has to say afterwards."""
    present = before.get(TABLE, [])
    entries: list[dict[str, object]] = [dict(table) for table in present] if isinstance(present, list) else []
    for fields in tables:
        same = next((n for n, entry in enumerate(entries) if _identity(entry) == _identity(fields)), None)
        if same is None:
            entries.append(dict(fields))
        else:
            entries[same] = dict(fields)
    return {**before, TABLE: entries}


def _by_hand(name: str, tables: Sequence[Mapping[str, object]]) -> Refused:
    lines = show(snippet(tables).replace("\n", "; "), 1000)
    return Refused(Mistake(name, f"cannot be changed without touching other parts of it: add by hand: {lines}"))
