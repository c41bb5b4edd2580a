"""How far two rankings agree: the items at the top, the order of all, and from which rank on they part."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

TOP = 10
PERSISTENCE = 0.9  # of rank-biased overlap: the first ten ranks have 86 % of the weight
DEEPEST = 1_000

Ranking = Sequence[Hashable]


def jaccard(a: Ranking, b: Ranking, top: int = TOP) -> float:
    """The items that both tops have, of those that either has."""
    one, other = set(a[:top]), set(b[:top])
    return len(one & other) / len(one | other) if one or other else 1.0


def overlap(a: Ranking, b: Ranking, p: float = PERSISTENCE) -> float:
    """Rank-biased overlap, extrapolated (Webber, Moffat and Zobel, 2010, equation 32, for lists of any lengths)."""
    short, long = sorted((a[:DEEPEST], b[:DEEPEST]), key=len)
    if not short:
        return 1.0 if not long else 0.0
    seen: tuple[set[Hashable], set[Hashable]] = (set(), set())
    s, shared, at_s, total = len(short), 0, 0, 0.0
    for depth, item in enumerate(long, 1):
        if depth <= s:
            shared += _joining(short[depth - 1], item, *seen)
            at_s = shared
        else:
            shared += item in seen[0]
            total += at_s * (depth - s) / (s * depth) * p**depth
        total += shared / depth * p**depth
    return (1 - p) / p * total + ((shared - at_s) / len(long) + at_s / s) * p ** len(long)


def _joining(short: Hashable, long: Hashable, seen_short: set[Hashable], seen_long: set[Hashable]) -> int:
    """By how many items the overlap grows with the next one of each."""
    grown = 1 if short == long else (short in seen_long) + (long in seen_short)
    seen_short.add(short)
    seen_long.add(long)
    return grown


def first_changed(a: Ranking, b: Ranking) -> int | None:
    """The first rank (from 1) at which they have not the same item; None where they are the same."""
    for rank, (one, other) in enumerate(zip(a, b, strict=False), 1):
        if one != other:
            return rank
    return None if len(a) == len(b) else min(len(a), len(b)) + 1


def tau_of_orders(a: Ranking, b: Ranking) -> float | None:
    """Kendall's tau-b over the items that both have; None of fewer than two."""
    place = {item: rank for rank, item in enumerate(b)}
    ranks = [(rank, place[item]) for rank, item in enumerate(a) if item in place]
    return tau([one for one, _ in ranks], [other for _, other in ranks])


def tau(a: Any, b: Any) -> float | None:
    """Kendall's tau-b of two samples of scores; None where it is not defined."""
    if len(a) < 2:
        return None
    from scipy.stats import kendalltau

    one, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(np.unique(one)) < 2 or len(np.unique(other)) < 2:
        return None
    return float(kendalltau(one, other).statistic)


def by_score(scores: Any) -> list[int]:
    """The places of the scores, the highest first; equals in the order of their places."""
    return [int(place) for place in np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")]


def ties(scores: Any) -> int:
    """How many scores are not the only one of their height."""
    _, times = np.unique(np.asarray(scores, dtype=np.float64), return_counts=True)
    return int(times[times > 1].sum())


def of_columns(a: Any, b: Any, descending: bool) -> dict[str, Any]:
    """The measures of two columns that rank their rows: by score (the highest first) or by rank (the lowest first)."""
    sign = 1.0 if descending else -1.0
    scores = [sign * np.asarray(side, dtype=np.float64) for side in (a, b)]
    one, other = (by_score(side) for side in scores)
    return {
        "top_k": TOP,
        "top_k_jaccard": jaccard(one, other),
        "rank_biased_overlap": overlap(one, other),
        "kendall_tau_b": tau(*scores),
        "first_changed_rank": first_changed(one, other),
        "tied_a": ties(scores[0]),
        "tied_b": ties(scores[1]),
    }
