"""The cause in plain sentences, the most important first: what a tired person reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from repro_tui.explain.culprits import ChangePoint, CulpritGroup, Located
from repro_tui.explain.factors import CODE, DATA, ENVIRONMENT, MODEL, PACKAGES, PARAMETERS, PREDICT, SYSTEM, VARIABLES
from repro_tui.explain.game import NOTHING, THRESHOLD, Attribution
from repro_tui.explain.lattice import Culprits
from repro_tui.model.causes import Causes, Culprit
from repro_tui.support.text import LEAST_PART, part, plural, show

WORDS = {
    CODE: "the code",
    ENVIRONMENT: "the environment",
    PACKAGES: "the Python packages",
    SYSTEM: "the system layer",
    PARAMETERS: "the parameters",
    MODEL: "the model",
    DATA: "the data",
    VARIABLES: "the environment variables",
    PREDICT: "the predict step",
}
MOST_NAMED = 4
Named = tuple[Located, tuple[Culprit, ...]]
_PLURAL = (PARAMETERS, PACKAGES, VARIABLES)
_PLURAL_WORDS = frozenset(WORDS[name] for name in _PLURAL)
WHOLE = 0.9995  # what is told as 100.0 %


def sentences(causes: Causes, attribution: Attribution, found: Sequence[Named], notes: Sequence[str]) -> Iterator[str]:
    """What made the change, what inside of it, what restores A, and what stayed open."""
    names = Names(causes.culprits)
    yield from factors_told(attribution, names)
    for one, culprits in found:
        yield from _thing(one, culprits) if isinstance(one, CulpritGroup) else _step(one)
    yield from _restores(causes, names)
    yield from _open(causes, attribution)
    yield from (f"{note[0].upper()}{note[1:]}." for note in notes)


class Names:
    """The factors in words; one in which a single thing is guilty is called by that. `plain`: by their own names."""

    def __init__(self, culprits: Sequence[Culprit] = (), *, plain: bool = False) -> None:
        self.culprits, self.plain = culprits, plain

    def factor(self, name: str) -> str:
        """A factor, for the middle of a sentence."""
        inside = [one.path for one in self.culprits if one.factor == name]
        if inside and name in (PARAMETERS, MODEL, DATA, VARIABLES):
            first = inside[0]
            if all(path[: len(first)] == first for path in inside):  # the others are inside of it
                return thing(name, first)
        return show(name, 80) if self.plain else WORDS.get(name, show(name, 80))

    def listed(self, names: Sequence[str], word: str = "and") -> str:
        """Several factors."""
        return listed([self.factor(name) for name in names], word)


def thing(factor: str, path: Sequence[str]) -> str:
    """A thing inside a factor: parameters.boost, numpy, predict.py."""
    if factor in (PARAMETERS, VARIABLES):
        return show(".".join([factor, *path]) if factor == PARAMETERS else path[-1], 120)
    return show(path[-1], 120) if path != ("interpreter",) else "the interpreter"


def listed(words: Sequence[str], word: str = "and") -> str:
    """Words as a list in a sentence."""
    if len(words) > MOST_NAMED:
        words = [*words[: MOST_NAMED - 1], f"{len(words) - MOST_NAMED + 1} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {word} {words[-1]}"


# -- the factors ----------------------------------------------------------------------------------------------------


def factors_told(attribution: Attribution, names: Names | None = None) -> Iterator[str]:
    """What each factor does, alone and together with others."""
    names = names or Names()
    either = [f for f in attribution.factors if _reproduces(attribution, f)]
    if len(attribution.factors) == 1:
        (only,) = attribution.factors
        word = show(only, 80) if names.plain else WORDS[only]
        yield f"Only {word} {'differ' if only in _PLURAL else 'differs'}: the cause is in there."
    elif len(either) > 1:
        yield f"Either of {names.listed(either, 'or')} makes the whole change by itself."
    elif not _all_in_one(attribution):
        yield f"{_start('; '.join(_parts(attribution, names)))}."
        yield from _rest(attribution, names)
    for group in attribution.groups:
        if alone := [factor for factor in either if factor in group and len(either) == 1]:
            yield from _beside(attribution, names, alone, group)
            continue
        yield f"Not separable: {names.listed(group)} cannot be told apart ({_reason(attribution)})."


def masked_told(moved: Mapping[str, float]) -> str:
    """Which factors change the predictions alone, though together they do not."""
    if not moved:
        return "Nothing is masked: no factor changes the predictions when it alone is taken from B."
    names = Names()
    rows = " and ".join(map(part, moved.values()))
    if len(moved) == 1:
        return f"{_start(names.listed(list(moved)))} alone would change {rows} of the rows: the others take that back."
    told = f"{_start(names.listed(list(moved)))} cancel each other: alone they change {rows} of the rows"
    return f"{told}, together none."


def _all_in_one(attribution: Attribution) -> bool:
    return any(len(group) == len(attribution.factors) for group in attribution.groups)


def _rest(attribution: Attribution, names: Names) -> Iterator[str]:
    """The factors that do nothing, or too little to be told."""
    apart = {factor for group in attribution.groups for factor in group}
    told = apart.union(*attribution.dividends)
    rest = [factor for factor in attribution.factors if factor not in told]
    noise = attribution.threshold > THRESHOLD
    idle = [factor for factor in rest if attribution.idle(factor) and not noise]
    still = [factor for factor in rest if abs(attribution.shares[factor]) <= NOTHING and factor not in idle]
    aside = [factor for factor in still if factor in attribution.smallest]
    beside = [factor for factor in rest if factor not in (*idle, *aside)]
    more = [factor for factor in beside if abs(attribution.shares[factor]) >= THRESHOLD and not noise]
    little = [factor for factor in beside if factor not in more]
    if aside:
        yield f"B needs {names.listed(aside)} as well: otherwise rows move that are the same in A and B."
    for factor in more:
        yield f"{_start(names.factor(factor))} explains {part(attribution.shares[factor])}, with others."
    if little:
        least = max(abs(attribution.shares[factor]) for factor in little) < LEAST_PART
        much = "nothing that stands out from the noise" if noise else f"less than {'0.01' if least else '1'} %"
        many = len(little) > 1 or names.factor(little[0]) in _PLURAL_WORDS
        yield f"{_start(names.listed(little))} {'explain' if many else 'explains'} {much}."
    if idle:
        yield f"{_start(names.listed(idle))} {_do(idle)} nothing to it."


def _beside(attribution: Attribution, names: Names, alone: Sequence[str], group: Sequence[str]) -> Iterator[str]:
    """Factors that make the whole change by themselves, beside others of which that could not be tried."""
    yield f"B is reproduced by {names.listed(alone, 'or')} alone."
    for factor in group:
        if (value := attribution.values.get(frozenset({factor}))) and value.score is None:
            why = _briefly(value.why)
            yield f"The effect of {names.factor(factor)} alone is not known: it could not be run ({why})."


def _reproduces(attribution: Attribution, factor: str) -> bool:
    value = attribution.values.get(frozenset({factor}))
    return bool(value and value.reproduces)


def _reason(attribution: Attribution) -> str:
    reasons = list(dict.fromkeys(attribution.unresolved.values()))
    return _briefly(reasons[0]) if reasons else "the budget ended before"


def _briefly(why: str) -> str:
    """Why a hybrid is unresolved: of a program's last words the last, which says what went wrong."""
    head, mark, words = why.partition("its last words: ")
    return show(f"{head}{mark}{words.rpartition('; ')[2]}" if mark else why, 200)


