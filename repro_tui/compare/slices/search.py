"""Which parts of the inputs explain the disagreement: each column by a χ² test, and an honest tree of depth 3.

A column's rows are counted in eight quantiles (or by its commonest values) and tested for independence; the tree is
grown on one half of the rows and its leaves are tested on the other, so that what was searched for is not what is
tested. Both families of tests are held to a false discovery rate (Benjamini and Hochberg, 1995).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.model.predictions import Slice
from repro_tui.support.text import part, show

Bools = np.ndarray[Any, np.dtype[np.bool_]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]

FALSE_DISCOVERIES = 0.025  # of each of the two families of tests: 0.05 in all
QUANTILES, MOST_VALUES = 8, 20
DEPTH, SMALLEST_LEAF = 3, 30
FEWEST = 10  # rows that moved, and rows that did not: below it nothing can be said
MOST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Feature:
    """One input column: numbers (NaN where there is none), or codes into `values` (the last is every other value)."""

    name: str
    numbers: Floats | None = None
    codes: Codes | None = None
    values: tuple[str, ...] = ()

    def bins(self) -> tuple[Codes, list[str]]:
        """Every row's bin, and what each bin is in words."""
        if self.codes is not None:
            return self.codes, [f"{self.name} = {value}" for value in self.values]
        assert self.numbers is not None
        there = ~np.isnan(self.numbers)
        values = np.unique(self.numbers[there])
        if len(values) <= QUANTILES:
            upper, words = values[:-1], [f"{self.name} = {value:.4g}" for value in values]
        else:
            edges = np.unique(np.quantile(self.numbers[there], np.linspace(0, 1, QUANTILES + 1)))
            upper, words = edges[1:-1], [f"{self.name} from {low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
        found = np.where(there, np.searchsorted(upper, self.numbers, side="left"), len(words))
        return found.astype(np.int64), [*words, f"{self.name} is missing"]


def find_slices(inputs: pa.Table, moved: Bools, word: str = "flip") -> tuple[Slice, ...]:
    """The slices of `inputs` (one row each) in which rows moved more often than elsewhere, the largest first.

    `moved` says which rows did, and `word` how that is called ("flip", "move").
    """
    count = int(np.count_nonzero(moved))
    if min(count, len(moved) - count) < FEWEST:
        return ()
    features = [found for name in inputs.column_names if (found := feature(name, inputs.column(name))) is not None]
    if not features:
        return ()
    leaves = list(_leaves(features, moved, word))
    columns = list(_columns(features, moved, word))
    ordered = sorted(leaves, key=lambda found: -found.share) + sorted(columns, key=lambda found: found.p)
    return tuple(ordered[:MOST_SHOWN])


def feature(name: str, column: pa.ChunkedArray) -> Feature | None:
    """A column as it is tested; None for what names rows, is constant, or is neither numbers nor text."""
    kind, told = column.type, show(name, 80)
    if pa.types.is_boolean(kind):
        column = pc.cast(column, pa.int8())
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        numbers = np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        spread = numbers[~np.isnan(numbers)]
        return Feature(told, numbers=numbers) if len(spread) and spread.min() < spread.max() else None
    return _categories(told, column) if pa.types.is_string(kind) else None


def _categories(name: str, column: pa.ChunkedArray) -> Feature | None:
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    codes, names = np.asarray(encoded.indices, dtype=np.int64), encoded.dictionary.to_pylist()
    counts = np.bincount(codes, minlength=len(names))
    if len(names) < 2 or np.max(counts) < 2 * FEWEST:
        return None
    common = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    place = np.full(len(names), len(common), dtype=np.int64)
    place[common] = np.arange(len(common))
    values = ["—" if names[n] is None else show(names[n], 60) for n in common]
    return Feature(name, codes=place[codes], values=(*values, "another value"))


# -- one column at a time -----------------------------------------------------------------------------------------


def _columns(features: Sequence[Feature], moved: Bools, word: str) -> Iterator[Slice]:
    """The columns on which it depends whether a row moved, each with its worst bin."""
    tested = [(found, *_chi_square(found, moved)) for found in features]
    for (found, _, rows, hits), p in zip(tested, _adjusted([p for _, p, _, _ in tested]), strict=True):
        if p <= FALSE_DISCOVERIES:
            bins, words = found.bins()
            worst = int(np.argmax(np.where(rows > 0, hits / np.maximum(rows, 1), -1)))
            on = f"whether rows {word} depends on {show(found.name, 80)}"
            yield _slice("column", words[worst], bins == worst, moved, p, word, on)


def _chi_square(found: Feature, moved: Bools) -> tuple[float, Codes, Codes]:
    """The p-value of independence, and rows and moved rows of every bin."""
    from scipy.stats import chi2_contingency

    bins, words = found.bins()
    rows, hits = np.bincount(bins, minlength=len(words)), np.bincount(bins[moved], minlength=len(words))
    filled = rows > 0
    if np.count_nonzero(filled) < 2:
        return 1.0, rows, hits
    table = np.stack([hits[filled], rows[filled] - hits[filled]])
    return float(chi2_contingency(table, correction=False).pvalue), rows, hits


def _adjusted(p: Sequence[float]) -> list[float]:
    from scipy.stats import false_discovery_control

    return [float(value) for value in false_discovery_control(np.asarray(p))] if len(p) else []


# -- columns together ---------------------------------------------------------------------------------------------


def _leaves(features: Sequence[Feature], moved: Bools, word: str) -> Iterator[Slice]:
    """The parts of a tree grown on one half in which, in the other half, rows moved more often than outside.

    Of a part and the parts within it, the one with the clearest answer is told.
    """
    from scipy.stats import fisher_exact

    matrix, terms = _matrix(features)
    half = np.zeros(len(moved), dtype=np.bool_)
    half[np.random.default_rng(0).permutation(len(moved))[: len(moved) // 2]] = True
    if min(np.count_nonzero(moved & part) for part in (half, ~half)) < FEWEST // 2:
        return
    tree, paths = _grow(matrix, moved, half)
    rate = float(np.mean(moved[half]))
    tested: list[tuple[float, int]] = []
    for node in range(1, tree.node_count):
        inside, rest = paths[node] & ~half, ~paths[node] & ~half
        if np.mean(moved[half & paths[node]]) > rate and np.count_nonzero(inside) >= SMALLEST_LEAF:
            table = [[np.count_nonzero(side & moved), np.count_nonzero(side & ~moved)] for side in (inside, rest)]
            tested.append((float(fisher_exact(table, alternative="greater").pvalue), node))
    whole = {found.name for found in features if _is_whole(found.numbers)}
    taken = np.zeros(len(moved), dtype=np.bool_)
    for p, node in sorted(zip(_adjusted([p for p, _ in tested]), [node for _, node in tested], strict=True)):
        if p <= FALSE_DISCOVERIES and not (paths[node] & taken).any():
            taken |= paths[node]
            yield _slice("leaf", _path(tree, node, terms, whole), paths[node], moved, p, word, "")


def _is_whole(numbers: Floats | None) -> bool:
    if numbers is None:
        return False
    finite = numbers[np.isfinite(numbers)]
    return bool(len(finite) and (finite == np.floor(finite)).all())


def _matrix(features: Sequence[Feature]) -> tuple[Floats, list[tuple[str, str]]]:
    """The features as numbers, and for each column its name and value ("" for numbers)."""
    columns: list[Floats] = []
    terms: list[tuple[str, str]] = []
    for found in features:
        if found.numbers is not None:
            columns.append(found.numbers)
            terms.append((found.name, ""))
        elif found.codes is not None:
            for code, value in enumerate(found.values):
                columns.append((found.codes == code).astype(np.float64))
                terms.append((found.name, value))
    return np.column_stack(columns), terms


def _grow(matrix: Floats, moved: Bools, half: Bools) -> tuple[Any, list[Bools]]:
    """The tree, and of each of its nodes which rows are in it."""
    from sklearn.tree import DecisionTreeClassifier

    grown = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=SMALLEST_LEAF, random_state=0)
    grown.fit(matrix[half], moved[half])
    paths = grown.decision_path(matrix).toarray().astype(np.bool_)
    return grown.tree_, list(paths.T)


def _path(tree: Any, leaf: int, terms: Sequence[tuple[str, str]], whole: Set[str]) -> str:
    """A leaf's conditions in words; several limits of one column are put together."""
    parents = {int(child): (node, left) for node in range(tree.node_count) for child, left in _children(tree, node)}
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    words: list[str] = []
    node = leaf
    while node in parents:
        node, left = parents[node]
        name, value = terms[tree.feature[node]]
        if value:
            words.append(f"{name} is not {value}" if left else f"{name} = {value}")
        elif left:
            high[name] = min(high.get(name, np.inf), float(tree.threshold[node]))
        else:
            low[name] = max(low.get(name, -np.inf), float(tree.threshold[node]))
    for name in dict.fromkeys((*low, *high)):
        limits = _whole_limits if name in whole else _limits
        words.append(limits(name, low.get(name), high.get(name)))
    return " and ".join(reversed(words))


def _children(tree: Any, node: int) -> Iterator[tuple[int, bool]]:
    if tree.children_left[node] >= 0:
        yield int(tree.children_left[node]), True
        yield int(tree.children_right[node]), False


def _limits(name: str, low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:.4g} < {name} <= {high:.4g}"
    return f"{name} > {low:.4g}" if low is not None else f"{name} <= {high:.4g}"


def _whole_limits(name: str, low: float | None, high: float | None) -> str:
    """Of whole numbers: what lies between the limits, which are halves."""
    least, most = (None if low is None else math.floor(low) + 1), (None if high is None else math.floor(high))
    if least == most:
        return f"{name} = {least}"
    if least is not None and most is not None:
        return f"{least} <= {name} <= {most}"
    return f"{name} >= {least}" if least is not None else f"{name} <= {most}"


def _slice(kind: str, name: str, inside: Bools, moved: Bools, p: float, word: str, prefix: str) -> Slice:
    rows, hits, total = (int(np.count_nonzero(mask)) for mask in (inside, inside & moved, moved))
    rate, elsewhere = hits / max(1, rows), (total - hits) / max(1, len(moved) - rows)
    share, size = hits / max(1, total), rows / max(1, len(moved))
    if kind == "leaf":
        sentence = (
            f"{part(share)} of the rows that {word} are in {name}, {part(size)} of all rows: "
            f"{part(rate)} of them {word}, and {part(elsewhere)} elsewhere"
        )
    else:
        often = f"{part(rate)} of rows, {part(elsewhere)} elsewhere"
        sentence = f"{prefix} (p = {p:.2g}): most often where {name} ({often})"
    return Slice(kind, name, rows, hits, share, rate, elsewhere, p, sentence)
