"""What a pickle describes, as inert nodes: the names of its classes and the values that it would give them.

No class is looked up, imported or called. A node is only compared: by its class's name, and by its attributes, items
and arguments by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from repro_tui.compare.files.arrays import described

_ARRAYS = ("numpy.core.multiarray", "numpy._core.multiarray")
NDARRAY = "numpy.ndarray"
SINGLE = "a single value"
MOST_NESTED, MOST_PARTS = 12, 10_000  # of a type
_BUFFERS = ("numpy.core.numeric", "numpy._core.numeric")


@dataclass(slots=True, eq=False)
class GlobalNode:
    """A class or function by its module and name."""

    module: str
    name: str

    @property
    def dotted(self) -> str:
        """Its name with its module."""
        return f"{self.module}.{self.name}"

    def __str__(self) -> str:
        return self.dotted


@dataclass(slots=True, eq=False)
class ObjectNode:
    """An object: what would be called for it, with which arguments, and the state and items that it would get."""

    made_by: object
    arguments: list[object] = field(default_factory=list)
    state: object = None
    has_state: bool = False
    items: list[object] = field(default_factory=list)
    table: dict[object, object] = field(default_factory=dict)
    calls: list[object] = field(default_factory=list)  # what is called with it, and its result dropped
    array: ArrayNode | None = None  # what numpy would make of it, or what follows joblib's wrapper in the file

    @property
    def type_name(self) -> str:
        """The class's name with its module, as far as the pickle says."""
        made = self.made_by
        if isinstance(made, GlobalNode):
            is_generic = made.dotted in ("copyreg._reconstructor", "copy_reg._reconstructor", "copyreg.__newobj__")
            if is_generic and self.arguments and isinstance(self.arguments[0], GlobalNode):
                return self.arguments[0].dotted
            return made.dotted
        return "an object"

    def __str__(self) -> str:
        return self.type_name


@dataclass(slots=True, eq=False)
class ArrayNode:
    """An array in a pickle: its type by numpy's name ("": by its bytes alone), its shape and its bytes."""

    kind: str
    shown: str
    shape: tuple[int, ...]
    data: bytes
    by_column: bool = False
    layout: str = ""  # all that its class and type have beside these: the unit of times, the fields of structures

    def __str__(self) -> str:
        return described(self.shown, self.shape)


def fields_of(value: object) -> Mapping[str, object] | None:
    """An object's parts by name, for a walk; None for what is not an object."""
    if not isinstance(value, ObjectNode):
        return None
    parts: dict[str, object] = {}
    if (elements := _elements(value)) is not None:
        return elements
    arguments = value.arguments
    if arguments and isinstance(value.made_by, GlobalNode) and value.type_name != value.made_by.dotted:
        arguments = arguments[1:]
    state = value.state
    if isinstance(state, tuple) and len(state) == 2 and state[0] is None and isinstance(state[1], dict):
        state = state[1]  # an object with slots
    if isinstance(state, dict):
        parts |= {str(name): inner for name, inner in state.items()}
    beside: dict[str, object] = {
        "arguments": arguments,
        "items": value.items,
        "table": value.table,
        "calls": value.calls,
    }
    more = {name: inner for name, inner in beside.items() if inner}
    if value.has_state and not isinstance(state, dict):
        more["state"] = state
    if not isinstance(value.made_by, GlobalNode):
        more["made by"] = value.made_by
    return parts | {f"[{name}]" if name in parts else name: inner for name, inner in more.items()}


def _elements(node: ObjectNode) -> dict[str, object] | None:
    """The shape and elements of an array of Python objects; None for any other object."""
    made, state = node.made_by, node.state
    if not isinstance(made, GlobalNode) or made.module not in _ARRAYS or made.name != "_reconstruct":
        return None
    if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[4], list):
        return None
    elements = {"shape": state[1], "type": state[2], "elements": state[4], "by column": state[3]}
    return elements | {"class": node.arguments, "rest": [node.items, node.table, node.calls]}


