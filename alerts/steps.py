"""What a step of a person means: the lifecycle's table, and what a step needs beyond it.

Pure. Field steps belong to the officer of the running dispatch; evidence is collected only with a
photo that is stored; a closing names its outcome, and a false alarm its cause.
"""

import re
from typing import Any

import msgspec

from alerts.calm.holding import ring
from alerts.commands import (
    AcceptDispatch,
    Command,
    Commands,
    EndDispatch,
    HandOver,
    OfficerMoves,
    SeekOfficer,
    StepRequest,
    changed,
)
from alerts.feedback.causes import FalseCause, Outcome
from alerts.joining import distance_m
from alerts.lifecycle import FINAL, AlertKind, IllegalStep, Incomplete, NotAllowed, Step, next_state
from alerts.policy import Policy
from alerts.reasons import EndOfDispatch, Why
from alerts.supervising import keep_or_send
from alerts.values import Alert, Confirmation, Dispatch
from alerts.visiting.bundling import goes_on_without
from monitor.domain.supervision import SupervisionRule

FIELD_STEPS = frozenset({Step.ACCEPT, Step.DECLINE, Step.DEPART, Step.ARRIVE, Step.COLLECT, Step.RESOLVE})

#: steps that judge a violation
JUDGES = frozenset({Step.DISMISS, Step.VERIFY, Step.RESOLVE})
#: what a person can judge by without going there
PICTURES = frozenset({"snapshot_annotated", "snapshot_clean", "photo"})
#: pictures that a dismissal names as what it was judged by, at most
MOST_JUDGED_BY = 4

_ENDS_DISPATCH = {
    Step.RESOLVE: EndOfDispatch.RESOLVED,
    Step.DECLINE: EndOfDispatch.DECLINED,
    Step.RECALL: EndOfDispatch.RECALLED,
    Step.DISMISS: EndOfDispatch.DISMISSED,
}
#: ends that the officer's phone must be told of
_RECALLS = frozenset({Step.RECALL, Step.DISMISS})

_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")


class StepFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the database knows when a step is asked for."""

    running: Dispatch | None = None
    #: of the request's attachments, those that are stored photos of this alert
    photos: frozenset[str] = frozenset()
    #: stored pictures of the alert, newest first: what a dismissal is judged by
    seen: tuple[str, ...] = ()
    arrive_within_m: float = Policy().arrive_within_m
    #: the supervision rule that holds for the alert
    rule: SupervisionRule | None = None


def on_step(alert: Alert, request: StepRequest, facts: StepFacts) -> Commands:
    """The step's commands, or IllegalStep, Incomplete, NotAllowed."""
    step, actor = request.step, request.actor
    to = next_state(alert.kind, alert.state, step, role=actor.role, level=alert.level, user=actor.user,
                    resolved_by=alert.resolved_by)  # fmt: skip
    if step in FIELD_STEPS and (facts.running is None or facts.running.officer != actor.user):
        raise NotAllowed(f"the step {step} belongs to the officer of the running dispatch")
    why = _why(alert, request, facts)
    if step is Step.DISMISS and alert.kind is AlertKind.VIOLATION:
        request = _judged_by(alert, request, facts)
    alert, commands = _rung(alert, request)
    if step in (Step.DISPATCH, Step.REOPEN):
        return (*commands, SeekOfficer(alert=alert, why=why, step=step, request=request))
    if step is Step.HAND_OVER:
        if facts.running is None:
            raise IllegalStep(alert.kind, alert.state, step)
        return (HandOver(alert=alert, dispatch=facts.running, why=why, request=request),)
    change = changed(alert, step, why, request.at, to=to, actor=actor, request=request, facts=_facts(facts),
                     **_fields(alert, request, why))  # fmt: skip
    commands.append(change)
    if facts.running is not None:
        if step is Step.ACCEPT:
            commands.append(AcceptDispatch(dispatch_id=facts.running.dispatch_id, at=request.at))
        if step in (Step.DEPART, Step.ARRIVE):
            at = {"departed_at" if step is Step.DEPART else "arrived_at": request.at}
            commands.append(OfficerMoves(dispatch_id=facts.running.dispatch_id, **at))
        if step in _ENDS_DISPATCH:
            commands.append(EndDispatch(dispatch=facts.running, at=request.at, why=_ENDS_DISPATCH[step],
                                        recall=step in _RECALLS))  # fmt: skip
    if (
        step is Step.DECLINE
        and alert.confirmation is not Confirmation.REFUTED
        and not (facts.running is not None and goes_on_without(alert, facts.running))
    ):
        commands.append(SeekOfficer(alert=change.after, why=Why.AFTER_DECLINE))
    if step is Step.CONFIRM and facts.running is None and alert.state == "open":
        commands += keep_or_send(change.after, facts.rule, request.at)
    return tuple(commands)


