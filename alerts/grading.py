"""How bad an event is in the centre's eyes: what the edge knew, plus night, repeat offence and permit.

Pure. Which permit covers it is decided here too; the weights are monitor.domain.risk's.
"""

from zoneinfo import ZoneInfo

import msgspec

from alerts.policy import Policy
from alerts.values import Permit
from monitor.domain.assets import City, LonLat
from monitor.domain.events import RiskEvent
from monitor.domain.levels import HcaGrade, Level
from monitor.domain.places import middle
from monitor.domain.risk import Facts, Reason, grade
from monitor.domain.sun import is_night
from monitor.domain.violations import CATALOGUE, graded_as


class Graded(msgspec.Struct, frozen=True, kw_only=True):
    """A level with its reasons, and the permit that makes the work lawful, if one does."""

    level: Level
    reasons: tuple[Reason, ...]
    weights_version: str
    #: number of a permit that covers place, time and kind, where the law knows one
    lawful_by: str | None = None


def covering(event: RiskEvent, permits: tuple[Permit, ...]) -> Permit | None:
    """The permit that covers kind, place and time of the event. Without a chainage none does."""
    for permit in permits:
        if _same_kind(event, permit) and _in_place(event, permit) and _in_time(event, permit):
            return permit
    return None


def _same_kind(event: RiskEvent, permit: Permit) -> bool:
    return permit.violation == event.violation and permit.pipeline_id == event.pipeline_id


def _in_place(event: RiskEvent, permit: Permit) -> bool:
    if event.chainage_m is None:
        return False
    return permit.from_m <= event.chainage_m <= permit.to_m


def _in_time(event: RiskEvent, permit: Permit) -> bool:
    return permit.valid_from <= event.captured_at <= permit.valid_to


def breached(event: RiskEvent, permits: tuple[Permit, ...]) -> Reason | None:
    """Names the permit that would cover the event but for its time or its place."""
    for permit in permits:
        if not _same_kind(event, permit):
            continue
        if _in_place(event, permit):
            return Reason(key="permit_outside_time", points=0, detail=permit.permit_number)
        if _in_time(event, permit):
            return Reason(key="permit_outside_place", points=0, detail=permit.permit_number)
    return None


def grade_event(
    event: RiskEvent, permits: tuple[Permit, ...], repeats: int, city: City, policy: Policy
) -> Graded:
    """The centre's grade. What is not in the catalogue keeps the edge's word: nothing is lost for a name.

    What only may lie within a band counts as the inner band's violation, for its points and for whether the
    law knows a permit (design.md, 'Bands and errors').
    """
    counts_as = graded_as(event.violation, event.rule_id, may_lie_within=event.may_lie_within)
    row = CATALOGUE.get(counts_as)
    if row is None:
        reason = Reason(key="not_in_catalogue", points=0, detail=event.violation)
        return Graded(level=event.risk_edge, reasons=(reason,), weights_version=policy.weights.version)
    permits = tuple(sorted(permits, key=lambda permit: permit.permit_number))
    permit = covering(event, permits)
    hca_grade, extra = _hca_grade(event.site_id, city)
    risk = grade(
        Facts(
            violation=counts_as, hca_grade=hca_grade, activity=event.activity, dwell_s=event.dwell_s,
            within_band=event.within_band, may_lie_within=event.may_lie_within,
            night=is_night(event.captured_at, _place(event, city), ZoneInfo(city.timezone)), repeats=repeats,
            permit=permit.permit_number if permit else None,
        ),
        policy.weights,
    )  # fmt: skip
    if permit is None and (breach := breached(event, permits)):
        extra = (*extra, breach)
    lawful_by = permit.permit_number if permit and row.permit == "approval" else None
    return Graded(level=risk.level, reasons=(*risk.reasons, *extra), weights_version=risk.weights_version,
                  lawful_by=lawful_by)  # fmt: skip


def _place(event: RiskEvent, city: City) -> LonLat | None:
    """Where the sun is looked up: at the site, as the edge does; at the event if the centre knows no such site."""
    try:
        hca = city.hca(event.site_id)
        return middle(hca, city.pipeline(hca.pipeline_id))
    except KeyError:
        return None if event.position is None else (event.position.lon, event.position.lat)


def _hca_grade(site_id: str, city: City) -> tuple[HcaGrade, tuple[Reason, ...]]:
    try:
        return city.hca(site_id).grade, ()
    except KeyError:
        # an edge may know a newer configuration than the centre: assume the worst, and say so
        return HcaGrade.III, (Reason(key="unknown_site", points=0, detail=site_id),)
