"""What a decision asks for. Decisions return commands; apply.py carries them out in one transaction."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from alerts.lifecycle import State, Step
from alerts.reasons import Choice, EndOfDispatch, Health, Why
from alerts.values import SYSTEM, Actor, Alert, Dispatch, Episode, Escalation, Move, Outgoing, Timer, Told
from monitor.domain.risk import Reason


class StepRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A step as a person or a phone asks for it."""

    step: Step
    actor: Actor
    at: datetime
    note: str = ""
    lon: float | None = None
    lat: float | None = None
    attachments: tuple[str, ...] = ()
    reason: str = ""
    #: of a false alarm: alerts.feedback.causes.FalseCause
    cause: str = ""
    idempotency_key: str | None = None


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """A new alert with its first transition."""

    alert: Alert
    move: Move


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A transition: the alert after it, provided that it is still at `move.n - 1`."""

    before: Alert
    after: Alert
    move: Move
    #: further facts for the log, e.g. which episode joined
    facts: dict[str, str] = {}


class Touch(msgspec.Struct, frozen=True, kw_only=True):
    """What the cameras see of a running condition: place and times. The case stays as it is."""

    alert: Alert


class HoldEpisode(msgspec.Struct, frozen=True, kw_only=True):
    """The alert holds this episode from now on."""

    episode: Episode


class SeekOfficer(msgspec.Struct, frozen=True, kw_only=True):
    """Send the best officer; who that is, is decided under the dispatching lock."""

    alert: Alert
    why: str
    step: Step = Step.DISPATCH
    #: a person's request; if nobody can be sent it is refused instead of retried
    request: StepRequest | None = None


class StartDispatch(msgspec.Struct, frozen=True, kw_only=True):
    """An officer is sent."""

    dispatch: Dispatch
    choice: Choice


class AcceptDispatch(msgspec.Struct, frozen=True, kw_only=True):
    """The officer of the running dispatch accepts."""

    dispatch_id: str
    at: datetime


class OfficerMoves(msgspec.Struct, frozen=True, kw_only=True):
    """The officer of the running dispatch left, or arrived."""

    dispatch_id: str
    departed_at: datetime | None = None
    arrived_at: datetime | None = None


class HandOver(msgspec.Struct, frozen=True, kw_only=True):
    """Send somebody else in the officer's place; who that is, is decided under the dispatching lock."""

    alert: Alert
    dispatch: Dispatch
    why: str
    #: a person's request; refused if nobody else can be sent. The system then leaves things as they are
    request: StepRequest | None = None


class PutEscalation(msgspec.Struct, frozen=True, kw_only=True):
    """A clock ran out, or its chain went on or ended."""

    escalation: Escalation


class TellPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody hears that a clock ran out; the message's key makes it once."""

    told: Told
    message: Outgoing
    #: in the room: in a flood it may come in a bundle
    in_room: bool = False


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """A message leaves; its key makes it once."""

    message: Outgoing


class EndDispatch(msgspec.Struct, frozen=True, kw_only=True):
    """The running dispatch ends; `recall` tells the officer's phone."""

    dispatch: Dispatch
    at: datetime
    why: EndOfDispatch
    recall: bool


class SetTimer(msgspec.Struct, frozen=True, kw_only=True):
    """Something becomes due. `once`: not if the alert already waits for the same."""

    timer: Timer
    once: bool = False


class Tell(msgspec.Struct, frozen=True, kw_only=True):
    """Tell the officer of the running dispatch, if there is one."""

    alert: Alert
    what: Literal["dispatch", "update"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something is wrong with the watching itself."""

    health: Health
    subject: str
    at: datetime
    reasons: tuple[Reason, ...]
    site_id: str | None = None
    camera_id: str | None = None
    footage: str = "real"


class Raise(msgspec.Struct, frozen=True, kw_only=True):
    """Open the health alert of this problem, or keep the running one up to date."""

    problem: Problem
    #: a running one is left alone
    only_if_none: bool = False


class Clear(msgspec.Struct, frozen=True, kw_only=True):
    """The problem is over; its health alert clears by itself, if one runs."""

    health: Health
    subject: str


Command = (
    Open | Change | Touch | HoldEpisode | SeekOfficer | StartDispatch | AcceptDispatch | EndDispatch
    | SetTimer | Tell | Raise | Clear | OfficerMoves | HandOver | PutEscalation | TellPerson | Send
)  # fmt: skip
Commands = tuple[Command, ...]


def opened(alert: Alert, why: Why, now: datetime, actor: Actor = SYSTEM) -> Open:
    """The first transition of a new alert."""
    move = Move(alert_id=alert.alert_id, n=1, step="open", from_state=None, to_state=alert.state, level=alert.level,
                actor=actor.user, role=actor.role, at=now, reason=why, held_by=alert.held_by)  # fmt: skip
    return Open(alert=alert, move=move)


def changed(
    before: Alert,
    step: str,
    why: str,
    now: datetime,
    *,
    to: State | None = None,
    actor: Actor = SYSTEM,
    request: StepRequest | None = None,
    facts: dict[str, str] | None = None,
    **fields: Any,
) -> Change:
    """A transition of `before`, with the alert's `fields` set as given."""
    after = msgspec.structs.replace(before, state=to or before.state, version=before.version + 1, **fields)
    move = Move(
        alert_id=before.alert_id, n=after.version, step=step, from_state=before.state, to_state=after.state,
        level=after.level, actor=actor.user, role=actor.role, at=now, reason=why,
        note=request.note if request else "", lon=request.lon if request else None,
        lat=request.lat if request else None, attachments=request.attachments if request else (),
        idempotency_key=request.idempotency_key if request else None, held_by=after.held_by,
    )  # fmt: skip
    return Change(before=before, after=after, move=move, facts=facts or {})
