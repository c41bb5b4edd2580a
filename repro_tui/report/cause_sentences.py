"""The answer to "why" in the summary: what causes the change, what restores A, and what else differs and does nothing.

Nothing is said to have no effect that a hybrid has not shown: a factor "does not matter" where it was tried alone in A,
and was taken alone out of B, and no two hybrids that differ in it alone differ in their outputs: each row is as in A,
or as in B, within the tolerances, and no score moves by more than the rounding of the report. Where runs are noisy, an
effect within the noise of the search is said to be that, and never to be none. What was only tried together does not
matter "together", and what was not tried is said to be untried. `causes.sentences` have the answer in full, on the
screen of the cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from repro_tui.model.causes import FACTOR_NAMES, PLURAL_FACTORS, Causes, Culprit, Hybrid
from repro_tui.report.differences import Difference, are_several, held_by, listed, parameter_name, value_pair
from repro_tui.support.text import join_names, part, plural, show

NEGLIGIBLE = 1e-4  # of the change: what is smaller is "less than 0.01 %", and not nothing
ROUNDED = 1e-6  # scores and shares have six digits in a report: two that are equal differ by no more
MOST_INSIDE, MOST_FACTORS = 2, 4
WHOLE = 0.9995  # shown as 100.0 %
Coalition = frozenset[str]


@dataclass(slots=True)
class CauseWording:
    """The result of a search, worded beside the differences of the areas."""

    causes: Causes
    differences: Sequence[Difference]
    all_known: bool = True  # every area was recorded and could be read
    hybrids: dict[Coalition, Hybrid] = field(init=False)

    def __post_init__(self) -> None:
        every = frozenset(self.causes.factors)
        self.hybrids = {frozenset(hybrid.from_b): hybrid for hybrid in self.causes.hybrids}
        self.hybrids[Coalition()] = Hybrid((), 0.0, 0.0, "A", exact=True)
        self.hybrids[every] = Hybrid(self.causes.factors, 1.0, 1.0, "B", exact=True)

    @property
    def is_noisy(self) -> bool:
        """Whether runs of one side differ: rows as in B are then not counted."""
        return any(hybrid.rows_as_b is None for hybrid in self.causes.hybrids)

    @property
    def idle(self) -> tuple[str, ...]:
        """The factors that were seen to have no effect: tried alone, taken out alone, and in every other pair."""
        if len(self.causes.factors) < 2:
            return ()
        return tuple(name for name in self.causes.factors if self._is_idle(name))

    def _is_idle(self, factor: str) -> bool:
        every = frozenset(self.causes.factors)
        pairs = {
            rest: rest | {factor} for rest in self.hybrids if factor not in rest and rest | {factor} in self.hybrids
        }
        if abs(self.causes.shares.get(factor, 1.0)) > self._no_effect:
            return False
        if factor not in self.causes.shares or not {Coalition(), every - {factor}} <= pairs.keys():
            return False
        return all(self._are_alike(self.hybrids[rest], self.hybrids[both]) for rest, both in pairs.items())

    @property
    def _no_effect(self) -> float:
        """The part of the change up to which an effect is none, or where runs are noisy, cannot be seen."""
        return self.causes.noise if self.is_noisy else ROUNDED

    def _are_alike(self, left: Hybrid, right: Hybrid) -> bool:
        if left.outputs != right.outputs or abs(left.score - right.score) > self._no_effect:
            return False
        if self.is_noisy:
            return True
        return left.rows_as_b == right.rows_as_b if left.outputs == "neither" else left.exact and right.exact

    def is_untried(self, factor: str) -> bool:
        """Whether a factor's share looks like nothing only because no hybrid had it alone: its effect is not known."""
        if factor not in self.causes.shares or factor in self.causes.smallest:
            return False
        nothing = abs(self.causes.shares[factor]) < NEGLIGIBLE
        return nothing and Coalition((factor,)) not in self.hybrids and not self._is_idle(factor)

    @property
    def acting(self) -> list[str]:
        """The factors that are not idle, the largest share first."""
        idle = self.idle
        ranked = sorted(self.causes.factors, key=lambda name: -abs(self.causes.shares.get(name, 0.0)))
        return [name for name in ranked if name not in idle]

    # -- why ----------------------------------------------------------------------------------------------------

    def cause(self) -> str:
        """What causes the change, with old and new values and shares; without a full stop."""
        return f"{_start(self._factors())}{''.join(self._reservations())}"

    def _factors(self) -> str:
        acting = self.acting
        either = [name for name in acting if self._outputs(name) == "B"]
        if len(self.causes.factors) == 1:
            (only,) = self.causes.factors
            inside = self._inside(only)
            return f"only {_generic(only)} {self._only_factor(only)}{f': {inside}' if inside else ''}"
        if len(either) > 1:
            shares = {self.causes.shares.get(name) for name in either}
            each = f" ({_share(shares.pop() or 0.0)} each)" if len(shares) == 1 and None not in shares else ""
            names = join_names([self.factor(name) for name in either], "or", MOST_FACTORS)
            return f"{'either' if len(either) == 2 else 'any one of'} {names} alone causes the whole change{each}"
        return "; ".join(self._effects(acting, either))

    def _only_factor(self, only: str) -> str:
        """What is known of the only factor. That it differs alone is no proof while something else may differ.

        No hybrid of whole factors was run. Inside the factor, those without its only guilty item have shown the cause.
        """
        differ, they, are = ("differ", "they", "are") if only in PLURAL_FACTORS else ("differs", "it", "is")
        if not all(held_by(difference, (only,)) for difference in self.differences):
            differ += " of what can be exchanged"
        elif not self.all_known:
            differ += " of what is known"
        top = self._top(only)
        is_shown = len(top) == 1 and top[0].cleared > 0 and top[0].alone and top[0].sufficient
        return f"{differ}, so {they} {are if is_shown or ' of ' not in differ else 'may be'} the cause"

    def _outputs(self, *factors: str) -> str:
        hybrid = self.hybrids.get(frozenset(factors))
        return hybrid.outputs if hybrid else ""

    def _effects(self, acting: Sequence[str], either: Sequence[str]) -> Iterator[str]:
        """What each factor does, how they act together, and which cannot be told apart."""
        shares = self.causes.shares
        known = [name for name in acting if name in shares and abs(shares[name]) >= NEGLIGIBLE]
        equal = len(known) > 1 and len({_share(shares[name]) for name in known}) == 1 and shares[known[0]] > 0
        if equal:
            yield (
                f"{join_names([self.factor(name) for name in known], most=MOST_FACTORS)} explain "
                f"{_share(shares[known[0]])} of the change each{self._together(known)}"
            )
        elif known:
            more = known[MOST_FACTORS:]
            clauses = [self._effect(name, first=name == known[0]) for name in known[:MOST_FACTORS]]
            if more:
                clauses.append(plural(len(more), "smaller factor"))
            yield f"{join_names(clauses)}{self._together(known)}"
        for name in acting:
            if name in shares and name not in known:
                yield self._minor(name)
        groups = [name for name in self.causes.factors if name not in shares]
        if len(groups) > 1:
            names = join_names([self.factor(name) for name in groups], most=MOST_FACTORS)
            alone = [name for name in either if name in groups]
            apart = "their other effects" if alone else names
            if alone:
                verb = "reproduce" if alone[0] in PLURAL_FACTORS else "reproduces"
                yield f"{self.factor(alone[0])} alone {verb} B"
            yield f"{apart} cannot be told apart, because not every hybrid could be run"

    def _effect(self, name: str, first: bool) -> str:
        share, several = self.causes.shares[name], self._is_plural(name)
        verb = ("explain" if several else "explains") if share > 0 else ("offset" if several else "offsets")
        return f"{self.factor(name)} {verb} {_share(share)}{' of the change' if first else ''}"

    def _minor(self, name: str) -> str:
        """A factor of hardly any share that is not idle: B needs it, or it moves a few rows by little."""
        verb = "explain" if self._is_plural(name) else "explains"
        if name in self.causes.smallest:
            return f"{self.factor(name)} must also come from B, or rows that are alike in A and B would differ"
        if self.is_untried(name):
            return f"the effect of {self.factor(name)} is not known"
        if self.is_noisy:
            return f"{self.factor(name)} {verb} nothing that can be distinguished from noise"
        return f"{self.factor(name)} {verb} less than 0.01 %"

    def _together(self, known: Sequence[str]) -> str:
        joint = [item for item in self.causes.interactions if set(item.factors) <= set(known)]
        if not joint:
            return ""
        whole = sum(self.causes.shares[name] for name in known)
        if joint[0].dividend >= WHOLE * whole and set(joint[0].factors) == set(known):
            return ", but only together"
        return ", in part together" if joint[0].dividend > 0 else ", with some overlap"

    def _reservations(self) -> Iterator[str]:
        """Why the answer rests on less than it seems."""
        if not self.causes.separable and len(self.causes.shares) == len(self.causes.factors):
            yield "; some of these cannot be told apart, as one does not run without the other"
        if count := len(self.causes.unresolved):
            yield f"; {plural(count, 'hybrid')} could not be built or run"
        if self.causes.budget_spent:
            yield "; the budget was spent, so this is only the best answer so far"

    # -- names --------------------------------------------------------------------------------------------------

    def factor(self, name: str, values: bool = True) -> str:
        """A factor by its guilty items, or with what differs in it; `values`: with their values on both sides."""
        inside = self._inside(name, values)
        generic = _generic(name)
        if not inside:
            return generic
        own = name not in ("code", "environment.system", "predict") and self._top(name)
        return inside if own else f"{generic} ({inside})"

    def _is_plural(self, name: str) -> bool:
        top = self._top(name)
        return len(top) > 1 or (not top and name in PLURAL_FACTORS)

    def _top(self, factor: str) -> list[Culprit]:
        """The guilty items of a factor that are not inside others of them; steps of commits and releases are none."""
        top: list[Culprit] = []
        for culprit in self.causes.culprits:
            if culprit.factor != factor or culprit.path == ("commits",) or culprit.path[-1:] == ("release",):
                continue
            if not any(culprit.path[: len(above.path)] == above.path for above in top):
                top.append(culprit)
        return top

    def _inside(self, factor: str, values: bool = True) -> str:
        """The guilty items of a factor in a list, each with its values; else the differences that it holds."""
        top = self._top(factor)
        if not top:
            held = [difference for difference in self.differences if held_by(difference, (factor,))]
            unique = [difference for difference in held if held_by(difference, self.causes.factors) == [factor]]
            unnamed = factor == "code" and not any(difference.is_counted for difference in unique)
            return listed(unique, 2) if values and not unnamed else ""
        return join_names([self._item(culprit, values) for culprit in top], most=MOST_INSIDE + 1)

    def _item(self, culprit: Culprit, values: bool) -> str:
        name = culprit_name(culprit)
        if not values:
            return name
        below = [
            each
            for each in self.causes.culprits
            if each is not culprit
            and each.factor == culprit.factor
            and each.path[: len(culprit.path)] == culprit.path
            and each.path[-1:] != ("release",)
        ]
        if below:
            first = f"{show(below[0].path[-1], 60)} {value_pair(below[0].a, below[0].b)}".strip()
            more = f" and {plural(len(below) - 1, 'more value')}" if len(below) > 1 else ""
            return f"{name} ({first}{more})"
        if culprit.a is None and culprit.b is None:
            return name
        if culprit.a is None or culprit.b is None:
            return f"{name} (only in {'B' if culprit.a is None else 'A'})"
        whole_file = culprit.path[:1] == ("files",) and len(culprit.path) < 3  # its values are ids of its content
        return name if whole_file else f"{name} {value_pair(culprit.a, culprit.b)}".strip()

    # -- what restores A ----------------------------------------------------------------------------------------

    def restoring(self) -> list[list[str]]:
        """What restores A when it is reverted: alternatives, each a list of names; as few as were seen to do so."""
        causes = self.causes
        if alone := [culprit for culprit in causes.culprits if culprit.alone]:
            return [[culprit_name(culprit)] for culprit in alone]
        if len(causes.factors) < 2:
            return []
        fewest = min((len(group) for group in causes.restores), default=0)
        return [[self._whole(name) for name in group] for group in causes.restores if len(group) == fewest]

    def _whole(self, factor: str) -> str:
        """A factor as a whole: by its only item where only one differs in it, since reverting that reverts it all."""
        held = [difference for difference in self.differences if factor in difference.factors]
        top = self._top(factor)
        if len(top) == 1 and len(held) == 1:
            return culprit_name(top[0])
        return _generic(factor)

    def restores(self) -> str:
        """What restores A, without a full stop; "" where no hybrid has shown it, or where that is only everything."""
        groups = self.restoring()
        if not groups:
            return ""
        if len(groups) > 1 and all(len(group) == 1 for group in groups):
            names = join_names([group[0] for group in groups], "or", MOST_FACTORS)
            return f"reverting {names} alone restores A"
        if len(groups) > 1:
            texts = [join_names(group, most=MOST_FACTORS) for group in groups]
            return f"reverting {join_names(texts, 'or', 3)} together restores A"
        (group,) = groups
        if len(group) == 2 and set(group) == {self.factor(name, values=False) for name in self.acting}:
            return "reverting both together restores A"
        together = " together" if len(group) > 1 else " alone"
        return f"reverting {join_names(group, most=MOST_FACTORS)}{together} restores A"

    # -- what else differs --------------------------------------------------------------------------------------

    def others(self) -> str:
        """What else differs: what was seen to do nothing, and what was not tested; without a full stop.

        What was only tried as a whole is only cleared as a whole: two of its differences may cancel each other out.
        """
        idle = self.idle
        harmless: dict[tuple[str, ...], list[Difference]] = {}
        cleared: dict[str, list[Difference]] = {}
        untested: list[Difference] = []
        for difference in self.differences:
            holders = held_by(difference, self.causes.factors)
            if holders and all(name in idle for name in holders):
                harmless.setdefault(tuple(holders), []).append(difference)
            elif self._cleared_beside(difference, holders):
                cleared.setdefault(holders[0], []).append(difference)
            elif not self._is_named(difference, holders):
                untested.append(difference)
        clauses = [*self._idle_clauses(harmless), *self._cleared_clauses(cleared)]
        if untested:
            differ = "differ" if are_several(untested) else "differs"
            clauses.append(f"{listed(untested)} also {differ} (not tested{' apart' if self.acting else ''})")
        return "; ".join(clauses)

    def _idle_clauses(self, harmless: dict[tuple[str, ...], list[Difference]]) -> Iterator[str]:
        """What is in the factors that do nothing: all of them together where that was run, else factor by factor."""
        extra = [_generic(name) for name in self.idle if not any(name in each.factors for each in self.differences)]
        each = [difference for group in harmless.values() for difference in group]
        several = [factors for factors, group in harmless.items() if are_several(group) or len(factors) > 1]
        if not several or self.is_noisy or self._do_nothing_together():
            names = [*filter(None, [listed(each)]), *extra]
            if names:
                many = are_several(each) or len(extra) + len(each) > 1
                yield f"{join_names(names)} also {self._shown(many, together=bool(several))}"
            return
        single = [difference for factors, group in harmless.items() if factors not in several for difference in group]
        if names := [*filter(None, [listed(single)]), *extra]:
            yield f"{join_names(names)} also {self._shown(len(single) + len(extra) > 1)}"
        for factors in several:
            if len(factors) > 1:  # which of them holds each difference is not known
                names = [_generic(name) for name in factors]
                yield f"{join_names(names)} also differ and, each by itself, do not matter here"
            else:
                yield f"{listed(harmless[factors])} also {self._shown(many=True, together=True)}"

    def _do_nothing_together(self) -> bool:
        """Whether the idle factors were seen to do nothing all together, added to A and taken from B."""
        idle, every = frozenset(self.idle), frozenset(self.causes.factors)
        pairs = ((Coalition(), idle), (every - idle, every))
        known = [(self.hybrids[a], self.hybrids[b]) for a, b in pairs if a in self.hybrids and b in self.hybrids]
        return len(known) == len(pairs) and all(self._are_alike(left, right) for left, right in known)

    def _cleared_clauses(self, cleared: dict[str, list[Difference]]) -> Iterator[str]:
        """What differs beside the only guilty item of a factor."""
        for factor, group in cleared.items():
            many, more = are_several(group), self._top(factor)[0].cleared - len(group)
            if more > 0:  # of which the report has no difference of its own
                differ, matter = ("differ", "do not") if many else ("differs", "does not")
                yield f"{listed(group)} also {differ} and, together with {more:,} more, {matter} matter here"
            else:
                yield f"{listed(group)} also {self._shown(many, together=many)}"

    def _shown(self, many: bool, *, together: bool = False) -> str:
        if self.is_noisy:
            effect = "their effect" if many else "its effect"
            return f"{'differ' if many else 'differs'}, and {effect} cannot be distinguished from noise"
        if not many:
            return "differs and does not matter here"
        return f"differ and {'together ' if together else ''}do not matter here"

    def _cleared_beside(self, difference: Difference, holders: Sequence[str]) -> bool:
        """Whether it is beside the only guilty package or parameter, and all beside that was seen to do nothing.

        What follows from the packages, such as the BLAS that comes with numpy, is not cleared by that.
        """
        if len(holders) != 1 or (difference.path[:1] not in (("packages",),) and difference.area != "parameters"):
            return False
        top = self._top(holders[0])
        if any(difference.path == culprit.path for culprit in top):
            return False
        return len(top) == 1 and top[0].alone and top[0].sufficient and top[0].cleared > 0 and not self.is_noisy

    def _is_named(self, difference: Difference, holders: Sequence[str]) -> bool:
        """Whether the sentence of the cause has named a difference, or a factor that has it."""
        for factor in holders:
            top = self._top(factor)
            if factor not in self.idle and (not top or factor == "code"):
                return True
            for culprit in top:
                path = culprit.path[1:2] if culprit.path[:1] == ("files",) else culprit.path
                if path == difference.path or "/".join(path).startswith(f"{'/'.join(difference.path)}/"):
                    return True
                if path[: len(difference.path)] == difference.path:
                    return True
        return False


def culprit_name(culprit: Culprit) -> str:
    """A guilty item by its name: parameters.threshold, numpy, predict.py."""
    if culprit.factor == "parameters":
        return parameter_name(culprit.path)
    if culprit.path[:1] == ("files",) and len(culprit.path) > 1:
        return show(" ".join(culprit.path[1:]), 120)
    return "the interpreter" if culprit.path == ("interpreter",) else show(culprit.path[-1], 120)


def _generic(factor: str) -> str:
    return FACTOR_NAMES.get(factor, show(factor, 80))


def _share(share: float) -> str:
    return "all" if WHOLE <= abs(share) <= 2 - WHOLE else part(share)


def _start(text: str) -> str:
    """The start of a sentence has a capital, but a name keeps its own spelling."""
    return text[:1].upper() + text[1:] if text.startswith(("the ", "only ", "either ", "any ")) else text
