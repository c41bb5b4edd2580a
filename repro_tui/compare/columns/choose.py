"""Chooses what compares each output column, by its kind and type, and finds the columns that cannot be compared.

Columns are compared alone or as members of a vector of probabilities. The type comes before the kind: a number that is
declared to be text is still compared as a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.cells import ColumnComparison, ComparisonSpec
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
from repro_tui.compare.rows.arrays import is_number_type
from repro_tui.model.predictions import Column
from repro_tui.model.record import ColumnRule, Kind, Validation
from repro_tui.model.request import Settings
from repro_tui.support.text import show

TEXTS: dict[Kind, type[ExactColumn]] = {"text": TextColumn, "ranking": RankingColumn}

Types = tuple[pa.DataType, pa.DataType]  # of one column in A and in B
Schema = dict[str, pa.DataType]  # of one side, without the key


@dataclass(frozen=True, slots=True)
class Columns:
    """The `names` of the compared columns in order, their comparisons, and the results of those not comparable."""

    names: list[str]
    compared: ColumnBatch
    odd: tuple[Column, ...]

    def results(self) -> Iterator[Column]:
        """The results of the vectors, then those of all columns in order, then those that cannot be compared."""
        yield from (vector.result() for vector in self.compared.vectors)
        columns = {column.spec.name: column for column in self.compared.columns}
        yield from (columns[name].result() for name in self.names)
        yield from self.odd


def columns_of(alignment: Alignment, validation: Validation, settings: Settings, key: tuple[str, ...]) -> Columns:
    """What compares each column that both sides have, and the columns and vectors that cannot be compared.

    The columns of the `key` are not compared. `validation` declares kinds and tolerances, which `settings` overrides.
    """
    schemas = [pq.read_schema(path) for path in (alignment.a, alignment.b)]
    types: list[Schema] = [{field.name: field.type for field in schema if field.name not in key} for schema in schemas]
    shared = {name: (kind, types[1][name]) for name, kind in types[0].items() if name in types[1]}
    usable = {name: pair for name, pair in shared.items() if family(pair[0]) == family(pair[1])}
    profiles = profile(alignment.a, alignment.b, list(usable))
    factory = _Factory(validation, settings, alignment)
    comparisons = {name: factory.alone(name, pair, profiles[name]) for name, pair in usable.items()}
    declared = declared_groups(validation.columns)
    unfit = {group: problem for group in declared if (problem := _problem(group, comparisons, types))}
    groups = factory.groups([group for group in declared if group not in unfit], comparisons)
    vectors = [factory.vector(group, comparisons) for group in groups]
    grouped = {name for group in groups for name in group.members}
    alone = [comparison for name, comparison in comparisons.items() if name not in grouped]
    not_compared = _not_compared(types, shared, usable, unfit)
    return Columns(list(comparisons), ColumnBatch(alone, vectors), not_compared)


@dataclass(frozen=True, slots=True)
class _Factory:
    validation: Validation
    settings: Settings
    alignment: Alignment

    def declared(self, name: str) -> ColumnRule:
        return self.validation.columns.get(name, ColumnRule())

    def alone(self, name: str, types: Types, profile: Profile) -> ColumnComparison:
        """The comparison of one column by itself."""
        declared = self.declared(name)
        floating = next((kind for kind in types if pa.types.is_floating(kind)), types[0])
        kind, why = kind_of(name, floating, profile, declared)
        type_family = family(types[0])
        items = profile.whole and type_family == "list"  # a single number ranks its row: it is a score
        rule = rule_for(name, ruling(types), kind, declared, self.settings, whole=items, typical=profile.typical)
        spec = ComparisonSpec(name, kind, rule, types, why)
        if type_family == "list":
            return ListColumn(spec, _aspect(spec, profile.whole))
        if type_family == "number" and kind != "label":
            a, database = self.alignment.a, self.alignment.database
            return NumberColumn(spec, declared, profile, partial(spread, a, name, database))
        if type_family == "string" and kind == "json":
            return JsonColumn(spec, profile.sizes)
        if type_family == "string" and kind in TEXTS:
            return TEXTS[kind](spec)
        return self._label(spec, profile) if kind == "label" else ExactColumn(spec)

    def _label(self, spec: ComparisonSpec, profile: Profile) -> LabelColumn:
        """The labels of A's whole file can be counted only where all of its rows are matched."""
        count_labels = partial(shares, self.alignment.a, spec.name, self.alignment.database)
        return LabelColumn(spec, profile.distinct, count_labels if self.alignment.ordered else None)

    def may_be_grouped(self, comparison: ColumnComparison) -> bool:
        """Whether a column may be a member of an inferred vector.

        It must be a probability without a threshold of its own that the record does not assign to a vector.
        """
        spec, declared = comparison.spec, self.declared(comparison.spec.name)
        fractions = all(pa.types.is_floating(kind) for kind in spec.types)
        return spec.kind == "probability" and fractions and declared.threshold is None and declared.vector is None

    def groups(self, declared: list[Group], comparisons: dict[str, ColumnComparison]) -> list[Group]:
        """The vectors that the record declares, and those that are inferred."""
        a, b = self.alignment.a, self.alignment.b
        checked = [replace(group, sums=sums_to_one(a, b, group.members)) for group in declared]
        free = [name for name, comparison in comparisons.items() if self.may_be_grouped(comparison)]
        return checked + groups_of(a, b, free)

    def vector(self, group: Group, comparisons: dict[str, ColumnComparison]) -> VectorColumns:
        """The comparison of a vector, whose columns have no thresholds: the most likely class decides."""
        members = [column for name in group.members if isinstance(column := comparisons[name], NumberColumn)]
        for member in members:
            member.belongs_to(group.name)
        why = f"{len(members)} columns of fractions that sum to one in every row"
        if self.declared(group.members[0]).vector is not None:
            why = ""
        spec = ComparisonSpec(group.name, "probability", _rule_of(members), members[0].spec.types, why)
        return VectorColumns(spec, group, members)