def _rung(alert: Alert, request: StepRequest) -> tuple[Alert, list[Command]]:
    """Whoever confirms what is held, or sends somebody, wants it to ring."""
    if alert.held_by is None or request.step not in (Step.CONFIRM, Step.DISPATCH):
        return alert, []
    rung = ring(alert, Why.BY_HAND, request.at, request.actor)
    return rung.after, [rung]


def _facts(facts: StepFacts) -> dict[str, str]:
    return {"dispatch_id": facts.running.dispatch_id} if facts.running else {}


def _fields(alert: Alert, request: StepRequest, why: str) -> dict[str, Any]:
    """The alert's fields that the step sets beside its state."""
    at, step = request.at, request.step
    match step:
        case Step.ACKNOWLEDGE:
            return {"acknowledged_at": alert.acknowledged_at or at}
        case Step.CONFIRM:
            return {"confirmation": Confirmation.CONFIRMED, "acknowledged_at": alert.acknowledged_at or at}
        case Step.REFUTE:
            return {"confirmation": Confirmation.REFUTED, "acknowledged_at": alert.acknowledged_at or at}
        case Step.ARRIVE:
            return {"arrived_at": alert.arrived_at or at}
        case Step.RESOLVE:
            return {"resolved_at": at, "resolved_by": request.actor.user, **_judgement(alert, request, why)}
    closes = next_state(alert.kind, alert.state, step, role=request.actor.role, level=alert.level,
                        user=request.actor.user, resolved_by=alert.resolved_by) in FINAL  # fmt: skip
    judged = _judgement(alert, request, why) if step in JUDGES and alert.kind is AlertKind.VIOLATION else {}
    return {"closed_at": at, "closing_reason": why, **judged} if closes else {}


def _why(alert: Alert, request: StepRequest, facts: StepFacts) -> str:
    step = request.step
    if step is Step.ARRIVE:
        return _arrival(alert, request, facts.arrive_within_m)
    if step is Step.COLLECT and not facts.photos:
        raise Incomplete(
            alert.kind, alert.state, step, "attach the SHA-256 of at least one photo that is uploaded"
        )
    if step in JUDGES and alert.kind is AlertKind.VIOLATION:
        return _outcome(alert, request)
    if step is Step.DISPATCH:
        return Why.SENT_BY_ROOM
    if step is Step.REOPEN:
        return Why.REOPENED
    if step is Step.HAND_OVER:
        return Why.HANDED_OVER_BY_ROOM
    if request.reason and not _KEY.fullmatch(request.reason):
        raise Incomplete(
            alert.kind, alert.state, step, "a reason is a short key like 'no_access'; say more in the note"
        )
    return request.reason or Why.BY_HAND


def _outcome(alert: Alert, request: StepRequest) -> str:
    """What was found; who verifies and says nothing else means what the officer found."""
    said = request.reason or (alert.outcome if request.step is Step.VERIFY else None)
    known = ", ".join(Outcome)
    if not said:
        raise Incomplete(
            alert.kind, alert.state, request.step, f"say what was found: {known}", "outcome_needed"
        )
    try:
        outcome = Outcome(said)
    except ValueError:
        missing = f"the reason must be one of {known}"
        raise Incomplete(alert.kind, alert.state, request.step, missing, "outcome_needed") from None
    _cause(alert, request, outcome)
    return outcome


def _cause(alert: Alert, request: StepRequest, outcome: str) -> str | None:
    """Why it was a false alarm; nothing else has a cause."""
    if outcome != Outcome.FALSE_ALARM:
        return None
    known = ", ".join(FalseCause)
    said = request.cause or (alert.cause if request.step is Step.VERIFY else None)
    if said not in [*FalseCause]:
        missing = f"a false alarm has a cause: {known}"
        raise Incomplete(alert.kind, alert.state, request.step, missing, "cause_needed")
    if request.cause == FalseCause.OTHER and not request.note.strip():
        missing = "another cause is said in the note"
        raise Incomplete(alert.kind, alert.state, request.step, missing, "cause_needs_note")
    return str(said)


def _judgement(alert: Alert, request: StepRequest, outcome: str) -> dict[str, Any]:
    return {"outcome": outcome, "cause": _cause(alert, request, outcome)}


def _judged_by(alert: Alert, request: StepRequest, facts: StepFacts) -> StepRequest:
    """The dismissal with the pictures that were there to judge by; without any the note says how one knows."""
    if not facts.seen and not request.note.strip():
        missing = "no picture of it is stored: say in the note how you know"
        raise Incomplete(alert.kind, alert.state, request.step, missing, "evidence_or_note")
    return msgspec.structs.replace(request, attachments=facts.seen[:MOST_JUDGED_BY])


def _arrival(alert: Alert, request: StepRequest, within_m: float) -> Why:
    """An arrival is always taken, since a phone may have no fix; where it was is flagged."""
    if request.lon is None or request.lat is None:
        return Why.ARRIVED_WITHOUT_POSITION
    if alert.place is None:
        return Why.ARRIVED_PLACE_UNKNOWN
    return Why.ARRIVED_FAR if distance_m(alert.place, (request.lon, request.lat)) > within_m else Why.ARRIVED
