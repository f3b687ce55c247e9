"""Which found boxes are hits: COCO's greedy matching of one class in one picture, pure.

Follows pycocotools 2.0 (`COCOeval.evaluateImg`) without crowds: best score first, each found box
takes the free labelled box that it overlaps most. Leaves what a hit is worth to `precision`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.boxes import iou

#: COCO's ten thresholds, .50 to .95; as pycocotools makes them, so that borderline boxes fall alike.
COCO_IOUS: Final = tuple(float(v) for v in np.linspace(0.5, 0.95, 10))
#: COCO's `maxDets`: found boxes of one class that count in one picture, best first.
MAX_FOUND: Final = 100
#: COCO's area ranges in square pixels of the given picture.
AREAS_PX2: Final = {
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
ANY_AREA_PX2: Final = (0.0, 1e10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Found boxes of one class over P pictures, best first, judged at T overlaps."""

    #: (N,) descending.
    scores: NDArray[np.float64]
    #: (N,) which picture each is from, 0 to P - 1.
    picture: NDArray[np.int64]
    #: (T, N) whether it took a labelled box.
    hit: NDArray[np.bool_]
    #: (T, N) whether it counts neither as a hit nor as a false alarm (outside the area range).
    ignored: NDArray[np.bool_]
    #: (P,) labelled boxes that are to be found.
    truths: NDArray[np.int64]


def match(
    truth_xyxy: NDArray[np.float64],
    found_xyxy: NDArray[np.float64],
    scores: NDArray[np.float64],
    *,
    ious: Sequence[float] = COCO_IOUS,
    area_px2: tuple[float, float] = ANY_AREA_PX2,
) -> Pool:
    """Match one class in one picture.

    Args:
        truth_xyxy: (G, 4) labelled boxes.
        found_xyxy: (D, 4) found boxes.
        scores: (D,).
        ious: T overlaps (0 to 1) from which a found box may take a labelled one.
        area_px2: labelled boxes outside this range (both ends belong to it) need not be found, and
            found ones outside it that match nothing are no false alarms.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_FOUND]
    found = found_xyxy[order]
    outside = _outside(truth_xyxy, area_px2)
    # What must be found first, as pycocotools sorts them: it decides ties.
    truth_order = np.argsort(outside, kind="stable")
    truth, outside = truth_xyxy[truth_order], outside[truth_order]
    overlaps = iou(found, truth)
    taken = np.stack([_take(overlaps, outside, min(t, 1 - 1e-10)) for t in ious])
    hit = taken >= 0
    ignored = ~hit & _outside(found, area_px2)[None, :]
    if len(truth):
        ignored |= hit & outside[np.maximum(taken, 0)]
    return Pool(
        scores=np.asarray(scores[order], dtype=np.float64),
        picture=np.zeros(len(order), dtype=np.int64),
        hit=hit,
        ignored=np.asarray(ignored, dtype=np.bool_),
        truths=np.array([np.count_nonzero(~outside)], dtype=np.int64),
    )


def pool(matched: Sequence[Pool], *, ious: int = len(COCO_IOUS)) -> Pool:
    """Put pictures together, best score first (ties: the earlier picture first)."""
    if not matched:
        empty = np.zeros((ious, 0), dtype=np.bool_)
        none = np.zeros(0, dtype=np.int64)
        return Pool(scores=np.zeros(0), picture=none, hit=empty, ignored=empty, truths=none)
    scores = np.concatenate([m.scores for m in matched])
    picture = np.repeat(np.arange(len(matched), dtype=np.int64), [len(m.scores) for m in matched])
    order = np.argsort(-scores, kind="stable")
    return Pool(
        scores=scores[order],
        picture=picture[order],
        hit=np.concatenate([m.hit for m in matched], axis=1)[:, order],
        ignored=np.concatenate([m.ignored for m in matched], axis=1)[:, order],
        truths=np.concatenate([m.truths for m in matched]),
    )


def _outside(xyxy: NDArray[np.float64], area_px2: tuple[float, float]) -> NDArray[np.bool_]:
    area = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])
    return np.asarray((area < area_px2[0]) | (area > area_px2[1]), dtype=np.bool_)


def _take(overlaps: NDArray[np.float64], outside: NDArray[np.bool_], iou_min: float) -> NDArray[np.int64]:
    """(D,) index of the labelled box that each found box takes, -1 for none; the best found box chooses first."""
    found, truths = overlaps.shape
    taken = np.full(found, -1, dtype=np.int64)
    free = np.ones(truths, dtype=np.bool_)
    for d in range(found):
        possible = free & (overlaps[d] >= iou_min)
        # One that need not be found is only taken if none that must be is left.
        wanted = possible & ~outside
        chosen = np.flatnonzero(wanted if wanted.any() else possible)
        if len(chosen):
            best = overlaps[d, chosen]
            # Of equal overlaps the last, as pycocotools does.
            taken[d] = chosen[len(best) - 1 - int(np.argmax(best[::-1]))]
            free[taken[d]] = False
    return taken
