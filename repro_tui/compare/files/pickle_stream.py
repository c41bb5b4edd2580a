"""Reads a pickle as a description: its operations are followed on a stack of inert nodes, and nothing is executed.

The operations come from pickletools.genops, which only reads. Where an operation would call something, a node keeps
what would be called and with what. Arrays that joblib writes between the operations are read as bytes; their places
are known from the wrapper that stands before each (joblib.numpy_pickle.NumpyArrayWrapper).

Bounds: the number of operations and of bytes; depth does not matter, as nothing here recurses.
"""

from __future__ import annotations

import os
import pickletools
from collections.abc import Callable
from io import BufferedReader
from typing import IO, cast

from repro_tui.compare.files.base import UnreadableError
from repro_tui.compare.files.pickle_entries import FrozenSetItems, SetItems, enter
from repro_tui.compare.files.pickle_nodes import (
    ArrayNode,
    GlobalNode,
    ObjectNode,
    dtype_of,
    layout_of,
    made_bytes,
    numpy_array,
)

MOST_OPERATIONS = 10_000_000
MOST_PICKLES = MOST_DROPPED = 1_000
DEEPEST = 10
LONGEST_LINE = 64 << 20
MARK = object()
JOBLIB = "joblib.numpy_pickle.NumpyArrayWrapper"
_CONSTANTS = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
}
_VALUES = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE "
    "SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
)
_NOTHING = frozenset("PROTO FRAME READONLY_BUFFER".split())


def read_pickle(stream: BufferedReader) -> list[object]:
    """The values that the pickles in a stream describe, one after the other. Raises UnreadableError.

    A pickle that makes objects and drops them is a `WithDropped`.
    """
    values: list[object] = []
    bounded = _Bytes(stream)
    while bounded.left:
        machine = _Machine(bounded)
        value = machine.run()
        values.append(WithDropped({"value": value, "dropped": machine.dropped}) if machine.dropped else value)
        if len(values) > MOST_PICKLES:
            raise UnreadableError(f"it has more than {MOST_PICKLES:,} pickles")
    return values


class WithDropped(dict[str, object]):
    """The value of a pickle, and the objects that it makes and drops: they are no pickles after it."""


