"""What a step of a person means: the lifecycle's table, and what a step needs beyond it.

Pure. Field steps belong to the officer of the running dispatch; evidence is collected only with a
photo that is stored; a closing names its outcome.
"""

import re
from enum import StrEnum
from typing import Any

import msgspec

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
from alerts.joining import distance_m
from alerts.lifecycle import FINAL, AlertKind, IllegalStep, Incomplete, NotAllowed, Step, next_state
from alerts.policy import Policy
from alerts.reasons import EndOfDispatch, Why
from alerts.values import Alert, Confirmation, Dispatch


class Outcome(StrEnum):
    """How a case was closed. It flows back to the model and the zone."""

    RECTIFIED = "rectified"
    REFERRED = "referred"  # to enforcement
    PERMITTED_WORK = "permitted_work"
    FALSE_ALARM = "false_alarm"
    DUPLICATE = "duplicate"
    NO_ACCESS = "no_access"


FIELD_STEPS = frozenset({Step.ACCEPT, Step.DECLINE, Step.DEPART, Step.ARRIVE, Step.COLLECT, Step.RESOLVE})

_DEFAULT_OUTCOME = {
    Step.DISMISS: Outcome.FALSE_ALARM,
    Step.VERIFY: Outcome.RECTIFIED,
    Step.RESOLVE: Outcome.RECTIFIED,
}

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
    arrive_within_m: float = Policy().arrive_within_m


def on_step(alert: Alert, request: StepRequest, facts: StepFacts) -> Commands:
    """The step's commands, or IllegalStep, Incomplete, NotAllowed."""
    step, actor = request.step, request.actor
    to = next_state(alert.kind, alert.state, step, role=actor.role, level=alert.level, user=actor.user,
                    resolved_by=alert.resolved_by)  # fmt: skip
    if step in FIELD_STEPS and (facts.running is None or facts.running.officer != actor.user):
        raise NotAllowed(f"the step {step} belongs to the officer of the running dispatch")
    why = _why(alert, request, facts)
    if step in (Step.DISPATCH, Step.REOPEN):
        return (SeekOfficer(alert=alert, why=why, step=step, request=request),)
    if step is Step.HAND_OVER:
        if facts.running is None:
            raise IllegalStep(alert.kind, alert.state, step)
        return (HandOver(alert=alert, dispatch=facts.running, why=why, request=request),)
    change = changed(alert, step, why, request.at, to=to, actor=actor, request=request, facts=_facts(facts),
                     **_fields(alert, request, why))  # fmt: skip
    commands: list[Command] = [change]
    if facts.running is not None:
        if step is Step.ACCEPT:
            commands.append(AcceptDispatch(dispatch_id=facts.running.dispatch_id, at=request.at))
        if step in (Step.DEPART, Step.ARRIVE):
            at = {"departed_at" if step is Step.DEPART else "arrived_at": request.at}
            commands.append(OfficerMoves(dispatch_id=facts.running.dispatch_id, **at))
        if step in _ENDS_DISPATCH:
            commands.append(EndDispatch(dispatch=facts.running, at=request.at, why=_ENDS_DISPATCH[step],
                                        recall=step in _RECALLS))  # fmt: skip
    if step is Step.DECLINE and alert.confirmation is not Confirmation.REFUTED:
        commands.append(SeekOfficer(alert=change.after, why=Why.AFTER_DECLINE))
    if step is Step.CONFIRM and facts.running is None and alert.state == "open":
        commands.append(SeekOfficer(alert=change.after, why=Why.CONFIRMED))
    return tuple(commands)


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
            return {"resolved_at": at, "resolved_by": request.actor.user}
    closes = next_state(alert.kind, alert.state, step, role=request.actor.role, level=alert.level,
                        user=request.actor.user, resolved_by=alert.resolved_by) in FINAL  # fmt: skip
    return {"closed_at": at, "closing_reason": why} if closes else {}


def _why(alert: Alert, request: StepRequest, facts: StepFacts) -> str:
    step = request.step
    if step is Step.ARRIVE:
        return _arrival(alert, request, facts.arrive_within_m)
    if step is Step.COLLECT and not facts.photos:
        raise Incomplete(
            alert.kind, alert.state, step, "attach the SHA-256 of at least one photo that is uploaded"
        )
    if step in _DEFAULT_OUTCOME and alert.kind is AlertKind.VIOLATION:
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
    if not request.reason:
        return _DEFAULT_OUTCOME[request.step]
    try:
        return Outcome(request.reason)
    except ValueError:
        known = ", ".join(Outcome)
        raise Incomplete(
            alert.kind, alert.state, request.step, f"the reason must be one of {known}"
        ) from None


def _arrival(alert: Alert, request: StepRequest, within_m: float) -> Why:
    """An arrival is always taken, since a phone may have no fix; where it was is flagged."""
    if request.lon is None or request.lat is None:
        return Why.ARRIVED_WITHOUT_POSITION
    if alert.place is None:
        return Why.ARRIVED_PLACE_UNKNOWN
    return Why.ARRIVED_FAR if distance_m(alert.place, (request.lon, request.lat)) > within_m else Why.ARRIVED
