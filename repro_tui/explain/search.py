"""The search for the cause of a drift: which factors first, then which items inside the guilty factors.

1. Are there two rebuilt sides with a drift between them? If not, the answer says why not.
2. Which parts differ (`factors`), and how much of the change does each make (`game`)?
3. For each factor that counts, the largest share first: which items inside it are guilty (`drill`)?

The search stops where the budget of the settings ends; what is known by then is the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from repro_tui.explain.answer import causes_of, masked_causes
from repro_tui.explain.budget import Budget, BudgetSpent
from repro_tui.explain.coalitions import Coalition
from repro_tui.explain.culprits import Located
from repro_tui.explain.drill import Drill
from repro_tui.explain.execution import Executor
from repro_tui.explain.factors import VARIABLES, accidental, factors_of
from repro_tui.explain.game import THRESHOLD, Attribution, Value, attribute
from repro_tui.explain.inside.image_packages import image_packages
from repro_tui.explain.measure import NEAR_IN_NOISE
from repro_tui.explain.pair import AuditedPair, nothing_to_explain
from repro_tui.explain.trials import Trials
from repro_tui.model.causes import Causes, no_causes
from repro_tui.support.context import Context
from repro_tui.support.text import join_names, part


def find_causes(pair: AuditedPair, inputs: Path, context: Context, workers: int) -> Causes:
    """The cause of the drift between A and B, as far as the budget of the settings allows.

    `inputs` are the validation inputs on which hybrids run, `workers` how many may run at the same time. Hybrids and
    the ledger are kept in `context.folder`. Raises Cancelled.
    """
    masked = pair.masked
    why = "" if masked else nothing_to_explain(pair)
    if why:
        return no_causes(why)
    images, note = image_packages(*pair.workspaces, context)
    factors = factors_of(*pair.workspaces, packages_apart=images is not None)
    factors = replace(factors, notes=(*factors.notes, *filter(None, (note,))))
    if not factors.names:
        return no_causes("nothing that the records describe differs between A and B: the cause is outside of them")
    variables = accidental(*pair.workspaces) if factors.names == (VARIABLES,) else ()
    if variables:
        return no_causes(
            f"only {join_names(variables)} {'differ' if len(variables) > 1 else 'differs'}, which should not affect "
            "predictions: the change is the predict step's own nondeterminism, so no factor is named"
        )
    budget = Budget(context.settings.explain_runs, context.settings.explain_seconds)
    search = Search(Trials(pair, factors, images, context, Executor(context, inputs, workers, budget)))
    return search.masked() if masked else search.run()


@dataclass(frozen=True, slots=True)
class Search:
    """One search in progress."""

    trials: Trials

    def run(self) -> Causes:
        """The factors first, then what is inside those that have an effect."""
        located: list[Located] = []
        trials, names = self.trials, self.trials.factors.names
        trials.executor.progress(f"factors: {', '.join(names)}")
        with suppress(BudgetSpent):
            trials.refine_ruler()
        negligible = trials.ruler.negligible
        attribution = attribute(names, self._values, threshold=max(THRESHOLD, negligible), negligible=negligible)
        trials.executor.log_hybrid("factors", attribution.smallest, "is the smallest set that reproduces B")
        with suppress(BudgetSpent):
            for name in guilty(attribution):
                located.extend(self._inside(name, attribution.effects(name)))
        return causes_of(trials, attribution, located)

    def masked(self) -> Causes:
        """Which factors change the predictions alone, although all of them together do not."""
        moved: dict[str, float] = {}
        trials, names = self.trials, self.trials.factors.names
        requests = [trials.request(frozenset({name})) for name in names] if len(names) > 1 else []
        with suppress(BudgetSpent):
            for request, result in zip(requests, trials.executor.results(requests), strict=True):
                share = 0.0 if result.why else self._moved_share(result.runs)
                summary = result.why or f"{part(share)} of the rows move"
                trials.executor.log_hybrid("masked", request.from_b, summary)
                if share:
                    moved[request.from_b[0]] = share
        return masked_causes(trials.factors, moved, trials.executor)

    def _moved_share(self, runs: tuple[Path, ...]) -> float:
        """The share of the rows, 0 to 1, in which a hybrid differs from A, in the column that moves most."""
        projection = self.trials.ruler_between(self.trials.pair.predictions(0), runs).project(runs[0])
        return max((column.moved for column in projection.columns.values()), default=0) / max(1, projection.rows)

    def _values(self, coalitions: Sequence[Coalition]) -> list[Value]:
        requests = [self.trials.request(coalition) for coalition in coalitions]
        return self.trials.values("factors", requests, self.trials.ruler)

    def _inside(self, factor: str, effects: tuple[float | None, float | None]) -> Iterator[Located]:
        """The guilty items inside a factor, with the other factors from the side where the effect shows best.

        That is B, unless the factor has a larger effect in A: what hides it in B is the work of other factors. Where
        the two ends of that side do not differ or do not run, the opposite side is used.
        """
        rest = frozenset(self.trials.factors.names) - {factor}
        in_a, in_b = (abs(effect or 0.0) for effect in effects)
        hidden_in_b = in_a - in_b > max(NEAR_IN_NOISE, self.trials.ruler.negligible)
        for others in (frozenset[str](), rest) if hidden_in_b else (rest, frozenset[str]()):
            ends = self.trials.ends(factor, others)
            if ends is not None and ends.ends_differ:
                yield from Drill(self.trials, factor, others, ends).run()
                return


def guilty(attribution: Attribution) -> tuple[str, ...]:
    """The factors to search inside: those in a dividend that counts, the largest share first."""
    acting = {name for coalition in attribution.dividends for name in coalition} or set(attribution.smallest)
    ranked = sorted(acting, key=lambda name: (-abs(attribution.shares[name]), attribution.factors.index(name)))
    return tuple(ranked)
