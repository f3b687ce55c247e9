"""Average precision, precision and recall of pooled matches: pure, after pycocotools (`COCOeval.accumulate`).

What cannot be measured (no labelled box) is NaN, never 0 or 1.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.eval.matching import Pool

#: COCO's 101 recalls at which precision is read.
RECALLS: Final = np.linspace(0.0, 1.0, 101)


def curve(
    pooled: Pool, at: int = 0, weights: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall and precision (N,) after each found box, best first; ignored boxes leave both as they were.

    Args:
        pooled: matches of one class.
        at: which of its overlaps.
        weights: (P,) how often each picture counts; once if not given.
    """
    weight = np.ones(len(pooled.truths)) if weights is None else weights
    each = weight[pooled.picture] * ~pooled.ignored[at]
    hits = np.cumsum(each * pooled.hit[at])
    false = np.cumsum(each * ~pooled.hit[at])
    truths = float((pooled.truths * weight).sum())
    recall = hits / truths if truths > 0 else np.full(len(hits), np.nan)
    precision = hits / np.maximum(hits + false, np.spacing(1.0))
    return recall, precision


def average_precision(pooled: Pool, at: int = 0, weights: NDArray[np.float64] | None = None) -> float:
    """Mean over 101 recalls of the best precision at that recall or more, 0 to 1."""
    recall, precision = curve(pooled, at, weights)
    if not _anything_to_find(pooled, weights):
        return math.nan
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    where = np.searchsorted(recall, RECALLS, side="left")
    return float(np.concatenate([best_from_here, [0.0]])[np.minimum(where, len(precision))].mean())


def mean_average_precision(pooled: Pool, weights: NDArray[np.float64] | None = None) -> float:
    """COCO's mAP: the mean of the average precisions at all overlaps of the pool."""
    return float(np.mean([average_precision(pooled, at, weights) for at in range(len(pooled.hit))]))


def recall_at_precision(
    pooled: Pool, precision_min: float, at: int = 0, weights: NDArray[np.float64] | None = None
) -> float:
    """The largest recall that a threshold on the score can have with at least this precision; 0 if none can."""
    recall, precision = curve(pooled, at, weights)
    if not _anything_to_find(pooled, weights):
        return math.nan
    # A threshold takes all boxes of one score or none, so only the last of equal scores is a choice.
    choice = np.append(pooled.scores[1:] < pooled.scores[:-1], True)[: len(recall)]
    good = choice & (precision >= precision_min)
    return float(recall[good].max(initial=0.0))


def at_threshold(pooled: Pool, score_min: float, at: int = 0) -> tuple[float, float]:
    """Precision and recall of the boxes that score at least `score_min`."""
    counts = (pooled.scores >= score_min) & ~pooled.ignored[at]
    found, hits = np.count_nonzero(counts), np.count_nonzero(counts & pooled.hit[at])
    truths = int(pooled.truths.sum())
    return hits / found if found else math.nan, hits / truths if truths else math.nan


def _anything_to_find(pooled: Pool, weights: NDArray[np.float64] | None) -> bool:
    return bool((pooled.truths if weights is None else pooled.truths * weights).any())
