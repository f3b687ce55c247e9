"""Finds the curve that makes scores mean what they say, and refuses it if other sources are not better off. Pure.

Fitting and measuring on pictures of one source always looks well; a camera on a pipeline is another source. So
each source is scored by a fit on all others, that sum chooses among four ways, and a way that does not lower
the loss against the raw scores is refused. The pictures must be ones that training has not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.calibrated import AS_IT_IS, EDGE, Calibration, Curve, as_table
from models.eval import calibration
from models.eval.matching import COCO_IOUS, match, pool
from models.eval.values import Seen

Values = NDArray[np.float64]
Hits = NDArray[np.bool_]

#: Fewer hits than this and a class has no curve of its own; fewer in all and nothing is fitted.
HITS_MIN: Final = 10
STEPS: Final = 100
#: Raw scores whose calibrated ones are told: those at which rules keep an object, tracks begin, rules enter.
TOLD_SCORES: Final = (0.3, 0.4, 0.5)


class Shape(StrEnum):
    """How many numbers a curve has."""

    #: Platt: a slope and an offset of the logit.
    PLATT = "platt"
    #: Beta: low and high scores have slopes of their own.
    BETA = "beta"


class Refusal(StrEnum):
    """Why there is no calibration."""

    ONE_SOURCE = "one_source"
    FEW_HITS = "few_hits"
    NO_BETTER = "no_better"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to fit: a shape, and whether classes get curves of their own, near the common one."""

    shape: Shape
    own: bool

    def __str__(self) -> str:
        return f"{self.shape}, {'a curve a class' if self.own else 'one curve for all'}"