class _Bytes:
    """The bytes of a file, of which no more are asked than there are: a length in a pickle may say anything."""

    def __init__(self, stream: BufferedReader) -> None:
        self.stream = stream
        place = stream.tell()
        self.left = stream.seek(0, os.SEEK_END) - place
        stream.seek(place)

    def read(self, size: int) -> bytes:
        """That many bytes; none where the file has fewer."""
        if size < 0 or size > self.left:
            return b""
        raw = self.stream.read(size)
        self.left -= len(raw)
        return raw

    def readline(self) -> bytes:
        """The bytes up to the end of the line."""
        raw = self.stream.readline(min(self.left, LONGEST_LINE))
        self.left -= len(raw)
        return raw


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, stream: _Bytes, depth: int = 0) -> None:
        self.stream, self.depth = stream, depth
        self.stack: list[object] = []
        self.memo: dict[int, object] = {}
        self.dropped: list[object] = []  # objects that are no part of the value; making them may have had an effect

    def run(self) -> object:
        try:
            for count, (operation, argument, _) in enumerate(pickletools.genops(cast("IO[bytes]", self.stream))):
                if count > MOST_OPERATIONS:
                    raise UnreadableError(f"it has more than {MOST_OPERATIONS:,} operations")
                if operation.name == "STOP":
                    self.drop(self.stack[:-1])
                    return self.stack[-1]
                self.follow(operation.name, argument)
        except UnreadableError:
            raise
        except (ValueError, TypeError, IndexError, KeyError, OverflowError, AttributeError, EOFError) as error:
            text = (str(error).splitlines() or [""])[0][:120]
            raise UnreadableError(f"it is not a complete pickle ({text or type(error).__name__})") from error
        raise UnreadableError("it is not a complete pickle")

    def follow(self, name: str, argument: object) -> None:
        """Does what one operation does to the stack."""
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in _NOTHING:
            raise UnreadableError(f"its operation {name} is not known")

    def drop(self, values: list[object]) -> None:
        """Keeps what leaves the stack unused: a call whose result is dropped, such as the one that gives a function of
        cloudpickle its code's names, belongs to its first argument."""
        for value in values:
            if isinstance(value, ObjectNode) and value.arguments and isinstance(value.arguments[0], ObjectNode):
                value.arguments[0].calls.append(value)
            elif value is not MARK:
                self.dropped.append(value)
        if len(self.dropped) > MOST_DROPPED:
            raise UnreadableError(f"it makes more than {MOST_DROPPED:,} objects that it drops unused")

    def since_mark(self) -> list[object]:
        """Takes what is above the last mark off the stack, and the mark with it."""
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is MARK:
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise ValueError("a mark is missing")

    def build(self, _: object) -> None:
        state = self.stack.pop()
        node = self.stack[-1]
        if not isinstance(node, ObjectNode):
            raise TypeError("a state of what is not an object")
        node.state, node.has_state = [node.state, state] if node.has_state else state, True
        if node.type_name == JOBLIB and isinstance(state, dict):
            self.joblib_array(node, state)
        else:
            node.array = numpy_array(node)

    def joblib_array(self, node: ObjectNode, state: dict[object, object]) -> None:
        """Reads what follows joblib's wrapper in the file: the array, or a pickle of its objects.

        Raises UnreadableError, ValueError, TypeError.
        """
        shape = state.get("shape")
        if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
            raise UnreadableError("an array of joblib has no shape")
        dtype = state.get("dtype")
        kind, shown = dtype_of(dtype)
        if not kind:
            code = cast("ObjectNode", dtype).arguments[0]
            if str(code).startswith("O"):
                self.depth += 1
                if self.depth > DEEPEST:
                    raise UnreadableError("it has a pickle inside a pickle inside a pickle")
                inner = _Machine(self.stream, self.depth)
                node.table["objects"] = inner.run()
                node.items += inner.dropped
                self.depth -= 1
                return
            kind = f"|V{int(cast('str', code)[1:])}"
        if state.get("numpy_array_alignment_bytes") is not None:
            self.read(self.read(1)[0])
        size = int(kind[2:]) * (4 if kind[1] == "U" else 1)
        if kind[1] in "Mm":
            size = 8
        for length in shape:
            size *= length
        layout = layout_of(str(state.get("subclass")), dtype)
        node.array = ArrayNode(kind, shown, shape, self.read(size), state.get("order") == "F", layout)

    def read(self, size: int) -> bytes:
        raw = self.stream.read(size)
        if len(raw) < size:
            raise UnreadableError("it ends within an array")
        return raw

    def store(self, key: object) -> None:
        self.memo[cast("int", key)] = self.stack[-1]

    def add_object(self, made_by: object, arguments: object) -> None:
        listed = list(arguments) if isinstance(arguments, tuple | list) else [arguments]
        node = ObjectNode(made_by, listed)
        node.array = numpy_array(node)
        raw = made_bytes(node)
        self.stack.append(node if raw is None else raw)


def _mark(machine: _Machine, _: object) -> None:
    machine.stack.append(MARK)


def _pop(machine: _Machine, _: object) -> None:
    machine.drop([machine.stack.pop()])


def _pop_mark(machine: _Machine, _: object) -> None:
    machine.drop(machine.since_mark())


def _dup(machine: _Machine, _: object) -> None:
    machine.stack.append(machine.stack[-1])


def _empty(kind: type) -> Callable[[_Machine, object], None]:
    return lambda machine, _: machine.stack.append(kind())


def _tuple(count: int) -> Callable[[_Machine, object], None]:
    def step(machine: _Machine, _: object) -> None:
        items = tuple(machine.stack[-count:])
        if len(items) < count or MARK in items:
            raise ValueError("a tuple without its elements")
        machine.stack[-count:] = [items]

    return step


def _marked_tuple(machine: _Machine, _: object) -> None:
    machine.stack.append(tuple(machine.since_mark()))


def _marked_list(machine: _Machine, _: object) -> None:
    machine.stack.append(machine.since_mark())


def _marked_set(machine: _Machine, _: object) -> None:
    machine.stack.append(FrozenSetItems(machine.since_mark()))


