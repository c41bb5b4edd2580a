"""The cause in plain sentences, the most important first: what a tired person reads.

Every sentence is backed by hybrids that were run: "reverting X restores A" only where B without X was run and is A, "X
has no effect" only where no two hybrids that differ in X alone differ in their outputs. A share is the same number in
every sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from repro_tui.explain.coalitions import Coalition
from repro_tui.explain.culprits import ChangePoint, CulpritGroup, Located
from repro_tui.explain.factors import DATA, MODEL, PARAMETERS, VARIABLES
from repro_tui.explain.game import NEGLIGIBLE, THRESHOLD, Attribution
from repro_tui.explain.lattice import Culprits
from repro_tui.model.causes import FACTOR_NAMES, PLURAL_FACTORS, Causes, Culprit
from repro_tui.support.text import LEAST_PART, join_names, last_output, part, plural, show

MOST_NAMED = 4
Named = tuple[Located, tuple[Culprit, ...]]
_PLURAL_NAMES = frozenset(FACTOR_NAMES[name] for name in PLURAL_FACTORS)
WHOLE = 0.9995  # shown as 100.0 %


def sentences(causes: Causes, attribution: Attribution, named: Sequence[Named], notes: Sequence[str]) -> Iterator[str]:
    """What made the change, which items inside it, what restores A, and what is unresolved."""
    names = FactorNaming(causes.culprits)
    yield from factor_sentences(attribution, names)
    for located, culprits in named:
        if isinstance(located, CulpritGroup):
            yield from _group_sentences(located, culprits)
        else:
            yield _change_point_sentence(located)
    yield from _reverting_sentences(causes, names)
    yield from _open_sentences(causes, attribution)
    yield from (f"{note[0].upper()}{note[1:]}." for note in notes)


def remarks(causes: Causes, attribution: Attribution, named: Sequence[Named], notes: Sequence[str]) -> Iterator[str]:
    """The sentences of the answer that no field of `causes` holds, apart from the effects, culprits and what restores.

    They are what remains to be said beside a summary that is made from these fields.
    """
    names = FactorNaming(causes.culprits)
    yield from _group_remarks(attribution, names)
    for located, culprits in named:
        if isinstance(located, CulpritGroup):
            first, *rest = _group_sentences(located, culprits)
            whole = located.culprits.sufficient and located.culprits.separable
            yield from rest if culprits and whole else (first, *rest)
        else:
            yield _change_point_sentence(located)
    yield from _open_sentences(causes, attribution)
    yield from (f"{note[0].upper()}{note[1:]}." for note in notes)


class FactorNaming:
    """How sentences name factors. A factor with a single guilty item is named by that item.

    `plain`: factors are named as they are, as those of any function.
    """

    def __init__(self, culprits: Sequence[Culprit] = (), *, plain: bool = False) -> None:
        self.culprits, self.plain = culprits, plain

    def factor(self, name: str) -> str:
        """A factor, for the middle of a sentence."""
        inside = [culprit.path for culprit in self.culprits if culprit.factor == name]
        if inside and name in (PARAMETERS, MODEL, DATA, VARIABLES):
            first = inside[0]
            if all(path[: len(first)] == first for path in inside):  # all others are inside the first
                return item_name(name, first)
        return show(name, 80) if self.plain else FACTOR_NAMES.get(name, show(name, 80))

    def listed(self, factors: Sequence[str], conjunction: str = "and") -> str:
        """Several factors."""
        return _listed([self.factor(name) for name in factors], conjunction)


def item_name(factor: str, path: Sequence[str]) -> str:
    """The name of an item inside a factor: parameters.boost, numpy, predict.py."""
    if factor in (PARAMETERS, VARIABLES):
        return show(".".join([factor, *path]) if factor == PARAMETERS else path[-1], 120)
    return show(path[-1], 120) if path != ("interpreter",) else "the interpreter"


def _listed(names: Sequence[str], conjunction: str = "and") -> str:
    return join_names(names, conjunction, MOST_NAMED)


# -- the factors ----------------------------------------------------------------------------------------------------


def factor_sentences(attribution: Attribution, names: FactorNaming | None = None) -> Iterator[str]:
    """What each factor does, alone and together with others."""
    names = names or FactorNaming()
    either = [factor for factor in attribution.factors if _reproduces(attribution, factor)]
    if len(attribution.factors) == 1:
        (only,) = attribution.factors
        name = show(only, 80) if names.plain else FACTOR_NAMES[only]
        differ, they = ("differ", "they") if only in PLURAL_FACTORS else ("differs", "it")
        if names.plain:  # all that a function is called with is known
            yield f"Only {name} {differ}, so {they} must be the cause."
        else:  # no hybrid has shown it, and what is not recorded, or cannot be exchanged, may differ too
            yield f"Of what can be exchanged, only {name} {differ}."
    elif len(either) > 1:
        quantifier = "Either" if len(either) == 2 else "Any one of"
        yield f"{quantifier} {names.listed(either, 'or')} alone causes the whole change."
    elif not _is_all_in_one(attribution):
        if effects := list(_effects(attribution, names)):  # none where everything is within the noise
            yield f"{_start('; '.join(effects))}."
        yield from _minor_factors(attribution, names)
    yield from _group_remarks(attribution, names)


def _group_remarks(attribution: Attribution, names: FactorNaming) -> Iterator[str]:
    """Which factors cannot be told apart, and why."""
    either = [factor for factor in attribution.factors if _reproduces(attribution, factor)]
    for group in attribution.groups:
        if alone := [factor for factor in either if factor in group and len(either) == 1]:
            yield from _unknown_effects(attribution, names, alone[0], group)
            continue
        yield f"Not separable: {names.listed(group)} cannot be told apart ({_reason(attribution)})."


def masked_sentence(moved: Mapping[str, float]) -> str:
    """Which factors change the predictions alone, although together they do not.

    `moved` has the share of the rows, 0 to 1, that each of these factors changes alone.
    """
    if not moved:
        return "Nothing is masked: no factor changes the predictions when it alone is taken from B."
    names = FactorNaming()
    subject = _start(names.listed(list(moved)))
    rows = join_names([part(share) for share in moved.values()])
    if len(moved) == 1:
        return f"{subject} alone would change {rows} of the rows, but the other factors cancel that."
    each = ", respectively" if len(moved) > 2 else ""
    return f"{subject} cancel each other out: alone, they change {rows} of the rows{each}; together, none."


def _is_all_in_one(attribution: Attribution) -> bool:
    return any(len(group) == len(attribution.factors) for group in attribution.groups)


def _minor_factors(attribution: Attribution, names: FactorNaming) -> Iterator[str]:
    """The factors without an effect of their own that counts: needed by B, small, or without any effect."""
    grouped = {factor for group in attribution.groups for factor in group}
    reported = grouped.union(*attribution.dividends)
    rest = [factor for factor in attribution.factors if factor not in reported]
    noisy = attribution.threshold > THRESHOLD
    idle = [factor for factor in rest if attribution.idle(factor) and not noisy]
    negligible = [factor for factor in rest if abs(attribution.shares[factor]) <= NEGLIGIBLE and factor not in idle]
    needed = [factor for factor in negligible if factor in attribution.smallest]
    small = [factor for factor in rest if factor not in (*idle, *needed)]
    joint = [factor for factor in small if abs(attribution.shares[factor]) >= THRESHOLD and not noisy]
    if needed:
        it = "it" if len(needed) == 1 and names.factor(needed[0]) not in _PLURAL_NAMES else "them"
        yield (
            f"{_start(names.listed(needed))} must also come from B: "
            f"without {it}, rows that are the same in A and B change."
        )
    for factor in joint:
        yield f"{_explain([factor], names)} {part(attribution.shares[factor])} in combination with others."
    if little := [factor for factor in small if factor not in joint]:
        least = max(abs(attribution.shares[factor]) for factor in little) < LEAST_PART
        least = least and attribution.negligible <= NEGLIGIBLE  # noise below a hundredth hides how little it is
        much = f"less than {'0.01 %' if least else '1 %'}"
        much = "nothing that can be distinguished from noise" if noisy else much
        each = " each" if len(little) > 1 and not noisy else ""
        yield f"{_explain(little, names)} {much}{each}."
    if idle:
        yield f"{_start(names.listed(idle))} {'have' if _is_plural(idle, names) else 'has'} no effect."


def _explain(factors: Sequence[str], names: FactorNaming) -> str:
    return f"{_start(names.listed(factors))} {'explain' if _is_plural(factors, names) else 'explains'}"


def _is_plural(factors: Sequence[str], names: FactorNaming) -> bool:
    return len(factors) > 1 or names.factor(factors[0]) in _PLURAL_NAMES


def _unknown_effects(attribution: Attribution, names: FactorNaming, alone: str, group: Sequence[str]) -> Iterator[str]:
    """A factor that makes the whole change by itself, in a group with others whose own effect could not be tried."""
    yield f"{_start(names.factor(alone))} alone {'reproduce' if _is_plural([alone], names) else 'reproduces'} B."
    for factor in group:
        if (value := attribution.values.get(frozenset({factor}))) and value.score is None:
            why = last_output(value.why)
            yield f"The effect of {names.factor(factor)} alone is not known: that hybrid could not be run ({why})."


def _reproduces(attribution: Attribution, factor: str) -> bool:
    value = attribution.values.get(frozenset({factor}))
    return bool(value and value.reproduces)


def _reason(attribution: Attribution) -> str:
    reasons = list(dict.fromkeys(attribution.unresolved.values()))
    return last_output(reasons[0]) if reasons else "the budget was spent before they could be tried apart"


def _effects(attribution: Attribution, names: FactorNaming) -> Iterator[str]:
    """What each factor does, the largest effect first, and what several factors do together.

    A factor with an effect of its own is given with its share, which includes its part of what it does with others: a
    factor has the same number wherever it is named. A coalition is given with its dividend.
    """
    effects = {
        coalition: dividend if len(coalition) > 1 else attribution.shares[min(coalition)]
        for coalition, dividend in attribution.dividends.items()
    }
    ranked = sorted(effects.items(), key=lambda item: (-abs(item[1]), len(item[0]), sorted(item[0])))
    yield from (_effect_clause(attribution, names, *entry) for entry in ranked[:MOST_NAMED])
    if more := ranked[MOST_NAMED:]:
        yield f"and {plural(len(more), 'smaller effect')}"


def _effect_clause(attribution: Attribution, names: FactorNaming, coalition: Coalition, effect: float) -> str:
    members = [name for name in attribution.factors if name in coalition]
    subject, are_several = names.listed(members), _is_plural(members, names)
    joint = len(members) > 1 and not any(coalition <= set(group) for group in attribution.groups)
    alone = [attribution.dividends.get(frozenset({name}), 0.0) for name in members]
    if effect < 0 and len(members) == 2 and -effect <= min(alone) + NEGLIGIBLE:
        return f"{subject} overlap in {_share(effect)} of the change"
    if effect < 0:
        verb = f"{'together ' if joint else ''}{'offset' if are_several else 'offsets'}"
        return f"{subject} {verb} {_share(effect)}{_of_change(effect)}"
    if joint:
        return f"{_share(effect)} of the change needs {subject} together"
    return f"{subject} {'explain' if are_several else 'explains'} {_share(effect)}{_of_change(effect)}"


def _share(effect: float) -> str:
    return "all" if WHOLE <= abs(effect) <= 2 - WHOLE else part(effect)


def _of_change(effect: float) -> str:
    return " of the change" if _share(effect) == "all" else ""


# -- inside the factors ---------------------------------------------------------------------------------------------


def _group_sentences(located: CulpritGroup, guilty: Sequence[Culprit]) -> Iterator[str]:
    inside, culprits = located.inside, located.culprits
    factor, count = inside.where or FACTOR_NAMES[inside.factor], len(inside.items)
    names = [_with_values(culprit) for culprit in guilty]
    if not names:
        yield f"The cause inside {factor} was not found."
        return
    if count == 1:
        yield f"Only one item differs in {factor}: {names[0]}."
    else:
        yield f"Of {count} differing items in {factor}, {_culprit_clause(_listed(names), len(names), culprits)}"
    for alternative in culprits.alternatives:
        items = _listed([item_name(inside.factor, inside.path(name)) for name in alternative])
        yield _alternative_sentence(items, len(alternative), len(names))


def _culprit_clause(names: str, count: int, culprits: Culprits) -> str:
    """What the culprits do. That they cause the change is said only where a run of just these has shown it."""
    apart = "" if culprits.separable else ", but are not separable"
    if apart and any(len(group) == 1 for group in culprits.groups):
        apart = ", but not all of them are separable"
    if not culprits.sufficient:
        return f"{names} {'is' if count == 1 else 'are'} at least part of the cause{apart}."
    return f"{names} {'alone causes' if count == 1 else 'together cause'} the change{apart}."


def _alternative_sentence(names: str, count: int, without: int) -> str:
    return f"Without {'it' if without == 1 else 'them'}, {names} also {'causes' if count == 1 else 'cause'} the change."


def _with_values(culprit: Culprit) -> str:
    """A culprit with its value on each side."""
    name, path, a, b = item_name(culprit.factor, culprit.path), culprit.path, culprit.a, culprit.b
    if path[0] == "files" and len(path) == 3 and a is b is None:
        return name
    if path[0] == "files" and len(path) < 3:
        return f"{name} (only in {'B' if a is None else 'A'})" if a is None or b is None else name
    if a is None or b is None:
        return f"{name} (only in {'B' if a is None else 'A'}: {show(str(b if a is None else a), 60)})"
    return f"{name} ({show(str(a), 60)} in A, {show(str(b), 60)} in B)"


def culprit_sentences(culprits: Culprits, count: int) -> Iterator[str]:
    """Which of `count` differing factors of a function are guilty, by their own names."""
    plain = FactorNaming(plain=True)
    if culprits.names:
        names = plain.listed(culprits.names)
        yield f"Of {count} differing factors, {_culprit_clause(names, len(culprits.names), culprits)}"
    else:
        yield "No guilty factor was found."
    for alternative in culprits.alternatives:
        yield _alternative_sentence(plain.listed(alternative), len(alternative), len(culprits.names))
    if culprits.restoring:
        yield f"Reverting {plain.listed(sorted(culprits.restoring), 'or')} alone restores A."


def _change_point_sentence(point: ChangePoint) -> str:
    change = point.change
    if point.path[0] == "packages":
        subject, a, b = show(point.path[1], 80), show(point.a, 60), show(point.b, 60)
        exact, between, noun = f"in release {b}", f"between releases {a} and {b}", "release"
    else:
        subject, a, b = "the code", show(point.a, 60)[:7], show(point.b, 60)[:7]
        exact = f"by commit {show(point.guilty, 60)[:7]} ({show(point.subject, 120)})"
        between, noun = f"between commits {a} and {b}", "commit"
    skipped = f": {plural(len(change.skipped), noun)} in between could not be tested" if change.skipped else ""
    return f"The effect of {subject} was introduced {exact if change.exact else between + skipped}."


# -- what restores A, what is unresolved ----------------------------------------------------------------------------


def _reverting_sentences(causes: Causes, names: FactorNaming) -> Iterator[str]:
    alone = [culprit for culprit in causes.culprits if culprit.alone]
    if alone:
        changes = [_reverting_clause(culprit) for culprit in alone]
        verbs = ["", *(verb for verb, _ in changes)]  # a verb is repeated only where it changes
        clauses = [
            clause if verb == before else f"{verb} {clause}"
            for before, (verb, clause) in zip(verbs, changes, strict=False)
        ]
        text = _listed(clauses, "or")
        yield f"{text[0].upper()}{text[1:]} alone restores A."
    elif len(causes.factors) > 1:
        yield from restoring_sentences(causes.restores, names)


def restoring_sentences(restores: Sequence[Sequence[str]], names: FactorNaming) -> Iterator[str]:
    """Which factors restore A when they are reverted: one alone, or several together."""
    single = [group[0] for group in restores if len(group) == 1]
    if single:
        yield f"Reverting {names.listed(single, 'or')} alone restores A."
    for group in restores if not single else ():
        yield f"Reverting {names.listed(group)} together restores A."


def _reverting_clause(culprit: Culprit) -> tuple[str, str]:
    """The verb of reverting a culprit, and its object with the values, as far as they are known."""
    name, a, b = item_name(culprit.factor, culprit.path), culprit.a, culprit.b
    if a is None and b is None:
        return "reverting", name
    if a is None:
        return "removing", name
    if b is None:
        return "adding", f"{name} {show(str(a), 60)} back"
    return "reverting", f"{name} from {show(str(b), 60)} to {show(str(a), 60)}"


def _open_sentences(causes: Causes, attribution: Attribution) -> Iterator[str]:
    if count := len(causes.unresolved):
        example = f"the one with B's {_listed(list(causes.unresolved[0].from_b))}"
        yield f"{plural(count, 'hybrid')} could not be built or run{': ' if count == 1 else ', such as '}{example}."
    if causes.budget_spent:
        yield f"The budget was spent after {plural(causes.runs, 'run')}; this is the best answer so far."


def _start(text: str) -> str:
    """The start of a sentence has a capital, but a name keeps its own spelling."""
    return text[:1].upper() + text[1:] if text.startswith(("the ", "all ")) else text
