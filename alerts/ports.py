"""What the engine needs of a database. `PostgresAlertBook` is the real one; tests have one in memory that
passes the same contract tests.

Locks are taken in this order and only in this order, so that no two transactions wait for each other:
a work or timer row, a report's key, the sites' locks (by name), an alert's row, the dispatching lock, a health subject's lock.
What raises a camera's health alert holds its site's lock before: shelves begin and end under that.
A transaction of many onsets takes the dispatching lock and goes on: it has no row of an alert but its own new ones.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from alerts.calm.ports import CalmTx
from alerts.calm.running import EVERY, Chosen
from alerts.decide import Nearby
from alerts.lifecycle import AlertKind, State
from alerts.policy import Policy
from alerts.reporting.ports import ReportTx
from alerts.values import (
    Alert,
    Dispatch,
    Episode,
    Escalation,
    EvidenceItem,
    LastWord,
    Move,
    Outgoing,
    Timer,
    Told,
    Work,
)
from monitor.audit.entries import Entry
from monitor.domain.events import RiskEvent
from monitor.domain.supervision import SiteRecord


class AlertTx(CalmTx, Protocol):
    """One transaction. Writes that another transaction made impossible raise Conflict: decide again."""

    @property
    def reports(self) -> ReportTx:
        """Reports of people and devices, in the same transaction."""
        ...

    def lock(self, name: str) -> None:
        """Waits for the lock of that name and keeps it until the transaction ends."""
        ...

    def lock_all(self, names: Sequence[str]) -> None:
        """`lock` for each, in the order given."""
        ...

    def notify(self, channel: str, payload: str) -> None:
        """Tells who listens, once the transaction is committed."""
        ...

    def audit(self, entry: Entry) -> None:
        """Writes an entry of the audit log."""
        ...

    # work and timers: rows that another transaction holds are passed over
    def next_onset(self) -> Work | None:
        """The oldest onset that nobody does, held until the transaction ends."""
        ...

    def next_device_alarm(self) -> Work | None:
        """The oldest alarm of a smart camera that nobody does, held until the transaction ends.

        A camera's comes after all older ones of that camera, also while another transaction does those.
        """
        ...

    def next_rest(self) -> Work | None:
        """The oldest other work that nobody does, held until the transaction ends.

        That of an episode comes after all older work of that episode, its onset included.
        """
        ...

    def waiting_onsets(self, limit: int) -> tuple[Work, ...]:
        """The oldest onsets that nobody does, held until the transaction ends."""
        ...

    def finish_work(self, work_id: int, now: datetime) -> None:
        """The work is done."""
        ...

    def next_timer(self, now: datetime) -> Timer | None:
        """The timer that is due longest and that nobody handles, held until the transaction ends."""
        ...

    def finish_timer(self, timer_id: int, now: datetime) -> None:
        """The timer is handled."""
        ...

    def add_timer(self, timer: Timer, *, once: bool) -> None:
        """A new timer. `once`: not if the alert already waits for the same, due no later."""
        ...

    # facts
    def nearby(self, event: RiskEvent, policy: Policy, now: datetime) -> Nearby:
        """What is known about the event's place."""
        ...

    def alone(self, events: Sequence[RiskEvent], policy: Policy, now: datetime) -> tuple[Nearby | None, ...]:
        """`nearby` of each; None where an alert is near or holds the episode."""
        ...

    def last_word_of_camera(self, camera_id: str) -> LastWord | None:
        """The camera's newest state in the database."""
        ...

    def last_word_of_edge(self, edge_id: str) -> LastWord | None:
        """Whether the edge is 'online' or 'offline' by the database."""
        ...

    def site_record(self, alert: Alert) -> SiteRecord:
        """What is on record of the alert's site beside itself."""
        ...

    def waiting_evidence(self, alert_id: str) -> tuple[EvidenceItem, ...]:
        """Evidence of the alert that is announced but neither stored nor lost."""
        ...

    def stored_photos(self, alert_id: str, sha256s: Iterable[str]) -> frozenset[str]:
        """Which of these are stored photos of this alert."""
        ...

    # alerts
    def alert(self, alert_id: str, *, for_update: bool = False) -> Alert | None:
        """The alert; with `for_update` its row is locked."""
        ...

    def running_health(self, health: str, subject: str) -> Alert | None:
        """The running health alert of a subject, its row locked."""
        ...

    def insert_alert(self, alert: Alert) -> int:
        """A new alert; returns its number."""
        ...

    def update_alert(self, alert: Alert, from_version: int) -> None:
        """The alert as given, provided that it stands at `from_version`; else Conflict."""
        ...

    def touch_alert(self, alert: Alert) -> None:
        """Only place and times of what is seen."""
        ...

    def add_move(self, move: Move) -> None:
        """A row of the alert's history."""
        ...

    def has_move(self, alert_id: str, idempotency_key: str) -> bool:
        """Whether the step of that key was taken already."""
        ...

    def hold_episode(self, episode: Episode) -> None:
        """The episode belongs to this alert from now on."""
        ...

    # dispatches and messages
    def running_dispatch(self, alert_id: str) -> Dispatch | None:
        """The one running dispatch of the alert."""
        ...

    def dispatches(self, alert_id: str) -> tuple[Dispatch, ...]:
        """All dispatches of the alert, oldest first."""
        ...

    def dispatch(self, dispatch_id: str) -> Dispatch | None:
        """One dispatch, of whichever alert."""
        ...

    def will_ask_of(self, officers: Collection[str]) -> None:
        """Whose running dispatches will be asked for soon: they may be read together, once they are asked for."""
        ...

    def running_by_officer(self, officers: Collection[str]) -> Mapping[str, int]:
        """How many running dispatches each of these has, but for what a visit took along; who has none is missing."""
        ...

    def add_dispatch(self, dispatch: Dispatch) -> None:
        """A new running dispatch; Conflict if the alert has one."""
        ...

    def accept_dispatch(self, dispatch_id: str, at: datetime) -> None:
        """The officer accepted."""
        ...

    def dispatch_moves(
        self, dispatch_id: str, departed_at: datetime | None, arrived_at: datetime | None
    ) -> None:
        """The officer left, or arrived; None leaves what is known."""
        ...

    def end_dispatch(self, dispatch_id: str, at: datetime, why: str) -> None:
        """The dispatch ended."""
        ...

    def add_outgoing(self, outgoing: Outgoing) -> None:
        """A message to deliver; one of the same key is the same message."""
        ...

    def take_outgoing(self, now: datetime, limit: int, held: Collection[str] = ()) -> tuple[Outgoing, ...]:
        """Messages that are due and that nobody sends, but for the channels `held`; kept until the transaction ends."""
        ...

    def outgoing_sent(self, outgoing_ids: Sequence[int], at: datetime) -> frozenset[str]:
        """Delivered. The subjects that run as undeliverable (Health.UNDELIVERABLE), some of which this may end."""
        ...

    def outgoing_failed(self, outgoing_id: int, error: str, next_try_at: datetime) -> None:
        """Not delivered; one attempt more."""
        ...

    def outgoing_postponed(self, outgoing_id: int, reason: str, next_try_at: datetime) -> None:
        """Not tried, hence no attempt more."""
        ...

    def outgoing_handed(self, outgoing_id: int, error: str, channel: str, at: datetime) -> None:
        """Another channel took it over, as a message of its own."""
        ...

    # clocks that ran out
    def escalations(self, alert_id: str) -> tuple[Escalation, ...]:
        """All of the alert, oldest first."""
        ...

    def put_escalation(self, escalation: Escalation) -> None:
        """A new one, or how one of that alert, clock and beginning stands now."""
        ...

    def add_told(self, told: Told) -> bool:
        """Writes down that somebody is told; False if that very key was told already."""
        ...

    # read models
    def told(self, alert_id: str) -> tuple[Told, ...]:
        """Whom the alert's escalations told, oldest first, and whether the channel took it."""
        ...

    def next_escalations(self, alert_ids: Sequence[str]) -> Mapping[str, datetime]:
        """By alert: when its next escalation step is due; only of those with a chain that runs."""
        ...

    def list_alerts(
        self, state: State | None, kind: AlertKind | None, running: bool | None, limit: int
    ) -> tuple[Alert, ...]:
        """Newest first."""
        ...

    def urgent_alerts(
        self, *, held: bool, limit: int, chosen: Chosen = EVERY, after: int = 0
    ) -> tuple[Alert, ...]:
        """Running alerts that ring, or that are held: worst level first, then the oldest; `after` so many of them."""
        ...

    def moves(self, alert_id: str) -> tuple[Move, ...]:
        """The alert's history, oldest first."""
        ...

    def events(self, alert_id: str, limit: int) -> tuple[RiskEvent, ...]:
        """The newest events of the alert's episodes, oldest first."""
        ...

    def evidence(self, alert_id: str) -> tuple[EvidenceItem, ...]:
        """Evidence of the alert's episodes, and its photos."""
        ...

    def running_dispatches(self, officer: str | None) -> tuple[Dispatch, ...]:
        """Running dispatches of one officer, or of all; newest first."""
        ...


class AlertBook(Protocol):
    """Where alerts are kept."""

    def begin(self) -> AbstractContextManager[AlertTx]:
        """A transaction: committed when the block ends, undone when it raises."""
        ...

    def together(self) -> AbstractContextManager[AlertTx]:
        """The same, for many onsets at places of their own: may write when the block ends, all at once."""
        ...
