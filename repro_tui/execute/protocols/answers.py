"""Converts the responses of a server into one table. Runs in a child process, with its job in a JSON file.

Responses are untrusted, so they are read in a process with limited memory. It prints one line of JSON (rows), or one
line that begins with `answers: ` and says what is wrong with which rows.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pyarrow as pa

from repro_tui.clients.http import MOST_ANSWER
from repro_tui.execute.protocols.base import Answered, AnswerError, Values
from repro_tui.execute.protocols.choose import codec_of
from repro_tui.support.regular import read_regular
from repro_tui.support.text import quote, show

EXACT = 1 << 53
LARGEST = 1 << 63


@dataclass(frozen=True, slots=True)
class Answers:
    """The job: `files` are names in `folder` with the number of rows that each one answers, in order.

    `carried` is a table (Parquet) whose columns `keys` identify the rows; `names` maps the columns of a response to
    their names in the table that is written to `out` (Arrow).
    """

    protocol: str
    folder: str
    files: list[tuple[str, int]]
    out: str
    carried: str = ""
    keys: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


def write_table(answers: Answers) -> int:
    """Writes the table; returns its number of rows. Raises AnswerError, which names the wrong rows.

    The responses are read twice, so that only one is in memory: first for the types of all, then for the values.
    """
    types = _types(answers)
    keys = _InputKeys(answers, types)
    schema = pa.schema([*keys.fields, *(pa.field(name, kind) for name, kind in types.items())])
    rows = 0
    with pa.OSFile(answers.out, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for span, columns, count in _read(answers):
            arrays = [_array(values, types[name], span) for name, values in columns.items()]
            writer.write_batch(pa.RecordBatch.from_arrays([*keys.next(count), *arrays], schema=schema))
            rows += count
    return rows


def _read(answers: Answers) -> Iterator[tuple[str, Answered, int]]:
    codec, first = codec_of(answers.protocol), 1
    for name, rows in answers.files:
        span = f"rows {first:,} to {first + rows - 1:,}"
        try:
            columns = codec.answer(read_regular(Path(answers.folder) / name, most=MOST_ANSWER, links=False), rows)
        except AnswerError as error:
            raise AnswerError(f"{span}: {error}") from error
        except (OSError, ValueError) as error:
            raise AnswerError(f"{span}: the response cannot be read ({error})") from error
        yield span, _named(columns, answers.names, span), rows
        first += rows


def _named(columns: Answered, names: dict[str, str], span: str) -> Answered:
    """The columns, renamed as the record says. Raises AnswerError if the names do not form a table."""
    named = {names.get(name, name): values for name, values in columns.items()}
    if not named or len(named) < len(columns):
        raise AnswerError(f"{span}: the response has {'no columns' if not named else 'two columns with the same name'}")
    bad = next((name for name in named if not name.strip() or not name.isprintable()), None)
    if bad is not None:
        raise AnswerError(f"{span}: {quote(bad, 80)} is not a valid column name")
    return named


def _types(answers: Answers) -> dict[str, pa.DataType]:
    """The type of each column: the declared one, the same in all responses, else one that fits all values."""
    declared: dict[str, pa.DataType | None] = {}
    kinds: dict[str, set[str]] = {}
    for span, columns, _ in _read(answers):
        if declared and declared.keys() != columns.keys():
            names = ", ".join(show(name, 80) for name in declared.keys() ^ columns.keys())
            raise AnswerError(f"{span}: the response has other columns than the previous ones ({names})")
        for name, values in columns.items():
            if name in declared and declared[name] != values.type:
                raise AnswerError(
                    f"{span}: {show(name, 80)} is {values.type}, but was {declared[name]} in previous responses"
                )
            declared[name] = values.type
            if values.type is None:
                kinds.setdefault(name, set()).update(map(kind_of, values.values))
    return {name: kind if kind is not None else type_of(kinds[name]) for name, kind in declared.items()}


def kind_of(value: object) -> str:
    """The kind of a JSON value, as far as it determines the type of its column."""
    if value is None:
        return "null"
    if isinstance(value, bool | str | float):
        return type(value).__name__
    if isinstance(value, int):
        return "int" if abs(value) <= EXACT else "long" if -LARGEST <= value < LARGEST else "json"
    if isinstance(value, list):
        kinds = {kind_of(item) for item in value}
        if kinds <= {"int", "long"} or not kinds:
            return "ints"
        return "floats" if kinds <= {"int", "float"} else "json"
    return "json"


def type_of(kinds: set[str]) -> pa.DataType:
    """The type that holds all values of these kinds exactly; JSON text (large_string) if there is none."""
    known: list[tuple[set[str], pa.DataType]] = [
        (set(), pa.null()),
        ({"bool"}, pa.bool_()),
        ({"int", "long"}, pa.int64()),
        ({"int", "float"}, pa.float64()),
        ({"str"}, pa.string()),
        ({"ints"}, pa.list_(pa.int64())),
        ({"ints", "floats"}, pa.list_(pa.float64())),
    ]
    return next((kind for fitting, kind in known if kinds <= {"null", *fitting}), pa.large_string())


def _array(values: Values, kind: pa.DataType, span: str) -> pa.Array:
    cells = values.values
    if kind == pa.large_string():
        cells = [None if value is None else json.dumps(value, sort_keys=True) for value in cells]
    elif kind == pa.list_(pa.float64()) and values.type is None:
        cells = [value and [float(item) for item in value] for value in cells]
    elif values.type is not None:
        _check(cells, kind, span)
    try:
        return pa.array(cells, kind)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise AnswerError(f"{span}: a value does not fit the type {kind} ({error})") from error


def _check(values: Sequence[object], kind: pa.DataType, span: str) -> None:
    """Raises AnswerError for a value that is not of the declared type: null, a boolean for a number, or the reverse."""
    listed = pa.types.is_list(kind)
    item = kind.value_type if listed else kind
    allowed: tuple[type, ...] = (int, float) if pa.types.is_floating(item) else (int,)
    allowed = {pa.bool_(): (bool,), pa.string(): (str,), pa.binary(): (bytes,)}.get(item, allowed)
    rows = cast("Sequence[Sequence[object]]", values)  # where the type is a list
    for value in (part for row in rows for part in row) if listed else values:
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            raise AnswerError(f"{span}: {show(value, 80)} is not of the declared type {item}")


class _InputKeys:
    """The key columns, copied from the inputs if the server does not return them."""

    def __init__(self, answers: Answers, types: dict[str, pa.DataType]) -> None:
        names = [name for name in answers.keys if name not in types]
        self._table = pa.table({})
        if names:
            import pyarrow.parquet as pq

            self._table = pq.read_table(answers.carried, columns=names).combine_chunks()
        self.fields = list(self._table.schema)
        self._position = 0

    def next(self, count: int) -> list[pa.Array]:
        """The keys of the next `count` rows, one array per column."""
        part = self._table.slice(self._position, count).combine_chunks()
        self._position += count
        return [column.chunk(0) if column.num_chunks else pa.array([], column.type) for column in part.columns]


def main(arguments: Sequence[str]) -> int:
    """Runs the job in the file of the first argument, and prints its result."""
    gc.disable()  # JSON has no cycles, and searching for them takes most of the time
    pa.set_cpu_count(2)
    job = json.loads(Path(arguments[0]).read_text("utf-8"))
    try:
        rows = write_table(Answers(**job))
    except AnswerError as error:
        print("answers: " + " ".join(str(error).split())[:2000].encode("ascii", "backslashreplace").decode("ascii"))
        return 1
    except (MemoryError, pa.ArrowMemoryError):
        print("answers: reading them takes more memory than their reader is allowed")
        return 1
    print(json.dumps({"rows": rows}))
    return 0
