"""What a look at something held means: it rings, or what keeps it from ringing must ring in its place. Pure."""

from datetime import datetime

from alerts.calm.holding import Held, Hold, Quiet, hold_of, ring, ring_sends
from alerts.commands import Change, Commands, Raise
from alerts.health import not_watching
from alerts.policy import Policy
from alerts.reasons import Why
from alerts.values import Alert
from monitor.domain.events import NO_LOOK, RiskEvent
from monitor.domain.levels import Level


def is_a_look(event: RiskEvent) -> bool:
    """Whether the camera saw it just then; an update that only names evidence is none."""
    return event.phase != "end" and event.reason not in NO_LOOK


def hold_of_look(
    event: RiskEvent, alert_id: str | None, level: Level, quiet: Quiet, now: datetime
) -> Hold | None:  # fmt: skip
    """What holds a thing of that level as the event shows it; None: it rings."""
    return hold_of(level=level, camera_id=event.camera_id, violation=event.violation, alert_id=alert_id, quiet=quiet,
                   seen_at=event.captured_at, now=now)  # fmt: skip


def rings(alert: Alert, event: RiskEvent, quiet: Quiet, now: datetime) -> Change | None:
    """What was held rings with the first look that nothing holds: worse, or by a camera that is trusted."""
    if alert.held_by is None or alert.closed_at is not None or not is_a_look(event):
        return None
    held = hold_of_look(event, alert.alert_id, alert.level, quiet, now)
    return ring(alert, Why.NOTHING_HOLDS, now) if held is None else None


def not_silent(alert: Alert, event: RiskEvent, quiet: Quiet, now: datetime) -> Commands:
    """What is inhibited is never silent: its camera's health alert rings, also after somebody cleared it by hand."""
    if alert.held_by != Held.INHIBITED or alert.closed_at is not None:
        return ()
    covered = Quiet(camera=quiet.camera)  # a shelf beside it keeps the camera's own alert quiet, if it may
    hold = hold_of_look(event, alert.alert_id, alert.level, covered, now)
    if hold is None:
        return ()
    problem = not_watching(event.camera_id, event.site_id, event.footage, hold.detail, now)
    return (Raise(problem=problem, only_if_none=True),)


def seen_again(alert: Alert, event: RiskEvent, quiet: Quiet, policy: Policy, now: datetime) -> Commands:
    """What a look means that changes nothing but whether the alert rings (a device repeats itself)."""
    rung = rings(alert, event, quiet, now)
    if rung is None:
        return not_silent(alert, event, quiet, now)
    return (rung, *ring_sends(rung.after, policy, now))
