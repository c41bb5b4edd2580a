"""How good probabilities are where the truth is known: Brier score, log loss and calibration error, summed in batches.

The conventions are those of scikit-learn: the Brier score of a vector is the sum over its classes, of two classes half
of it, and the log loss takes no probability for smaller than the rounding of float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

BINS = 10
SMALLEST = float(np.finfo(np.float64).eps)

Floats = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Places = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(slots=True)
class Scores:
    """Sums over rows; those that have no finite probability are left out."""

    rows: int = 0
    squares: float = 0.0
    losses: float = 0.0
    bins: Floats = field(default_factory=lambda: np.zeros((3, BINS)))

    def add(self, p: Floats, hits: Mask) -> None:
        """Adds rows by the probability of the positive class, and whether that is the true one."""
        known = np.isfinite(p)
        p, hits = p[known], hits[known]
        self._add(p, hits, np.square(p - hits), np.where(hits, p, 1 - p))

    def add_vectors(self, p: Floats, classes: Places) -> None:
        """Adds rows by the probabilities of all classes, and the place of the true one."""
        known = np.isfinite(p).all(axis=1)
        p, classes = p[known], classes[known]
        rows = np.arange(len(p))
        best, of_true = p.argmax(axis=1), p[rows, classes]
        confidence = p[rows, best]
        p[rows, classes] -= 1
        squares = np.square(p).sum(axis=1) / (2 if p.shape[1] == 2 else 1)
        self._add(confidence, best == classes, squares, of_true)

    def _add(self, confidence: Floats, hits: Mask, squares: Floats, of_true: Floats) -> None:
        self.rows += len(confidence)
        self.squares += float(squares.sum())
        self.losses -= float(np.log(np.clip(of_true, SMALLEST, 1.0)).sum())
        places = np.clip(np.floor(confidence * BINS), 0, BINS - 1).astype(np.int64)
        for row, weights in enumerate((np.ones(len(places)), confidence, hits)):
            self.bins[row] += np.bincount(places, weights, BINS)

    def measures(self, side: str) -> dict[str, Any]:
        """The means; the calibration error is the mean distance of confidence and share of hits in ten bins."""
        _, confidence, hits = self.bins
        return {
            f"brier_{side}": self.squares / self.rows,
            f"log_loss_{side}": self.losses / self.rows,
            f"calibration_error_{side}": float(np.abs(confidence - hits).sum()) / self.rows,
        }