def _rule_of(members: list[NumberColumn]) -> Rule:
    """The rule that a vector's columns have in common, or the loosest of theirs."""
    rules = [member.spec.rule for member in members]
    loosest = max(rules, key=lambda rule: (rule.atol, rule.rtol))
    alike = all((rule.atol, rule.rtol) == (loosest.atol, loosest.rtol) for rule in rules)
    origin = loosest.origin if alike else f"{loosest.origin}, the loosest of its columns"
    return replace(loosest, no_flips=True, origin=origin)


def _problem(group: Group, comparisons: dict[str, ColumnComparison], types: list[Schema]) -> str:
    """Why a declared vector cannot be compared ("" where it can)."""
    if any(group.name in side for side in types):
        return "the record gives the vector the name of an output column: choose another name"
    for name in group.members:
        kinds = [side.get(name) for side in types]
        if None in kinds:
            return f"{name} is not a column of both sides"
        if not isinstance(comparisons.get(name), NumberColumn):
            type_names = " and ".join(sorted({str(kind) for kind in kinds}))
            return f"{name} is {type_names}: the columns of a vector must be numbers"
    return ""


def _unfit(group: Group, problem: str) -> Column:
    """The result of a vector that cannot be compared. Its name is marked, since a column may have the same name."""
    name = f"{show(group.name, 180)} (vector)"
    return Column(name, "probability", "not-comparable", note=show(problem, 300), members=group.members)


def _aspect(spec: ComparisonSpec, whole: bool) -> Aspect:
    """What a column of lists is measured by; a ranking of whole numbers holds items, any other ranking scores."""
    if spec.kind == "probability":
        return Probabilities()
    return Rankings(scores=not whole) if spec.kind == "ranking" else Embeddings(spec.name)


def family(kind: pa.DataType) -> str:
    """The family of a type: only types of one family are compared with each other."""
    if pa.types.is_list(kind):
        return "list"
    if is_number_type(kind):
        return "number"
    return str(kind)


def _not_compared(
    types: list[Schema], shared: dict[str, Types], usable: dict[str, Types], unfit: dict[Group, str]
) -> tuple[Column, ...]:
    """The results of the columns and vectors that cannot be compared, each with the reason as its note."""
    unlike = "not comparable: the types belong to different families"
    columns = [_not_comparable(name, unlike, *pair) for name, pair in shared.items() if name not in usable]
    only_a, only_b = ({name: kind for name, kind in side.items() if name not in shared} for side in types)
    columns += [_not_comparable(name, "only A has this column", kind, None) for name, kind in only_a.items()]
    columns += [_not_comparable(name, "only B has this column", None, kind) for name, kind in only_b.items()]
    return *columns, *(_unfit(group, problem) for group, problem in unfit.items())


def _not_comparable(name: str, note: str, a: pa.DataType | None, b: pa.DataType | None) -> Column:
    type_a, type_b = ("" if kind is None else str(kind) for kind in (a, b))
    return Column(show(name, 200), "", "not-comparable", type_a=type_a, type_b=type_b, note=note)
