"""Which rows of the rule table an object matches right now: who, where, doing what. Dwell is `episodes`' matter.

Pure. A band is tested as a probability, given position and error: from 0.8 that article; between 0.2 and
0.8 the outer band's article with `may_lie_within`, graded as the inner. Without a ground fix only zones
drawn in the picture count, never an article that needs a distance.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from shapely.geometry import Point, Polygon

from models.footprint import FOOTPRINTS
from monitor.domain.assets import Camera, Hca, LonLat, PictureZone, Pipeline
from monitor.domain.events import NoFix
from monitor.domain.geometry import Centreline, LocalFrame, probability_within
from monitor.domain.ground.fix import GroundFix
from monitor.domain.levels import HcaGrade
from monitor.domain.places import middle
from monitor.domain.risk import Facts, Risk, grade
from monitor.domain.violations import Activity, Rule

WITHIN: Final = 0.8
MAY_LIE_WITHIN: Final = 0.2
#: Only these pipelines fall under the law (its Art 2).
REGIME: Final = "transmission"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What an object stands beside: the pipeline of the camera's HCA, measured once."""

    pipeline: Pipeline
    hca: Hca
    centreline: Centreline

    @property
    def middle(self) -> LonLat:
        """Where its sun is looked up."""
        return middle(self.hca, self.pipeline)


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One object at one look, with all that an event says of it."""

    track_id: int
    object_class: str
    score: float
    xyxy: tuple[float, float, float, float]
    frame_size_px: tuple[int, int]
    activity: Activity
    ground_m: tuple[float, float] | None = None
    lonlat: tuple[float, float] | None = None
    accuracy_m: float | None = None
    no_fix: NoFix | None = None
    chainage_m: float | None = None
    #: signed: right of the line's direction is positive
    offset_m: float | None = None
    sigma_across_m: float | None = None

    @property
    def foot_px(self) -> tuple[float, float]:
        """Middle of the box's bottom edge."""
        return (self.xyxy[0] + self.xyxy[2]) / 2, self.xyxy[3]

    @property
    def box_height_px(self) -> float:
        """Height of the box, pixels of the full frame."""
        return self.xyxy[3] - self.xyxy[1]


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table that an object matches, and what it is then suspected of."""

    rule_id: str
    violation: str
    #: whose severity counts: the inner band's, where the object only may lie within it
    graded_as: str
    within_band: float | None = None
    may_lie_within: bool = False
    zone_id: str | None = None
    #: the row's activities hold too; a place without them only keeps a running episode alive
    active: bool = True

    @property
    def key(self) -> str:
        """Names the row and its certainty; each has a dwell of its own."""
        return f"{self.rule_id}/may" if self.may_lie_within else self.rule_id


def beside(fix: GroundFix | NoFix | None, place: Place) -> dict[str, object]:
    """The fields of a Sighting that come from its place on the ground."""
    if fix is None:
        return {"no_fix": NoFix.NOT_CALIBRATED}
    if isinstance(fix, NoFix):
        return {"no_fix": fix}
    where = place.centreline.locate(fix.lonlat)
    foot = LocalFrame(fix.lonlat).to_en_m(place.centreline.at(where.chainage_m))
    return {
        "ground_m": (fix.east_m, fix.north_m),
        "lonlat": fix.lonlat,
        "accuracy_m": fix.accuracy_m,
        "chainage_m": where.chainage_m,
        "offset_m": where.offset_m,
        "sigma_across_m": fix.sigma_across_m(foot),
    }


def ignored(camera: Camera, foot_px: tuple[float, float]) -> bool:
    """Whether a foot point lies in a zone that the operator told the camera to ignore."""
    return _zone_at((z for z in camera.zones if z.kind == "ignore"), foot_px) is not None


def matches(sighting: Sighting, camera: Camera, place: Place, rules: Iterable[Rule]) -> tuple[Match, ...]:
    """All rows that the object matches now, certain ones and those that may be; dwell is not asked.

    `camera` and `rules` are what is in force at this moment (`edge.in_force`).
    """
    if place.pipeline.regime != REGIME:
        return ()
    table = tuple(rules)
    found: list[Match] = []
    for rule in table:
        if not rule.on or sighting.object_class not in rule.classes or sighting.score < rule.leave_score:
            continue
        active = (
            sighting.activity in rule.activities
            and sighting.score >= rule.enter_score
            and sighting.box_height_px >= rule.min_box_px
        )
        if rule.zone is not None:
            zone = _zone_at((z for z in camera.zones if z.kind == rule.zone), sighting.foot_px)
            if zone is not None:
                found.append(Match(rule_id=rule.rule_id, violation=rule.violation, graded_as=rule.violation,
                                   zone_id=zone.zone_id, active=active))  # fmt: skip
        elif rule.band_m is not None:
            found.extend(_in_band(sighting, rule, rule.band_m, table, active=active))
    return tuple(found)


def _in_band(
    sighting: Sighting, rule: Rule, band_m: float, table: tuple[Rule, ...], *, active: bool
) -> Iterable[Match]:
    if sighting.offset_m is None or sighting.sigma_across_m is None:
        return
    footprint = FOOTPRINTS.get(sighting.object_class)
    p = probability_within(
        offset_m=sighting.offset_m, reach_m=footprint.half_depth_m if footprint else 0.0,
        sigma_m=sighting.sigma_across_m, band_m=band_m,
    )  # fmt: skip
    if p >= WITHIN:
        yield Match(rule_id=rule.rule_id, violation=rule.violation, graded_as=rule.violation,
                    within_band=p, active=active)  # fmt: skip
    if p >= MAY_LIE_WITHIN:  # while it is surely within it also may be: this dwell runs too
        outer = _outer(sighting.object_class, band_m, table)
        yield Match(rule_id=rule.rule_id, violation=outer or rule.violation, graded_as=rule.violation,
                    within_band=p, may_lie_within=True, active=active)  # fmt: skip


def _outer(object_class: str, band_m: float, table: tuple[Rule, ...]) -> str | None:
    """The article of the next wider band for that class; None beyond the widest."""
    wider = [r for r in table if r.band_m is not None and r.band_m > band_m and object_class in r.classes]
    return min(wider, key=lambda r: r.band_m or 0.0).violation if wider else None


def _zone_at(zones: Iterable[PictureZone], foot_px: tuple[float, float]) -> PictureZone | None:
    point = Point(foot_px)
    return next((zone for zone in zones if Polygon(zone.polygon_px).covers(point)), None)


def graded(match: Match, activity: Activity, dwell_s: float, hca_grade: HcaGrade, *, night: bool) -> Risk:
    """The edge's grade of one match."""
    return grade(
        Facts(violation=match.graded_as, hca_grade=hca_grade, activity=activity, dwell_s=dwell_s,
              within_band=match.within_band, may_lie_within=match.may_lie_within, night=night)
    )  # fmt: skip
