"""What the loop works with: an alert, its episodes, dispatches, timers, and what arrives as work.

Frozen values, as the tables of monitor/store/schema.sql hold them. Nothing here decides.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import msgspec

from alerts.lifecycle import AlertKind, State
from monitor.domain.levels import Level
from monitor.domain.risk import Reason
from monitor.domain.roles import Role


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
    occurrence_of: str | None = None
    #: number of its newest transition; an update names the one that it starts from
    version: int = 1

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


class TimerKind(StrEnum):
    """What becomes due."""

    DISPATCH_LEVEL_II = "dispatch_level_ii"
    RETRY_DISPATCH = "retry_dispatch"
    ACCEPT_OVERDUE = "accept_overdue"
    EVIDENCE_OVERDUE = "evidence_overdue"


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """Something that becomes due. Never cancelled: what is due looks at the alert as it is then."""

    timer_id: int = 0
    alert_id: str
    #: a TimerKind; text, so that one of another release does not block the others
    what: str
    due_at: datetime
    dispatch_id: str | None = None


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


class Permit(msgspec.Struct, frozen=True, kw_only=True):
    """Lawful work: what, where along the line, and when."""

    permit_number: str
    violation: str
    pipeline_id: str
    from_m: float
    to_m: float
    valid_from: datetime
    valid_to: datetime
    company: str = ""
    machines: str = ""


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when the looks of one alert were, on one pipeline. Looks without a place have None for it."""

    pipeline_id: str | None = None
    from_m: float | None = None
    to_m: float | None = None
    first_at: datetime
    last_at: datetime

    def within(self, permit: Permit) -> bool:
        """Whether the permit covers every look whose place is known, and the hours of all of them."""
        in_time = permit.valid_from <= self.first_at and self.last_at <= permit.valid_to
        if self.from_m is None or self.to_m is None:
            return in_time
        in_place = permit.from_m <= self.from_m and self.to_m <= permit.to_m
        return in_time and in_place and self.pipeline_id == permit.pipeline_id


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
