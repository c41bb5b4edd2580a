"""How far two rankings agree: on the items at the top, on the whole order, and from which rank on they differ.

Three measures, each 1 for equal rankings:

- the Jaccard index of the two sets of top 10 items, which ignores their order;
- rank-biased overlap (Webber, Moffat and Zobel, "A similarity measure for indefinite rankings", 2010): the share of
  common items at every depth d, averaged with weights p^d, so that the top counts most. With p = 0.9 the first ten
  ranks have 86 % of the weight. The extrapolated form (equation 32) also covers lists of different lengths, by assuming
  that the overlap seen so far continues;
- Kendall's tau-b, from -1 (reversed) to 1, over the items that both rankings have.

Example: for `a = [3, 1, 2]` and `b = [3, 2, 1]` the overlaps at depths 1 to 3 are 1/1, 1/2 and 3/3, so that rank-biased
overlap is 0.1/0.9 * (0.9 * 1 + 0.81 * 1/2 + 0.729 * 1) + 0.729 * 1 = 0.955, tau-b is 1/3, and the first rank that
changed is 2.

The cost is linear in the length for the first two, which look at no more than 1,000 ranks in the case of rank-biased
overlap, and n log n for tau.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

TOP = 10
PERSISTENCE = 0.9  # p of rank-biased overlap: the first ten ranks have 86 % of the weight
DEEPEST = 1_000  # ranks that rank-biased overlap looks at

Ranking = Sequence[Hashable]


def jaccard(a: Ranking, b: Ranking, top: int = TOP) -> float:
    """The share of the items in either top that are in both; 1 for two empty rankings."""
    top_a, top_b = set(a[:top]), set(b[:top])
    return len(top_a & top_b) / len(top_a | top_b) if top_a or top_b else 1.0


def overlap(a: Ranking, b: Ranking, p: float = PERSISTENCE) -> float:
    """Rank-biased overlap, extrapolated (0 to 1); `p` is the persistence, from 0 to 1.

    With s and l the lengths of the shorter and the longer list, and X_d the number of common items at depth d, it is

        (1-p)/p * (sum over d = 1..l of X_d/d p^d + sum over d = s+1..l of X_s (d-s)/(s d) p^d)
            + ((X_l - X_s)/l + X_s/s) p^l
    """
    short, long = sorted((a[:DEEPEST], b[:DEEPEST]), key=len)
    if not short:
        return 1.0 if not long else 0.0
    seen_short: set[Hashable] = set()
    seen_long: set[Hashable] = set()
    s, shared, shared_at_s, total = len(short), 0, 0, 0.0
    for depth, item in enumerate(long, 1):
        if depth <= s:
            shared += _newly_shared(short[depth - 1], item, seen_short, seen_long)
            shared_at_s = shared
        else:
            shared += item in seen_short
            total += shared_at_s * (depth - s) / (s * depth) * p**depth
        total += shared / depth * p**depth
    return (1 - p) / p * total + ((shared - shared_at_s) / len(long) + shared_at_s / s) * p ** len(long)


def _newly_shared(short: Hashable, long: Hashable, seen_short: set[Hashable], seen_long: set[Hashable]) -> int:
    """By how many items the overlap grows with the next item of each list; adds both to the items seen."""
    grown = 1 if short == long else (short in seen_long) + (long in seen_short)
    seen_short.add(short)
    seen_long.add(long)
    return grown


def first_changed(a: Ranking, b: Ranking) -> int | None:
    """The first rank (from 1) at which the items differ; None where the rankings are equal."""
    for rank, (item_a, item_b) in enumerate(zip(a, b, strict=False), 1):
        if item_a != item_b:
            return rank
    return None if len(a) == len(b) else min(len(a), len(b)) + 1


def tau_of_orders(a: Ranking, b: Ranking) -> float | None:
    """Kendall's tau-b over the items that both rankings have; None for fewer than two such items."""
    rank_in_b = {item: rank for rank, item in enumerate(b)}
    ranks = [(rank, rank_in_b[item]) for rank, item in enumerate(a) if item in rank_in_b]
    return tau([rank_a for rank_a, _ in ranks], [rank_b for _, rank_b in ranks])


def tau(a: npt.ArrayLike, b: npt.ArrayLike) -> float | None:
    """Kendall's tau-b of two samples of scores of one length; None where it is not defined.

    It is not defined for fewer than two scores, or where all scores of a side are equal.
    """
    scores_a, scores_b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(scores_a) < 2:
        return None
    from scipy.stats import kendalltau

    if len(np.unique(scores_a)) < 2 or len(np.unique(scores_b)) < 2:
        return None
    return float(kendalltau(scores_a, scores_b).statistic)


def order_by_score(scores: npt.ArrayLike) -> list[int]:
    """The indices of the scores, the highest first; equal scores in the order of their indices."""
    return [int(index) for index in np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")]


def ties(scores: npt.ArrayLike) -> int:
    """How many scores are equal to at least one other."""
    _, times = np.unique(np.asarray(scores, dtype=np.float64), return_counts=True)
    return int(times[times > 1].sum())


def column_agreement(a: npt.ArrayLike, b: npt.ArrayLike, descending: bool) -> dict[str, object]:
    """The measures of two columns whose numbers rank their rows.

    The numbers are scores where `descending` (the highest comes first), and ranks otherwise (the lowest comes first).
    """
    sign = 1.0 if descending else -1.0
    scores_a, scores_b = (sign * np.asarray(side, dtype=np.float64) for side in (a, b))
    order_a, order_b = order_by_score(scores_a), order_by_score(scores_b)
    return {
        "top_k": TOP,
        "top_k_jaccard": jaccard(order_a, order_b),
        "rank_biased_overlap": overlap(order_a, order_b),
        "kendall_tau_b": tau(scores_a, scores_b),
        "first_changed_rank": first_changed(order_a, order_b),
        "tied_a": ties(scores_a),
        "tied_b": ties(scores_b),
    }
