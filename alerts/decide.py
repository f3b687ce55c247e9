"""What a risk event means for the loop: open an alert, join one, or bring one up to date.

Pure: the event, the facts of its site and `now` in; commands with reasons out. Grading is grading.py's,
places are joining.py's, the choice of an officer is dispatching.py's.

A condition (what the camera sees) is apart from the case (what people do about it): updates and ends
move the condition. After the case is closed only a new onset, a worse grade, or lawful work that goes on
outside its permit opens a new one, which names the old. So does a look after an officer resolved the case:
nobody is there any more, and who verifies the old case must not close the new one unseen.
"""

from datetime import datetime
from typing import Any

import msgspec

from alerts.calm.holding import RING, Quiet, holds_of, ring_sends
from alerts.calm.looking import hold_of_look, is_a_look, not_silent, rings
from alerts.commands import (
    Change,
    Command,
    Commands,
    HoldEpisode,
    SeekOfficer,
    SetTimer,
    Tell,
    Touch,
    changed,
    opened,
)
from alerts.grading import Graded, grade_event
from alerts.joining import belongs
from alerts.lifecycle import AlertKind, State, Step
from alerts.origin import EDGE, Origin, opened_by, said_of_case, seen_by
from alerts.policy import DISPATCH_POLICY, Policy, Sending
from alerts.reasons import Why
from alerts.values import Alert, Confirmation, Episode, Looks, MachineSeen, Permit, Timer, TimerKind
from monitor.domain.assets import City
from monitor.domain.events import NO_LOOK, RiskEvent


class Nearby(msgspec.Struct, frozen=True, kw_only=True):
    """What the database knows about the event's place."""

    #: of this site and violation, running or seen lately, and the one that holds the episode
    alerts: tuple[Alert, ...] = ()
    #: episodes of the alert that holds the event's own; empty if none does
    episodes: tuple[Episode, ...] = ()
    #: for this kind of work on its pipeline, or for any work at its chainage
    permits: tuple[Permit, ...] = ()
    #: how the running alert that holds the episode was seen so far
    looks: tuple[Looks, ...] = ()
    #: episodes of the event's camera at its time, where a permit limits how many
    machines: tuple[MachineSeen, ...] = ()
    #: confirmed or verified alerts of this site and violation in the last 30 days
    repeats: tuple[str, ...] = ()
    #: shelves of the event's camera and of these alerts, and the camera's state
    quiet: Quiet = Quiet()

    def holder(self, episode_id: str) -> Alert | None:
        """The alert that already holds this episode."""
        held_by = {episode.episode_id: episode.alert_id for episode in self.episodes}.get(episode_id)
        return next((alert for alert in self.alerts if alert.alert_id == held_by), None)


def on_event(
    event: RiskEvent, nearby: Nearby, city: City, policy: Policy, now: datetime, new_id: str,
    origin: Origin = EDGE,
) -> Commands:  # fmt: skip
    """What to do about one event. Doing it twice changes nothing more."""

    def graded(alert: Alert | None) -> Graded:
        # an alert is no repeat of itself
        repeats = sum(1 for repeat in nearby.repeats if alert is None or repeat != alert.alert_id)
        return grade_event(
            event, nearby.permits, repeats, city, policy, nearby.machines, nearby.looks, origin
        )

    holder = nearby.holder(event.episode_id)
    why_new = Why.NEW_PLACE
    left: Commands = ()
    if holder is not None:
        again = _why_after_case(holder, event, graded(holder))
        if again is None and holder.closed_at is None:
            return _follow(holder, event, graded(holder), nearby, policy, now)
        if again is None:
            closed = seen(holder, event)
            changes = _changes(closed, event, graded(holder), nearby, nearby.quiet, now)
            return (*_episode(event, nearby), *changes, Touch(alert=closed))
        why_new, left = again, _left_behind(holder, event, nearby, now)
    fresh = graded(None)
    # a shelf or a covered lens keeps a camera quiet, never a person
    quiet = Quiet() if origin.source == "report" else nearby.quiet
    for alert in sorted(nearby.alerts, key=_newest, reverse=True):
        # lawful work joins its supervised record only, so that a permit never mutes a neighbour's violation
        joinable = alert.state is State.SUPERVISED if fresh.lawful_by else not _case_is_over(alert, event)
        if joinable and (why := belongs(event, alert, policy)):
            return (*_join(alert, event, graded(alert), why, quiet, policy, now, origin), *left)
    old = holder or _over_here(event, nearby, policy)
    if old is not None and why_new is Why.NEW_PLACE:
        why_new = Why.AFTER_CLOSING
    return (*_open(event, fresh, why_new, old, quiet, policy, now, new_id, origin), *left)


