"""What the loop works with: an alert, its episodes, dispatches, timers, and what arrives as work.

Frozen values, as the tables of monitor/store/schema.sql hold them. Nothing here decides.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import msgspec

from alerts.lifecycle import AlertKind, State
from monitor.domain.hours import Hours
from monitor.domain.levels import Level
from monitor.domain.risk import Reason
from monitor.domain.roles import Role
from monitor.domain.violations import Activity


class Confirmation(StrEnum):
    """What a person says of the suspicion. Only a person confirms."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who takes a step."""

    user: str
    role: Role
    team_id: str | None = None


SYSTEM = Actor(user="system", role=Role.SYSTEM)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert, as its row holds it."""

    alert_id: str
    #: what people call it; the database gives it, 0 before
    number: int = 0
    kind: AlertKind
    source: Literal["edge", "report", "device"] = "edge"
    state: State
    violation: str | None = None
    health: str | None = None
    subject: str
    site_id: str | None = None
    camera_id: str | None = None
    level: Level
    reasons: tuple[Reason, ...]
    weights_version: str
    confirmation: Confirmation = Confirmation.PENDING
    lon: float | None = None
    lat: float | None = None
    accuracy_m: float | None = None
    pipeline_id: str | None = None
    chainage_m: float | None = None
    offset_m: float | None = None
    object_class: str | None = None
    activity: str | None = None
    zone_id: str | None = None
    footage: str = "real"
    opened_at: datetime
    onset_at: datetime
    last_seen_at: datetime
    condition_ended_at: datetime | None = None
    acknowledged_at: datetime | None = None
    arrived_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    closed_at: datetime | None = None
    closing_reason: str | None = None
    #: alerts.feedback.causes: Outcome once somebody judged it, FalseCause of a false alarm
    outcome: str | None = None
    cause: str | None = None
    occurrence_of: str | None = None
    #: number of its newest transition; an update names the one that it starts from
    version: int = 1
    #: a calm.holding.Held: it asks nobody for anything; None: it rings
    held_by: str | None = None
    held_until: datetime | None = None
    #: the shelf that holds it, or held it last
    shelf_id: str | None = None
    #: when it began to ring, if not with its opening
    rung_at: datetime | None = None
    #: lost too often: clears only once it stayed well
    flapping_since: datetime | None = None
    #: how often the condition came back; None: never
    came_back: int | None = None

    @property
    def rings_from(self) -> datetime:
        """Since when people should answer."""
        return self.rung_at or self.opened_at

    @property
    def place(self) -> tuple[float, float] | None:
        """(lon, lat) in degrees, or None where there was no ground fix."""
        return None if self.lon is None or self.lat is None else (self.lon, self.lat)


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of an edge, and the alert that holds it."""

    episode_id: str
    alert_id: str
    camera_id: str
    joined_at: datetime
    ended_at: datetime | None = None


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of an alert: a row of its history and an entry of the audit log."""

    alert_id: str
    n: int
    step: str
    from_state: State | None
    to_state: State
    level: Level
    actor: str
    role: Role
    at: datetime
    reason: str
    note: str = ""
    lon: float | None = None
    lat: float | None = None
    attachments: tuple[str, ...] = ()
    idempotency_key: str | None = None
    #: what keeps the alert from ringing after it (calm.holding.Held); None: it rings
    held_by: str | None = None


class Dispatch(msgspec.Struct, frozen=True, kw_only=True):
    """One officer sent to one alert."""

    dispatch_id: str
    alert_id: str
    team_id: str
    officer: str
    dispatched_at: datetime
    accepted_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    departed_at: datetime | None = None
    arrived_at: datetime | None = None
    #: end of the officer's shift, as it was when they were chosen; None: none in sight
    shift_until: datetime | None = None
    #: a Choice: why this officer
    choice: str = ""
    #: what spoke for them, by name: shift, skills, running dispatches, metres and seconds of way
    chosen: Mapping[str, str] = {}


class TimerKind(StrEnum):
    """What becomes due."""

    DISPATCH_LEVEL_II = "dispatch_level_ii"
    RETRY_DISPATCH = "retry_dispatch"
    ACCEPT_OVERDUE = "accept_overdue"
    EVIDENCE_OVERDUE = "evidence_overdue"
    DEPART_OVERDUE = "depart_overdue"
    ARRIVE_OVERDUE = "arrive_overdue"
    SHIFT_ENDS = "shift_ends"
    #: a supervision rule may send without a confirmation; what a rule kept has been kept long enough
    SEND_SOONER = "send_sooner"
    KEPT_LONG_ENOUGH = "kept_long_enough"
    #: whether what came and went has stayed well
    FLAPS = "flaps"
    #: a clock may have run out, or a step of its chain is due
    CLOCKS = "clocks"


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """Something that becomes due. Never cancelled: what is due looks at the alert as it is then."""

    timer_id: int = 0
    alert_id: str
    #: a TimerKind; text, so that one of another release does not block the others
    what: str
    due_at: datetime
    dispatch_id: str | None = None


class Escalation(msgspec.Struct, frozen=True, kw_only=True):
    """A clock that ran out, and where its chain stands."""

    alert_id: str
    #: party and milestone, e.g. authority:arrive
    clock: str
    #: when that clock began to run
    since: datetime
    #: when it ran out: the chain's steps count from here
    begun_at: datetime
    level: Level
    #: steps up to this offset are done; below 0 none is
    told_through_s: float = -1.0
    next_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody was told that a clock ran out."""

    idempotency_key: str
    alert_id: str
    clock: str
    at: datetime
    #: the chain's word for them: team_lead, supervisor …
    who: str
    #: user name, or the role where the room has no names
    person: str
    channel: str
    #: when the channel took it; only when read
    sent_at: datetime | None = None
    #: key of the bundle that it went with; None: it went by itself
    sent_as: str | None = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What ingest left for the alert module (docs/contracts.md)."""

    work_id: int
    kind: str
    body: Any
    created_at: datetime


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the transactional outbox."""

    outgoing_id: int = 0
    channel: str
    address: str
    idempotency_key: str
    body: dict[str, Any]
    created_at: datetime
    attempts: int = 0


