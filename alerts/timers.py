"""What to do when something becomes due. Pure.

Timers are never cancelled: what is due looks at the alert as it is then, and does nothing if the reason
for it is gone.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from alerts.calm.flapping import on_flap_timer
from alerts.commands import (
    Clear,
    Commands,
    EndDispatch,
    HandOver,
    Problem,
    Raise,
    SeekOfficer,
    SetTimer,
    Tell,
    changed,
)
from alerts.dispatching import where
from alerts.lifecycle import State, Step
from alerts.policy import Policy
from alerts.reasons import EndOfDispatch, Health, Why
from alerts.supervising import kept_long_enough, sooner
from alerts.values import Alert, Confirmation, Dispatch, EvidenceItem, LastWord, Timer, TimerKind
from alerts.visiting.bundling import SAME_VISIT, goes_on_without
from monitor.domain.levels import Level
from monitor.domain.risk import Reason
from monitor.domain.supervision import RULED_LEVELS, SiteRecord

#: whether the visit is over, of what was taken along, is looked at this often
VISIT_LOOKED_AT: Final = timedelta(minutes=1)


class TimerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the database knows when a timer is due."""

    running: Dispatch | None = None
    #: was anybody ever sent to this alert
    sent_before: bool = False
    #: did the room call back whom it was sent to last
    recalled: bool = False
    #: the dispatch by which the running one's officer came to the site, and how long they have to begin after it
    visit: Dispatch | None = None
    accept_within: timedelta = timedelta(0)
    #: evidence of the alert that is announced but neither stored nor lost
    waiting: tuple[EvidenceItem, ...] = ()
    #: of the alert's site, where a supervision rule may send sooner
    record: SiteRecord = SiteRecord()
    #: newest state of the camera or edge that a health alert is about
    last: LastWord | None = None


def on_timer(timer: Timer, alert: Alert, facts: TimerFacts, policy: Policy, now: datetime) -> Commands:
    """The commands of a due timer; none if its reason is gone."""
    match timer.what:
        case TimerKind.DISPATCH_LEVEL_II:
            return _level_ii(alert, facts)
        case TimerKind.RETRY_DISPATCH:
            return _retry(alert, facts)
        case TimerKind.ACCEPT_OVERDUE if _is_along(timer, alert, facts):
            return _not_begun(timer, alert, facts, now)
        case TimerKind.ACCEPT_OVERDUE:
            return _dark(timer, alert, facts, Why.ACCEPT_OVERDUE, (State.DISPATCHED,), now)
        case TimerKind.DEPART_OVERDUE:
            return _dark(timer, alert, facts, Why.DEPART_OVERDUE, (State.ACCEPTED,), now)
        case TimerKind.ARRIVE_OVERDUE:
            return _dark(timer, alert, facts, Why.ARRIVE_OVERDUE, (State.ACCEPTED, State.EN_ROUTE), now)
        case TimerKind.SHIFT_ENDS:
            return _shift_ends(timer, alert, facts, now)
        case TimerKind.SEND_SOONER:
            return sooner(alert, facts.record, policy.supervision, sent_before=facts.sent_before, now=now)
        case TimerKind.KEPT_LONG_ENOUGH:
            return kept_long_enough(alert, running=facts.running is not None, now=now)
        case TimerKind.FLAPS:
            return on_flap_timer(alert, facts.last, policy.calm, now)
        case TimerKind.EVIDENCE_OVERDUE:
            return _evidence_overdue(alert, facts, policy, now)
    raise ValueError(f"unknown timer {timer.what!r}: was it written by another release?")


def _may_be_sent(alert: Alert) -> bool:
    return (
        alert.state is State.OPEN and alert.confirmation is not Confirmation.REFUTED and alert.held_by is None
    )


def _level_ii(alert: Alert, facts: TimerFacts) -> Commands:
    # who was recalled by the room is not sent again by a timer
    if not _may_be_sent(alert) or facts.sent_before or Level.II.is_worse_than(alert.level):
        return ()
    return (SeekOfficer(alert=alert, why=Why.LEVEL_II_UNREFUTED),)


def _retry(alert: Alert, facts: TimerFacts) -> Commands:
    if not _may_be_sent(alert) or facts.recalled:
        # nobody is wanted any more; another alert of the site that still waits says so at its own next try
        return (Clear(health=Health.NOBODY_TO_DISPATCH, subject=where(alert)),)
    if alert.confirmation is Confirmation.CONFIRMED:
        why = Why.CONFIRMED
    elif alert.level in RULED_LEVELS:
        why = Why.SOONER_BY_RULE
    else:
        why = Why.LEVEL_I_AT_ONCE if alert.level is Level.I else Why.LEVEL_II_UNREFUTED
    return (SeekOfficer(alert=alert, why=why),)