def _parts(attribution: Attribution, names: Names) -> Iterator[str]:
    """What each factor does, the largest first, then what needs several together.

    A factor that does something by itself is told with its share, the one number that it has everywhere, in which a
    part of what it does with others is.
    """
    told = {
        chosen: dividend if len(chosen) > 1 else attribution.shares[min(chosen)]
        for chosen, dividend in attribution.dividends.items()
    }
    ranked = sorted(told.items(), key=lambda item: (-abs(item[1]), len(item[0]), sorted(item[0])))
    for chosen, value in ranked[:MOST_NAMED]:
        of = names.listed([name for name in attribution.factors if name in chosen])
        several = len(chosen) > 1
        inseparable = any(set(chosen) <= set(group) for group in attribution.groups)
        alone = [attribution.dividends.get(frozenset({name}), 0.0) for name in chosen]
        if value < 0 and len(chosen) == 2 and -value <= min(alone) + NOTHING:
            yield f"{of} do the same in {_share(value)} of the change"
        elif value < 0:
            yield f"{of} {_takes(several and not inseparable, several or of in _PLURAL_WORDS)} back {_share(value)}"
        elif several and not inseparable:
            yield f"{_share(value)} of the change needs {of} together"
        else:
            yield f"{of} {'explain' if several or of in _PLURAL_WORDS else 'explains'} {_share(value)}{_of(value)}"
    if more := ranked[MOST_NAMED:]:
        yield f"and {plural(len(more), 'smaller part')}"


def _takes(together: bool, plural: bool) -> str:
    return "together take" if together else "take" if plural else "takes"


def _share(value: float) -> str:
    return "all" if WHOLE <= abs(value) <= 2 - WHOLE else part(value)


def _of(value: float) -> str:
    return " of the change" if _share(value) == "all" else ""


def _do(names: Sequence[str]) -> str:
    return "do" if len(names) > 1 or names[0] in _PLURAL else "does"


# -- inside them ----------------------------------------------------------------------------------------------------


