"""Calibrated scores: what the network says becomes the share of such boxes that are right. Pure, and a detector around one.

A card may carry `calibration`: a monotone curve for every class, or for some of their own. It is applied once,
after the network and its non-maximum suppression, whatever backend ran it. Being monotone, it changes no
class's order, so average precision stays what it was. How a curve is found is `models.eval.calibrate`'s task.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.detector import Detection, Detector, ModelInfo

#: Scores of exactly 0 and 1 have no logarithm.
EDGE: Final = 1e-4
#: The network is asked for no lower score than this, whatever a curve makes of it.
RAW_FLOOR: Final = 0.001
#: Halvings that find a score's origin to a millionth.
HALVINGS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """score → sigmoid(low x ln score - high x ln(1 - score) + offset), with low and high at least 0.

    Beta calibration (Kull, Silva Filho and Flach 2017); with low equal to high it is Platt's scaling of the
    logit, with offset 0 as well a temperature.
    """

    low: float = 1.0
    high: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if (
            not all(math.isfinite(v) for v in (self.low, self.high, self.offset))
            or min(self.low, self.high) < 0
        ):
            raise ValueError("low and high must be finite and at least 0, offset finite")

    def apply(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated scores (N,)."""
        inside = np.clip(scores, EDGE, 1 - EDGE)
        x = self.low * np.log(inside) - self.high * np.log1p(-inside) + self.offset
        return np.asarray(1 / (1 + np.exp(-np.clip(x, -50, 50))))

    def origin(self, score: float) -> float:
        """The least raw score that becomes at least `score`; 1 if none does."""
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            enough = float(self.apply(np.array([middle]))[0]) >= score
            low, high = (low, middle) if enough else (middle, high)
        return high


AS_IT_IS: Final = Curve()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A card's curves: `own` of some classes, `others` for the rest."""

    others: Curve
    own: Mapping[str, Curve]

    def of(self, class_name: str) -> Curve:
        """The curve of a class."""
        return self.own.get(class_name, self.others)


def calibrate(found: tuple[Detection, ...], by: Calibration, score_min: float) -> tuple[Detection, ...]:
    """The detections with calibrated scores, best first, those below `score_min` left out.

    Of two whose calibrated scores are equal the one with the higher raw score comes first.
    """
    scores = [0.0] * len(found)
    for name in {d.class_name for d in found}:  # a curve is applied once to all boxes of its class
        at = [i for i, d in enumerate(found) if d.class_name == name]
        given = by.of(name).apply(np.array([found[i].score for i in at])).tolist()
        for i, score in zip(at, given, strict=True):
            scores[i] = score
    kept = [replace(d, score=score) for d, score in zip(found, scores, strict=True) if score >= score_min]
    return tuple(sorted(kept, key=lambda d: -d.score))


def raw_score_min(classes: tuple[str, ...], by: Calibration, score_min: float) -> float:
    """How low the network must be asked, so that nothing from the calibrated `score_min` on is missing."""
    return max(RAW_FLOOR, min(by.of(name).origin(score_min) for name in classes))


class Calibrated:
    """A detector whose scores are calibrated; everything else is that of the one inside."""

    def __init__(self, inside: Detector, by: Calibration, score_min: float) -> None:
        """Wrap `inside`, which must return boxes down to `raw_score_min(…)`."""
        self._inside, self._by, self._score_min = inside, by, score_min

    @property
    def info(self) -> ModelInfo:
        """The network's own."""
        return self._inside.info

    def detect(
        self, frame_bgr: NDArray[np.uint8], *, long_side_px: int | None = None
    ) -> tuple[Detection, ...]:
        """Objects in one frame, best calibrated score first."""
        return calibrate(self._inside.detect(frame_bgr, long_side_px=long_side_px), self._by, self._score_min)

    def warm_up(self) -> None:
        """As the one inside does."""
        self._inside.warm_up()


def read_calibration(raw: object, classes: tuple[str, ...]) -> Calibration | None:
    """`calibration` of a card; None if it has none.

    Raises:
        ValueError: what is wrong, naming the key.
    """
    if raw is None:
        return None
    if not isinstance(raw, dict) or not isinstance(raw.get("own", {}), dict):
        raise ValueError("calibration (a table with `others` and perhaps `own`: {class: curve})")
    own = {str(name): _curve(one, f"calibration.own.{name}") for name, one in raw.get("own", {}).items()}
    unknown = set(own) - set(classes)
    if unknown:
        raise ValueError(f"calibration.own (names no class of the card: {', '.join(sorted(unknown))})")
    return Calibration(others=_curve(raw.get("others"), "calibration.others"), own=own)


def as_table(by: Calibration) -> dict[str, Any]:
    """What `read_calibration` reads."""
    return {"others": _plain(by.others), "own": {name: _plain(curve) for name, curve in by.own.items()}}


def _plain(curve: Curve) -> dict[str, float]:
    return {"low": round(curve.low, 4), "high": round(curve.high, 4), "offset": round(curve.offset, 4)}


def _curve(raw: object, key: str) -> Curve:
    if not isinstance(raw, dict) or set(raw) != {"low", "high", "offset"}:
        raise ValueError(f"{key} (low, high and offset)")
    try:
        return Curve(**{str(name): float(value) for name, value in raw.items()})
    except (TypeError, ValueError) as exc:
        raise ValueError(f"{key} ({exc})") from exc
