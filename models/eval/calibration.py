"""Does a score of 0.8 mean that eight of ten such boxes are right? Reliability curve and its error, pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Bins of equal width over 0 to 1, as in Guo et al. 2017 (On Calibration of Modern Neural Networks).
BINS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Found boxes whose scores lie close together."""

    count: int
    #: Mean score, and share of them that are hits.
    score: float
    hit_share: float


def reliability(
    scores: NDArray[np.float64], hit: NDArray[np.bool_], *, score_min: float = 0.0
) -> tuple[Bin, ...]:
    """The bins that hold a box, lowest first.

    Args:
        scores: (N,) 0 to 1.
        hit: (N,) whether each took a labelled box.
        score_min: lower-scoring boxes are left out.
    """
    chosen = scores >= score_min
    place = bin_of(scores)
    found = []
    for k in range(BINS):
        inside = chosen & (place == k)
        count = int(np.count_nonzero(inside))
        if count:
            found.append(
                Bin(count=count, score=float(scores[inside].mean()), hit_share=float(hit[inside].mean()))
            )
    return tuple(found)


def bin_of(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which bin each score is in, 0 to `BINS` - 1."""
    return np.minimum((scores * BINS).astype(np.int64), BINS - 1)


def expected_error(bins: tuple[Bin, ...]) -> float:
    """Expected calibration error: mean gap between score and share of hits, weighed by the bins' boxes; NaN without any."""
    boxes = sum(b.count for b in bins)
    return sum(b.count * abs(b.score - b.hit_share) for b in bins) / boxes if boxes else math.nan
