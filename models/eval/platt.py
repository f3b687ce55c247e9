"""Would scores mean more if they were calibrated? Platt's scaling, tried on sources that it was not fitted on. Pure.

Fitting and measuring on pictures of the same source always looks well; a camera on a pipeline is
another source. So each source is scored by a fit on all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.eval.matching import COCO_IOUS, Pool, match, pool
from models.eval.values import Seen

#: Fewer hits than this and a class keeps its scores.
HITS_MIN: Final = 10
#: Scores of exactly 0 and 1 have no logit.
EDGE: Final = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Platt:
    """score → sigmoid(slope x logit(score) + offset); order is kept, since the slope is positive in practice."""

    slope: float = 1.0
    offset: float = 0.0

    def apply(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated scores (N,)."""
        return _sigmoid(self.slope * _logit(scores) + self.offset)


def fit(scores: NDArray[np.float64], hit: NDArray[np.bool_]) -> Platt:
    """The most likely scaling for boxes with these scores of which these are hits.

    A normal prior of width 1 around "as it is" keeps a few boxes from turning everything round.
    """
    x = np.stack([_logit(scores), np.ones(len(scores))], axis=1)
    weights = as_it_is = np.array([1.0, 0.0])
    for _ in range(100):
        expected = _sigmoid(x @ weights)
        slope = x.T @ (expected - hit) + (weights - as_it_is)
        curvature = (x * (expected * (1 - expected))[:, None]).T @ x + np.eye(2)
        step = np.linalg.solve(curvature, slope)
        # Far away the parabola lies; a short step can't overshoot.
        weights = weights - step * min(1.0, 1.0 / float(np.abs(step).max() + 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    return Platt(slope=float(weights[0]), offset=float(weights[1]))


def held_out(
    pictures: Sequence[Seen], classes: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Calibrated scores and hits of all found boxes, each source calibrated by the others; empty for one source."""
    sources = sorted({seen.source for seen in pictures})
    if len(sources) < 2:
        return np.zeros(0), np.zeros(0, dtype=np.bool_)
    scores, hits = [np.zeros(0)], [np.zeros(0, dtype=np.bool_)]
    for name in classes:
        of = {source: _pooled(pictures, name, source) for source in sources}
        for source in sources:
            others = pool([p for key, p in of.items() if key != source], ious=1)
            enough = np.count_nonzero(others.hit[0]) >= HITS_MIN
            scaling = fit(others.scores, others.hit[0]) if enough else Platt()
            scores.append(scaling.apply(of[source].scores))
            hits.append(of[source].hit[0])
    return np.concatenate(scores), np.concatenate(hits)


def _pooled(pictures: Sequence[Seen], name: str, source: str) -> Pool:
    chosen = [seen for seen in pictures if seen.source == source and name in seen.exhaustive]
    return pool(
        [match(seen.truth_of(name), *seen.found_of(name), ious=COCO_IOUS[:1]) for seen in chosen], ious=1
    )


def _logit(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(scores, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -50, 50))))
