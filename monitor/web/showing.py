"""How an alert is said and shown: its headline, its place, its picture, and what this person may do now.

Pure functions over the alert module's views. Which steps exist is the lifecycle's; here they are only
narrowed to what the table would really let this person do, so that no button leads to a refusal.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from alerts.lifecycle import AlertKind, IllegalStep, NotAllowed, Step, next_state
from alerts.steps import FIELD_STEPS
from alerts.values import Alert, Confirmation, EvidenceItem
from alerts.views import AlertRow, AlertView, DispatchView
from monitor.domain.assets import City
from monitor.domain.events import RiskEvent
from monitor.domain.geometry import format_chainage
from monitor.domain.remarks import read as read_remarks
from monitor.domain.risk import Reason
from monitor.web import geo
from monitor.web.people import Principal
from monitor.web.texts import Texts

#: nearer than this, left and right mean nothing
ON_LINE_M = 0.05
#: what an edge threw away, as alerts.health says it
_LOSS = re.compile(r"(?P<what>evidence|refused): (?P<count>\d+) \((?P<reason>\w+)\)")

_ORDER = (
    Step.VERIFY, Step.DISPATCH, Step.ACCEPT, Step.DEPART, Step.ARRIVE, Step.COLLECT, Step.RESOLVE,
    Step.ACKNOWLEDGE, Step.CONFIRM, Step.REFUTE, Step.RECALL, Step.HAND_OVER, Step.REOPEN, Step.SUPERVISE, Step.CLEAR,
    Step.DECLINE, Step.DISMISS,
)  # fmt: skip
#: steps with an outcome to choose
WITH_OUTCOME = frozenset({Step.DISMISS, Step.VERIFY, Step.RESOLVE})
#: steps that say why in words
NEEDS_NOTE = frozenset({Step.REFUTE, Step.DISMISS, Step.RECALL, Step.REOPEN, Step.DECLINE})


def steps_for(view: AlertView, me: Principal) -> tuple[Step, ...]:
    """What this person may do now, the likeliest first."""
    return tuple(step for step in _ORDER if _may(view, me, step))


def _may(view: AlertView, me: Principal, step: Step) -> bool:
    alert = view.alert
    # while somebody is being told that a clock ran out, a look at it is an answer
    quiet = not view.coming
    if (
        step is Step.ACKNOWLEDGE
        and alert.acknowledged_at is not None
        and alert.kind is AlertKind.VIOLATION
        and quiet
    ):
        return False
    if step is Step.CONFIRM and alert.confirmation is Confirmation.CONFIRMED:
        return False
    if step is Step.REFUTE and alert.confirmation is Confirmation.REFUTED:
        return False
    if step in FIELD_STEPS and (view.running is None or view.running.officer != me.user):
        return False
    try:
        next_state(alert.kind, alert.state, step, role=me.role, level=alert.level, user=me.user,
                   resolved_by=alert.resolved_by)  # fmt: skip
    except (IllegalStep, NotAllowed):
        return False
    return True


def offset_text(offset_m: float | None, t: Texts) -> str:
    """Signed offset in words: right of the pipeline's direction is positive."""
    if offset_m is None:
        return ""
    if abs(offset_m) < ON_LINE_M:
        return t("offset.on_line")
    return t("offset.right" if offset_m > 0 else "offset.left", offset=f"{abs(offset_m):.1f}")


def camera_name(alert: Alert, city: City, t: Texts) -> str:
    """The name of the alert's camera."""
    for camera in city.cameras:
        if camera.camera_id == alert.camera_id:
            return t.of(camera.name, camera.camera_id)
    return alert.camera_id or alert.subject