def _case_is_over(alert: Alert, event: RiskEvent) -> bool:
    """Whether nobody works on the alert any more: closed, or resolved before the event was seen."""
    if alert.state is State.RESOLVED and alert.resolved_at is not None:
        return event.captured_at > alert.resolved_at
    return alert.closed_at is not None


def _why_after_case(holder: Alert, event: RiskEvent, graded: Graded) -> Why | None:
    """Why an episode that runs on after its case becomes a new occurrence, or None."""
    if not is_a_look(event) or not _case_is_over(holder, event):
        return None
    if holder.state is State.SUPERVISED:
        return None if graded.lawful_by else Why.OUTSIDE_PERMIT
    return Why.WORSE_AFTER_CLOSING if graded.level.is_worse_than(holder.level) else None


def _left_behind(holder: Alert, event: RiskEvent, nearby: Nearby, now: datetime) -> Commands:
    """Its condition is over for a case whose last episode goes on as another."""
    others_run = any(e.ended_at is None and e.episode_id != event.episode_id for e in nearby.episodes)
    if others_run or holder.condition_ended_at is not None:
        return ()
    return (changed(holder, "note", Why.CONDITION_ENDED, now, condition_ended_at=event.captured_at),)


def _over_here(event: RiskEvent, nearby: Nearby, policy: Policy) -> Alert | None:
    over = [a for a in nearby.alerts if _case_is_over(a, event) and belongs(event, a, policy)]
    return max(over, key=_newest, default=None)


def _newest(alert: Alert) -> tuple[datetime, str]:
    # the id too, so that a book's order never decides
    return alert.last_seen_at, alert.alert_id


# ---------------------------------------------------------------- open, join, follow
def _open(
    event: RiskEvent, graded: Graded, why: Why, old: Alert | None, quiet: Quiet, policy: Policy, now: datetime,
    new_id: str, origin: Origin,
) -> Commands:  # fmt: skip
    ended = event.captured_at if event.phase == "end" else None
    hold = None if graded.lawful_by else hold_of_look(event, None, graded.level, quiet, now)
    reasons = graded.reasons if hold is None else (*graded.reasons, hold.reason)
    alert = Alert(
        alert_id=new_id, kind=AlertKind.VIOLATION, state=State.OPEN, violation=event.violation,
        subject=event.site_id, site_id=event.site_id, camera_id=event.camera_id, level=graded.level,
        reasons=reasons, weights_version=graded.weights_version, object_class=event.object_class,
        activity=event.activity, zone_id=event.zone_id, footage=event.footage, opened_at=now,
        onset_at=event.captured_at, last_seen_at=event.captured_at, condition_ended_at=ended,
        occurrence_of=old.alert_id if old else None, **_place(event), **(hold.fields if hold else {}),
    )  # fmt: skip
    alert = opened_by(origin, alert, now)
    first: Commands = (opened(alert, why, now, origin.actor), _hold(alert, event, now, origin))
    if graded.lawful_by:
        return (*first, _supervised(alert, now))
    sending = send_if_due(alert, policy, now, origin.confirmed_why)
    silent = not_silent(alert, event, quiet, now)
    return (*first, *silent, *_evidence_timer(alert, event, policy, now), *sending)


def _join(
    alert: Alert,
    event: RiskEvent,
    graded: Graded,
    why: Why,
    quiet: Quiet,
    policy: Policy,
    now: datetime,
    origin: Origin,
) -> Commands:
    facts = {"episode_id": event.episode_id, "camera_id": event.camera_id}
    # who refuted the first machine has not seen this one
    doubt = alert.confirmation is Confirmation.REFUTED and alert.closed_at is None and is_a_look(event)
    confirmation = Confirmation.PENDING if doubt else alert.confirmation
    joined = changed(seen_by(origin, alert, event, seen(alert, event)), "join", why, now, facts=facts,
                     actor=origin.actor, **said_of_case(origin, alert, confirmation, now))  # fmt: skip
    more = _changes(joined.after, event, graded, None, quiet, now)
    send = doubt or (origin.confirmed and alert.closed_at is None)
    after = _afterwards(joined.after, more, event, policy, now, send=send, confirmed=origin.confirmed_why)
    silent = not_silent(more[-1].after if more else joined.after, event, quiet, now)
    return (joined, _hold(alert, event, now, origin), *more, *silent, *after)


