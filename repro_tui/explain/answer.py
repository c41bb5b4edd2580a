"""From the result of a search to the report's `causes`."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace

from repro_tui.explain.culprits import ChangePoint, CulpritGroup, Located
from repro_tui.explain.execution import Executor
from repro_tui.explain.factors import PARAMETERS, VARIABLES, Factors
from repro_tui.explain.game import NEGLIGIBLE, Attribution
from repro_tui.explain.sentences import masked_sentence, remarks, sentences
from repro_tui.explain.trials import Trials
from repro_tui.model.causes import Causes, Culprit, Interaction, Unresolved
from repro_tui.support.redact import Redactor
from repro_tui.support.text import show

MOST_UNRESOLVED = 50


def causes_of(trials: Trials, attribution: Attribution, located: Sequence[Located]) -> Causes:
    """The whole answer: shares and sets of factors, culprits inside them, what is unresolved, and the sentences."""
    order = trials.factors.names
    single = {names[0] for names in attribution.restores if len(names) == 1}
    named = [(part, tuple(_culprits(part, trials.context.redactor, single))) for part in located]
    groups = [part for part in located if isinstance(part, CulpritGroup)]
    causes = Causes(
        factors=order,
        smallest=attribution.smallest,
        shares={name: _rounded(share) for name, share in attribution.known_shares.items()},
        interactions=tuple(
            Interaction(tuple(name for name in order if name in coalition), _rounded(dividend))
            for coalition, dividend in attribution.interactions.items()
        ),
        restores=attribution.restores,
        culprits=tuple(culprit for _, culprits in named for culprit in culprits),
        hybrids=attribution.hybrids,
        separable=not attribution.groups and all(group.culprits.separable for group in groups),
        runs=trials.executor.runs,
        cached=trials.executor.cached,
        unresolved=tuple(_unresolved(attribution, groups))[:MOST_UNRESOLVED],
        budget_spent=trials.executor.budget.spent,
        noise=_rounded(attribution.negligible) if attribution.negligible > NEGLIGIBLE else 0.0,
    )
    answer = (causes, attribution, named, trials.factors.notes)
    return replace(causes, sentences=tuple(sentences(*answer)), remarks=tuple(remarks(*answer)))


def masked_causes(factors: Factors, moved: Mapping[str, float], executor: Executor) -> Causes:
    """The answer where there is no drift: the factors that cancel each other out.

    `moved` has the share of the rows, 0 to 1, that each factor changes alone.
    """
    return Causes(
        factors=factors.names,
        runs=executor.runs,
        cached=executor.cached,
        budget_spent=executor.budget.spent,
        sentences=(masked_sentence(moved),),
        note="there is no drift: the search was for differences that cancel each other out",
    )


def _rounded(value: float) -> float:
    return round(value, 6) + 0.0  # no minus zero


def _culprits(located: Located, redactor: Redactor, single: Container[str]) -> Iterator[Culprit]:
    """The culprits of one search; `single` are the factors that restore A when they alone are reverted."""
    if isinstance(located, ChangePoint):
        yield Culprit(located.factor, located.path, located.a, located.b, sufficient=located.whole)
        return
    culprits, inside = located.culprits, located.inside
    for name in culprits.names:
        a, b = (_redacted(inside.factor, inside.path(name), value, redactor) for value in inside.sides(name))
        sufficient = culprits.sufficient and len(culprits.names) == 1
        path = tuple(show(segment, 300) for segment in inside.path(name))
        alone = name in culprits.restoring and inside.factor in single
        cleared = culprits.cleared if sufficient and alone else 0
        yield Culprit(inside.factor, path, a, b, sufficient, alone, cleared)


def _redacted(factor: str, path: tuple[str, ...], value: object, redactor: Redactor) -> object:
    """A value as the report may contain it, without the secrets of a parameter, a variable or a file."""
    if value is None:
        return None
    if factor == VARIABLES:
        return redactor.variable(path[-1], str(value))
    if factor == PARAMETERS:
        return redactor.value(".".join(path), value)
    return redactor.value(path[-1], value) if path[0] == "files" and len(path) > 2 else value


def _unresolved(attribution: Attribution, groups: Sequence[CulpritGroup]) -> Iterator[Unresolved]:
    for coalition, why in attribution.unresolved.items():
        yield Unresolved(tuple(name for name in attribution.factors if name in coalition), why)
    for group in groups:
        for names, why in group.culprits.unresolved.items():
            yield Unresolved(tuple(sorted(names)), why)
