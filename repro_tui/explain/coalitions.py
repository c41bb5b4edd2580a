"""Arithmetic of cooperative games: subsets, Harsanyi dividends, Shapley values and partitions.

A game gives every coalition, a set of players, a value. The dividend of a coalition is what its members achieve only
together: v(S) is the sum of the dividends of all subsets of S, and the dividends are the unique numbers with that
property. The Shapley value of a player is the sum of its equal parts in all dividends; these values add up to the value
of all players.

Dividends are computed by the fast Moebius transform: for each of the k players, every coalition with that player has
the value of the coalition without it subtracted. That takes k * 2^(k - 1) subtractions in place of 3^k.

Example: v({x}) = 0.2, v({y}) = 0.3 and v({x, y}) = 1.0. The dividends are d({x}) = 0.2, d({y}) = 0.3 and
d({x, y}) = 1.0 - 0.2 - 0.3 = 0.5, and the Shapley values 0.2 + 0.25 = 0.45 and 0.3 + 0.25 = 0.55.

Sources: Harsanyi (1963), A simplified bargaining model for the n-person cooperative game; Shapley (1953), A value for
n-person games.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

Coalition = frozenset[str]


def subsets(names: Sequence[str]) -> list[Coalition]:
    """Every subset, the empty one first and the full one last."""
    return [frozenset(members) for size in range(len(names) + 1) for members in combinations(names, size)]


def dividends_of(values: Mapping[Coalition, float], names: Sequence[str]) -> dict[Coalition, float]:
    """The Harsanyi dividend of every coalition that is not empty; `values` has all 2^k coalitions of the k `names`."""
    dividends = dict(values)
    for name in names:
        for coalition in dividends:
            if name in coalition:
                dividends[coalition] -= dividends[coalition - {name}]
    dividends.pop(frozenset())
    return dividends


def shapley(dividends: Mapping[Coalition, float], names: Sequence[str]) -> dict[str, float]:
    """The Shapley value of every factor: each dividend is split equally among the members of its coalition."""
    shares = dict.fromkeys(names, 0.0)
    for coalition, dividend in dividends.items():
        for name in coalition:
            shares[name] += dividend / len(coalition)
    return shares


def partitions(names: Sequence[str]) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Every way to divide the names into groups that are not empty (the Bell number of them)."""
    if not names:
        yield ()
        return
    first, rest = names[0], names[1:]
    for groups in partitions(rest):
        yield ((first,), *groups)
        for index, group in enumerate(groups):
            yield (*groups[:index], (first, *group), *groups[index + 1 :])
