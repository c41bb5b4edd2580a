"""Parameters and environment variables as items: every value by its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from repro_tui.explain.factors import PARAMETERS, VARIABLES, differing_names
from repro_tui.explain.inside.base import Inside
from repro_tui.model.workspace import BuiltParameters, in_one_form
from repro_tui.rebuild.hybrid import Parts
from repro_tui.rebuild.parameters import dumps_typed
from repro_tui.support.context import Context

Path = tuple[str, ...]
_ABSENT = object()


def inside_parameters(a: BuiltParameters, b: BuiltParameters) -> Inside:
    """The values in which two sets of parameters differ. A list is one value, as its elements have no names."""
    a, b = in_one_form(a, b)
    paths = {dumps_typed(path): path for path in _differing(a.values, b.values, ())}

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        values = mixed(a.values, b.values, [paths[item] for item in from_b])
        return replace(base, parameters=BuiltParameters(values, overlay=a.overlay, per_file=a.per_file))

    return Inside(
        PARAMETERS,
        tuple(paths),
        parts,
        sides=lambda item: (_value(a.values, paths[item], None), _value(b.values, paths[item], None)),
        path=lambda item: paths[item],
    )


def inside_variables(a: dict[str, str], b: dict[str, str]) -> Inside:
    """The environment variables that two records set differently."""
    names = differing_names(a, b)

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        sides = {name: b if name in from_b else a for name in sorted(a.keys() | b.keys())}
        return replace(base, variables={name: side[name] for name, side in sides.items() if name in side})

    return Inside(
        VARIABLES,
        names,
        parts,
        sides=lambda name: (a.get(name), b.get(name)),
        path=lambda name: (name,),
    )


def _differing(a: Mapping[str, object], b: Mapping[str, object], above: Path) -> Iterator[Path]:
    """The paths, below `above`, at which two tables differ; tables of both sides are compared key by key."""
    for name in dict.fromkeys((*a, *b)):
        value_a, value_b = a.get(name, _ABSENT), b.get(name, _ABSENT)
        if isinstance(value_a, dict) and isinstance(value_b, dict):
            yield from _differing(value_a, value_b, (*above, name))
        elif (value_a is _ABSENT) != (value_b is _ABSENT) or dumps_typed(value_a) != dumps_typed(value_b):
            yield (*above, name)


def mixed(a: Mapping[str, object], b: Mapping[str, object], from_b: list[Path]) -> dict[str, object]:
    """A copy of A's values with these paths as in B: changed, added, or removed where B has no value."""
    values: dict[str, Any] = deepcopy(dict(a))
    for path in from_b:
        table = values
        for name in path[:-1]:
            table = table.setdefault(name, {})
        value = _value(b, path, _ABSENT)
        if value is _ABSENT:
            table.pop(path[-1], None)
        else:
            table[path[-1]] = deepcopy(value)
    return values


def _value(values: object, path: Path, absent: object) -> object:
    for name in path:
        if not isinstance(values, dict) or name not in values:
            return absent
        values = values[name]
    return values