class PermitState(StrEnum):
    """Where a permit stands. Whether its time runs is asked of its dates, not of its state."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


class Permit(msgspec.Struct, frozen=True, kw_only=True):
    """Lawful work: what, where along the line, when, and with which machines. An empty limit limits nothing."""

    permit_number: str
    #: the catalogue's row that it makes lawful, and further ones
    violation: str
    also: tuple[str, ...] = ()
    state: PermitState = PermitState.APPROVED
    pipeline_id: str
    #: chainage in metres, both ends within
    from_m: float
    to_m: float
    #: signed metres beside the centreline, right of its direction is positive
    from_offset_m: float | None = None
    to_offset_m: float | None = None
    #: both ends within
    valid_from: datetime
    valid_to: datetime
    #: of the city's clock
    hours: tuple[Hours, ...] = ()
    activities: tuple[Activity, ...] = ()
    #: class of the detector -> the largest number of it at once
    machine_limits: dict[str, int] = {}
    company: str = ""
    phone: str = ""
    email: str = ""
    #: user who may see it as his own
    holder: str | None = None
    #: with what, in words
    machines: str = ""
    file_sha256: str | None = None
    #: when it was withdrawn
    ended_at: datetime | None = None
    #: the end that its holder asks for
    prolong_to: datetime | None = None
    version: int = 1

    @property
    def kinds(self) -> tuple[str, ...]:
        """All rows of the catalogue that it makes lawful."""
        return (self.violation, *self.also)


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """Looks of one alert that are alike: where and when they were. Without a place it is None.

    Of one minute at most, so that the hours of a permit can be compared.
    """

    violation: str = ""
    #: further rows of the catalogue that the same look breaks
    also: tuple[str, ...] = ()
    rule_id: str = ""
    may_lie_within: bool = False
    object_class: str = ""
    activity: str = ""
    pipeline_id: str | None = None
    from_m: float | None = None
    to_m: float | None = None
    from_offset_m: float | None = None
    to_offset_m: float | None = None
    first_at: datetime
    last_at: datetime


class MachineSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of a camera, for counting what was there at the same time."""

    episode_id: str
    object_class: str
    violations: tuple[str, ...]
    from_m: float | None = None
    to_m: float | None = None
    first_at: datetime
    last_at: datetime
    ended: bool = False


class LastWord(msgspec.Struct, frozen=True, kw_only=True):
    """The newest state of a camera or an edge in the database, and since when."""

    state: str
    since: datetime


class EvidenceItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item of evidence and where it stands: announced, stored, or lost with its reason."""

    sha256: str
    kind: str
    content_type: str
    bytes: int
    camera_id: str | None = None
    event_id: str | None = None
    episode_id: str | None = None
    uploaded_by: str | None = None
    footage: str = "real"
    announced_at: datetime
    stored_at: datetime | None = None
    lost_reason: str | None = None
    #: of a photo: when by the phone's clock, and where (WGS84)
    taken_at: datetime | None = None
    lon: float | None = None
    lat: float | None = None
