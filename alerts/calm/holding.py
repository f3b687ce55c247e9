"""Whether an alert rings, or is held: by a shelf, or because its camera cannot be trusted just now. Pure.

Held means: stored, graded, listed, replayed as ever, but nobody is sent, rung or told. Level I is never held. What
is held rings as soon as nothing holds it any more and a camera still sees it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from alerts.calm.shelves import Scope, Shelf
from alerts.commands import Change, Commands, SeekOfficer, SetTimer, changed
from alerts.lifecycle import AlertKind, State
from alerts.policy import Policy
from alerts.reasons import Why
from alerts.supervising import is_kept
from alerts.values import SYSTEM, Actor, Alert, Confirmation, LastWord, Timer, TimerKind
from monitor.domain.events import CameraState
from monitor.domain.levels import Level
from monitor.domain.risk import Reason

#: pictures come, and what is seen in them cannot be trusted: covered, out of focus, too dark or bright, moved, frozen
INHIBITING: Final = frozenset({
    CameraState.OBSCURED, CameraState.BLURRED, CameraState.DARK, CameraState.OVEREXPOSED, CameraState.MOVED,
    CameraState.FROZEN,
})  # fmt: skip

#: transitions of this subject; like 'join' or 'rise' they keep the alert's state
HOLD: Final = "hold"
RING: Final = "ring"


class Held(StrEnum):
    """What keeps an alert from ringing."""

    SHELF = "shelf"
    INHIBITED = "inhibited"
    #: came and went while it was shelved: waits for a person's look, and rings when it is seen again
    SHELF_OVER = "shelf_over"


_HOLDS: Final = frozenset({Why.SHELVED.value, Why.INHIBITED.value})


def holds_of(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Those that say what kept the alert from ringing: a new grade does not take them away."""
    return tuple(reason for reason in reasons if reason.key in _HOLDS)


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """What the database knows that may keep something of one camera from ringing."""

    #: of the camera or the alert, not ended
    shelves: tuple[Shelf, ...] = ()
    #: the camera's newest state
    camera: LastWord | None = None


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Why something does not ring."""

    by: Held
    why: Why
    until: datetime | None = None
    shelf_id: str | None = None
    #: the camera's state, or who shelved
    detail: str = ""

    @property
    def reason(self) -> Reason:
        """Beside the reasons of the grade, without points: being held changes no level."""
        return Reason(key=self.why.value, points=0, detail=self.detail)

    @property
    def fields(self) -> dict[str, Any]:
        """Of the alert."""
        return {"held_by": self.by.value, "held_until": self.until, "shelf_id": self.shelf_id}


def hold_of(
    *,
    level: Level,
    camera_id: str | None,
    violation: str | None,
    alert_id: str | None,
    quiet: Quiet,
    seen_at: datetime,
    now: datetime,
) -> Hold | None:
    """What holds a thing of that camera and kind, seen then; None: it rings.

    Of several shelves the one that ends last. A picture that is older than the camera's trouble is trusted.
    """
    if level is Level.I:
        return None
    shelves = [s for s in quiet.shelves if _keeps(s, level, camera_id, violation, alert_id, now)]
    if shelves:
        last = max(shelves, key=lambda s: (s.until_at, s.shelf_id))
        return Hold(
            by=Held.SHELF,
            why=Why.SHELVED,
            until=last.until_at,
            shelf_id=last.shelf_id,
            detail=last.shelved_by,
        )
    word = quiet.camera
    if violation is not None and word is not None and word.state in INHIBITING and seen_at >= word.since:
        return Hold(by=Held.INHIBITED, why=Why.INHIBITED, detail=word.state)
    return None


def _keeps(
    shelf: Shelf, level: Level, camera_id: str | None, violation: str | None, alert_id: str | None, now: datetime
) -> bool:  # fmt: skip
    if not shelf.runs(now) or level.is_worse_than(shelf.worst):
        return False
    match shelf.scope:
        case Scope.ALERT:
            return alert_id is not None and shelf.alert_id == alert_id
        case Scope.RULE:
            return shelf.camera_id == camera_id and shelf.violation == violation
    return camera_id is not None and shelf.camera_id == camera_id


def ring(alert: Alert, why: str, now: datetime, actor: Actor = SYSTEM) -> Change:
    """The alert rings from now on: its clocks begin now. The shelf's id stays, to know what came meanwhile."""
    return changed(alert, RING, why, now, actor=actor, held_by=None, held_until=None, rung_at=now)


