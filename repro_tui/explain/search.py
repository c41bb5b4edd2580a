"""The search for the cause of a drift: which factors, then what inside the guilty ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from repro_tui.explain.answer import causes_of, masked_causes
from repro_tui.explain.budget import Budget, BudgetSpent
from repro_tui.explain.culprits import Located
from repro_tui.explain.drill import Drill
from repro_tui.explain.execution import Executor
from repro_tui.explain.factors import VARIABLES, accidental, factors_of
from repro_tui.explain.game import THRESHOLD, Attribution, Value, attribute
from repro_tui.explain.inside.image_packages import image_packages
from repro_tui.explain.measure import NEAR_IN_NOISE
from repro_tui.explain.pair import AuditedPair, nothing_to_explain
from repro_tui.explain.sentences import listed
from repro_tui.explain.trials import Trials
from repro_tui.model.causes import Causes, no_causes
from repro_tui.support.context import Context
from repro_tui.support.text import part


def find_causes(pair: AuditedPair, inputs: Path, context: Context, workers: int) -> Causes:
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
    search = Search(Trials(pair, factors, images, context, Executor(context, inputs, workers, budget)))
    return search.masked() if masked else search.run()


@dataclass(frozen=True, slots=True)
class Search:
    """One search under way."""

    trials: Trials

    def run(self) -> Causes:
        """The factors first, then what is inside those that are needed for B."""
        located: list[Located] = []
        trials, names = self.trials, self.trials.factors.names
        trials.executor.progress(f"factors: {', '.join(names)}")
        with suppress(BudgetSpent):
            trials.steady()
        nothing = trials.ruler.nothing
        attribution = attribute(names, self._values, threshold=max(THRESHOLD, nothing), nothing=nothing)
        trials.executor.tell("factors", attribution.smallest, "is the smallest set that reproduces B")
        with suppress(BudgetSpent):
            for name in guilty(attribution):
                located.extend(self._inside(name, attribution.effects(name)))
        return causes_of(trials, attribution, located)

    def masked(self) -> Causes:
        """Which factors change the predictions alone, though all of them together do not."""
        moved: dict[str, float] = {}
        trials, names = self.trials, self.trials.factors.names
        tried = [trials.asked(frozenset({name})) for name in names] if len(names) > 1 else []
        with suppress(BudgetSpent):
            for asked, outcome in zip(tried, trials.executor.outcomes(tried), strict=True):
                share = 0.0 if outcome.why else self._moved(outcome.runs)
                trials.executor.tell("masked", asked.from_b, outcome.why or f"{part(share)} of the rows move")
                if share:
                    moved[asked.from_b[0]] = share
        return masked_causes(trials.factors, moved, trials.executor)

    def _moved(self, runs: tuple[Path, ...]) -> float:
        """The share of the rows of A in which a hybrid is another, in the column that moves most."""
        projected = self.trials.ruler_between(self.trials.pair.predictions(0), runs).project(runs[0])
        return max((column.moved for column in projected.columns.values()), default=0) / max(1, projected.rows)

    def _values(self, sets: Sequence[frozenset[str]]) -> list[Value]:
        return self.trials.values("factors", [self.trials.asked(chosen) for chosen in sets], self.trials.ruler)

    def _inside(self, factor: str, effects: tuple[float | None, float | None]) -> Iterator[Located]:
        """What inside this factor makes the change, with the others where that shows best: from B, or from A where the
        factor does more there, as what hides it in B is the others' doing."""
        from_b = frozenset(self.trials.factors.names) - {factor}
        in_a, in_b = (abs(effect or 0.0) for effect in effects)
        hidden = in_a - in_b > max(NEAR_IN_NOISE, self.trials.ruler.nothing)
        for others in (frozenset[str](), from_b) if hidden else (from_b, frozenset[str]()):
            ends = self.trials.ends(factor, others)
            if ends is not None and ends.apart:
                yield from Drill(self.trials, factor, others, ends).run()
                return


def guilty(attribution: Attribution) -> tuple[str, ...]:
    """The factors to look into: those that do something that counts, the largest share first."""
    acting = {name for chosen in attribution.dividends for name in chosen} or set(attribution.smallest)
    ranked = sorted(acting, key=lambda name: (-abs(attribution.shares[name]), attribution.factors.index(name)))
    return tuple(ranked)
