"""How many runs it takes to find the guilty among many things that need each other: ours, ddmin, and one at a time.

The same simulated cases for all three: n things (packages) of which some need others, 1 or 2 of them guilty, with and
without crashes that nothing declares. A mixture that breaks a need, or crashes, is unresolved. ddmin knows no needs, as
in delta debugging (Zeller and Hildebrandt 2002, with unresolved outcomes); "one at a time" puts each thing of B into A.
An answer is right where it names the guilty things and nothing beside them but what these need, or what they cannot be
tried without. Runs no deployment; takes two to three minutes. `python benchmarks/explain.py --cases 10` is quicker.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from repro_tui.explain.lattice import Response, closure, search

SIZES = (10, 26, 50, 100, 200, 400)
MOST_RUNS = 20_000  # where ddmin has not ended after these, it is given up

Set = frozenset[str]


class TooMany(Exception):
    """A way was given up."""


@dataclass
class SearchCase:
    """`declared` are the needs that metadata tell; `clashes` pairs of which the first crashes without the second."""

    items: tuple[str, ...]
    declared: dict[str, Set]
    guilty: Set
    clashes: tuple[tuple[str, str], ...] = ()
    known: dict[Set, bool | None] = field(default_factory=dict)

    def test(self, chosen: Set) -> bool | None:
        """True: it is B, False: it is not, None: it cannot be installed or crashes. Asked twice, it costs once."""
        if chosen not in self.known:
            if len(self.known) >= MOST_RUNS:
                raise TooMany
            self.known[chosen] = self._tried(chosen)
        return self.known[chosen]

    def _tried(self, chosen: Set) -> bool | None:
        broken = closure(chosen, self.declared) != chosen
        crashed = any(one in chosen and other not in chosen for one, other in self.clashes)
        return None if broken or crashed else self.guilty <= chosen

    @property
    def allowed(self) -> Set:
        """All that may be named: the guilty with whatever they cannot be tried without."""
        needs = {name: set(needed) for name, needed in self.declared.items()}
        for one, other in self.clashes:
            needs.setdefault(one, set()).add(other)
        return closure(self.guilty, {name: frozenset(needed) for name, needed in needs.items()})


def make(count: int, guilty: int, clashes: int, seed: int) -> SearchCase:
    """Needs as packages have them: most need none, few need many, and now and then some need each other."""
    chance = random.Random(seed)
    items = tuple(f"p{number:03}" for number in range(count))
    declared: dict[str, set[str]] = {}
    for at, item in enumerate(items):
        if at and chance.random() < 0.35:
            declared[item] = {items[int(at * chance.random() ** 2)] for _ in range(chance.choice((1, 1, 2, 3)))}
    for _ in range(count // 50):  # a cycle
        one, other = chance.sample(items, 2)
        declared.setdefault(one, set()).add(other)
        declared.setdefault(other, set()).add(one)
    pairs = tuple((pair[0], pair[1]) for pair in (chance.sample(items, 2) for _ in range(clashes)))
    needs = {name: frozenset(needed - {name}) for name, needed in declared.items()}
    return SearchCase(items, needs, frozenset(chance.sample(items, guilty)), pairs)


# -- the ways -------------------------------------------------------------------------------------------------------


def ours(case: SearchCase) -> Set | None:
    def test(sets: Sequence[Set]) -> list[Response]:
        return [Response(state := case.test(chosen), restores=state is False) for chosen in sets]

    found = search(case.items, case.declared, test)
    return frozenset(found.names) if found.sufficient else None


def ddmin(case: SearchCase) -> Set | None:
    """The smallest set of things from B that is still B, as `ddmin` finds it."""
    left, parts = list(case.items), 2
    while len(left) > 1:
        chunks = [left[len(left) * at // parts : len(left) * (at + 1) // parts] for at in range(parts)]
        smaller = next((chunk for chunk in chunks if case.test(frozenset(chunk))), None)
        if smaller is not None:
            left, parts = smaller, 2
            continue
        rests = ([name for name in left if name not in set(chunk)] for chunk in chunks)
        rest = next((rest for rest in rests if rest and case.test(frozenset(rest))), None)
        if rest is not None:
            left, parts = rest, max(parts - 1, 2)
        elif parts < len(left):
            parts = min(len(left), 2 * parts)
        else:
            break
    return frozenset(left)


def one_at_a_time(case: SearchCase) -> Set | None:
    """Each thing of B alone in A; no answer where none of them makes B."""
    return frozenset(item for item in case.items if case.test(frozenset({item}))) or None


WAYS: dict[str, Callable[[SearchCase], Set | None]] = {"ours": ours, "ddmin": ddmin, "one at a time": one_at_a_time}


def measure(way: Callable[[SearchCase], Set | None], case: SearchCase) -> tuple[int, int, bool]:
    """Runs, how many of them were unresolved, and whether the answer is right."""
    case.known = {frozenset(): False, frozenset(case.items): True}
    try:
        answer = way(case)
    except TooMany:
        answer = None
    unresolved = sum(state is None for state in case.known.values())
    right = answer is not None and case.guilty <= answer <= case.allowed
    return len(case.known) - 2, unresolved, right


def row(count: int, guilty: int, clashes: int, cases: int) -> str:
    cells = [f"{count:>5} {guilty:>6} {clashes:>7}"]
    made = [make(count, guilty, clashes, seed) for seed in range(cases)]
    for way in WAYS.values():
        runs, unresolved, right = zip(*(measure(way, case) for case in made), strict=True)
        means = f"{statistics.fmean(runs):>7.1f} {max(runs):>5} {statistics.fmean(unresolved):>7.1f}"
        cells.append(f"{means} {sum(right) / cases:>6.0%}")
    return "  |".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=50, help="cases of each kind")
    cases = parser.parse_args().cases
    began = time.monotonic()
    print(f"runs (mean, most), unresolved among them, right answers; {cases} cases a line")
    print("  |".join([f"{'n':>5} {'guilty':>6} {'crashes':>7}", *(f"{name:>28}" for name in WAYS)]))
    for guilty, clashes in ((1, 0), (2, 0), (1, 3), (2, 3)):
        for count in SIZES:
            print(row(count, guilty, clashes, cases), flush=True)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
