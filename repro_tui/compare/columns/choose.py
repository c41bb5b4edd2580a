"""What compares each output column: by its kind and type, alone or as one of a vector; and those that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.cells import ColumnComparison, OfColumn
from repro_tui.compare.columns.exact import ExactColumn
from repro_tui.compare.columns.feeding import ColumnBatch
from repro_tui.compare.columns.json import JsonColumn
from repro_tui.compare.columns.kinds import Profile, kind_of, profile, shares, spread
from repro_tui.compare.columns.labels import LabelColumn
from repro_tui.compare.columns.lists.base import Aspect, ListColumn
from repro_tui.compare.columns.lists.embedding import Embeddings
from repro_tui.compare.columns.lists.probability import Probabilities
from repro_tui.compare.columns.lists.ranking import Rankings
from repro_tui.compare.columns.numbers import NumberColumn
from repro_tui.compare.columns.ranking import RankingColumn
from repro_tui.compare.columns.text import TextColumn
from repro_tui.compare.columns.tolerance import Rule, rule_for, ruling
from repro_tui.compare.columns.vectors import Group, VectorColumns, declared_groups, groups_of, sums_to_one
from repro_tui.compare.rows.alignment import Alignment
from repro_tui.model.predictions import Column
from repro_tui.model.record import ColumnRule, Kind, Validation
from repro_tui.model.request import Settings
from repro_tui.support.text import show

TEXTS: dict[Kind, type[ExactColumn]] = {"text": TextColumn, "ranking": RankingColumn}

Types = tuple[pa.DataType, pa.DataType]


@dataclass(frozen=True, slots=True)
class Columns:
    """What is compared: columns alone, vectors of several, and the results of those that cannot be."""

    names: list[str]
    compared: ColumnBatch
    odd: tuple[Column, ...]

    def results(self) -> Iterator[Column]:
        """The vectors, then every column in its order."""
        yield from (vector.column() for vector in self.compared.vectors)
        found = {one.of.name: one for one in self.compared.columns}
        yield from (found[name].column() for name in self.names)
        yield from self.odd


def columns_of(alignment: Alignment, validation: Validation, settings: Settings, key: tuple[str, ...]) -> Columns:
    """What compares each shared column, and the columns that cannot be compared."""
    schemas = [pq.read_schema(path) for path in (alignment.a, alignment.b)]
    types = [{field.name: field.type for field in schema if field.name not in key} for schema in schemas]
    shared = {name: (kind, types[1][name]) for name, kind in types[0].items() if name in types[1]}
    usable = {name: pair for name, pair in shared.items() if family(pair[0]) == family(pair[1])}
    told = profile(alignment.a, alignment.b, list(usable))
    factory = _Factory(validation, settings, alignment)
    made = {name: factory.alone(name, pair, told[name]) for name, pair in usable.items()}
    declared = declared_groups(validation.columns)
    unfit = {group: problem for group in declared if (problem := _problem(group, made, types))}
    groups = factory.groups([group for group in declared if group not in unfit], made)
    vectors = [factory.vector(group, made) for group in groups]
    grouped = {name for group in groups for name in group.members}
    alone = [one for name, one in made.items() if name not in grouped]
    return Columns(list(made), ColumnBatch(alone, vectors), _odd_ones(types, shared, usable, unfit))


@dataclass(frozen=True, slots=True)
class _Factory:
    validation: Validation
    settings: Settings
    alignment: Alignment

    def declared(self, name: str) -> ColumnRule:
        return self.validation.columns.get(name, ColumnRule())

    def alone(self, name: str, types: Types, told: Profile) -> ColumnComparison:
        """By type first: a number that is declared to be text is still a number."""
        declared = self.declared(name)
        floating = next((one for one in types if pa.types.is_floating(one)), types[0])
        kind, why = kind_of(name, floating, told, declared)
        rule = rule_for(name, ruling(types), kind, declared, self.settings, whole=told.whole, typical=told.typical)
        of, of_type = OfColumn(name, kind, rule, types, why), family(types[0])
        if of_type == "list":
            return ListColumn(of, _aspect(of, told.whole))
        if of_type == "number" and kind != "label":
            return NumberColumn(of, declared, told, partial(spread, self.alignment.a, name, self.alignment.database))
        if of_type == "string" and kind == "json":
            return JsonColumn(of, told.sizes)
        if of_type == "string" and kind in TEXTS:
            return TEXTS[kind](of)
        if kind == "label":
            of_a = partial(shares, self.alignment.a, name, self.alignment.database)
            asked = of_a if self.alignment.ordered else None
            return LabelColumn(of, told.distinct, asked)
        return ExactColumn(of)

    def may_be_grouped(self, comparison: ColumnComparison) -> bool:
        """A probability that has no threshold of its own, and that the record does not name a vector for."""
        of, declared = comparison.of, self.declared(comparison.of.name)
        fractions = all(pa.types.is_floating(kind) for kind in of.types)
        return of.kind == "probability" and fractions and declared.threshold is None and declared.vector is None

    def groups(self, declared: list[Group], made: dict[str, ColumnComparison]) -> list[Group]:
        """The vectors that the record names, and those that are found."""
        a, b = self.alignment.a, self.alignment.b
        told = [replace(group, sums=sums_to_one(a, b, group.members)) for group in declared]
        return told + groups_of(a, b, [name for name, one in made.items() if self.may_be_grouped(one)])

    def vector(self, group: Group, made: dict[str, ColumnComparison]) -> VectorColumns:
        """The group's columns do not decide by a threshold each: the likeliest class does."""
        members = [one for name in group.members if isinstance(one := made[name], NumberColumn)]
        for member in members:
            member.belongs_to(group.name)
        why = f"{len(members)} columns of fractions whose sum is one in every row"
        if self.declared(group.members[0]).vector is not None:
            why = ""
        of = OfColumn(group.name, "probability", _rule_of(members), members[0].of.types, why)
        return VectorColumns(of, group, members)


