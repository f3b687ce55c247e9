"""All figures of a detector over labelled pictures: what `hcawatch models eval` prints. Pure.

A class is scored only over the pictures in which it is exhaustively labelled; elsewhere a found box
may be right and nobody could tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.eval import calibration, confusion, platt, precision
from models.eval.calibration import Bin
from models.eval.matching import ANY_AREA_PX2, AREAS_PX2, COCO_IOUS, Pool, match, pool
from models.eval.values import Seen

#: The score from which a rule takes a box as seen, and from which it keeps one that it had. The
#: rules are not ours to import; a test holds both equal to the ones that ship.
ENTER_SCORE: Final = 0.5
STAY_SCORE: Final = 0.3
#: The precision below which operators turn an alarm off.
PRECISION_WANTED: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """How well one class is found. NaN where nothing could be measured."""

    name: str
    #: Pictures in which it is exhaustively labelled, and its labelled boxes in them.
    images: int
    boxes: int
    map50: float
    #: 95 % bootstrap interval of `map50`.
    map50_interval: tuple[float, float]
    map: float
    recall_at_p90: float
    #: At the threshold of the figures.
    precision: float
    recall: float
    ece: float
    #: {"small", "medium", "large" by COCO's areas, "day", "night" by brightness: (boxes, mAP50)}.
    parts: dict[str, tuple[int, float]]
    #: Matches at all ten overlaps, for curves.
    pooled: Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All classes together."""

    threshold: float
    images: int
    #: Means over the classes that have a labelled box.
    map50: float
    map: float
    #: Expected calibration error over all found boxes, and over those from `STAY_SCORE` on.
    ece: float
    ece_from_stay: float
    #: The same two if each source's scores were calibrated by a fit on all other sources; NaN for one source.
    ece_if_calibrated: float
    ece_if_calibrated_from_stay: float
    bins: tuple[Bin, ...]
    classes: tuple[ClassFigures, ...]
    #: {(labelled, found): boxes} at the threshold; "" is nothing.
    confused: dict[tuple[str, str], int]


def figures(pictures: Sequence[Seen], classes: Sequence[str], *, threshold: float = ENTER_SCORE) -> Figures:
    """Score what was found in `pictures` for each of `classes`."""
    each = tuple(_one_class(pictures, name, threshold) for name in classes)
    measured = [c for c in each if c.boxes]
    scores = np.concatenate([c.pooled.scores for c in each]) if each else np.zeros(0)
    hit = np.concatenate([c.pooled.hit[0] for c in each]) if each else np.zeros(0, dtype=np.bool_)
    bins = calibration.reliability(scores, hit)
    calibrated = platt.held_out(pictures, classes)
    return Figures(
        threshold=threshold,
        images=len(pictures),
        map50=_mean([c.map50 for c in measured]),
        map=_mean([c.map for c in measured]),
        ece=calibration.expected_error(bins),
        ece_from_stay=_ece_from_stay(scores, hit),
        ece_if_calibrated=calibration.expected_error(calibration.reliability(*calibrated)),
        ece_if_calibrated_from_stay=_ece_from_stay(*calibrated),
        bins=bins,
        classes=each,
        confused=dict(confusion.confusion(pictures, score_min=threshold)),
    )


def as_table(found: Figures) -> dict[str, Any]:
    """The figures as plain JSON values, rounded to four digits; None for what could not be measured."""
    return {
        "map50": _plain(found.map50),
        "map": _plain(found.map),
        "ece": _plain(found.ece),
        "ece_from_0.3": _plain(found.ece_from_stay),
        "ece_if_calibrated": _plain(found.ece_if_calibrated),
        "ece_if_calibrated_from_0.3": _plain(found.ece_if_calibrated_from_stay),
        "threshold": found.threshold,
        "images": found.images,
        "classes": {
            c.name: {
                "map50": _plain(c.map50), "map50_interval": [_plain(v) for v in c.map50_interval],
                "map": _plain(c.map), "recall_at_p90": _plain(c.recall_at_p90),
                "precision": _plain(c.precision), "recall": _plain(c.recall), "ece": _plain(c.ece),
                "images": c.images, "boxes": c.boxes,
                "parts": {k: {"boxes": n, "map50": _plain(v)} for k, (n, v) in c.parts.items()},
            }
            for c in found.classes
        },
    }  # fmt: skip


def _one_class(pictures: Sequence[Seen], name: str, threshold: float) -> ClassFigures:
    scored = [seen for seen in pictures if name in seen.exhaustive]
    pooled = _pooled(scored, name, COCO_IOUS)
    right, found = precision.at_threshold(pooled, threshold)
    bins = calibration.reliability(pooled.scores, pooled.hit[0])
    return ClassFigures(
        name=name,
        images=len(scored),
        boxes=int(pooled.truths.sum()),
        map50=precision.average_precision(pooled),
        map50_interval=precision.interval(pooled),
        map=precision.mean_average_precision(pooled),
        recall_at_p90=precision.recall_at_precision(pooled, PRECISION_WANTED),
        precision=right,
        recall=found,
        ece=calibration.expected_error(bins),
        parts=_parts(scored, name),
        pooled=pooled,
    )


def _parts(scored: Sequence[Seen], name: str) -> dict[str, tuple[int, float]]:
    pools = {size: _pooled(scored, name, COCO_IOUS[:1], area) for size, area in AREAS_PX2.items()}
    pools["day"] = _pooled([seen for seen in scored if not seen.dark], name, COCO_IOUS[:1])
    pools["night"] = _pooled([seen for seen in scored if seen.dark], name, COCO_IOUS[:1])
    return {key: (int(p.truths.sum()), precision.average_precision(p)) for key, p in pools.items()}


def _pooled(
    scored: Sequence[Seen],
    name: str,
    ious: Sequence[float],
    area_px2: tuple[float, float] = ANY_AREA_PX2,
) -> Pool:
    return pool(
        [match(seen.truth_of(name), *seen.found_of(name), ious=ious, area_px2=area_px2) for seen in scored],
        ious=len(ious),
    )


def _ece_from_stay(scores: NDArray[np.float64], hit: NDArray[np.bool_]) -> float:
    return calibration.expected_error(calibration.reliability(scores, hit, score_min=STAY_SCORE))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
