"""The search for the cause of a drift: which factors, then what inside the guilty ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from repro_tui.explain.answer import causes_of, masked_causes
from repro_tui.explain.budget import Budget, BudgetSpent
from repro_tui.explain.drill import Drill, Found
from repro_tui.explain.execution import Asked, Executor, Outcome
from repro_tui.explain.factors import VARIABLES, Factors, accidental, factors_of, parts_of
from repro_tui.explain.game import THRESHOLD, Attribution, Value, attribute
from repro_tui.explain.image_packages import ImagePackages, image_packages
from repro_tui.explain.measure import NEAR_IN_NOISE, REPEATS, Ruler
from repro_tui.explain.pair import Pair, nothing_to_explain
from repro_tui.explain.sentences import listed
from repro_tui.model.causes import Causes, no_causes
from repro_tui.rebuild.hybrid import Parts, hybrid
from repro_tui.support.context import Context
from repro_tui.support.text import part, signed_part


def find_causes(pair: Pair, inputs: Path, context: Context, workers: int) -> Causes:
    """What made B's predictions move, as far as the budget of the settings goes. Raises Cancelled."""
    masked = pair.masked
    why = "" if masked else nothing_to_explain(pair)
    if why:
        return no_causes(why)
    images, note = image_packages(*pair.workspaces, context)
    factors = factors_of(*pair.workspaces, packages_apart=images is not None)
    factors = replace(factors, notes=(*factors.notes, *filter(None, (note,))))
    if not factors.names:
        return no_causes("nothing that was recorded differs between A and B: the cause is not in the records")
    chance = accidental(*pair.workspaces) if factors.names == (VARIABLES,) else ()
    if chance:
        return no_causes(
            f"only {listed(chance)} {'differ' if len(chance) > 1 else 'differs'}, which should not matter: "
            "it is the predict step's own nondeterminism, and no factor is named"
        )
    budget = Budget(context.settings.explain_runs, context.settings.explain_seconds)
    search = Search(pair, factors, images, context, Executor(context, inputs, workers, budget))
    return search.masked() if masked else search.run()