def made_bytes(node: ObjectNode) -> bytes | None:
    """The bytes that protocols up to 2 write as text that is encoded again; None for any other object."""
    made, arguments = node.made_by, node.arguments
    if not isinstance(made, GlobalNode) or made.dotted != "_codecs.encode" or len(arguments) != 2:
        return None
    text, encoding = arguments
    if not isinstance(text, str) or encoding != "latin1":
        return None
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def numpy_array(node: ObjectNode) -> ArrayNode | None:
    """The array or number that numpy's own functions would make of a node; None where they would not."""
    made = node.made_by
    if not isinstance(made, GlobalNode):
        return None
    try:
        if made.module in _ARRAYS and made.name == "_reconstruct" and isinstance(node.state, tuple):
            _, shape, dtype, by_column, data = node.state
            return _array(dtype, shape, data, bool(by_column), str(node.arguments[0]))
        if made.module in _BUFFERS and made.name == "_frombuffer":
            data, dtype, shape, order = node.arguments
            return None if node.has_state else _array(dtype, shape, data, order == "F", NDARRAY)
        if made.module in _ARRAYS and made.name == "scalar":
            dtype, data = node.arguments
            return None if node.has_state else _array(dtype, (), data, by_column=False, made=SINGLE)
    except (TypeError, ValueError, IndexError):
        pass
    return None


def _array(dtype: object, shape: object, data: object, by_column: bool, made: str) -> ArrayNode:
    """Raises TypeError or ValueError where these are not the parts of an array."""
    if not isinstance(data, bytes | bytearray | str) or not isinstance(shape, tuple):
        raise TypeError
    raw = data.encode("latin-1") if isinstance(data, str) else bytes(data)
    if not all(type(size) is int and 0 <= size <= len(raw) for size in shape):
        raise ValueError
    kind, shown = dtype_of(dtype)
    layout = layout_of(made, dtype)
    count = 1
    for size in shape:
        count *= size
    if kind and count * _item_size(kind) != len(raw):
        raise ValueError
    if not kind:
        size = len(raw) // count if count else 0
        if not size or size * count != len(raw):
            raise ValueError
        kind = f"|V{size}"
    return ArrayNode(kind, shown, shape, raw, by_column, layout)


def number_of(node: ObjectNode) -> str | None:
    """A number of numpy by its type and value (`[int64 3]`); None for any other object, and for NaN."""
    import numpy as np

    array = node.array
    if array is None or array.shape or array.layout != SINGLE or array.kind[1:2] not in tuple("biuf"):
        return None
    if len(array.data) > 8 or node.items or node.table or node.calls:
        return None
    value = np.frombuffer(array.data, array.kind)[0].item()
    return f"[{array.shown} {value!r}]" if value == value else None


def layout_of(made: str, dtype: object) -> str:
    """The name of an array's class where it is not numpy's own, and what its type has beside a code and a byte order.

    Raises ValueError where that is nested too deeply to be written out.
    """
    state = dtype.state if isinstance(dtype, ObjectNode) and isinstance(dtype.state, tuple) else ()
    structured = not dtype_of(dtype)[0]
    parts = (dtype.arguments, state) if structured and isinstance(dtype, ObjectNode) else state[8:]
    beside = _written(parts, [MOST_PARTS]) if parts else ""
    return f"{'' if made == NDARRAY else made} {beside}".strip()


def _written(value: object, room: list[int], depth: int = 0) -> str:
    """A type's parts as text. `room` is how many of them may still be written: they can share their parts."""
    room[0] -= 1
    if depth > MOST_NESTED or room[0] < 0:
        raise ValueError
    if isinstance(value, ObjectNode):
        return f"{value.type_name}{_written((value.arguments, value.state), room, depth + 1)}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {_written(inner, room, depth + 1)}' for name, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"({', '.join(_written(inner, room, depth + 1) for inner in value)})"
    return str(value) if isinstance(value, GlobalNode) else repr(value)


def dtype_of(dtype: object) -> tuple[str, str]:
    """A pickled type of numpy by its name (`<f8`; "": it has fields or objects), and the name that is shown."""
    import numpy as np

    if not isinstance(dtype, ObjectNode) or not dtype.arguments or not isinstance(dtype.arguments[0], str):
        raise TypeError
    code = dtype.arguments[0]
    state = dtype.state if isinstance(dtype.state, tuple) else ()
    order = state[1] if len(state) > 1 and state[1] in ("<", ">", "|") else "|"
    if len(code) > 16 or code[:1] not in "biufcSUMm" or not code[1:].isdigit():
        return "", "structured values"
    kind = np.dtype(f"{order if order != '|' else ''}{code}")
    return kind.str, str(kind.newbyteorder("=")) if order != ">" else str(kind)


def _item_size(kind: str) -> int:
    import numpy as np

    return np.dtype(kind).itemsize