def _marked_dict(machine: _Machine, _: object) -> None:
    items = machine.since_mark()
    table: dict[object, object] = {}
    enter(table, items)
    machine.stack.append(table)


def _append(machine: _Machine, _: object) -> None:
    value = machine.stack.pop()
    _extend(machine.stack[-1], [value])


def _appends(machine: _Machine, _: object) -> None:
    items = machine.since_mark()
    _extend(machine.stack[-1], items)


def _extend(target: object, items: list[object]) -> None:
    if isinstance(target, list):
        target += items
    elif isinstance(target, ObjectNode):
        target.items += items
    else:
        raise TypeError("elements are added to something that is not a list")


def _set_item(machine: _Machine, _: object) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _update(machine.stack[-1], [key, value])


def _set_items(machine: _Machine, _: object) -> None:
    items = machine.since_mark()
    _update(machine.stack[-1], items)


def _update(target: object, items: list[object]) -> None:
    if isinstance(target, dict):
        enter(target, items)
    elif isinstance(target, ObjectNode):
        enter(target.table, items)
    else:
        raise TypeError("items are set in something that is not a table")


def _global(machine: _Machine, argument: object) -> None:
    module, _, name = str(argument).partition(" ")
    machine.stack.append(GlobalNode(module, name))


def _stack_global(machine: _Machine, _: object) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise TypeError("the name of a class is not text")
    machine.stack.append(GlobalNode(module, name))


def _reduce(machine: _Machine, _: object) -> None:
    arguments, made_by = machine.stack.pop(), machine.stack.pop()
    machine.add_object(made_by, arguments)


def _new_with_names(machine: _Machine, _: object) -> None:
    named, arguments, made_by = machine.stack.pop(), machine.stack.pop(), machine.stack.pop()
    machine.add_object(made_by, [*(arguments if isinstance(arguments, tuple) else [arguments]), named])


def _object(machine: _Machine, _: object) -> None:
    made_by, *arguments = machine.since_mark()
    machine.add_object(made_by, arguments)


def _instance(machine: _Machine, argument: object) -> None:
    module, _, name = str(argument).partition(" ")
    machine.add_object(GlobalNode(module, name), machine.since_mark())


def _persistent(machine: _Machine, argument: object) -> None:
    machine.add_object(GlobalNode("persistent", "id"), [argument])


def _stacked_persistent(machine: _Machine, _: object) -> None:
    machine.add_object(GlobalNode("persistent", "id"), [machine.stack.pop()])


def _extension(machine: _Machine, argument: object) -> None:
    machine.stack.append(GlobalNode("extension", str(argument)))


def _get(machine: _Machine, key: object) -> None:
    machine.stack.append(machine.memo[int(cast("int", key))])


def _put(machine: _Machine, key: object) -> None:
    machine.store(int(cast("int", key)))


def _memoize(machine: _Machine, _: object) -> None:
    machine.store(len(machine.memo))


def _next_buffer(machine: _Machine, _: object) -> None:
    machine.stack.append(GlobalNode("buffer", "outside"))


_STEPS: dict[str, Callable[[_Machine, object], None]] = {
    "MARK": _mark,
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": _dup,
    "EMPTY_LIST": _empty(list),
    "EMPTY_DICT": _empty(dict),
    "EMPTY_SET": _empty(SetItems),
    "EMPTY_TUPLE": _empty(tuple),
    "TUPLE": _marked_tuple,
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "LIST": _marked_list,
    "DICT": _marked_dict,
    "FROZENSET": _marked_set,
    "APPEND": _append,
    "APPENDS": _appends,
    "ADDITEMS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_with_names,
    "OBJ": _object,
    "INST": _instance,
    "BUILD": lambda machine, argument: machine.build(argument),
    "PERSID": _persistent,
    "BINPERSID": _stacked_persistent,
    "EXT1": _extension,
    "EXT2": _extension,
    "EXT4": _extension,
    "GET": _get,
    "BINGET": _get,
    "LONG_BINGET": _get,
    "PUT": _put,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _memoize,
    "NEXT_BUFFER": _next_buffer,
}