def _rule_of(members: list[NumberColumn]) -> Rule:
    """The rule of a vector's columns, or the loosest of theirs."""
    rules = [member.of.rule for member in members]
    loosest = max(rules, key=lambda rule: (rule.atol, rule.rtol))
    alike = all((rule.atol, rule.rtol) == (loosest.atol, loosest.rtol) for rule in rules)
    origin = loosest.origin if alike else f"{loosest.origin}, the loosest of its columns"
    return replace(loosest, no_flips=True, origin=origin)


def _problem(group: Group, made: dict[str, ColumnComparison], types: list[dict[str, Any]]) -> str:
    """Why a vector that the record names is none of these outputs ("" where it is)."""
    if any(group.name in side for side in types):
        return "the record names a vector as a column of the outputs is named"
    for name in group.members:
        kinds = [side.get(name) for side in types]
        if None in kinds:
            return f"{name} is not a column of both sides"
        if not isinstance(made.get(name), NumberColumn):
            return f"{name} is {' and '.join(sorted({str(kind) for kind in kinds}))}: a vector is of numbers"
    return ""


def _unfit(group: Group, problem: str) -> Column:
    """A vector that cannot be compared. Its name may be a column's."""
    name = f"{show(group.name, 180)} (vector)"
    return Column(name, "probability", "not-comparable", note=show(problem, 300), members=group.members)


def _aspect(of: OfColumn, whole: bool) -> Aspect:
    """What a column of lists is measured by; a ranking of whole numbers is of items, another of scores."""
    if of.kind == "probability":
        return Probabilities()
    return Rankings(scores=not whole) if of.kind == "ranking" else Embeddings(of.name)


def family(kind: pa.DataType) -> str:
    """Types of one family are compared with each other."""
    if pa.types.is_list(kind):
        return "list"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    return str(kind)


def _odd_ones(
    types: list[dict[str, Any]], shared: dict[str, Types], usable: dict[str, Types], unfit: dict[Group, str]
) -> tuple[Column, ...]:
    other = "not comparable: the types are of another family"
    odd = [_odd(name, other, *pair) for name, pair in shared.items() if name not in usable]
    odd += [_odd(n, "only A has this column", kind, None) for n, kind in types[0].items() if n not in shared]
    odd += [_odd(n, "only B has this column", None, kind) for n, kind in types[1].items() if n not in shared]
    return *odd, *(_unfit(group, problem) for group, problem in unfit.items())


def _odd(name: str, note: str, a: Any, b: Any) -> Column:
    one, other = ("" if kind is None else str(kind) for kind in (a, b))
    return Column(show(name, 200), "", "not-comparable", type_a=one, type_b=other, note=note)