def _thing(one: CulpritGroup, guilty: Sequence[Culprit]) -> Iterator[str]:
    inside, culprits = one.inside, one.culprits
    factor, several = inside.where or WORDS[inside.factor], len(inside.items)
    told = [_changed(culprit) for culprit in guilty]
    if not told:
        yield f"What inside {factor} makes the change was not found."
        return
    if several == 1:
        yield f"In {factor} only one thing differs: {told[0]}."
    elif not culprits.separable:
        yield f"Of {several} differing things in {factor}, {listed(told)} are guilty, and not separable."
    elif len(told) == 1:
        yield f"Of {several} differing things in {factor}, {told[0]} makes the change by itself."
    else:
        together = "together" if culprits.sufficient else "among others"
        yield f"Of {several} differing things in {factor}, {listed(told)} make the change {together}."
    for other in culprits.alternatives:
        apart = listed([thing(inside.factor, inside.path(name)) for name in other])
        yield _instead(apart, len(other), len(told))


def _instead(names: str, count: int, without: int) -> str:
    return f"So {'does' if count == 1 else 'do'} {names}, without {'it' if without == 1 else 'these'}."


def _changed(culprit: Culprit) -> str:
    """A guilty thing with what each side has of it."""
    name, path, a, b = thing(culprit.factor, culprit.path), culprit.path, culprit.a, culprit.b
    if path[0] == "files" and len(path) == 3 and a is b is None:
        return name
    if path[0] == "files" and len(path) < 3:
        return f"{name} (only {'B' if a is None else 'A'} has it)" if a is None or b is None else name
    if a is None or b is None:
        return f"{name} (only {'B' if a is None else 'A'} has it: {show(str(b if a is None else a), 60)})"
    return f"{name} ({show(str(a), 60)} in A, {show(str(b), 60)} in B)"


def culprits_told(found: Culprits, several: int) -> Iterator[str]:
    """Which of several factors are guilty, by their own names."""
    plain = Names(plain=True)
    names = plain.listed(found.names) if found.names else ""
    if not names:
        yield "No guilty factor was found."
    elif not found.separable:
        yield f"Of {several} differing factors, {names} are guilty, and not all of them separable."
    elif len(found.names) == 1:
        yield f"Of {several} differing factors, {names} makes the change by itself."
    else:
        how = "together" if found.sufficient else "in part"
        yield f"Of {several} differing factors, {names} make the change {how}."
    for other in found.alternatives:
        yield _instead(plain.listed(other), len(other), len(found.names))
    if found.restoring:
        yield f"Reverting {plain.listed(sorted(found.restoring), 'or')} alone restores A."


def _step(one: ChangePoint) -> Iterator[str]:
    if one.path[0] == "packages":
        name = show(one.path[1], 80)
        between = f"between releases {show(one.a, 60)} and {show(one.b, 60)}"
        came = f"with release {show(one.b, 60)}" if one.change.exact else between
        yield f"The change of {name} came {came}."
    elif one.change.exact:
        yield f"The change of the code came with commit {show(one.guilty, 60)[:12]} ({show(one.subject, 120)})."
    else:
        skipped = plural(len(one.change.skipped), "commit")
        where = f"between commits {show(one.a, 60)[:12]} and {show(one.b, 60)[:12]}"
        yield f"The change of the code came {where}: {skipped} in between could not be tried."


# -- what restores A, what stayed open ------------------------------------------------------------------------------


def _restores(causes: Causes, names: Names) -> Iterator[str]:
    alone = [one for one in causes.culprits if one.alone]
    if alone:
        told = [f"{thing(one.factor, one.path)} from {_value(one.b)} to {_value(one.a)}" for one in alone]
        yield f"Reverting {listed(told, 'or')} alone restores A."
    elif len(causes.factors) > 1:
        yield from restores_told(causes.restores, names)


def restores_told(restores: Sequence[Sequence[str]], names: Names) -> Iterator[str]:
    """Which factors restore A when they are reverted: one alone, or several together."""
    single = [group[0] for group in restores if len(group) == 1]
    if single:
        yield f"Reverting {names.listed(single, 'or')} alone restores A."
    for group in restores if not single else ():
        yield f"Reverting {names.listed(group)} together restores A."


def _value(value: Any) -> str:
    return "absent" if value is None else show(str(value), 60)


def _open(causes: Causes, attribution: Attribution) -> Iterator[str]:
    if causes.unresolved:
        count = plural(len(causes.unresolved), "mixture")
        yield f"{count} could not be built or run, such as that with B's {listed(list(causes.unresolved[0].from_b))}."
    if causes.budget_spent:
        yield f"The budget was spent after {plural(causes.runs, 'run')}: this is the best answer so far."


def _start(text: str) -> str:
    """A sentence begins with a capital, but a name stays what it is."""
    return text[:1].upper() + text[1:] if text.startswith(("the ", "all ")) else text