def _dark(
    timer: Timer, alert: Alert, facts: TimerFacts, why: Why, states: tuple[State, ...], now: datetime
) -> Commands:
    """The officer did not do the next thing in time: they are called back, and somebody else is sent."""
    if alert.state not in states or facts.running is None or facts.running.dispatch_id != timer.dispatch_id:
        return ()
    dark = changed(alert, Step.GO_DARK, why, now, to=State.OPEN,
                   facts={"dispatch_id": facts.running.dispatch_id, "officer": facts.running.officer})  # fmt: skip
    end = EndDispatch(dispatch=facts.running, at=now, why=EndOfDispatch.WENT_DARK, recall=True)
    if alert.confirmation is Confirmation.REFUTED or goes_on_without(alert, facts.running):
        return (dark, end)
    return (dark, end, SeekOfficer(alert=dark.after, why=Why.AFTER_DARK))


def _is_along(timer: Timer, alert: Alert, facts: TimerFacts) -> bool:
    """Whether it was only taken along, and not begun yet. A red one never waits for its officer to come round to it."""
    running = facts.running
    return (
        running is not None
        and (running.dispatch_id, running.choice) == (timer.dispatch_id, SAME_VISIT)
        and alert.state is State.DISPATCHED
        and alert.level is not Level.I
    )


def _not_begun(timer: Timer, alert: Alert, facts: TimerFacts, now: datetime) -> Commands:
    """Waits while the officer is there because of the other alert, and as long again as anybody has to accept once
    that one is put right. Then it is given back: nobody is called back, for nobody was asked to come.
    """
    running, visit = facts.running, facts.visit
    assert running is not None
    if visit is not None:
        stays = visit.ended_at is None
        if visit.ended_at is not None and visit.end_reason == EndOfDispatch.RESOLVED:
            stays = now < visit.ended_at + facts.accept_within
        if stays:
            again = msgspec.structs.replace(timer, timer_id=0, due_at=now + VISIT_LOOKED_AT)
            return (SetTimer(timer=again),)
    over = changed(alert, Step.HAND_OVER, Why.VISIT_OVER, now, to=State.OPEN,
                   facts={"dispatch_id": running.dispatch_id, "officer": running.officer})  # fmt: skip
    end = EndDispatch(dispatch=running, at=now, why=EndOfDispatch.VISIT_OVER, recall=False)
    if alert.confirmation is Confirmation.REFUTED or goes_on_without(alert, running):
        return (over, end)
    return (over, end, SeekOfficer(alert=over.after, why=Why.AFTER_HAND_OVER))


def _shift_ends(timer: Timer, alert: Alert, facts: TimerFacts, now: datetime) -> Commands:
    """Who has not left hands over by themselves; who is on the way or there is relieved when a person says so."""
    running = facts.running
    if running is None or running.dispatch_id != timer.dispatch_id:
        return ()
    if alert.state in (State.DISPATCHED, State.ACCEPTED):
        if alert.confirmation is Confirmation.REFUTED or goes_on_without(alert, running):  # nobody follows
            over = changed(alert, Step.HAND_OVER, Why.SHIFT_ENDED, now, to=State.OPEN,
                           facts={"dispatch_id": running.dispatch_id, "officer": running.officer})  # fmt: skip
            return (over, EndDispatch(dispatch=running, at=now, why=EndOfDispatch.HANDED_OVER, recall=True))
        return (HandOver(alert=alert, dispatch=running, why=Why.SHIFT_ENDED),)
    if alert.state not in (State.EN_ROUTE, State.ON_SITE):
        return ()
    note = changed(alert, "note", Why.SHIFT_ENDED_UNDER_WAY, now, facts={"officer": running.officer})
    return (note, Tell(alert=note.after, what="update"))


def _evidence_overdue(alert: Alert, facts: TimerFacts, policy: Policy, now: datetime) -> Commands:
    """Announced for ten minutes on an open alert, and still not here."""
    over = Clear(health=Health.EVIDENCE_OVERDUE, subject=alert.alert_id)
    if alert.closed_at is not None or not facts.waiting:
        return (over,)
    overdue = [item for item in facts.waiting if item.announced_at + policy.evidence_within <= now]
    oldest_at = min(item.announced_at for item in facts.waiting)
    due_at = now + policy.retry_dispatch_after if overdue else oldest_at + policy.evidence_within
    again = Timer(alert_id=alert.alert_id, what=TimerKind.EVIDENCE_OVERDUE, due_at=due_at)
    if not overdue:
        return (over, SetTimer(timer=again, once=True))
    shown = ", ".join(item.sha256[:12] for item in overdue[:5])
    problem = Problem(
        health=Health.EVIDENCE_OVERDUE, subject=alert.alert_id, at=now, site_id=alert.site_id,
        camera_id=alert.camera_id, footage=alert.footage,
        reasons=(Reason(key="evidence_overdue", points=0, detail=f"{len(overdue)}: {shown}"),),
    )  # fmt: skip
    return (Raise(problem=problem), SetTimer(timer=again, once=True))
