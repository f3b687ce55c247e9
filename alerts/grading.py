"""How bad an event is in the centre's eyes: what the edge knew, plus night, repeat offence and permit.

Pure. Which permit covers it is permits.py's, what that means for the level is decided here; the weights are
monitor.domain.risk's.
"""

from zoneinfo import ZoneInfo

import msgspec

from alerts.origin import EDGE, Origin
from alerts.permits import always_within, breaches, covering, looks_of, lowers
from alerts.policy import Policy
from alerts.values import Looks, MachineSeen, Permit
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
    #: number of the (first) permit that covers the event, where the law knows one
    lawful_by: str | None = None
    #: … and all that was seen of its alert before
    always_lawful: bool = False


def grade_event(
    event: RiskEvent,
    permits: tuple[Permit, ...],
    repeats: int,
    city: City,
    policy: Policy,
    machines: tuple[MachineSeen, ...] = (),
    looks: tuple[Looks, ...] = (),
    origin: Origin = EDGE,
) -> Graded:
    """The centre's grade. What is not in the catalogue keeps the edge's word: nothing is lost for a name.

    What only may lie within a band counts as the inner band's violation, for its points and for whether the
    law knows a permit (design.md, 'Bands and errors'). `machines` are those of the event's camera, `looks`
    what was seen of the alert that holds its episode.
    """
    counts_as = graded_as(event.violation, event.rule_id, may_lie_within=event.may_lie_within)
    if counts_as not in CATALOGUE:
        reason = Reason(key="not_in_catalogue", points=0, detail=event.violation)
        return Graded(
            level=event.risk_edge, reasons=(reason, *origin.remarks), weights_version=policy.weights.version
        )
    zone = ZoneInfo(city.timezone)
    papers = covering(event, permits, machines, zone, looks)
    permit = papers[0] if papers else None
    hca_grade, extra = _hca_grade(event.site_id, city)
    risk = grade(
        Facts(
            violation=counts_as, hca_grade=hca_grade, activity=event.activity, dwell_s=event.dwell_s,
            within_band=event.within_band, may_lie_within=event.may_lie_within,
            night=is_night(event.captured_at, _place(event, city), ZoneInfo(city.timezone)), repeats=repeats,
            permit=permit.permit_number if permit else None,
            said_by=None if origin.source == "edge" else origin.source, said_within=origin.within,
        ),
        policy.weights,
    )  # fmt: skip
    beside = (Reason(key="permit_added", points=0, detail=other.permit_number) for other in papers[1:])
    extra = (*extra, *origin.remarks, *beside)
    if permit is None:
        extra = (*extra, *breaches(event, permits, machines, zone))
    lawful = permit is not None and lowers(looks_of(event))
    return Graded(
        level=risk.level, reasons=(*risk.reasons, *extra), weights_version=risk.weights_version,
        lawful_by=permit.permit_number if permit and lawful else None,
        always_lawful=permit is not None and lawful and always_within(event, papers, looks, machines, zone),
    )  # fmt: skip


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
