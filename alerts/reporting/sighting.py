"""What a report means for the loop: it is told in the loop's own words and decided as a camera's event is. Pure.

Same joining, permits, occurrences and dispatch (alerts.decide); only the grade knows that nothing was measured.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from alerts.commands import Commands, HoldEpisode
from alerts.decide import Nearby, on_event
from alerts.origin import Origin
from alerts.policy import Policy
from alerts.reporting.values import ON_SITE, Report, Via
from alerts.values import SYSTEM, MachineSeen
from monitor.audit.entries import Entry
from monitor.domain.assets import City
from monitor.domain.events import ModelRef, Position, RiskEvent
from monitor.domain.levels import Level
from monitor.domain.risk import Reason
from monitor.domain.roles import Role
from monitor.domain.violations import CATALOGUE

#: in the place of an edge, a rule and a model, which a report has none of
NOT_MEASURED: Final = "said"
_NO_MODEL: Final = ModelRef(name=NOT_MEASURED, version="", sha256="")
_INSTANT: Final = timedelta(microseconds=1)


def as_event(report: Report) -> RiskEvent:
    """The report in the words of the loop. It is stored as a report, never as an event of an edge."""
    placed = report.lon is not None and report.lat is not None
    position = (
        Position(lon=report.lon or 0.0, lat=report.lat or 0.0, accuracy_m=report.accuracy_m or 0.0) if placed else None
    )  # fmt: skip
    return RiskEvent(
        event_id=report.report_id, edge_id=NOT_MEASURED, epoch="", seq=0, episode_id=report.report_id, phase="onset",
        site_id=report.site_id, camera_id=report.camera_id or "", captured_at=report.observed_at,
        violation=report.violation, rule_id=NOT_MEASURED, object_class=report.object_class, track_id=0, confidence=1.0,
        bbox=(0.0, 0.0, 0.0, 0.0), frame_size_px=(1, 1), position=position, pipeline_id=report.pipeline_id,
        chainage_m=report.chainage_m, offset_m=report.offset_m, dwell_s=0.0, activity=report.activity or "passing",
        # until it is graded: what is not in the catalogue is looked at by somebody
        risk_edge=Level.III, reason=NOT_MEASURED, footage=report.footage, model=_NO_MODEL, config_version="",
    )  # fmt: skip


def origin_of(report: Report) -> Origin:
    """Who says so, and what that means for the alert."""
    beyond = report.beyond_m
    remarks = () if beyond is None else (Reason(key="outside_hca", points=0, detail=f"{beyond:.0f} m"),)
    return Origin(
        source=report.source,
        actor=SYSTEM if report.via is Via.DEVICE else report.actor,
        confirmed=report.via in ON_SITE,
        acknowledged=report.role in (Role.OPERATOR, Role.SUPERVISOR),
        momentary=report.via is not Via.DEVICE,
        activity=report.activity,
        within=None if report.offset_m is None else _within(report),
        remarks=remarks,
    )


def _within(report: Report) -> bool:
    """Whether the place lies within the distance of the article, given its error in favour of the pipeline."""
    row = CATALOGUE.get(report.violation)
    if row is None or row.band_m is None or report.offset_m is None:
        return True
    return abs(report.offset_m) - (report.accuracy_m or 0.0) <= row.band_m


def others_seen(report: Report) -> tuple[MachineSeen, ...]:
    """The further machines that were said to be there at once, for a permit that limits their number."""
    first_at = report.observed_at - _INSTANT
    return tuple(
        MachineSeen(
            episode_id=f"{report.report_id}/{n}", object_class=report.object_class, violations=(report.violation,),
            from_m=report.chainage_m, to_m=report.chainage_m, first_at=first_at, last_at=report.observed_at,
        )
        for n in range(2, report.machines + 1)
    )  # fmt: skip


def on_report(
    report: Report, nearby: Nearby, city: City, policy: Policy, now: datetime, new_id: str
) -> Commands:
    """What to do about one report: open an alert or join one."""
    seen = msgspec.structs.replace(nearby, machines=(*nearby.machines, *others_seen(report)))
    return on_event(as_event(report), seen, city, policy, now, new_id, origin_of(report))


def held_by(commands: Commands) -> str:
    """The alert that holds the report after these commands."""
    return next(command.episode.alert_id for command in commands if isinstance(command, HoldEpisode))


def entry_of(report: Report, alert_id: str, now: datetime) -> Entry:
    """The entry of the audit log: all that was said, and nothing of the caller but the hash."""
    body = {**msgspec.to_builtins(report), "alert_id": alert_id}
    return Entry(kind="report.received", subject=report.report_id, actor=report.entered_by, at=now, body=body)