#: What carried over best from source to source on our pictures.
ONE_CURVE: Final = Way(shape=Shape.BETA, own=False)
WAYS: Final = tuple(Way(shape=shape, own=own) for own in (False, True) for shape in Shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """Found boxes of one class from one source: (N,) raw scores, (N,) hits at IoU 0.5."""

    scores: Values
    hit: Hits


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How well scores tell the share of hits."""

    boxes: int
    #: Mean of -ln(probability given to what was the case).
    loss: float
    ece: float
    ece_from_stay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of it."""

    refused: Refusal | None
    #: The best way; its curves, fitted on all sources; what each source's scores are by a fit on all others.
    way: Way
    calibration: Calibration
    raw: Quality
    by_others: Quality
    sources: Mapping[str, tuple[Quality, Quality]]


Collected = Mapping[tuple[str, str], Boxes]


def collect(pictures: Sequence[Seen], classes: Sequence[str]) -> dict[tuple[str, str], Boxes]:
    """{(class, source): boxes}, only from pictures in which the class is exhaustively labelled."""
    found: dict[tuple[str, str], Boxes] = {}
    for name in classes:
        for source in sorted({seen.source for seen in pictures if name in seen.exhaustive}):
            chosen = [seen for seen in pictures if seen.source == source and name in seen.exhaustive]
            pooled = pool(
                [match(seen.truth_of(name), *seen.found_of(name), ious=COCO_IOUS[:1]) for seen in chosen],
                ious=1,
            )
            found[name, source] = Boxes(scores=pooled.scores, hit=pooled.hit[0])
    return found


def verdict(collected: Collected, *, score_from: float) -> Verdict:
    """The best way over the sources, or why none; `score_from` is the score from which rules look at boxes."""
    raw = [(boxes.scores, boxes) for boxes in collected.values()]
    tried = {way: by_other_sources(collected, way) for way in WAYS}
    ways = {
        way: _quality(list(zip(tried[way].values(), collected.values(), strict=True)), score_from)
        for way in WAYS
    }
    best = min(WAYS, key=lambda way: ways[way].loss)
    before = _quality(raw, score_from)
    sources = sorted({source for _, source in collected})
    if len(sources) < 2:
        refused: Refusal | None = Refusal.ONE_SOURCE
    elif sum(np.count_nonzero(boxes.hit) for boxes in collected.values()) < HITS_MIN:
        refused = Refusal.FEW_HITS
    else:
        refused = None if ways[best].loss < before.loss else Refusal.NO_BETTER
    return Verdict(
        refused=refused, way=best, calibration=fitted(collected, best), raw=before, by_others=ways[best],
        sources={source: _of_source(collected, tried[best], source, score_from) for source in sources},
    )  # fmt: skip


def by_other_sources(collected: Collected, way: Way) -> dict[tuple[str, str], Values]:
    """{(class, source): scores} with each source calibrated by a fit on all others."""
    scored: dict[tuple[str, str], Values] = {}
    for source in {source for _, source in collected}:
        others = {key: boxes for key, boxes in collected.items() if key[1] != source}
        by = fitted(others, way)
        for (name, its), boxes in collected.items():
            if its == source:
                scored[name, its] = by.of(name).apply(boxes.scores)
    return {key: scored[key] for key in collected}


def fitted(collected: Collected, way: Way) -> Calibration:
    """The curves of one way over all these boxes."""
    common = fit(list(collected.values()), way.shape)
    own = {}
    for name in dict.fromkeys(name for name, _ in collected) if way.own else ():
        of_class = [boxes for (its, _), boxes in collected.items() if its == name]
        if sum(np.count_nonzero(boxes.hit) for boxes in of_class) >= HITS_MIN:
            own[name] = fit(of_class, way.shape, near=common)
    return Calibration(others=common, own=own)


def fit(boxes: Sequence[Boxes], shape: Shape, near: Curve = AS_IT_IS) -> Curve:
    """The most likely curve for these boxes, with a normal prior of width 1 around `near`.

    The prior keeps a few boxes from turning everything round. A slope that would be negative is 0.
    """
    scores = np.concatenate([np.zeros(0), *(one.scores for one in boxes)])
    hit = np.concatenate([np.zeros(0), *(one.hit for one in boxes)])
    inside = np.clip(scores, EDGE, 1 - EDGE)
    low, high, ones = np.log(inside), -np.log1p(-inside), np.ones(len(inside))
    if shape is Shape.PLATT:
        middle = (near.low + near.high) / 2
        slope, offset = _climb(np.stack([low + high, ones], axis=1), hit, np.array([middle, near.offset]))
        return Curve(low=slope, high=slope, offset=offset)
    a, b, offset = _climb(
        np.stack([low, high, ones], axis=1), hit, np.array([near.low, near.high, near.offset])
    )
    return Curve(low=a, high=b, offset=offset)


def _climb(x: Values, hit: Values, near: Values) -> list[float]:
    """Weights of a logistic regression by Newton's steps; all but the last are kept at 0 or more."""
    free = np.ones(len(near), dtype=np.bool_)
    while True:
        weights = np.where(free, near, 0.0)
        for _ in range(STEPS):
            expected = 1 / (1 + np.exp(-np.clip(x @ weights, -50, 50)))
            slope = (x.T @ (expected - hit) + (weights - near))[free]
            curvature = (x.T * (expected * (1 - expected))) @ x + np.eye(len(near))
            step = np.linalg.solve(curvature[np.ix_(free, free)], slope)
            # Far away the parabola lies; a short step can't overshoot.
            weights[free] -= step * min(1.0, 1.0 / float(np.abs(step).max() + 1e-12))
            if np.abs(step).max() < 1e-10:
                break
        negative = free & (weights < 0)
        negative[-1] = False
        if not negative.any():
            return [float(value) for value in weights]
        free &= ~negative


def as_section(found: Verdict, *, made_by: str, pictures: int) -> dict[str, Any]:
    """What a card says of its calibration: the curves, and each figure as [raw, by a fit on all other sources]."""
    return {
        **as_table(found.calibration), "way": str(found.way), "made_by": made_by, "pictures": pictures,
        "raw_becomes": {f"{raw:g}": _becomes(found.calibration, raw) for raw in TOLD_SCORES},
        "all": _row(found.raw, found.by_others),
        "sources": {name: _row(*both) for name, both in found.sources.items()},
    }  # fmt: skip


def _becomes(by: Calibration, raw: float) -> float:
    return round(float(by.others.apply(np.array([raw]))[0]), 2)


def _row(raw: Quality, after: Quality) -> dict[str, Any]:
    def both(a: float, b: float) -> list[float | None]:
        return [None if math.isnan(v) else round(v, 4) for v in (a, b)]

    return {
        "boxes": raw.boxes, "loss": both(raw.loss, after.loss), "ece": both(raw.ece, after.ece),
        "ece_from_0.3": both(raw.ece_from_stay, after.ece_from_stay),
    }  # fmt: skip


def _of_source(
    collected: Collected, calibrated: Mapping[tuple[str, str], Values], source: str, score_from: float
) -> tuple[Quality, Quality]:
    keys = [key for key in collected if key[1] == source]
    return (
        _quality([(collected[key].scores, collected[key]) for key in keys], score_from),
        _quality([(calibrated[key], collected[key]) for key in keys], score_from),
    )


def _quality(each: Sequence[tuple[Values, Boxes]], score_from: float) -> Quality:
    scores = np.concatenate([np.zeros(0), *(values for values, _ in each)])
    hit = np.concatenate([np.zeros(0, dtype=np.bool_), *(boxes.hit for _, boxes in each)])
    given = np.clip(np.where(hit, scores, 1 - scores), EDGE, None)
    return Quality(
        boxes=len(scores),
        loss=float(-np.log(given).mean()) if len(scores) else math.nan,
        ece=calibration.expected_error(calibration.reliability(scores, hit)),
        ece_from_stay=calibration.expected_error(calibration.reliability(scores, hit, score_min=score_from)),
    )