def where(alert: Alert, city: City, t: Texts) -> str:
    """The alert's place in one line: chainage and offset, or why there is none."""
    if alert.kind is AlertKind.HEALTH:
        subject = camera_name(alert, city, t) if alert.camera_id else alert.subject
        states = [f"camera.{key}" for key in _camera_states(alert) if t.has(f"camera.{key}")]
        return t("where.subject", subject=" · ".join((subject, *map(t, states))))
    if alert.source != "edge" and alert.chainage_m is None:
        return t("report.at_camera", camera=camera_name(alert, city, t))
    if alert.source != "edge" and alert.offset_m is None:
        return f"{format_chainage(alert.chainage_m or 0.0)} · {t('report.side_unknown')}"
    if alert.chainage_m is None or alert.offset_m is None:
        return t("where.no_fix", camera=camera_name(alert, city, t))
    chainage = format_chainage(alert.chainage_m)
    if abs(alert.offset_m) < ON_LINE_M:
        return t("where.on_line", chainage=chainage)
    side = "where.right" if alert.offset_m > 0 else "where.left"
    return t(side, chainage=chainage, offset=f"{abs(alert.offset_m):.1f}")


def camera_reason(reason: str, t: Texts) -> str:
    """Why a camera's state is what it is, in words; what is no remark of ours is shown as it came."""
    said = (
        fact if remark is None else t(f"remark.{remark}", fact=fact) for remark, fact in read_remarks(reason)
    )
    return "; ".join(said) if t.language == "en" else "；".join(said)


def _camera_states(alert: Alert) -> list[str]:
    """What the watchdog calls the state of a camera that does not watch."""
    found = (reason.key for reason in alert.reasons if reason.key.startswith("camera_"))
    return [key.removeprefix("camera_") for key in found]


def next_steps(alert: Alert, events: Sequence[RiskEvent], t: Texts) -> list[str]:
    """What to do about a camera that does not watch, or about a place that nobody can give."""
    states = [
        reason.key.removeprefix("camera_") for reason in alert.reasons if reason.key.startswith("camera_")
    ]
    told = [t(f"camera_do.{state}") for state in states if t.has(f"camera_do.{state}")]
    if alert.chainage_m is None and events and events[0].no_fix is not None:
        told.append(t(f"no_fix_do.{events[0].no_fix}"))
    return told


def reason_detail(reason: Reason, t: Texts, title: str) -> str:
    """What a reason says beyond its key."""
    if reason.key == "violation":
        return title
    if reason.key == "long_dwell":
        try:
            return t.lasting(float(reason.detail))
        except ValueError:
            return reason.detail
    if reason.key == "loss" and (loss := _LOSS.fullmatch(reason.detail)):
        return t(f"loss.{loss['what']}", count=loss["count"], why=t(f"why.{loss['reason']}"))
    if reason.key == "inhibited":
        return t(f"camera.{reason.detail}")
    if reason.key.startswith("camera_"):
        return camera_reason(reason.detail, t)
    keyed = f"{reason.key}.{reason.detail}"
    return t(keyed) if t.has(keyed) else reason.detail


def snapshot_of(evidence: tuple[EvidenceItem, ...]) -> EvidenceItem | None:
    """The picture that shows the alert best: annotated before clean, stored before announced, newest first."""
    pictures = [item for item in evidence if item.kind in ("snapshot_annotated", "snapshot_clean")]
    return max(
        pictures,
        key=lambda item: (item.stored_at is not None, item.kind == "snapshot_annotated", item.announced_at),
        default=None,
    )


def photos_of(evidence: tuple[EvidenceItem, ...]) -> tuple[EvidenceItem, ...]:
    """The field's photos, oldest first."""
    return tuple(
        sorted((item for item in evidence if item.kind == "photo"), key=lambda item: item.announced_at)
    )


def clock_rows(view: AlertView, now: datetime) -> list[dict[str, Any]]:
    """Both parties' clocks for people: what is waited for, until when, and how it stands."""
    rows = []
    for clock in view.clocks:
        stands = "late" if clock.was_late() else "met" if clock.met_at else "over" if clock.quiet else (
            "overdue" if clock.ran_out(now) else "runs"
        )  # fmt: skip
        rows.append({"party": clock.party, "milestone": clock.milestone.value, "since": clock.since,
                     "due_at": clock.due_at, "met_at": clock.met_at, "stands": stands})  # fmt: skip
    return rows


