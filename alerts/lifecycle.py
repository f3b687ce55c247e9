"""The life of an alert as one table: (state, step) -> next state and who may take the step.

An unlisted pair raises. The database holds the same states (monitor/store/schema.sql); a test compares.
"""

from enum import StrEnum

import msgspec

from alerts.errors import AlertsError
from monitor.domain.levels import Level
from monitor.domain.roles import Role


class AlertKind(StrEnum):
    """A suspected violation, or something wrong with the watching itself."""

    VIOLATION = "violation"
    HEALTH = "health"


class State(StrEnum):
    """States of an alert."""

    OPEN = "open"
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    EN_ROUTE = "en_route"
    ON_SITE = "on_site"
    EVIDENCE_COLLECTED = "evidence_collected"
    RESOLVED = "resolved"
    VERIFIED = "verified"
    DISMISSED = "dismissed"
    SUPERVISED = "supervised"
    ACKNOWLEDGED = "acknowledged"  # health only
    CLEARED = "cleared"  # health only


FINAL = frozenset({State.VERIFIED, State.DISMISSED, State.SUPERVISED, State.CLEARED})


class Step(StrEnum):
    """What people, phones and the system do with an alert."""

    ACKNOWLEDGE = "acknowledge"
    CONFIRM = "confirm"
    REFUTE = "refute"
    DISPATCH = "dispatch"
    ACCEPT = "accept"
    DECLINE = "decline"
    DEPART = "depart"
    ARRIVE = "arrive"
    COLLECT = "collect"
    RESOLVE = "resolve"
    VERIFY = "verify"
    REOPEN = "reopen"
    RECALL = "recall"
    GO_DARK = "go_dark"
    HAND_OVER = "hand_over"
    DISMISS = "dismiss"
    SUPERVISE = "supervise"
    CLEAR = "clear"


class Transition(msgspec.Struct, frozen=True):
    """Where a step leads and who may take it."""

    to: State
    roles: frozenset[Role]


class IllegalStep(AlertsError):
    """The alert's state does not allow this step."""

    def __init__(self, kind: AlertKind, state: State, step: Step) -> None:
        super().__init__(f"a {kind} alert that is {state} cannot take the step {step}")
        self.kind, self.state, self.step = kind, state, step


class Incomplete(IllegalStep):
    """The state would allow the step, but something that it needs is missing."""

    def __init__(self, kind: AlertKind, state: State, step: Step, missing: str, key: str = "") -> None:
        super().__init__(kind, state, step)
        self.args = (f"the step {step} is not complete: {missing}",)
        #: `key` names it for texts; "" where the step alone says it
        self.missing, self.key = missing, key


class NotAllowed(AlertsError):
    """This actor may not take this step."""


_ROOM = frozenset({Role.OPERATOR, Role.SUPERVISOR})
_FIELD = frozenset({Role.OFFICER, Role.PATROL})
_SUPERVISOR = frozenset({Role.SUPERVISOR})
_SYSTEM = frozenset({Role.SYSTEM})

_ON_THE_WAY = (State.DISPATCHED, State.ACCEPTED, State.EN_ROUTE)
_RUNNING = (State.OPEN, *_ON_THE_WAY, State.ON_SITE, State.EVIDENCE_COLLECTED)


def _table() -> dict[tuple[AlertKind, State, Step], Transition]:
    v, h = AlertKind.VIOLATION, AlertKind.HEALTH
    table = {
        (v, State.OPEN, Step.DISPATCH): Transition(State.DISPATCHED, _ROOM | _SYSTEM),
        (v, State.OPEN, Step.SUPERVISE): Transition(State.SUPERVISED, _SYSTEM | _SUPERVISOR),
        (v, State.DISPATCHED, Step.ACCEPT): Transition(State.ACCEPTED, _FIELD),
        (v, State.ACCEPTED, Step.DEPART): Transition(State.EN_ROUTE, _FIELD),
        (v, State.EN_ROUTE, Step.ARRIVE): Transition(State.ON_SITE, _FIELD),
        (v, State.ON_SITE, Step.COLLECT): Transition(State.EVIDENCE_COLLECTED, _FIELD),
        (v, State.EVIDENCE_COLLECTED, Step.RESOLVE): Transition(State.RESOLVED, _FIELD),
        (v, State.RESOLVED, Step.VERIFY): Transition(State.VERIFIED, _SUPERVISOR),
        (v, State.RESOLVED, Step.REOPEN): Transition(State.DISPATCHED, _SUPERVISOR),
        (h, State.OPEN, Step.ACKNOWLEDGE): Transition(State.ACKNOWLEDGED, _ROOM),
        (h, State.OPEN, Step.CLEAR): Transition(State.CLEARED, _SYSTEM | _ROOM),
        (h, State.ACKNOWLEDGED, Step.CLEAR): Transition(State.CLEARED, _SYSTEM | _ROOM),
    }
    for state in _ON_THE_WAY:
        table[(v, state, Step.DECLINE)] = Transition(State.OPEN, _FIELD)
        table[(v, state, Step.GO_DARK)] = Transition(State.OPEN, _SYSTEM)
    for state in (*_ON_THE_WAY, State.ON_SITE):
        table[(v, state, Step.RECALL)] = Transition(State.OPEN, _ROOM)
        # the next one is sent in the same transaction; who is already on the way is relieved by a person only
        table[(v, state, Step.HAND_OVER)] = Transition(State.OPEN, _ROOM | _SYSTEM)
    for state in _RUNNING:
        # these change a field of the alert (acknowledged_at, confirmation), not its state
        table[(v, state, Step.ACKNOWLEDGE)] = Transition(state, _ROOM)
        table[(v, state, Step.CONFIRM)] = Transition(state, _ROOM)
        table[(v, state, Step.REFUTE)] = Transition(state, _ROOM)
    for state in (State.OPEN, *_ON_THE_WAY):
        table[(v, state, Step.DISMISS)] = Transition(State.DISMISSED, _ROOM)
    return table


TRANSITIONS = _table()

_DISMISSED_BY_OPERATOR = frozenset({Level.III, Level.IV})


def next_state(
    kind: AlertKind, state: State, step: Step, *, role: Role, level: Level, user: str, resolved_by: str | None
) -> State:
    """Where `step` leads, or IllegalStep / NotAllowed.

    Beyond the table: levels I and II are dismissed by a supervisor only, and nobody verifies or
    reopens what they resolved.
    """
    transition = TRANSITIONS.get((kind, state, step))
    if transition is None:
        raise IllegalStep(kind, state, step)
    if role not in transition.roles:
        raise NotAllowed(f"{role} may not take the step {step}")
    if step is Step.DISMISS and level not in _DISMISSED_BY_OPERATOR and role is not Role.SUPERVISOR:
        raise NotAllowed(f"only a supervisor dismisses an alert of level {level}")
    if step in (Step.VERIFY, Step.REOPEN) and user == resolved_by:
        raise NotAllowed("nobody verifies what they resolved")
    return transition.to
