"""Parameters and environment variables as things that can be mixed: every value by its path."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from repro_tui.explain.factors import PARAMETERS, VARIABLES, differing_names
from repro_tui.explain.inside.base import Inside
from repro_tui.model.workspace import BuiltParameters
from repro_tui.rebuild.hybrid import Parts
from repro_tui.rebuild.parameters import dumps_typed
from repro_tui.support.context import Context

Path = tuple[str, ...]
_ABSENT = object()


def inside_parameters(a: BuiltParameters, b: BuiltParameters) -> Inside:
    """The values in which two sets of parameters differ. A list is one value: its elements have no names."""
    paths = {dumps_typed(path): path for path in _differing(a.values, b.values, ())}

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        values = mixed(a.values, b.values, [paths[item] for item in from_b])
        return replace(base, parameters=BuiltParameters(values, overlay=a.overlay))

    return Inside(
        PARAMETERS,
        tuple(paths),
        parts,
        sides=lambda item: (_told(a.values, paths[item]), _told(b.values, paths[item])),
        path=lambda item: paths[item],
    )


def inside_variables(a: dict[str, str], b: dict[str, str]) -> Inside:
    """The environment variables that two records set differently."""
    names = differing_names(a, b)

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        chosen = {n: v for n in sorted(a.keys() | b.keys()) if (v := (b if n in from_b else a).get(n)) is not None}
        return replace(base, variables=chosen)

    return Inside(
        VARIABLES,
        names,
        parts,
        sides=lambda name: (a.get(name), b.get(name)),
        path=lambda name: (name,),
    )


def _differing(a: dict[str, Any], b: dict[str, Any], above: Path) -> Iterator[Path]:
    for name in dict.fromkeys((*a, *b)):
        one, other = a.get(name, _ABSENT), b.get(name, _ABSENT)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differing(one, other, (*above, name))
        elif (one is _ABSENT) != (other is _ABSENT) or dumps_typed(one) != dumps_typed(other):
            yield (*above, name)


def mixed(a: dict[str, Any], b: dict[str, Any], from_b: list[Path]) -> dict[str, Any]:
    """A's values with these paths as B has them, or without them where B has none."""
    found = deepcopy(a)
    for path in from_b:
        table = found
        for name in path[:-1]:
            table = table.setdefault(name, {})
        value = _value(b, path)
        if value is _ABSENT:
            table.pop(path[-1], None)
        else:
            table[path[-1]] = deepcopy(value)
    return found


def _value(values: Any, path: Path) -> Any:
    for name in path:
        if not isinstance(values, dict) or name not in values:
            return _ABSENT
        values = values[name]
    return values


def _told(values: dict[str, Any], path: Path) -> Any:
    value = _value(values, path)
    return None if value is _ABSENT else value