def why_chosen(chosen: Mapping[str, str], t: Texts) -> str:
    """What spoke for an officer, in words."""
    said = [t(f"chosen.{chosen['standing']}")] if "standing" in chosen else []
    if chosen.get("skills_asked"):
        said.append(t("chosen.skills", asked=chosen["skills_asked"], has=chosen.get("skills") or "–"))
    if "running" in chosen:
        said.append(t("chosen.running", n=chosen["running"]))
    if "way_m" in chosen:
        way = t(
            "chosen.way", km=f"{float(chosen['way_m']) / 1000:.1f}", lasts=t.lasting(float(chosen["way_s"]))
        )
        said.append(way)
    return " · ".join(said)


def gauge(alert: Alert, t: Texts) -> dict[str, Any] | None:
    """The drawing of how far from the centreline it is: bands, point and 1-sigma bar, x from -500 to 500."""
    if alert.offset_m is None:
        return None
    sigma = alert.accuracy_m or 0.0
    x = geo.gauge_x(alert.offset_m) * 500
    return {
        "bands": [{"name": f"{band:.0f}", "x": geo.gauge_x(band) * 500} for band in geo.BANDS_M],
        "x": x,
        "text_x": max(-400.0, min(400.0, x)),
        "low": geo.gauge_x(alert.offset_m - sigma) * 500,
        "high": geo.gauge_x(alert.offset_m + sigma) * 500,
        "offset": offset_text(alert.offset_m, t),
        "sigma": f"{sigma:.1f}",
    }


def row(item: AlertRow, city: City, t: Texts) -> dict[str, Any]:
    """One line of a list, in words."""
    alert = item.alert
    return {
        "alert_id": alert.alert_id, "number": alert.number, "kind": alert.kind.value, "level": alert.level.value,
        "state": alert.state.value, "confirmation": alert.confirmation.value, "footage": alert.footage, "source": alert.source,
        "title": t.of(item.title), "where": where(alert, city, t), "opened_at": alert.opened_at,
        "escalates_at": item.escalates_at, "held_by": alert.held_by, "held_until": alert.held_until,
        "came_back": alert.came_back or 0, "flapping": alert.flapping_since is not None,
    }  # fmt: skip


def dispatch_row(item: DispatchView, city: City, t: Texts) -> dict[str, Any]:
    """One line of the field's list, in words."""
    alert = item.alert
    return {
        "alert_id": alert.alert_id, "number": alert.number, "level": alert.level.value, "state": alert.state.value,
        "footage": alert.footage, "source": alert.source, "title": t.of(item.title), "where": where(alert, city, t),
        "officer": item.dispatch.officer, "dispatched_at": item.dispatch.dispatched_at, "due_at": item.due_at,
    }  # fmt: skip


def plain(value: object) -> Any:
    """A value as plain JSON types."""
    return msgspec.to_builtins(value)


def alert_json(view: AlertView, me: Principal, city: City) -> dict[str, Any]:
    """All of one alert, as the API gives it: the alert's fields, and what belongs to it."""
    fields: Mapping[str, Any] = plain(view.alert)
    rest = {name: plain(getattr(view, name)) for name in view.__struct_fields__ if name != "alert"}
    return {
        **fields,
        **rest,
        "steps": [step.value for step in steps_for(view, me)],
        "around": geo.around(fields, city),
    }


def row_json(item: AlertRow) -> dict[str, Any]:
    """One line of a list, as the API gives it."""
    return {**plain(item.alert), "title": item.title, "escalates_at": item.escalates_at}


def dispatch_json(item: DispatchView) -> dict[str, Any]:
    """One running dispatch with its alert, as the API gives it."""
    return {
        **plain(item.alert),
        **plain(item.dispatch),
        "title": item.title,
        "article": item.article,
        "due_at": item.due_at,
    }