def ring_sends(alert: Alert, policy: Policy, now: datetime) -> Commands:
    """What follows when an alert begins to ring: as the dispatch policy says of one that is just opened."""
    if alert.kind is not AlertKind.VIOLATION or alert.state is not State.OPEN:
        return ()
    if alert.confirmation is Confirmation.REFUTED:
        return ()
    if alert.level is Level.I:
        return (SeekOfficer(alert=alert, why=Why.LEVEL_I_AT_ONCE),)
    # this timer also knows whom the room called back before
    what, wait = TimerKind.RETRY_DISPATCH, timedelta(0)
    if alert.confirmation is Confirmation.CONFIRMED:
        if is_kept(alert):
            return ()
    elif alert.level is Level.II:
        wait = policy.level_ii_wait
    elif policy.supervision.may_send_sooner(alert.level):
        what = TimerKind.SEND_SOONER
    else:
        return ()
    timer = Timer(alert_id=alert.alert_id, what=what, due_at=now + wait)
    return (SetTimer(timer=timer, once=True),)


def on_shelf(
    shelf: Shelf, standing: Sequence[Alert], now: datetime, actor: Actor
) -> tuple[Change, ...]:  # fmt: skip
    """What a new shelf keeps from ringing at once: alerts of its source that nobody is on the way to."""
    changes = []
    for alert in standing:
        hold = hold_of(level=alert.level, camera_id=alert.camera_id, violation=alert.violation, alert_id=alert.alert_id,
                       quiet=Quiet(shelves=(shelf,)), seen_at=alert.last_seen_at, now=now)  # fmt: skip
        if (
            hold is not None
            and _has_nobody(alert)
            and alert.closed_at is None
            and alert.held_by != Held.SHELF
        ):
            changes.append(
                changed(alert, HOLD, hold.why, now, actor=actor, facts=_facts(shelf), **hold.fields)
            )
    return tuple(changes)


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a shelf leaves behind when it ends."""

    commands: Commands = ()
    #: numbers of the alerts: they ring now, …
    rings: tuple[int, ...] = ()
    #: … are over already, and wait for a look, …
    gone: tuple[int, ...] = ()
    #: … are held by something else, …
    held: tuple[int, ...] = ()
    #: … or were closed by a person meanwhile
    closed: tuple[int, ...] = ()


def on_shelf_end(
    shelf: Shelf, came: Sequence[tuple[Alert, Quiet]], policy: Policy, now: datetime
) -> Left:  # fmt: skip
    """What came while it stood: opens if it is still there, else waits for a look. `shelf` is the ended one."""
    commands: list[Any] = []
    found: dict[str, list[int]] = {"rings": [], "gone": [], "held": [], "closed": []}
    for alert, quiet in came:
        if alert.closed_at is not None:
            found["closed"].append(alert.number)
            continue
        if alert.held_by != Held.SHELF:
            found["rings"].append(alert.number)  # worse, or seen by another camera: it rang before
            continue
        if not _has_nobody(alert):
            found["rings"].append(
                alert.number
            )  # somebody is on the way, or has seen it: nothing is left to hold
            commands.append(ring(alert, Why.SHELF_ENDED, now))
            continue
        hold = hold_of(level=alert.level, camera_id=alert.camera_id, violation=alert.violation, alert_id=alert.alert_id,
                       quiet=quiet, seen_at=alert.last_seen_at, now=now)  # fmt: skip
        if hold is not None:
            found["held"].append(alert.number)
            known = any(reason.key == hold.reason.key for reason in alert.reasons)
            reasons = alert.reasons if known else (*alert.reasons, hold.reason)
            commands.append(
                changed(alert, HOLD, hold.why, now, facts=_facts(shelf), reasons=reasons, **hold.fields)
            )
        elif alert.kind is AlertKind.VIOLATION and alert.condition_ended_at is not None:
            found["gone"].append(alert.number)
            commands.append(changed(alert, HOLD, Why.GONE_WHILE_SHELVED, now, facts=_facts(shelf),
                                    held_by=Held.SHELF_OVER.value, held_until=None))  # fmt: skip
        else:
            found["rings"].append(alert.number)
            rung = ring(alert, Why.SHELF_ENDED, now)
            commands += [rung, *ring_sends(rung.after, policy, now)]
    return Left(commands=tuple(commands), **{name: tuple(numbers) for name, numbers in found.items()})


def _has_nobody(alert: Alert) -> bool:
    return alert.state in (State.OPEN, State.ACKNOWLEDGED)


def _facts(shelf: Shelf) -> dict[str, str]:
    return {"shelf_id": shelf.shelf_id, "until": shelf.until_at.isoformat()}
