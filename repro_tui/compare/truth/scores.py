"""How good probabilities are where the truth is known: Brier score, log loss and calibration error, summed in batches.

- Brier score (1950): the mean of (p - y)^2, with y = 1 for the true class and 0 for the others, summed over the
  classes; for two classes, half of that;
- log loss: the mean of -ln p of the true class, with p clipped to at least 2.2e-16;
- calibration error (Naeini, Cooper and Hauskrecht, 2015): rows are put into ten bins by the probability of their most
  likely class, and the distances between mean probability and share of hits are averaged over the bins, weighted by
  their rows. A column of two classes is binned by the probability of the positive class.

The conventions are those of scikit-learn. Rows without finite probabilities are left out. Example: for p = 0.8 and a
positive row, the Brier score is 0.04, the log loss 0.223 and, if it is the only row, the calibration error 0.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from repro_tui.compare.rows.arrays import Floats, Indices, Mask

BINS = 10
SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(slots=True)
class Scores:
    """Sums over rows, from which `measures` derives the scores.

    `bins` holds the number of rows, the sum of their confidences and the hits of each bin.
    """

    rows: int = 0
    squares: float = 0.0
    losses: float = 0.0
    bins: Floats = field(default_factory=lambda: np.zeros((3, BINS)))

    def add(self, p: Floats, hits: Mask) -> None:
        """Adds rows by the probability of the positive class; `hits` marks rows where that is the true class."""
        known = np.isfinite(p)
        p, hits = p[known], hits[known]
        self._add(p, hits, np.square(p - hits), np.where(hits, p, 1 - p))

    def add_vectors(self, p: Floats, classes: Indices) -> None:
        """Adds rows by the probabilities of all classes (rows by classes) and the index of the true class of each."""
        known = np.isfinite(p).all(axis=1)
        p, classes = p[known], classes[known]
        rows = np.arange(len(p))
        best, of_true = p.argmax(axis=1), p[rows, classes]
        confidence = p[rows, best]
        p[rows, classes] -= 1  # in place, but p is a copy by now
        squares = np.square(p).sum(axis=1) / (2 if p.shape[1] == 2 else 1)
        self._add(confidence, best == classes, squares, of_true)

    def _add(self, confidence: Floats, hits: Mask, squares: Floats, of_true: Floats) -> None:
        self.rows += len(confidence)
        self.squares += float(squares.sum())
        self.losses -= float(np.log(np.clip(of_true, SMALLEST, 1.0)).sum())
        bins = np.clip(np.floor(confidence * BINS), 0, BINS - 1).astype(np.int64)
        for sums, weights in zip(self.bins, (np.ones(len(bins)), confidence, hits), strict=True):
            sums += np.bincount(bins, weights, BINS)

    def measures(self, side: str) -> dict[str, float]:
        """The scores, under names that end with the `side` (a or b)."""
        _, confidence, hits = self.bins
        return {
            f"brier_{side}": self.squares / self.rows,
            f"log_loss_{side}": self.losses / self.rows,
            f"calibration_error_{side}": float(np.abs(confidence - hits).sum()) / self.rows,
        }
