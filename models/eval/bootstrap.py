"""How far each figure would move with other pictures: 95 % bootstrap intervals. Pure.

Whole pictures are drawn with replacement, the same draw for every class, so that a mean over classes has an
interval as well. What cannot be measured is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.eval import precision
from models.eval.calibration import BINS, bin_of
from models.eval.matching import Pool

Interval = tuple[float, float]
UNKNOWN: Final[Interval] = (math.nan, math.nan)
#: 1,000 put an interval's ends within about a hundredth. mAP50-95 costs ten times as much: fewer.
RESAMPLES: Final = 1000
RESAMPLES_MAP: Final = 200
SEED: Final = 20261125


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Matches of one class, and which of all pictures each of its pictures is."""

    pooled: Pool
    #: (P,) positions among all pictures.
    places: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """(R, all pictures): how often each draw took each picture."""

    weights: NDArray[np.float64]

    def of(self, placed: Placed) -> NDArray[np.float64]:
        """(R, P) for the pictures of one class."""
        return self.weights[:, placed.places]


def draw(pictures: int, resamples: int = RESAMPLES) -> Draws:
    """`resamples` draws of as many pictures as there are; always the same ones."""
    if not pictures or not resamples:
        return Draws(weights=np.zeros((0, pictures)))
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(pictures, np.full(pictures, 1 / pictures), size=resamples)
    return Draws(weights=drawn.astype(np.float64))


def interval(values: NDArray[np.float64]) -> Interval:
    """The middle 95 % of the values that are numbers."""
    known = values[~np.isnan(values)]
    if not len(known):
        return UNKNOWN
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def average_precisions(placed: Placed, draws: Draws) -> NDArray[np.float64]:
    """(R,) AP50 in each draw."""
    return _each(placed, draws.of(placed), lambda pooled, w: precision.average_precision(pooled, 0, w))


def mean_average_precisions(placed: Placed, draws: Draws) -> NDArray[np.float64]:
    """(at most 200,) mAP50-95 in each draw."""
    return _each(placed, draws.of(placed)[:RESAMPLES_MAP], precision.mean_average_precision)


def recalls_at(placed: Placed, draws: Draws, precision_min: float) -> NDArray[np.float64]:
    """(R,) the largest recall with at least this precision in each draw."""
    return _each(
        placed, draws.of(placed), lambda pooled, w: precision.recall_at_precision(pooled, precision_min, 0, w)
    )


def at_threshold(
    placed: Placed, draws: Draws, score_min: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(R,) precision and (R,) recall of boxes from `score_min` on in each draw."""
    pooled = placed.pooled
    weights = draws.of(placed)
    counts = (pooled.scores >= score_min) & ~pooled.ignored[0]
    found = weights @ _per_picture(pooled, counts)
    hits = weights @ _per_picture(pooled, counts & pooled.hit[0])
    truths = weights @ pooled.truths.astype(np.float64)
    return _share(hits, found), _share(hits, truths)


def calibration_errors(
    classes: Sequence[Placed], draws: Draws, score_min: float = 0.0
) -> NDArray[np.float64]:
    """(R,) expected calibration error over the boxes of all these classes in each draw.

    Chance adds to a gap's size whichever way it goes, so the error itself lies near the interval's lower end.
    """
    pictures = draws.weights.shape[1]
    sums = np.zeros((3, pictures, BINS))
    for placed in classes:
        pooled = placed.pooled
        chosen = pooled.scores >= score_min
        at = (placed.places[pooled.picture[chosen]], bin_of(pooled.scores[chosen]))
        for k, each in enumerate((np.ones(len(pooled.scores)), pooled.scores, pooled.hit[0])):
            np.add.at(sums[k], at, each[chosen])
    count, score, hit = (draws.weights @ one for one in sums)
    return _share(np.abs(score - hit).sum(axis=1), count.sum(axis=1))


def _each(
    placed: Placed,
    weights: NDArray[np.float64],
    figure: Callable[[Pool, NDArray[np.float64]], float],
) -> NDArray[np.float64]:
    if not placed.pooled.truths.any():
        return np.full(len(weights), math.nan)
    return np.array([figure(placed.pooled, one) for one in weights], dtype=np.float64)


def _per_picture(pooled: Pool, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.bincount(pooled.picture[chosen], minlength=len(pooled.truths)).astype(np.float64)


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    share = np.full(len(whole), math.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share
