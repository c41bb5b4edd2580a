"""Finds the parts of the inputs (slices) in which rows moved more often: a χ² test per column, and an honest tree.

Columns one at a time: a column's rows are counted in eight quantiles, or by its 20 most common values, and Pearson's χ²
test asks whether moving is independent of the bin. Of a column on which it does depend, the bin with the highest rate
is reported.

Columns together: a decision tree of depth 3 is grown on one half of the rows, chosen at random with a fixed seed, and
its nodes are tested on the other half by Fisher's exact test (inside more often than outside). Such a tree is called
honest (Athey and Imbens, "Recursive partitioning for heterogeneous causal effects", 2016): since the rows that chose
the splits are not those that test them, the p-values are not biased by the search. Of a node and the nodes below it
only the one with the smallest p-value is reported, so that slices do not overlap.

Each of the two families of tests is held to a false discovery rate of 2.5 % (Benjamini and Hochberg, 1995), so that on
data without a slice at most about 5 % of the searches report one. Fewer than 10 rows that moved, or that did not, are
too few for any answer.

Example: of 2,000 rows, 30 % moved where region = N (a quarter of the rows) and 0.5 % elsewhere. The tree splits on that
condition, and the slice "region = N" holds about 95 % of the rows that moved.

The cost is n log n per column for the quantiles and for the tree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.rows.arrays import Floats, Indices, Mask
from repro_tui.model.predictions import Slice
from repro_tui.support.text import part, show

FALSE_DISCOVERIES = 0.025  # the rate for each of the two families of tests: 0.05 together
QUANTILES, MOST_VALUES = 8, 20
DEPTH, SMALLEST_LEAF = 3, 30
FEWEST = 10  # rows that moved, and rows that did not, that a search needs
MOST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Feature:
    """One input column, as numbers or as categories.

    `numbers` are NaN where a value is missing. `codes` are indices into `values`, of which the last stands for all rare
    values.
    """

    name: str
    numbers: Floats | None = None
    codes: Indices | None = None
    values: tuple[str, ...] = ()

    def bins(self) -> tuple[Indices, list[str]]:
        """The bin of every row, and the description of each bin."""
        if self.codes is not None:
            return self.codes, [f"{self.name} = {value}" for value in self.values]
        assert self.numbers is not None
        present = ~np.isnan(self.numbers)
        values = np.unique(self.numbers[present])
        if len(values) <= QUANTILES:
            upper, names = values[:-1], [f"{self.name} = {value:.4g}" for value in values]
        else:
            edges = np.unique(np.quantile(self.numbers[present], np.linspace(0, 1, QUANTILES + 1)))
            upper, names = edges[1:-1], [f"{self.name} from {low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
        bins = np.where(present, np.searchsorted(upper, self.numbers, side="left"), len(names))
        return bins.astype(np.int64), [*names, f"{self.name} is missing"]


def find_slices(inputs: pa.Table, moved: Mask, verb: str = "flip") -> tuple[Slice, ...]:
    """The slices of `inputs` in which rows moved more often than elsewhere, at most six.

    `moved` marks the rows of `inputs` that did, and `verb` is what sentences call it ("flip", "move"). Slices of the
    tree come first, that with the largest share of the rows that moved at the beginning, and then single columns by
    their p-value.
    """
    count = int(np.count_nonzero(moved))
    if min(count, len(moved) - count) < FEWEST:
        return ()
    candidates = (feature(name, inputs.column(name)) for name in inputs.column_names)
    features = [candidate for candidate in candidates if candidate is not None]
    if not features:
        return ()
    leaves = sorted(_leaves(features, moved, verb), key=lambda leaf: -leaf.share)
    columns = sorted(_columns(features, moved, verb), key=lambda column: column.p)
    return tuple([*leaves, *columns][:MOST_SHOWN])


def feature(name: str, column: pa.ChunkedArray) -> Feature | None:
    """A column as a feature; None if it identifies rows, is constant, or holds neither numbers nor text."""
    kind, shown = column.type, show(name, 80)
    if pa.types.is_boolean(kind):
        column = pc.cast(column, pa.int8())
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        numbers = np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        spread = numbers[~np.isnan(numbers)]
        return Feature(shown, numbers=numbers) if len(spread) and spread.min() < spread.max() else None
    return _categories(shown, column) if pa.types.is_string(kind) else None


def _categories(name: str, column: pa.ChunkedArray) -> Feature | None:
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    codes, names = np.asarray(encoded.indices, dtype=np.int64), encoded.dictionary.to_pylist()
    counts = np.bincount(codes, minlength=len(names))
    if len(names) < 2 or np.max(counts) < 2 * FEWEST:
        return None
    common = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    code_of = np.full(len(names), len(common), dtype=np.int64)
    code_of[common] = np.arange(len(common))
    values = ["—" if names[n] is None else show(names[n], 60) for n in common]
    return Feature(name, codes=code_of[codes], values=(*values, "another value"))


# -- one column at a time -----------------------------------------------------------------------------------------


def _columns(features: Sequence[Feature], moved: Mask, verb: str) -> Iterator[Slice]:
    """The columns on which it depends whether a row moved, each with the bin in which most rows did."""
    tests = [_chi_square(candidate, moved) for candidate in features]
    p_values = _adjusted([p for p, _, _ in tests])
    for candidate, (_, rows, hits), p in zip(features, tests, p_values, strict=True):
        if p <= FALSE_DISCOVERIES:
            bins, names = candidate.bins()
            worst = int(np.argmax(np.where(rows > 0, hits / np.maximum(rows, 1), -1)))
            prefix = f"whether rows {verb} depends on {show(candidate.name, 80)}"
            yield _slice("column", names[worst], bins == worst, moved, p, verb, prefix)


def _chi_square(candidate: Feature, moved: Mask) -> tuple[float, Indices, Indices]:
    """The p-value of independence, and the rows and the rows that moved of every bin."""
    from scipy.stats import chi2_contingency

    bins, names = candidate.bins()
    rows, hits = np.bincount(bins, minlength=len(names)), np.bincount(bins[moved], minlength=len(names))
    filled = rows > 0
    if np.count_nonzero(filled) < 2:
        return 1.0, rows, hits
    table = np.stack([hits[filled], rows[filled] - hits[filled]])
    return float(chi2_contingency(table, correction=False).pvalue), rows, hits


def _adjusted(p: Sequence[float]) -> list[float]:
    """The p-values of one family of tests, adjusted for the false discovery rate."""
    from scipy.stats import false_discovery_control

    return [float(value) for value in false_discovery_control(np.asarray(p))] if len(p) else []


# -- columns together ---------------------------------------------------------------------------------------------


def _leaves(features: Sequence[Feature], moved: Mask, verb: str) -> Iterator[Slice]:
    """The nodes of a tree grown on one half of the rows in which rows of the other half moved more often than outside.

    Of overlapping nodes, which are a node and those below it, only the one with the smallest p-value is returned.
    """
    from scipy.stats import fisher_exact

    matrix, terms = _matrix(features)
    half = np.zeros(len(moved), dtype=np.bool_)
    half[np.random.default_rng(0).permutation(len(moved))[: len(moved) // 2]] = True
    if min(np.count_nonzero(moved & part) for part in (half, ~half)) < FEWEST // 2:
        return
    tree, members = _grow(matrix, moved, half)
    rate = float(np.mean(moved[half]))
    tested: list[tuple[float, int]] = []
    for node in range(1, tree.node_count):
        inside, outside = members[node] & ~half, ~members[node] & ~half
        if np.mean(moved[half & members[node]]) > rate and np.count_nonzero(inside) >= SMALLEST_LEAF:
            table = [[np.count_nonzero(side & moved), np.count_nonzero(side & ~moved)] for side in (inside, outside)]
            tested.append((float(fisher_exact(table, alternative="greater").pvalue), node))
    whole = {candidate.name for candidate in features if _is_whole(candidate.numbers)}
    reported = np.zeros(len(moved), dtype=np.bool_)
    for p, node in sorted(zip(_adjusted([p for p, _ in tested]), [node for _, node in tested], strict=True)):
        if p <= FALSE_DISCOVERIES and not (members[node] & reported).any():
            reported |= members[node]
            yield _slice("leaf", _path(tree, node, terms, whole), members[node], moved, p, verb, "")


def _is_whole(numbers: Floats | None) -> bool:
    if numbers is None:
        return False
    finite = numbers[np.isfinite(numbers)]
    return bool(len(finite) and (finite == np.floor(finite)).all())


def _matrix(features: Sequence[Feature]) -> tuple[Floats, list[tuple[str, str]]]:
    """The features as a matrix of a column per number or category, each with its name and category ("" for numbers)."""
    columns: list[Floats] = []
    terms: list[tuple[str, str]] = []
    for candidate in features:
        if candidate.numbers is not None:
            columns.append(candidate.numbers)
            terms.append((candidate.name, ""))
        elif candidate.codes is not None:
            for code, value in enumerate(candidate.values):
                columns.append((candidate.codes == code).astype(np.float64))
                terms.append((candidate.name, value))
    return np.column_stack(columns), terms


class _Tree(Protocol):
    """What is read of scikit-learn's tree: arrays with an entry for each of its nodes."""

    node_count: int
    feature: Indices
    threshold: Floats
    children_left: Indices
    children_right: Indices