def _follow(
    alert: Alert, event: RiskEvent, graded: Graded, nearby: Nearby, policy: Policy, now: datetime
) -> Commands:
    alert = seen(alert, event)
    more = _changes(alert, event, graded, nearby, nearby.quiet, now)
    silent = not_silent(more[-1].after if more else alert, event, nearby.quiet, now)
    return (*_episode(event, nearby), *more, *silent, *_afterwards(alert, more, event, policy, now))


def _changes(
    alert: Alert, event: RiskEvent, graded: Graded, nearby: Nearby | None, quiet: Quiet, now: datetime
) -> tuple[Change, ...]:
    """Level, condition and ringing after the event. The case's state changes only by lawful work."""
    changes: list[Change] = []

    def add(change: Change | None) -> None:
        nonlocal alert
        if change is not None:
            changes.append(change)
            alert = change.after

    if alert.closed_at is None:
        sole = nearby is not None and all(e.episode_id == event.episode_id for e in nearby.episodes)
        lawful = sole and event.violation == alert.violation and graded.always_lawful
        add(_level_change(alert, event, graded, lawful, now))
        add(_condition_change(alert, event, nearby, now))
        if lawful and alert.state is State.OPEN:
            add(_supervised(alert, now))
        add(rings(alert, event, quiet, now))
    else:
        add(_condition_change(alert, event, nearby, now))
    return tuple(changes)


def _afterwards(
    alert: Alert,
    changes: tuple[Change, ...],
    event: RiskEvent,
    policy: Policy,
    now: datetime,
    *,
    send: bool = False,
    confirmed: Why = Why.CONFIRMED,
) -> Commands:
    """What follows from the changes; sending an officer comes last, since it changes the alert again."""
    after = changes[-1].after if changes else alert
    commands: list[Command] = [Touch(alert=after), *_evidence_timer(after, event, policy, now)]
    if any(change.move.step == "rise" for change in changes):
        commands.append(Tell(alert=after, what="update"))
        send = True
    if any(change.move.step == RING for change in changes):
        return (*commands, *ring_sends(after, policy, now))
    if send:
        commands += send_if_due(after, policy, now, confirmed)
    return tuple(commands)


def _level_change(
    alert: Alert, event: RiskEvent, graded: Graded, lawful: bool, now: datetime
) -> Change | None:
    """Up at once; down only because a permit was registered that the law knows for this violation."""
    new: dict[str, Any] = {
        "level": graded.level,
        "reasons": (*graded.reasons, *holds_of(alert.reasons)),
        "weights_version": graded.weights_version,
    }
    if graded.level.is_worse_than(alert.level) and is_a_look(event):
        confirmation = (
            Confirmation.PENDING if alert.confirmation is Confirmation.REFUTED else alert.confirmation
        )
        return changed(alert, "rise", Why.GRADED_WORSE, now, violation=event.violation, confirmation=confirmation,
                       **new)  # fmt: skip
    if lawful and alert.level.is_worse_than(graded.level):
        return changed(
            alert, "fall", Why.PERMIT_REGISTERED, now, facts={"permit": graded.lawful_by or ""}, **new
        )
    return None


def _condition_change(alert: Alert, event: RiskEvent, nearby: Nearby | None, now: datetime) -> Change | None:
    """A condition ends when the last of its episodes ends, and resumes with the next look at it."""
    if event.phase == "end":
        others_run = nearby is None or any(
            e.ended_at is None and e.episode_id != event.episode_id for e in nearby.episodes
        )
        if others_run or alert.condition_ended_at is not None:
            return None
        return changed(alert, "note", Why.CONDITION_ENDED, now, condition_ended_at=event.captured_at)
    ended_at = alert.condition_ended_at
    known = {e.episode_id: e for e in nearby.episodes} if nearby else {}
    over = event.episode_id in known and known[event.episode_id].ended_at is not None
    if ended_at is not None and is_a_look(event) and event.captured_at > ended_at and not over:
        return changed(alert, "note", Why.CONDITION_RESUMED, now, condition_ended_at=None,
                       came_back=(alert.came_back or 0) + 1)  # fmt: skip
    return None


