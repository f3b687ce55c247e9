"""What may be done to a permit, by whom, from which state: one table. Pure.

A holder acts on his own permits only. Nothing here lowers anything: what an approval means for an alert is
decided with the next event (alerts.permits).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from alerts.errors import AlertsError
from alerts.values import Actor, Permit, PermitState
from monitor.domain.roles import Role

#: a prolongation by more is a new permit, with a new look at the place
LONGEST_PROLONGATION: Final = timedelta(days=366)


class PermitStep(StrEnum):
    """Steps of a permit; each is a row of its history and an audit entry 'permit.<step>'."""

    REQUEST = "request"
    REGISTER = "register"  # an approval that exists on paper
    CHANGE = "change"
    APPROVE = "approve"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    ASK_PROLONGATION = "ask_prolongation"
    PROLONG = "prolong"
    REFUSE_PROLONGATION = "refuse_prolongation"
    REMIND = "remind"
    END = "end"


class PermitError(AlertsError):
    """A step of a permit is refused; `key` names the sentence for people (texts.PROBLEMS)."""

    def __init__(self, key: str, **facts: Any) -> None:
        super().__init__(f"{key}: {facts}" if facts else key)
        self.key, self.facts = key, facts


class PermitNotFound(PermitError):
    """There is no such permit, or not for who asks."""

    def __init__(self, number: str) -> None:
        super().__init__("permit_unknown", number=number)


class PermitForbidden(PermitError):
    """The role may not take this step."""


class PermitMove(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a permit's history."""

    permit_number: str
    n: int
    step: str
    from_state: PermitState | None
    to_state: PermitState
    actor: str
    role: Role
    at: datetime
    note: str = ""
    facts: dict[str, str] = {}
    idempotency_key: str | None = None


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A step as somebody asks for it."""

    step: PermitStep
    actor: Actor
    note: str = ""
    #: the new end, of steps about a prolongation
    until: datetime | None = None
    #: the content, of steps that bring one
    content: Permit | None = None
    #: the version that who asks has seen; None: whatever stands there
    version: int | None = None
    idempotency_key: str | None = None


_S = PermitState
_HOLDER = frozenset({Role.HOLDER})
_SUPERVISOR = frozenset({Role.SUPERVISOR})
_SYSTEM = frozenset({Role.SYSTEM})

#: (state, step) -> (state after it, who may). None: there is no permit of that number yet.
TABLE: Final[Mapping[tuple[PermitState | None, PermitStep], tuple[PermitState, frozenset[Role]]]] = {
    (None, PermitStep.REQUEST): (_S.REQUESTED, _HOLDER | _SUPERVISOR),
    (None, PermitStep.REGISTER): (_S.APPROVED, _SUPERVISOR),
    (_S.REQUESTED, PermitStep.CHANGE): (_S.REQUESTED, _HOLDER | _SUPERVISOR),
    (_S.APPROVED, PermitStep.CHANGE): (_S.APPROVED, _SUPERVISOR),
    (_S.REQUESTED, PermitStep.APPROVE): (_S.APPROVED, _SUPERVISOR),
    (_S.REQUESTED, PermitStep.REFUSE): (_S.REFUSED, _SUPERVISOR),
    (_S.REQUESTED, PermitStep.WITHDRAW): (_S.WITHDRAWN, _HOLDER | _SUPERVISOR),
    (_S.APPROVED, PermitStep.WITHDRAW): (_S.WITHDRAWN, _HOLDER | _SUPERVISOR),
    (_S.APPROVED, PermitStep.ASK_PROLONGATION): (_S.APPROVED, _HOLDER | _SUPERVISOR),
    (_S.APPROVED, PermitStep.PROLONG): (_S.APPROVED, _SUPERVISOR),
    (_S.APPROVED, PermitStep.REFUSE_PROLONGATION): (_S.APPROVED, _SUPERVISOR),
    (_S.APPROVED, PermitStep.REMIND): (_S.APPROVED, _SYSTEM),
    (_S.APPROVED, PermitStep.END): (_S.ENDED, _SYSTEM),
}

NEEDS_NOTE: Final = frozenset({PermitStep.REFUSE, PermitStep.REFUSE_PROLONGATION, PermitStep.WITHDRAW})
#: what a change may not touch: who it is, and what only its own steps set
_KEPT: Final = ("permit_number", "state", "ended_at", "prolong_to", "version")


def may_see(permit: Permit, actor: Actor) -> bool:
    """A holder sees his own permits; whoever else has the right to see permits sees all."""
    return actor.role is not Role.HOLDER or permit.holder == actor.user


def unchanged(permit: Permit, content: Permit) -> bool:
    """Whether a content says what stands there already."""
    kept = {name: getattr(permit, name) for name in _KEPT}
    return msgspec.structs.replace(content, **kept) == permit


def steps_for(permit: Permit, actor: Actor, now: datetime) -> tuple[PermitStep, ...]:
    """What this person may do now, so that no button leads to a refusal."""
    by_people = [
        step for step in PermitStep if step not in (PermitStep.CHANGE, PermitStep.REMIND, PermitStep.END)
    ]
    return tuple(step for step in by_people if _allowed(permit, step, actor, now))


def _allowed(permit: Permit, step: PermitStep, actor: Actor, now: datetime) -> bool:
    found = TABLE.get((permit.state, step))
    if found is None or actor.role not in found[1] or not may_see(permit, actor):
        return False
    if step in (PermitStep.ASK_PROLONGATION, PermitStep.PROLONG) and now > permit.valid_to:
        return False
    return step is not PermitStep.REFUSE_PROLONGATION or permit.prolong_to is not None


def on_ask(permit: Permit | None, ask: Ask, moves: int, now: datetime) -> tuple[Permit, PermitMove]:
    """The permit after the step and the row of its history, or PermitError. `moves`: rows that it has already."""
    actor, step = ask.actor, ask.step
    found = TABLE.get((permit.state if permit else None, step))
    if found is None:
        if permit is None:
            raise PermitNotFound("")
        raise PermitError("permit_wrong_state", permit_state=permit.state)
    to, roles = found
    if actor.role not in roles or (permit is not None and not may_see(permit, actor)):
        raise PermitForbidden("permit_not_yours")
    if step in NEEDS_NOTE and not ask.note.strip():
        raise PermitError("permit_needs_note")
    after = _after(permit, ask, to, now)
    move = PermitMove(
        permit_number=after.permit_number, n=moves + 1, step=step, from_state=permit.state if permit else None,
        to_state=to, actor=actor.user, role=actor.role, at=now, note=ask.note.strip(), facts=_facts(permit, after),
        idempotency_key=ask.idempotency_key,
    )  # fmt: skip
    return after, move


def _after(permit: Permit | None, ask: Ask, to: PermitState, now: datetime) -> Permit:
    replace = msgspec.structs.replace
    if permit is None or ask.step is PermitStep.CHANGE:
        assert ask.content is not None, f"the step {ask.step} brings a permit"
        content = ask.content
        if ask.actor.role is Role.HOLDER:
            # whoever asks is the holder, whatever the form says
            content = replace(content, holder=ask.actor.user)
        if permit is not None and permit.state is PermitState.APPROVED and now > permit.valid_to:
            raise PermitError("permit_is_over")
        if permit is None:
            return replace(content, state=to, version=1, ended_at=None, prolong_to=None)
        return replace(
            content, **{name: getattr(permit, name) for name in _KEPT[:-1]}, version=permit.version + 1
        )
    changes: dict[str, Any] = {"state": to, "version": permit.version + 1}
    match ask.step:
        case PermitStep.WITHDRAW:
            # a request never covered anything: only an approval goes on covering what was seen before its end
            ended_at = None if permit.state is PermitState.REQUESTED else now
            changes |= {"ended_at": ended_at, "prolong_to": None}
        case PermitStep.ASK_PROLONGATION:
            changes["prolong_to"] = _new_end(permit, ask.until, now)
        case PermitStep.PROLONG:
            changes |= {"valid_to": _new_end(permit, ask.until or permit.prolong_to, now), "prolong_to": None}
        case PermitStep.REFUSE_PROLONGATION if permit.prolong_to is None:
            raise PermitError("permit_nothing_asked")
        case PermitStep.REFUSE_PROLONGATION | PermitStep.END:
            changes["prolong_to"] = None
    return replace(permit, **changes)


def _new_end(permit: Permit, until: datetime | None, now: datetime) -> datetime:
    """Later than the end that it has, not by years, and only while it runs: nothing becomes lawful afterwards."""
    if now > permit.valid_to:
        raise PermitError("permit_is_over")
    if until is None or not permit.valid_to < until <= permit.valid_to + LONGEST_PROLONGATION:
        raise PermitError("permit_bad_until", days=LONGEST_PROLONGATION.days)
    return until


def _facts(before: Permit | None, after: Permit) -> dict[str, str]:
    """What changed, as text: shown in the history and written into the audit entry."""
    was = {name: getattr(before, name) if before else None for name in Permit.__struct_fields__}
    changed = {
        name: value
        for name in Permit.__struct_fields__
        if name not in ("version", "state") and (value := getattr(after, name)) != was[name]
    }
    if before is None:
        changed = {name: value for name, value in changed.items() if value not in ("", (), {})}
    return {name: "…" if name in _PRIVATE else _text(value) for name, value in changed.items()}


#: a log that is never changed holds nobody's telephone
_PRIVATE: Final = frozenset({"phone", "email"})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