def _grow(matrix: Floats, moved: Mask, half: Mask) -> tuple[_Tree, list[Mask]]:
    """The tree, grown on the rows of `half`, and for each of its nodes which rows are in it."""
    from sklearn.tree import DecisionTreeClassifier

    classifier = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=SMALLEST_LEAF, random_state=0)
    classifier.fit(matrix[half], moved[half])
    paths = classifier.decision_path(matrix).toarray().astype(np.bool_)
    return classifier.tree_, list(paths.T)


def _path(tree: _Tree, node: int, terms: Sequence[tuple[str, str]], whole: Set[str]) -> str:
    """The conditions of a node in words; several limits of one column are combined."""
    parents = {int(child): (node, left) for node in range(tree.node_count) for child, left in _children(tree, node)}
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    conditions: list[str] = []
    while node in parents:
        node, left = parents[node]
        name, value = terms[tree.feature[node]]
        if value:
            conditions.append(f"{name} is not {value}" if left else f"{name} = {value}")
        elif left:
            high[name] = min(high.get(name, np.inf), float(tree.threshold[node]))
        else:
            low[name] = max(low.get(name, -np.inf), float(tree.threshold[node]))
    for name in dict.fromkeys((*low, *high)):
        limits = _whole_limits if name in whole else _limits
        conditions.append(limits(name, low.get(name), high.get(name)))
    return " and ".join(reversed(conditions))


