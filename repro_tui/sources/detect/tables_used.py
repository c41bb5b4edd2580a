"""The tables that a script reads and writes at fixed paths, from its syntax tree."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from repro_tui.sources.detect.source import constants_of, dotted, keyword, last_name, text_of
from repro_tui.support import grammar

_READERS = frozenset({"read_csv", "read_parquet", "read_json", "read_table", "scan_csv", "scan_parquet", "loadtxt"})
_WRITERS = frozenset({"to_csv", "to_parquet", "to_json", "write_csv", "write_parquet", "savetxt", "save"})
_STREAMS = frozenset({"sys.stdout", "sys.stdout.buffer"})
_ENDINGS = (".csv", ".parquet", ".jsonl", ".json", ".arrow", ".npy", ".txt")


@dataclass(frozen=True, slots=True)
class TablesUsed:
    """The paths that a script reads tables from and writes tables to, in the order in which they are written.

    `prints`: it writes something to standard output; `streams`: it writes a table there.
    `texts` are all of its literal texts, among them names of columns.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    prints: bool = False
    streams: bool = False
    texts: frozenset[str] = frozenset()


def tables_used(module: ast.Module, path: str) -> TablesUsed:
    """The tables that the script at `path` uses. Paths that are computed when it runs are not known."""
    constants = constants_of(module, path)
    nodes = list(ast.walk(module))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    reads = dict.fromkeys(path for call in calls for path in _read(call, constants))
    writes = dict.fromkeys(path for call in calls for path in _written(call, constants))
    texts = frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    prints = any(last_name(call.func) in ("print", "echo") for call in calls)
    streams = any(dotted(node) in _STREAMS for call in calls if last_name(call.func) in _WRITERS for node in call.args)
    return TablesUsed(tuple(reads), tuple(writes), prints, streams, texts)


def _read(call: ast.Call, constants: dict[str, str]) -> Iterator[str]:
    name = last_name(call.func)
    if name in _READERS or (name == "open" and not _mode(call).startswith(("w", "a", "x"))):
        yield from _path(call, constants, "filepath_or_buffer")


def _written(call: ast.Call, constants: dict[str, str]) -> Iterator[str]:
    name = last_name(call.func)
    if name in _WRITERS or (name == "open" and _mode(call).startswith(("w", "a", "x"))):
        yield from _path(call, constants, "path_or_buf")


def _mode(call: ast.Call) -> str:
    node = call.args[1] if len(call.args) > 1 else keyword(call, "mode")
    return text_of(node) or "r"


def _path(call: ast.Call, constants: dict[str, str], name: str) -> Iterator[str]:
    text = text_of(call.args[0] if call.args else keyword(call, name), constants)
    if text and text.lower().endswith(_ENDINGS):
        path = posixpath.normpath(text)
        if grammar.relative_path(path) is None and len(path) < 300:
            yield path
