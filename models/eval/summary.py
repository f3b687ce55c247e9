"""All figures of a detector over labelled pictures: what `hcawatch models eval` prints. Pure.

A class is scored only over the pictures in which it is exhaustively labelled; elsewhere a found box
may be right and nobody could tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.eval import bootstrap, calibration, confusion, precision
from models.eval.bootstrap import Draws, Interval, Placed
from models.eval.calibrate import ONE_CURVE, by_other_sources, collect
from models.eval.calibration import Bin
from models.eval.matching import ANY_AREA_PX2, AREAS_PX2, COCO_IOUS, Pool, match, pool
from models.eval.values import Seen

#: The score from which a rule takes a box as seen, and from which it keeps one that it had. The
#: rules are not ours to import; a test holds both equal to the ones that ship.
ENTER_SCORE: Final = 0.5
STAY_SCORE: Final = 0.3
#: The precision below which operators turn an alarm off.
PRECISION_WANTED: Final = 0.9
#: The figures of a class that have an interval.
INTERVALS: Final = ("map50", "map", "recall_at_p90", "precision", "recall", "ece")
Values = NDArray[np.float64]
#: The classes whose mean AP50 is told as one figure: there is data enough for each.
SIX: Final = ("person", "excavator", "truck", "fire", "smoke", "car")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One class among the objects of one size, or by day or night."""

    boxes: int
    map50: float
    map50_interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """How well one class is found. NaN where nothing could be measured."""

    name: str
    #: Pictures in which it is exhaustively labelled, and its labelled boxes in them.
    images: int
    boxes: int
    map50: float
    map: float
    recall_at_p90: float
    #: At the threshold of the figures, and how many boxes were found there.
    precision: float
    recall: float
    found: int
    ece: float
    #: 95 % bootstrap intervals of the figures of these names.
    intervals: Mapping[str, Interval]
    #: By "small", "medium", "large" (COCO's areas), "day", "night" (brightness).
    parts: Mapping[str, Part]
    #: Matches at all ten overlaps, for curves.
    pooled: Pool

    @property
    def map50_interval(self) -> Interval:
        """95 % bootstrap interval of `map50`."""
        return self.intervals["map50"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All classes together."""

    threshold: float
    images: int
    #: Means over the classes that have a labelled box.
    map50: float
    map: float
    #: Mean over `SIX`; NaN if one of them has no labelled box.
    map50_six: float
    #: 95 % bootstrap intervals of the figures of these names.
    intervals: Mapping[str, Interval]
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


def figures(
    pictures: Sequence[Seen],
    classes: Sequence[str],
    *,
    threshold: float = ENTER_SCORE,
    resamples: int = bootstrap.RESAMPLES,
) -> Figures:
    """Score what was found in `pictures` for each of `classes`; without `resamples` no interval is known."""
    draws = bootstrap.draw(len(pictures), resamples)
    placed = tuple(place(pictures, name, COCO_IOUS) for name in classes)
    drawn50 = {
        name: bootstrap.average_precisions(one, draws) for name, one in zip(classes, placed, strict=True)
    }
    drawn = {
        name: bootstrap.mean_average_precisions(one, draws) for name, one in zip(classes, placed, strict=True)
    }
    each = tuple(
        _one_class(pictures, name, threshold, one, draws, {"map50": drawn50[name], "map": drawn[name]})
        for name, one in zip(classes, placed, strict=True)
    )
    measured = [c for c in each if c.boxes]
    scores = np.concatenate([c.pooled.scores for c in each]) if each else np.zeros(0)
    hit = np.concatenate([c.pooled.hit[0] for c in each]) if each else np.zeros(0, dtype=np.bool_)
    bins = calibration.reliability(scores, hit)
    calibrated = _if_calibrated(pictures, classes)
    return Figures(
        threshold=threshold,
        images=len(pictures),
        map50=_mean([c.map50 for c in measured]),
        map=_mean([c.map for c in measured]),
        map50_six=_mean([c.map50 for c in measured if c.name in SIX]) if _has_six(measured) else math.nan,
        intervals={
            "map50": _mean_interval([drawn50[c.name] for c in measured]),
            "map": _mean_interval([drawn[c.name] for c in measured]),
            "map50_six": _mean_interval([drawn50[name] for name in SIX])
            if _has_six(measured)
            else bootstrap.UNKNOWN,
            "ece": bootstrap.interval(bootstrap.calibration_errors(placed, draws)),
            "ece_from_stay": bootstrap.interval(bootstrap.calibration_errors(placed, draws, STAY_SCORE)),
        },
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
        "map50_interval": _plains(found.intervals["map50"]),
        "map": _plain(found.map),
        "map_interval": _plains(found.intervals["map"]),
        "map50_six": _plain(found.map50_six),
        "map50_six_interval": _plains(found.intervals["map50_six"]),
        "ece": _plain(found.ece),
        "ece_interval": _plains(found.intervals["ece"]),
        "ece_from_0.3": _plain(found.ece_from_stay),
        "ece_from_0.3_interval": _plains(found.intervals["ece_from_stay"]),
        "ece_if_calibrated": _plain(found.ece_if_calibrated),
        "ece_if_calibrated_from_0.3": _plain(found.ece_if_calibrated_from_stay),
        "threshold": found.threshold,
        "images": found.images,
        "boxes": sum(c.boxes for c in found.classes),
        "classes": {c.name: _class_row(c) for c in found.classes},
    }


def _class_row(c: ClassFigures) -> dict[str, Any]:
    row: dict[str, Any] = {"images": c.images, "boxes": c.boxes, "found": c.found}
    for key in INTERVALS:
        row[key] = _plain(getattr(c, key))
        row[f"{key}_interval"] = _plains(c.intervals[key])
    row["parts"] = {
        key: {"boxes": p.boxes, "map50": _plain(p.map50), "map50_interval": _plains(p.map50_interval)}
        for key, p in c.parts.items()
    }
    return row


def _one_class(
    pictures: Sequence[Seen],
    name: str,
    threshold: float,
    placed: Placed,
    draws: Draws,
    drawn: Mapping[str, Values],
) -> ClassFigures:
    pooled = placed.pooled
    right, found = precision.at_threshold(pooled, threshold)
    bins = calibration.reliability(pooled.scores, pooled.hit[0])
    drawn_right, drawn_found = bootstrap.at_threshold(placed, draws, threshold)
    every = {
        **drawn, "recall_at_p90": bootstrap.recalls_at(placed, draws, PRECISION_WANTED),
        "precision": drawn_right, "recall": drawn_found,
        "ece": bootstrap.calibration_errors([placed], draws),
    }  # fmt: skip
    return ClassFigures(
        name=name,
        images=len(placed.places),
        boxes=int(pooled.truths.sum()),
        map50=precision.average_precision(pooled),
        map=precision.mean_average_precision(pooled),
        recall_at_p90=precision.recall_at_precision(pooled, PRECISION_WANTED),
        precision=right,
        recall=found,
        found=int(np.count_nonzero(pooled.scores >= threshold)),
        ece=calibration.expected_error(bins),
        intervals={key: bootstrap.interval(values) for key, values in every.items()},
        parts=_parts(pictures, name, draws),
        pooled=pooled,
    )


def _parts(pictures: Sequence[Seen], name: str, draws: Draws) -> dict[str, Part]:
    half = COCO_IOUS[:1]
    placed = {size: place(pictures, name, half, area_px2=area) for size, area in AREAS_PX2.items()}
    placed["day"] = place(pictures, name, half, dark=False)
    placed["night"] = place(pictures, name, half, dark=True)
    return {
        key: Part(
            boxes=int(one.pooled.truths.sum()),
            map50=precision.average_precision(one.pooled),
            map50_interval=bootstrap.interval(bootstrap.average_precisions(one, draws)),
        )
        for key, one in placed.items()
    }


def place(
    pictures: Sequence[Seen],
    name: str,
    ious: Sequence[float],
    *,
    area_px2: tuple[float, float] = ANY_AREA_PX2,
    dark: bool | None = None,
) -> Placed:
    """Matches of a class in the pictures that label it in full; only dark or bright ones if told."""
    places = [k for k, seen in enumerate(pictures) if name in seen.exhaustive and dark in (None, seen.dark)]
    matched = [
        match(pictures[k].truth_of(name), *pictures[k].found_of(name), ious=ious, area_px2=area_px2)
        for k in places
    ]
    return Placed(pooled=pool(matched, ious=len(ious)), places=np.array(places, dtype=np.int64))


def _if_calibrated(pictures: Sequence[Seen], classes: Sequence[str]) -> tuple[Values, NDArray[np.bool_]]:
    """Scores of all found boxes, each source calibrated by all others, and hits; empty for one source."""
    collected = collect(pictures, classes)
    if len({source for _, source in collected}) < 2:
        return np.zeros(0), np.zeros(0, dtype=np.bool_)
    scored = by_other_sources(collected, ONE_CURVE)
    return np.concatenate(list(scored.values())), np.concatenate([one.hit for one in collected.values()])


def _has_six(measured: Sequence[ClassFigures]) -> bool:
    return set(SIX) <= {c.name for c in measured}


def _mean_interval(drawn: Sequence[Values]) -> Interval:
    """Of a mean over classes; a draw without any box of a class leaves that class out."""
    if not drawn:
        return bootstrap.UNKNOWN
    values = np.ma.masked_invalid(np.array(drawn))
    return bootstrap.interval(values.mean(axis=0).filled(math.nan))


def _ece_from_stay(scores: NDArray[np.float64], hit: NDArray[np.bool_]) -> float:
    return calibration.expected_error(calibration.reliability(scores, hit, score_min=STAY_SCORE))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _plains(values: Interval) -> list[float | None]:
    return [_plain(value) for value in values]