def _supervised(alert: Alert, now: datetime) -> Change:
    return changed(alert, Step.SUPERVISE, Why.PERMIT_COVERS, now, to=State.SUPERVISED, closed_at=now,
                   closing_reason=Why.PERMIT_COVERS.value)  # fmt: skip


# ---------------------------------------------------------------- pieces
def seen(alert: Alert, event: RiskEvent) -> Alert:
    """With the place and time of the newest look; an older one moves the onset back, and gives a missing place."""
    if event.captured_at < alert.last_seen_at or event.reason in NO_LOOK:
        found = event.position is not None and alert.place is None and is_a_look(event)
        place = _place(event) if found else {}
        return msgspec.structs.replace(alert, onset_at=min(alert.onset_at, event.captured_at), **place)
    newer: dict[str, Any] = _place(event) if event.position is not None else {}
    return msgspec.structs.replace(
        alert, onset_at=min(alert.onset_at, event.captured_at), last_seen_at=event.captured_at,
        activity=event.activity, **newer,
    )  # fmt: skip


def send_if_due(alert: Alert, policy: Policy, now: datetime, confirmed: Why = Why.CONFIRMED) -> Commands:
    """What the dispatch policy says about an open alert of this level and confirmation."""
    if (
        alert.state is not State.OPEN
        or alert.confirmation is Confirmation.REFUTED
        or alert.held_by is not None
    ):
        return ()
    if alert.confirmation is Confirmation.CONFIRMED:
        return (SeekOfficer(alert=alert, why=confirmed),)
    sending = DISPATCH_POLICY[alert.level]
    if sending is Sending.AT_ONCE:
        return (SeekOfficer(alert=alert, why=Why.LEVEL_I_AT_ONCE),)
    if sending is Sending.UNLESS_REFUTED:
        due_at = now + policy.level_ii_wait
        timer = Timer(alert_id=alert.alert_id, what=TimerKind.DISPATCH_LEVEL_II, due_at=due_at)
        return (SetTimer(timer=timer, once=True),)
    if policy.supervision.may_send_sooner(alert.level):
        # what is on record of the site is asked when it is due, which is now
        return (
            SetTimer(timer=Timer(alert_id=alert.alert_id, what=TimerKind.SEND_SOONER, due_at=now), once=True),
        )
    return ()


def _place(event: RiskEvent) -> dict[str, Any]:
    at = event.position
    return {
        "lon": at.lon if at else None, "lat": at.lat if at else None, "accuracy_m": at.accuracy_m if at else None,
        "pipeline_id": event.pipeline_id, "chainage_m": event.chainage_m, "offset_m": event.offset_m,
    }  # fmt: skip


def _hold(alert: Alert, event: RiskEvent, now: datetime, origin: Origin) -> HoldEpisode:
    ended_at = event.captured_at if event.phase == "end" or origin.momentary else None
    return HoldEpisode(episode=Episode(episode_id=event.episode_id, alert_id=alert.alert_id,
                                       camera_id=event.camera_id, joined_at=now, ended_at=ended_at))  # fmt: skip


def _episode(event: RiskEvent, nearby: Nearby) -> Commands:
    """Writes down that the known episode ended, or goes on after all; nothing if that is known."""
    known = next(e for e in nearby.episodes if e.episode_id == event.episode_id)
    ended_at = known.ended_at
    if event.phase == "end":
        ended_at = event.captured_at
    if ended_at == known.ended_at:
        return ()
    return (HoldEpisode(episode=msgspec.structs.replace(known, ended_at=ended_at)),)


def _evidence_timer(alert: Alert, event: RiskEvent, policy: Policy, now: datetime) -> Commands:
    if not event.evidence or alert.closed_at is not None:
        return ()
    due_at = now + policy.evidence_within
    timer = Timer(alert_id=alert.alert_id, what=TimerKind.EVIDENCE_OVERDUE, due_at=due_at)
    return (SetTimer(timer=timer, once=True),)