def _children(tree: _Tree, node: int) -> Iterator[tuple[int, bool]]:
    """The children of a node, each with whether it is the left one; none of a leaf."""
    if tree.children_left[node] >= 0:
        yield int(tree.children_left[node]), True
        yield int(tree.children_right[node]), False


def _limits(name: str, low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:.4g} < {name} <= {high:.4g}"
    return f"{name} > {low:.4g}" if low is not None else f"{name} <= {high:.4g}"


def _whole_limits(name: str, low: float | None, high: float | None) -> str:
    """The limits of whole numbers: a tree puts thresholds half-way between two of them."""
    least, most = (None if low is None else math.floor(low) + 1), (None if high is None else math.floor(high))
    if least == most:
        return f"{name} = {least}"
    if least is not None and most is not None:
        return f"{least} <= {name} <= {most}"
    return f"{name} >= {least}" if least is not None else f"{name} <= {most}"


def _slice(kind: str, name: str, inside: Mask, moved: Mask, p: float, verb: str, prefix: str) -> Slice:
    rows, hits, total = (int(np.count_nonzero(mask)) for mask in (inside, inside & moved, moved))
    rate, elsewhere = hits / max(1, rows), (total - hits) / max(1, len(moved) - rows)
    share, size = hits / max(1, total), rows / max(1, len(moved))
    if kind == "leaf":
        sentence = (
            f"{part(share)} of the rows that {verb} are in {name}, which holds {part(size)} of all rows: "
            f"{part(rate)} of the rows there {verb}, compared with {part(elsewhere)} elsewhere"
        )
    else:
        often = f"{part(rate)} of these rows, compared with {part(elsewhere)} elsewhere"
        sentence = f"{prefix} (p = {p:.2g}): they {verb} most often where {name} ({often})"
    return Slice(kind, name, rows, hits, share, rate, elsewhere, p, sentence)
