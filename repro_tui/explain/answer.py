"""From what a search found to the report's `causes`."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from repro_tui.explain.culprits import ChangePoint, CulpritGroup, Located
from repro_tui.explain.execution import Executor
from repro_tui.explain.factors import PARAMETERS, VARIABLES, Factors
from repro_tui.explain.game import Attribution
from repro_tui.explain.sentences import masked_told, sentences
from repro_tui.explain.trials import Trials
from repro_tui.model.causes import Causes, Culprit, Interaction, Unresolved
from repro_tui.support.redact import Redactor
from repro_tui.support.text import show

MOST_UNRESOLVED = 50


def causes_of(trials: Trials, attribution: Attribution, found: Sequence[Located]) -> Causes:
    """The whole answer: shares and sets of factors, culprits inside them, what stayed open, and the sentences."""
    order = trials.factors.names
    single = {names[0] for names in attribution.restores if len(names) == 1}
    named = [(one, tuple(_culprits(one, trials.context.redactor, single))) for one in found]
    told = Causes(
        factors=order,
        smallest=attribution.smallest,
        shares={name: _number(share) for name, share in attribution.known_shares.items()},
        interactions=tuple(
            Interaction(tuple(name for name in order if name in chosen), _number(dividend))
            for chosen, dividend in attribution.interactions.items()
        ),
        restores=attribution.restores,
        culprits=tuple(culprit for _, culprits in named for culprit in culprits),
        hybrids=attribution.hybrids,
        separable=not attribution.groups and all(t.culprits.separable for t in found if isinstance(t, CulpritGroup)),
        runs=trials.executor.runs,
        cached=trials.executor.cached,
        unresolved=tuple(_unresolved(attribution, found))[:MOST_UNRESOLVED],
        budget_spent=trials.executor.budget.spent,
    )
    return replace(told, sentences=tuple(sentences(told, attribution, named, trials.factors.notes)))


def masked_causes(factors: Factors, moved: Mapping[str, float], executor: Executor) -> Causes:
    """The answer where nothing drifts: the factors that cancel each other."""
    return Causes(
        factors=factors.names,
        runs=executor.runs,
        cached=executor.cached,
        budget_spent=executor.budget.spent,
        sentences=(masked_told(moved),),
        note="nothing drifts: differences that cancel each other were looked for",
    )


def _number(value: float) -> float:
    return round(value, 6) + 0.0  # no minus zero


def _culprits(one: Located, redactor: Redactor, single: Container[str]) -> Iterator[Culprit]:
    """The guilty things of one search; `single` are the factors that restore A when they alone are reverted."""
    if isinstance(one, ChangePoint):
        yield Culprit(one.factor, one.path, one.a, one.b, sufficient=one.whole)
        return
    culprits, inside = one.culprits, one.inside
    for name in culprits.names:
        a, b = (_hidden(inside.factor, inside.path(name), value, redactor) for value in inside.sides(name))
        enough = culprits.sufficient and len(culprits.names) == 1
        path = tuple(show(part, 300) for part in inside.path(name))
        alone = name in culprits.restoring and inside.factor in single
        yield Culprit(inside.factor, path, a, b, enough, alone)


def _hidden(factor: str, path: tuple[str, ...], value: Any, redactor: Redactor) -> Any:
    """A value as the report may have it: no secret of a parameter, a variable or a file."""
    if value is None:
        return None
    if factor == VARIABLES:
        return redactor.variable(path[-1], value)
    if factor == PARAMETERS:
        return redactor.value(".".join(path), value)
    return redactor.value(path[-1], value) if path[0] == "files" and len(path) > 2 else value


def _unresolved(attribution: Attribution, found: Sequence[Located]) -> Iterator[Unresolved]:
    for chosen, why in attribution.unresolved.items():
        yield Unresolved(tuple(name for name in attribution.factors if name in chosen), why)
    for one in found:
        if isinstance(one, CulpritGroup):
            for names, why in one.culprits.unresolved.items():
                yield Unresolved(tuple(sorted(names)), why)
