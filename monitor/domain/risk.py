"""How bad is it: a level from I (red) to IV (blue), explained by reasons that add up.

Pure: facts in, risk out. The weights are data with a version, which is recorded with each grade.
The edge grades with what it knows; the centre adds repeat offence and permit, and its word counts.
"""

from typing import Literal

import msgspec

from monitor.domain.levels import HcaGrade, Level
from monitor.domain.violations import CATALOGUE, Activity, Violation


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Points for each reason, and the points from which a level begins."""

    version: str = "2026-11-1"
    within_band: int = 15
    hca: dict[str, int] = msgspec.field(default_factory=lambda: {"I": 5, "II": 10, "III": 15})
    activity: dict[str, int] = msgspec.field(
        default_factory=lambda: {"passing": 0, "stopped": 5, "working": 15}
    )
    long_dwell: int = 5
    long_dwell_s: float = 60.0
    night: int = 5
    repeat: int = 5
    repeat_most: int = 10
    permit: int = -45
    level_from: dict[str, int] = msgspec.field(default_factory=lambda: {"I": 90, "II": 65, "III": 40})


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when grading."""

    violation: str
    hca_grade: HcaGrade
    activity: Activity
    dwell_s: float
    #: probability of lying within the article's band; None where the rule has no distance
    within_band: float | None = None
    may_lie_within: bool = False
    night: bool = False
    repeats: int = 0
    #: number of a permit that covers place, time and kind
    permit: str | None = None
    #: None: a camera saw it; else a person or a device only says so, hence without a probability
    said_by: Literal["report", "device"] | None = None
    #: whether the place that is said lies within the article's distance; None: no place is said, the act is
    said_within: bool | None = None


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One addend of a grade: a key for the catalogue of texts, its facts, its points."""

    key: str
    points: int
    detail: str = ""


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """A level with the reasons whose points add up to it."""

    level: Level
    points: int
    reasons: tuple[Reason, ...]
    weights_version: str


def grade(facts: Facts, weights: Weights | None = None) -> Risk:
    """Grade what is known. KeyError if the violation is not in the catalogue.

    A permit lowers only where the law knows one for that violation (catalogue column `permit`);
    otherwise it is named with zero points.
    """
    weights = weights or Weights()
    row = CATALOGUE[facts.violation]
    reasons = [Reason(key="violation", points=row.severity, detail=facts.violation)]
    within = facts.within_band is not None and (facts.within_band >= 0.8 or facts.may_lie_within)
    if (
        facts.within_band is not None and within and row.article
    ):  # without an article there is no distance of one
        key = "within_band" if facts.within_band >= 0.8 else "may_lie_within"
        reasons.append(Reason(key=key, points=weights.within_band, detail=f"{facts.within_band:.2f}"))
    reasons += _as_said(facts, row, weights)
    reasons.append(
        Reason(key="hca_grade", points=weights.hca[facts.hca_grade.value], detail=facts.hca_grade.value)
    )
    if points := weights.activity[facts.activity]:
        reasons.append(Reason(key="activity", points=points, detail=facts.activity))
    if facts.dwell_s >= weights.long_dwell_s:
        reasons.append(Reason(key="long_dwell", points=weights.long_dwell, detail=f"{facts.dwell_s:.0f}"))
    if facts.night:
        reasons.append(Reason(key="night", points=weights.night))
    if facts.repeats:
        points = min(weights.repeat * facts.repeats, weights.repeat_most)
        reasons.append(Reason(key="repeat", points=points, detail=str(facts.repeats)))
    if facts.permit is not None:
        lowers = row.permit == "approval"
        reasons.append(Reason(key="permit" if lowers else "permit_not_known_to_law",
                              points=weights.permit if lowers else 0, detail=facts.permit))  # fmt: skip
    points = sum(reason.points for reason in reasons)
    return Risk(
        level=_level(points, weights), points=points, reasons=tuple(reasons), weights_version=weights.version
    )


def _as_said(facts: Facts, row: Violation, weights: Weights) -> list[Reason]:
    """What is said counts as it is said: who names an act within 5 m means within 5 m."""
    if facts.said_by is None:
        return []
    reasons = [Reason(key=f"by_{facts.said_by}", points=0)]
    if row.band_m is not None and row.article:
        outside = facts.said_within is False
        points = 0 if outside else weights.within_band
        key = "said_outside" if outside else "said_within"
        reasons.append(Reason(key=key, points=points, detail=f"{row.band_m:.0f}"))
    return reasons


def _level(points: int, weights: Weights) -> Level:
    for level in (Level.I, Level.II, Level.III):
        if points >= weights.level_from[level.value]:
            return level
    return Level.IV
