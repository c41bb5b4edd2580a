"""What compares each output column: by its kind and type, alone or as one of a vector; and those that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.alignment import Alignment
from repro_tui.compare.cells import ColumnComparison, OfColumn
from repro_tui.compare.column_exact import ExactColumn
from repro_tui.compare.column_json import JsonColumn
from repro_tui.compare.column_labels import LabelColumn
from repro_tui.compare.column_lists import Aspect, ListColumn
from repro_tui.compare.column_numbers import NumberColumn
from repro_tui.compare.column_ranking import RankingColumn
from repro_tui.compare.column_text import TextColumn
from repro_tui.compare.feeding import Part
from repro_tui.compare.kinds import Profile, kind_of, profile, shares, spread
from repro_tui.compare.lists_embedding import Embeddings
from repro_tui.compare.lists_probability import Probabilities
from repro_tui.compare.lists_ranking import Rankings
from repro_tui.compare.tolerance import rule_for
from repro_tui.compare.vectors import Group, VectorColumns, groups_of
from repro_tui.model.predictions import Column
from repro_tui.model.record import ColumnRule, Kind, Validation
from repro_tui.model.request import Settings
from repro_tui.support.text import show

TEXTS: dict[Kind, type[ExactColumn]] = {"text": TextColumn, "json": JsonColumn, "ranking": RankingColumn}

Types = tuple[pa.DataType, pa.DataType]


@dataclass(frozen=True, slots=True)
class Columns:
    """What is compared: columns alone, vectors of several, and the results of those that cannot be."""

    names: list[str]
    compared: Part
    odd: tuple[Column, ...]

    def results(self) -> Iterator[Column]:
        """The vectors, then every column in its order."""
        yield from (vector.column() for vector in self.compared.vectors)
        found = {one.of.name: one for one in self.compared.columns}
        yield from (found[name].column() for name in self.names)
        yield from self.odd


def columns_of(
    alignment: Alignment, validation: Validation, settings: Settings, key: tuple[str, ...], scratch: Path
) -> Columns:
    """What compares each shared column, and the columns that cannot be compared."""
    schemas = [pq.read_schema(path) for path in (alignment.a, alignment.b)]
    types = [{field.name: field.type for field in schema if field.name not in key} for schema in schemas]
    shared = {name: (kind, types[1][name]) for name, kind in types[0].items() if name in types[1]}
    usable = {name: pair for name, pair in shared.items() if family(pair[0]) == family(pair[1])}
    told = profile(alignment.a, alignment.b, list(usable))
    factory = _Factory(validation, settings, alignment.a, scratch, alignment.ordered)
    made = {name: factory.alone(name, pair, told[name]) for name, pair in usable.items()}
    groups = groups_of(alignment.a, alignment.b, [name for name, one in made.items() if factory.may_be_grouped(one)])
    vectors = [factory.vector(group, made) for group in groups]
    grouped = {name for group in groups for name in group.members}
    alone = [one for name, one in made.items() if name not in grouped]
    return Columns(list(made), Part(alone, vectors), _odd_ones(types, shared, usable))


@dataclass(frozen=True, slots=True)
class _Factory:
    validation: Validation
    settings: Settings
    a: Path
    scratch: Path
    ordered: bool

    def declared(self, name: str) -> ColumnRule:
        return self.validation.columns.get(name, ColumnRule())

    def alone(self, name: str, types: Types, told: Profile) -> ColumnComparison:
        """By type first: a number that is declared to be text is still a number."""
        declared = self.declared(name)
        kind, why = kind_of(name, types[0], told, declared)
        rule = rule_for(name, types[0], kind, declared, self.settings, told.whole)
        of, of_type = OfColumn(name, kind, rule, types, why), family(types[0])
        if of_type == "list":
            return ListColumn(of, _aspect(of, told.whole))
        if of_type == "number" and kind != "label":
            return NumberColumn(
                of, declared, told, lambda: spread(self.a, name, self.scratch, self.settings.memory_limit)
            )
        if of_type == "string" and kind in TEXTS:
            return TEXTS[kind](of)
        if kind == "label":
            limit = self.settings.memory_limit
            asked = (lambda: shares(self.a, name, self.scratch, limit)) if self.ordered else None
            return LabelColumn(of, told.distinct, asked)
        return ExactColumn(of)

    def may_be_grouped(self, comparison: ColumnComparison) -> bool:
        """A probability that has no threshold of its own."""
        of = comparison.of
        fractions = all(pa.types.is_floating(kind) for kind in of.types)
        return of.kind == "probability" and fractions and self.declared(of.name).threshold is None

    def vector(self, group: Group, made: dict[str, ColumnComparison]) -> VectorColumns:
        """The group's columns do not decide by a threshold each: the likeliest class does."""
        members = [one for name in group.members if isinstance(one := made[name], NumberColumn)]
        for member in members:
            member.belongs_to(group.name)
        rule = rule_for(group.name, pa.float64(), "probability", ColumnRule(), self.settings)
        why = f"{len(members)} columns of fractions whose sum is one in every row"
        return VectorColumns(OfColumn(group.name, "probability", rule, members[0].of.types, why), group, members)


def _aspect(of: OfColumn, whole: bool) -> Aspect:
    """What a column of lists is measured by; a ranking of whole numbers is of items, another of scores."""
    if of.kind == "probability":
        return Probabilities()
    return Rankings(scores=not whole) if of.kind == "ranking" else Embeddings(of.name)


def family(kind: pa.DataType) -> str:
    """Types of one family are compared with each other."""
    if pa.types.is_list(kind):
        return "list"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    return str(kind)


def _odd_ones(types: list[dict[str, Any]], shared: dict[str, Types], usable: dict[str, Types]) -> tuple[Column, ...]:
    other = "not comparable: the types are of another family"
    odd = [_odd(name, other, *pair) for name, pair in shared.items() if name not in usable]
    odd += [_odd(n, "only A has this column", kind, None) for n, kind in types[0].items() if n not in shared]
    odd += [_odd(n, "only B has this column", None, kind) for n, kind in types[1].items() if n not in shared]
    return tuple(odd)


def _odd(name: str, note: str, a: Any, b: Any) -> Column:
    one, other = ("" if kind is None else str(kind) for kind in (a, b))
    return Column(show(name, 200), "", "not-comparable", type_a=one, type_b=other, note=note)
