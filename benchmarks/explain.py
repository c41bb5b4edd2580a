"""How many runs it takes to find the cause among many packages that depend on each other, with three methods.

The same simulated cases for all three (this package, ddmin, and one at a time): n packages, some of which require
others, 1 or 2 of them guilty, with and without crashes that no metadata declares. A hybrid of both sides that breaks a
requirement, or crashes, is unresolved. ddmin does not know the requirements, as in delta debugging (Zeller and
Hildebrandt 2002, with unresolved outcomes); "one at a time" puts each package of B into A.

An answer is right if it names the guilty packages and nothing else, apart from packages that these require or cannot be
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
MOST_RUNS = 20_000  # after which a method is aborted

Names = frozenset[str]


class TooMany(Exception):
    """A method was aborted."""


@dataclass
class SearchCase:
    """`declared` are the requirements in the metadata; `clashes` are pairs of which the first crashes without the
    second."""

    items: tuple[str, ...]
    declared: dict[str, Names]
    guilty: Names
    clashes: tuple[tuple[str, str], ...] = ()
    known: dict[Names, bool | None] = field(default_factory=dict)

    def test(self, chosen: Names) -> bool | None:
        """Whether a hybrid with these packages of B behaves like B; None: it cannot be installed, or crashes.

        A hybrid that is tested again counts once.
        """
        if chosen not in self.known:
            if len(self.known) >= MOST_RUNS:
                raise TooMany
            self.known[chosen] = self._tried(chosen)
        return self.known[chosen]

    def _tried(self, chosen: Names) -> bool | None:
        broken = closure(chosen, self.declared) != chosen
        crashed = any(name in chosen and partner not in chosen for name, partner in self.clashes)
        return None if broken or crashed else self.guilty <= chosen

    @property
    def allowed(self) -> Names:
        """All packages that an answer may name: the guilty ones and those that they cannot be tried without."""
        needs = {name: set(needed) for name, needed in self.declared.items()}
        for name, partner in self.clashes:
            needs.setdefault(name, set()).add(partner)
        return closure(self.guilty, {name: frozenset(needed) for name, needed in needs.items()})


def draw_case(count: int, guilty: int, clashes: int, seed: int) -> SearchCase:
    """Draws requirements as packages have them: most require none, a few require many, and some require each other."""
    chance = random.Random(seed)
    items = tuple(f"p{number:03}" for number in range(count))
    declared: dict[str, set[str]] = {}
    for index, item in enumerate(items):
        if index and chance.random() < 0.35:
            declared[item] = {items[int(index * chance.random() ** 2)] for _ in range(chance.choice((1, 1, 2, 3)))}
    for _ in range(count // 50):  # a cycle
        first, second = chance.sample(items, 2)
        declared.setdefault(first, set()).add(second)
        declared.setdefault(second, set()).add(first)
    pairs = tuple((pair[0], pair[1]) for pair in (chance.sample(items, 2) for _ in range(clashes)))
    needs = {name: frozenset(needed - {name}) for name, needed in declared.items()}
    return SearchCase(items, needs, frozenset(chance.sample(items, guilty)), pairs)


# -- the methods ----------------------------------------------------------------------------------------------------


def ours(case: SearchCase) -> Names | None:
    def test(sets: Sequence[Names]) -> list[Response]:
        return [Response(state := case.test(chosen), restores=state is False) for chosen in sets]

    result = search(case.items, case.declared, test)
    return frozenset(result.names) if result.sufficient else None


def ddmin(case: SearchCase) -> Names | None:
    """The minimal set of packages of B that still behaves like B, as `ddmin` finds it."""
    left, parts = list(case.items), 2
    while len(left) > 1:
        chunks = [left[len(left) * part // parts : len(left) * (part + 1) // parts] for part in range(parts)]
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


def one_at_a_time(case: SearchCase) -> Names | None:
    """Puts each package of B alone into A; no answer where none of them makes it behave like B."""
    return frozenset(item for item in case.items if case.test(frozenset({item}))) or None


METHODS: dict[str, Callable[[SearchCase], Names | None]] = {
    "ours": ours,
    "ddmin": ddmin,
    "one at a time": one_at_a_time,
}


def measure(method: Callable[[SearchCase], Names | None], case: SearchCase) -> tuple[int, int, bool]:
    """The number of runs, how many of them were unresolved, and whether the answer is right."""
    case.known = {frozenset(): False, frozenset(case.items): True}
    try:
        answer = method(case)
    except TooMany:
        answer = None
    unresolved = sum(state is None for state in case.known.values())
    right = answer is not None and case.guilty <= answer <= case.allowed
    return len(case.known) - 2, unresolved, right


def row(count: int, guilty: int, clashes: int, cases: int) -> str:
    cells = [f"{count:>5} {guilty:>6} {clashes:>7}"]
    drawn = [draw_case(count, guilty, clashes, seed) for seed in range(cases)]
    for method in METHODS.values():
        runs, unresolved, right = zip(*(measure(method, case) for case in drawn), strict=True)
        means = f"{statistics.fmean(runs):>7.1f} {max(runs):>5} {statistics.fmean(unresolved):>7.1f}"
        cells.append(f"{means} {sum(right) / cases:>6.0%}")
    return "  |".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=50, help="cases of each kind")
    cases = parser.parse_args().cases
    began = time.monotonic()
    print(f"runs (mean, most), unresolved among them, right answers; {cases} cases a line")
    print("  |".join([f"{'n':>5} {'guilty':>6} {'crashes':>7}", *(f"{name:>28}" for name in METHODS)]))
    for guilty, clashes in ((1, 0), (2, 0), (1, 3), (2, 3)):
        for count in SIZES:
            print(row(count, guilty, clashes, cases), flush=True)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