@dataclass(slots=True)
class Search:
    """One search under way. `images`: the two sides' images, where their packages can be exchanged."""

    pair: Pair
    factors: Factors
    images: ImagePackages | None
    context: Context
    executor: Executor
    ruler: Ruler = field(init=False)

    def __post_init__(self) -> None:
        self.ruler = self.ruler_between(self.pair.predictions(0), self.pair.predictions(1))

    def run(self) -> Causes:
        """The factors first, then what is inside those that are needed for B."""
        found: list[Found] = []
        self.executor.progress(f"factors: {', '.join(self.factors.names)}")
        with suppress(BudgetSpent):
            self._steady()
        nothing = self.ruler.nothing
        attribution = attribute(self.factors.names, self._values, threshold=max(THRESHOLD, nothing), nothing=nothing)
        self.executor.tell("factors", attribution.smallest, "is the smallest set that reproduces B")
        with suppress(BudgetSpent):
            for name in guilty(attribution):
                found.extend(self._inside(name, attribution.effects(name)))
        return causes_of(self, attribution, found)

    def _steady(self) -> None:
        """Runs A and B more often where their own runs scatter so much that no hybrid could be told from them."""
        if self.ruler.noisy and self.ruler.width(REPEATS[-1]) > NEAR_IN_NOISE and len(self.ruler.low) < REPEATS[-1]:
            ends = [self.asked(frozenset()), self.asked(frozenset(self.factors.names))]
            low, high = self.executor.outcomes(ends, REPEATS[-1])
            if not low.why and not high.why:
                self.ruler = self.ruler_between(low.runs, high.runs)

    def masked(self) -> Causes:
        """Which factors change the predictions alone, though all of them together do not."""
        moved: dict[str, float] = {}
        tried = [self.asked(frozenset({name})) for name in self.factors.names] if len(self.factors.names) > 1 else []
        with suppress(BudgetSpent):
            for asked, outcome in zip(tried, self.executor.outcomes(tried), strict=True):
                share = 0.0 if outcome.why else self._moved(outcome.runs)
                self.executor.tell("masked", asked.from_b, outcome.why or f"{part(share)} of the rows move")
                if share:
                    moved[asked.from_b[0]] = share
        return masked_causes(self.factors, moved, self.executor)

    def _moved(self, runs: tuple[Path, ...]) -> float:
        """The share of the rows of A in which a hybrid is another, in the column that moves most."""
        found = self.ruler_between(self.pair.predictions(0), runs).project(runs[0])
        return max((column.moved for column in found.columns.values()), default=0) / max(1, found.rows)

    # -- the factors --------------------------------------------------------------------------------------------

    def _values(self, sets: Sequence[frozenset[str]]) -> list[Value]:
        return self.values("factors", [self.asked(chosen) for chosen in sets], self.ruler)

    def asked(self, from_b: frozenset[str]) -> Asked:
        """The hybrid that has these factors from B."""
        known = {frozenset(): 0, frozenset(self.factors.names): 1}
        runs = self.pair.predictions(known[from_b]) if from_b in known else ()
        return Asked(
            tuple(n for n in self.factors.names if n in from_b), lambda c: hybrid(self.parts(from_b, c), c), runs
        )

    def parts(self, from_b: frozenset[str], context: Context) -> Parts:
        """The parts of that hybrid."""
        parts = parts_of(*self.pair.workspaces, from_b)
        return replace(parts, environment=self.images.chosen(from_b, context)) if self.images else parts

    def values(self, stage: str, asked: Sequence[Asked], ruler: Ruler) -> list[Value]:
        """The values of hybrids between the ruler's ends: more runs where noise leaves one of them open."""
        found = repeated(asked, ruler, self.executor.outcomes)
        for one, value in zip(asked, found, strict=True):
            self.executor.tell(stage, one.from_b, told(value), score=value.score, rows_as_b=value.rows_as_b)
        return found

    def ruler_between(self, low: Sequence[Path], high: Sequence[Path]) -> Ruler:
        """The way from some runs to others."""
        return Ruler(low, high, self.pair.area.key, self.pair.columns, self.context, self.pair.noisy)

    # -- inside a factor ----------------------------------------------------------------------------------------

    def _inside(self, factor: str, effects: tuple[float | None, float | None]) -> Iterator[Found]:
        """What inside this factor makes the change, with the others where that shows best: from B, or from A where the
        factor does more there, as what hides it in B is the others' doing."""
        from_b = frozenset(self.factors.names) - {factor}
        in_a, in_b = (abs(effect or 0.0) for effect in effects)
        hidden = in_a - in_b > max(NEAR_IN_NOISE, self.ruler.nothing)
        for others in (frozenset[str](), from_b) if hidden else (from_b, frozenset[str]()):
            ends = self._ends(factor, others)
            if ends is not None and ends.apart:
                yield from Drill(self, factor, others, ends).run()
                return

    def _ends(self, factor: str, others: frozenset[str]) -> Ruler | None:
        wanted = REPEATS[1] if self.pair.noisy else 1
        low, high = self.executor.outcomes([self.asked(others), self.asked(others | {factor})], wanted)
        return None if low.why or high.why else self.ruler_between(low.runs, high.runs)


def repeated(
    asked: Sequence[Asked], ruler: Ruler, outcomes: Callable[[Sequence[Asked], int], Sequence[Outcome]]
) -> list[Value]:
    """The values of hybrids: of one run each, or where runs are noisy of 2, 5 or 10, as many as it takes to be sure."""
    if not ruler.noisy:
        return [_value(outcome, ruler) for outcome in outcomes(asked, 1)]
    found = [_value(outcome, ruler) for outcome in outcomes(asked, REPEATS[0])]
    for before, wanted in pairwise(REPEATS):
        again = [at for at, value in enumerate(found) if not ruler.clear(value, before)]
        measured = outcomes([asked[at] for at in again], wanted) if again else ()
        for at, outcome in zip(again, measured, strict=True):
            found[at] = _value(outcome, ruler)
    return found


def guilty(attribution: Attribution) -> tuple[str, ...]:
    """The factors to look into: those that do something that counts, the largest share first."""
    acting = {name for chosen in attribution.dividends for name in chosen} or set(attribution.smallest)
    ranked = sorted(acting, key=lambda name: (-abs(attribution.shares[name]), attribution.factors.index(name)))
    return tuple(ranked)


def _value(outcome: Outcome, ruler: Ruler) -> Value:
    return Value(None, outcome.why) if outcome.why else ruler.value(outcome.runs)


def told(value: Value) -> str:
    """A value in words, for the ledger."""
    if value.score is None:
        return f"unresolved: {value.why}"
    end = "is B" if value.reproduces else "is A" if value.restores else "is neither"
    rows = f" and {part(value.rows_as_b)} of the moved rows" if value.rows_as_b is not None else ""
    return f"{signed_part(value.score)} of the change{rows}, {end}"
