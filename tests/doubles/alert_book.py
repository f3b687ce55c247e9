"""An AlertBook in memory: same transactions, same refusals as PostgreSQL, one writer at a time.

Passes tests/integration/test_alerts_book.py, as the real one does. `add_*` put in what ingest and the web
would have written.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from alerts.calm.holding import Quiet
from alerts.calm.running import EVERY, Chosen
from alerts.calm.shelves import Shelf
from alerts.decide import Nearby
from alerts.errors import Conflict
from alerts.joining import place_box
from alerts.lifecycle import AlertKind, State
from alerts.log import SEEN_FIELDS
from alerts.permits import STILL_THERE, looks_of
from alerts.policy import NO_OFFENCE, Policy
from alerts.reasons import Choice, Health
from alerts.reporting.values import Caller, Report
from alerts.values import (
    Alert,
    Confirmation,
    Dispatch,
    Episode,
    Escalation,
    EvidenceItem,
    LastWord,
    Looks,
    MachineSeen,
    Move,
    Outgoing,
    Permit,
    Timer,
    Told,
    Work,
)
from monitor.audit.entries import Entry
from monitor.domain.events import NO_LOOK, RiskEvent
from monitor.domain.supervision import SiteRecord
from tests.doubles.alert_calm import MemoryCalmTx
from tests.doubles.report_book import MemoryReportTx

replace = msgspec.structs.replace


class _Tables:
    """Everything that a transaction can undo. Values are frozen, so copying the containers suffices."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.episodes: dict[str, Episode] = {}
        self.moves: dict[str, list[Move]] = {}
        self.dispatches: dict[str, Dispatch] = {}
        self.escalations: dict[tuple[str, str, datetime], Escalation] = {}
        self.told: dict[str, Told] = {}
        self.timers: dict[int, tuple[Timer, datetime | None]] = {}
        self.shelves: dict[str, Shelf] = {}
        self.work: dict[int, tuple[Work, datetime | None]] = {}
        self.outgoing: dict[int, Outgoing] = {}
        self.next_try_at: dict[int, datetime] = {}
        self.sent_at: dict[int, datetime] = {}
        self.handed_to: dict[int, str] = {}
        self.entries: list[Entry] = []
        self.permits: list[Permit] = []
        self.events: list[RiskEvent] = []
        self.evidence: dict[str, tuple[EvidenceItem, str | None]] = {}
        self.cameras: dict[str, LastWord] = {}
        self.edges: dict[str, LastWord] = {}
        self.notified: list[tuple[str, str]] = []
        #: when the first configuration was applied
        self.known_since: datetime | None = None
        self.reports: dict[str, Report] = {}
        self.callers: dict[str, Caller] = {}

    def snapshot(self) -> _Tables:
        saved = _Tables()
        for name, table in vars(self).items():
            setattr(saved, name, copy.copy(table))
        saved.moves = {key: list(moves) for key, moves in self.moves.items()}
        return saved


class MemoryAlertBook:
    """See the module."""

    def __init__(self) -> None:
        self.tables = _Tables()
        self._lock = threading.RLock()
        self._ids = iter(range(1, 10**9))

    @contextlib.contextmanager
    def begin(self) -> Iterator[MemoryAlertTx]:
        with self._lock:
            saved = self.tables.snapshot()
            try:
                yield MemoryAlertTx(self.tables, self._ids)
            except BaseException:
                self.tables = saved
                raise

    def together(self) -> contextlib.AbstractContextManager[MemoryAlertTx]:
        return self.begin()

    # ------------------------------------------------------------ what others write
    def add_work(self, kind: str, body: Any, at: datetime) -> None:
        with self._lock:
            work_id = next(self._ids)
            plain = msgspec.to_builtins(body)
            self.tables.work[work_id] = (Work(work_id=work_id, kind=kind, body=plain, created_at=at), None)

    def add_event(self, event: RiskEvent, at: datetime) -> None:
        """As ingest does: the row, its announced evidence, and the work."""
        with self._lock:
            self.tables.events.append(event)
            for item in event.evidence:
                self.add_evidence(
                    EvidenceItem(
                        sha256=item.sha256, kind=item.kind, content_type=item.content_type, bytes=item.bytes,
                        camera_id=event.camera_id, event_id=event.event_id, episode_id=event.episode_id,
                        footage=event.footage, announced_at=at,
                    )
                )  # fmt: skip
            self.add_work("event", event, at)

    def keeps_records_since(self, at: datetime) -> None:
        with self._lock:
            self.tables.known_since = at

    def add_permit(self, permit: Permit) -> None:
        with self._lock:
            self.tables.permits.append(permit)

    def add_evidence(self, item: EvidenceItem, alert_id: str | None = None) -> None:
        with self._lock:
            self.tables.evidence[item.sha256] = (item, alert_id)

    def set_camera(self, camera_id: str, word: LastWord) -> None:
        with self._lock:
            self.tables.cameras[camera_id] = word

    def set_edge(self, edge_id: str, word: LastWord) -> None:
        with self._lock:
            self.tables.edges[edge_id] = word


class MemoryAlertTx(MemoryCalmTx):
    """See AlertTx in alerts/ports.py."""

    def __init__(self, tables: _Tables, ids: Iterator[int]) -> None:
        self._t, self._ids = tables, ids
        self.reports = MemoryReportTx(tables)

    def lock(self, name: str) -> None:
        """One writer at a time holds all locks already."""

    def notify(self, channel: str, payload: str) -> None:
        self._t.notified.append((channel, payload))

    def audit(self, entry: Entry) -> None:
        entry.canonical()
        self._t.entries.append(entry)

    def lock_all(self, names: Sequence[str]) -> None:
        """As `lock`."""

    def next_onset(self) -> Work | None:
        return next(iter(self.waiting_onsets(1)), None)

    def next_device_alarm(self) -> Work | None:
        # transactions of this book come one after the other: the oldest is its camera's oldest
        waiting = (work for work, done_at in self._t.work.values() if done_at is None)
        return next((work for work in waiting if work.kind == "device_alarm"), None)

    def next_rest(self) -> Work | None:
        waiting: set[str] = set()
        for work, done_at in self._t.work.values():
            if done_at is None:
                episode_id = work.body.get("episode_id") if isinstance(work.body, dict) else None
                if episode_id not in waiting and not _is_onset(work) and work.kind != "device_alarm":
                    return work
                if episode_id is not None:
                    waiting.add(episode_id)
        return None

    def waiting_onsets(self, limit: int) -> tuple[Work, ...]:
        waiting = (w for w, done_at in self._t.work.values() if done_at is None and _is_onset(w))
        return tuple(itertools.islice(waiting, limit))

    def finish_work(self, work_id: int, now: datetime) -> None:
        self._t.work[work_id] = (self._t.work[work_id][0], now)

    def next_timer(self, now: datetime) -> Timer | None:
        due = [timer for timer, done_at in self._t.timers.values() if done_at is None and timer.due_at <= now]
        return min(due, key=lambda timer: (timer.due_at, timer.timer_id), default=None)

    def finish_timer(self, timer_id: int, now: datetime) -> None:
        self._t.timers[timer_id] = (self._t.timers[timer_id][0], now)

    def add_timer(self, timer: Timer, *, once: bool) -> None:
        waits = any(
            other.alert_id == timer.alert_id
            and other.what == timer.what
            and done_at is None
            and other.due_at <= timer.due_at
            for other, done_at in self._t.timers.values()
        )
        if not (once and waits):
            timer_id = next(self._ids)
            self._t.timers[timer_id] = (replace(timer, timer_id=timer_id), None)

    def nearby(self, event: RiskEvent, policy: Policy, now: datetime) -> Nearby:
        held = self._t.episodes.get(event.episode_id)
        seen_since = event.captured_at - policy.join_within

        def here(alert: Alert) -> bool:
            return (
                alert.kind is AlertKind.VIOLATION
                and alert.site_id == event.site_id
                and alert.violation == event.violation
            )

        alerts = tuple(
            alert
            for alert in self._t.alerts.values()
            if (held is not None and alert.alert_id == held.alert_id)
            or (here(alert) and alert.last_seen_at >= seen_since and _near(event, alert, policy))
        )
        episodes = tuple(
            e for e in self._t.episodes.values() if held is not None and e.alert_id == held.alert_id
        )
        permits = tuple(
            p
            for p in self._t.permits
            if p.pipeline_id == event.pipeline_id
            and (
                event.violation in p.kinds
                or (event.chainage_m is not None and p.from_m <= event.chainage_m <= p.to_m)
            )
        )
        repeats = tuple(
            alert.alert_id
            for alert in self._t.alerts.values()
            if here(alert)
            and alert.last_seen_at >= now - policy.repeats_within
            and (alert.confirmation is Confirmation.CONFIRMED or alert.state is State.VERIFIED)
            and alert.closing_reason not in NO_OFFENCE
        )
        runs = held is not None and self._t.alerts[held.alert_id].closed_at is None
        looks = self._looks(held.alert_id) if held is not None and permits and runs else ()
        limited = any(event.object_class in p.machine_limits for p in permits)
        machines = self._machines(event) if limited else ()
        quiet = Quiet(
            shelves=self.shelves_of(event.camera_id, [alert.alert_id for alert in alerts]),
            camera=self.last_word_of_camera(event.camera_id),
        )
        return Nearby(quiet=quiet, alerts=alerts, episodes=episodes, permits=permits, looks=looks, machines=machines,
                      repeats=repeats)  # fmt: skip

    def alone(self, events: Sequence[RiskEvent], policy: Policy, now: datetime) -> tuple[Nearby | None, ...]:
        found = (self.nearby(event, policy, now) for event in events)
        return tuple(None if nearby.alerts or nearby.episodes else nearby for nearby in found)

    def _looks(self, alert_id: str) -> tuple[Looks, ...]:
        """As the database has them, but each look by itself."""
        return tuple(
            looks_of(event)
            for event in self.events(alert_id, len(self._t.events))
            if event.phase != "end" and event.reason not in NO_LOOK
        )

    def _machines(self, event: RiskEvent) -> tuple[MachineSeen, ...]:
        at = event.captured_at
        mine = [e.captured_at for e in self._t.events if e.episode_id == event.episode_id]
        came_at = max(min([*mine, at]), at - timedelta(days=1))
        there = {
            e.episode_id
            for e in self._t.events
            if e.camera_id == event.camera_id
            and e.pipeline_id == event.pipeline_id
            and came_at - STILL_THERE <= e.captured_at <= at
        }
        found = []
        for episode_id in there:
            seen = [e for e in self._t.events if e.episode_id == episode_id and e.captured_at <= at]
            where_m = [e.chainage_m for e in seen if e.chainage_m is not None]
            last = [e.captured_at for e in seen if e.reason not in NO_LOOK or e.phase == "end"]
            if last:
                found.append(
                    MachineSeen(
                        episode_id=episode_id, object_class=min(e.object_class for e in seen),
                        violations=tuple(sorted({e.violation for e in seen})), from_m=min(where_m, default=None),
                        to_m=max(where_m, default=None), first_at=min(e.captured_at for e in seen),
                        last_at=max(last), ended=any(e.phase == "end" for e in seen),
                    )
                )  # fmt: skip
        return tuple(sorted(found, key=lambda machine: (machine.first_at, machine.episode_id)))

    def last_word_of_camera(self, camera_id: str) -> LastWord | None:
        return self._t.cameras.get(camera_id)

    def last_word_of_edge(self, edge_id: str) -> LastWord | None:
        return self._t.edges.get(edge_id)

    def site_record(self, alert: Alert) -> SiteRecord:
        confirmed = [
            other.last_seen_at
            for other in self._t.alerts.values()
            if other.site_id == alert.site_id
            and other.kind is AlertKind.VIOLATION
            and other.alert_id != alert.alert_id
            and (other.confirmation is Confirmation.CONFIRMED or other.state is State.VERIFIED)
            and other.closing_reason not in NO_OFFENCE
        ]
        named = {reason.detail for reason in alert.reasons if reason.key.startswith("permit")}
        return SiteRecord(
            known_since=self._t.known_since, confirmed=tuple(sorted(confirmed)), pipeline_id=alert.pipeline_id,
            companies=tuple(sorted(p.company for p in self._t.permits if p.permit_number in named)),
        )  # fmt: skip

    def waiting_evidence(self, alert_id: str) -> tuple[EvidenceItem, ...]:
        return tuple(
            item
            for item in self.evidence(alert_id)
            if item.episode_id is not None and item.stored_at is None and item.lost_reason is None
        )

    def stored_photos(self, alert_id: str, sha256s: Iterable[str]) -> frozenset[str]:
        found = {sha256: self._t.evidence[sha256] for sha256 in sha256s if sha256 in self._t.evidence}
        return frozenset(
            sha256
            for sha256, (item, of_alert) in found.items()
            if item.kind == "photo" and of_alert == alert_id and item.stored_at is not None
        )

    def alert(self, alert_id: str, *, for_update: bool = False) -> Alert | None:
        return self._t.alerts.get(alert_id)

    def running_health(self, health: str, subject: str) -> Alert | None:
        for alert in self._t.alerts.values():
            if alert.health == health and alert.subject == subject and alert.closed_at is None:
                return alert
        return None

    def insert_alert(self, alert: Alert) -> int:
        if alert.health is not None and self.running_health(alert.health, alert.subject):
            raise Conflict("one running health alert per subject")
        if alert.alert_id in self._t.alerts:
            raise Conflict(f"alert {alert.alert_id} is there already")
        number = 1 + max((other.number for other in self._t.alerts.values()), default=0)
        self._t.alerts[alert.alert_id] = replace(alert, number=number)
        return number

    def update_alert(self, alert: Alert, from_version: int) -> None:
        known = self._t.alerts[alert.alert_id]
        if known.version != from_version:
            raise Conflict(f"alert {alert.alert_id} is no longer at version {from_version}")
        kept = {name: getattr(known, name) for name in (*SEEN_FIELDS, "number")}
        self._t.alerts[alert.alert_id] = replace(alert, **kept)

    def touch_alert(self, alert: Alert) -> None:
        known = self._t.alerts[alert.alert_id]
        seen = {name: getattr(alert, name) for name in SEEN_FIELDS}
        seen["onset_at"] = min(known.onset_at, alert.onset_at)
        seen["last_seen_at"] = max(known.last_seen_at, alert.last_seen_at)
        seen["came_back"] = max(known.came_back or 0, alert.came_back or 0) or None
        self._t.alerts[alert.alert_id] = replace(known, **seen)

    def add_move(self, move: Move) -> None:
        moves = self._t.moves.setdefault(move.alert_id, [])
        if any(other.n == move.n for other in moves):
            raise Conflict(f"alert {move.alert_id} has a transition {move.n}")
        if move.idempotency_key is not None and self.has_move(move.alert_id, move.idempotency_key):
            raise Conflict(f"the step {move.idempotency_key} was taken")
        moves.append(move)

    def has_move(self, alert_id: str, idempotency_key: str) -> bool:
        return any(move.idempotency_key == idempotency_key for move in self._t.moves.get(alert_id, []))

    def hold_episode(self, episode: Episode) -> None:
        known = self._t.episodes.get(episode.episode_id)
        if known is not None:
            episode = replace(known, alert_id=episode.alert_id, ended_at=episode.ended_at)
        self._t.episodes[episode.episode_id] = episode

    def running_dispatch(self, alert_id: str) -> Dispatch | None:
        return next((d for d in self.dispatches(alert_id) if d.ended_at is None), None)

    def dispatches(self, alert_id: str) -> tuple[Dispatch, ...]:
        mine = [d for d in self._t.dispatches.values() if d.alert_id == alert_id]
        return tuple(sorted(mine, key=lambda d: (d.dispatched_at, d.dispatch_id)))

    def dispatch(self, dispatch_id: str) -> Dispatch | None:
        return self._t.dispatches.get(dispatch_id)

    def will_ask_of(self, officers: Collection[str]) -> None:
        """Each is asked for when it is needed."""

    def running_by_officer(self, officers: Collection[str]) -> Mapping[str, int]:
        running = (
            d.officer
            for d in self._t.dispatches.values()
            if d.ended_at is None and d.choice != Choice.SAME_VISIT
        )
        return Counter(officer for officer in running if officer in officers)

    def add_dispatch(self, dispatch: Dispatch) -> None:
        if self.running_dispatch(dispatch.alert_id):
            raise Conflict(f"alert {dispatch.alert_id} has a running dispatch")
        self._t.dispatches[dispatch.dispatch_id] = dispatch

    def accept_dispatch(self, dispatch_id: str, at: datetime) -> None:
        self._t.dispatches[dispatch_id] = replace(self._t.dispatches[dispatch_id], accepted_at=at)

    def dispatch_moves(
        self, dispatch_id: str, departed_at: datetime | None, arrived_at: datetime | None
    ) -> None:
        known = self._t.dispatches[dispatch_id]
        self._t.dispatches[dispatch_id] = replace(
            known, departed_at=departed_at or known.departed_at, arrived_at=arrived_at or known.arrived_at
        )

    def end_dispatch(self, dispatch_id: str, at: datetime, why: str) -> None:
        known = self._t.dispatches[dispatch_id]
        if known.ended_at is None:
            self._t.dispatches[dispatch_id] = replace(known, ended_at=at, end_reason=str(why))

    def escalations(self, alert_id: str) -> tuple[Escalation, ...]:
        mine = [e for e in self._t.escalations.values() if e.alert_id == alert_id]
        return tuple(sorted(mine, key=lambda e: (e.begun_at, e.clock)))

    def put_escalation(self, escalation: Escalation) -> None:
        key = (escalation.alert_id, escalation.clock, escalation.begun_at)
        known = self._t.escalations.get(key, escalation)
        self._t.escalations[key] = replace(escalation, since=known.since, level=known.level)

    def add_told(self, told: Told) -> bool:
        if told.idempotency_key in self._t.told:
            return False
        self._t.told[told.idempotency_key] = told
        return True

    def told(self, alert_id: str) -> tuple[Told, ...]:
        sent = {
            o.idempotency_key: self._t.sent_at[outgoing_id]
            for outgoing_id, o in self._t.outgoing.items()
            if outgoing_id in self._t.sent_at
        }
        mine = [
            replace(t, sent_at=sent.get(t.sent_as or t.idempotency_key))
            for t in self._t.told.values()
            if t.alert_id == alert_id
        ]
        return tuple(sorted(mine, key=lambda t: (t.at, t.idempotency_key)))

    def next_escalations(self, alert_ids: Sequence[str]) -> Mapping[str, datetime]:
        wanted = [e for e in self._t.escalations.values() if e.alert_id in alert_ids]
        running = [e for e in wanted if e.ended_at is None and e.next_at is not None]
        return {
            e.alert_id: e.next_at
            for e in sorted(running, key=lambda e: e.next_at or e.begun_at, reverse=True)
            if e.next_at is not None
        }

    def add_outgoing(self, outgoing: Outgoing) -> None:
        if any(o.idempotency_key == outgoing.idempotency_key for o in self._t.outgoing.values()):
            return
        outgoing_id = next(self._ids)
        self._t.outgoing[outgoing_id] = replace(outgoing, outgoing_id=outgoing_id)
        self._t.next_try_at[outgoing_id] = outgoing.created_at

    def take_outgoing(self, now: datetime, limit: int, held: Collection[str] = ()) -> tuple[Outgoing, ...]:
        due = [
            (self._t.next_try_at[outgoing_id], outgoing_id)
            for outgoing_id in self._t.outgoing
            if self._waits(outgoing_id)
            and self._t.outgoing[outgoing_id].channel not in held
            and self._t.next_try_at[outgoing_id] <= now
            and not self._waits_for_earlier(outgoing_id)
        ]
        return tuple(self._t.outgoing[outgoing_id] for _, outgoing_id in sorted(due)[:limit])

    def _waits(self, outgoing_id: int) -> bool:
        return outgoing_id not in self._t.sent_at and outgoing_id not in self._t.handed_to

    def _waits_for_earlier(self, outgoing_id: int) -> bool:
        def track(one: Outgoing) -> tuple[str, str, str | None]:
            return (one.channel, one.address, one.body.get("dispatch_id"))

        mine = track(self._t.outgoing[outgoing_id])
        return mine[2] is not None and any(
            earlier_id < outgoing_id and self._waits(earlier_id) and track(earlier) == mine
            for earlier_id, earlier in self._t.outgoing.items()
        )

    def outgoing_sent(self, outgoing_ids: Sequence[int], at: datetime) -> frozenset[str]:
        for outgoing_id in outgoing_ids:
            known = self._t.outgoing[outgoing_id]
            self._t.outgoing[outgoing_id] = replace(known, attempts=known.attempts + 1)
            self._t.sent_at[outgoing_id] = at
        running = (a for a in self._t.alerts.values() if a.closed_at is None)
        return frozenset(a.subject for a in running if a.health == Health.UNDELIVERABLE)

    def outgoing_failed(self, outgoing_id: int, error: str, next_try_at: datetime) -> None:
        known = self._t.outgoing[outgoing_id]
        self._t.outgoing[outgoing_id] = replace(known, attempts=known.attempts + 1)
        self._t.next_try_at[outgoing_id] = next_try_at

    def outgoing_postponed(self, outgoing_id: int, reason: str, next_try_at: datetime) -> None:
        self._t.next_try_at[outgoing_id] = next_try_at

    def outgoing_handed(self, outgoing_id: int, error: str, channel: str, at: datetime) -> None:
        known = self._t.outgoing[outgoing_id]
        self._t.outgoing[outgoing_id] = replace(known, attempts=known.attempts + 1)
        self._t.handed_to[outgoing_id] = channel

    def list_alerts(
        self, state: State | None, kind: AlertKind | None, running: bool | None, limit: int
    ) -> tuple[Alert, ...]:
        found = [
            alert
            for alert in self._t.alerts.values()
            if (state is None or alert.state is state)
            and (kind is None or alert.kind is kind)
            and (running is None or (alert.closed_at is None) == running)
        ]
        return tuple(sorted(found, key=lambda alert: -alert.number)[:limit])

    def urgent_alerts(
        self, *, held: bool, limit: int, chosen: Chosen = EVERY, after: int = 0
    ) -> tuple[Alert, ...]:
        mine = [
            a
            for a in self._t.alerts.values()
            if a.closed_at is None and (a.held_by is not None) == held and chosen.takes(a)
        ]
        return tuple(sorted(mine, key=lambda a: (a.level.rank, a.opened_at, a.number))[after : after + limit])

    def moves(self, alert_id: str) -> tuple[Move, ...]:
        return tuple(self._t.moves.get(alert_id, ()))

    def events(self, alert_id: str, limit: int) -> tuple[RiskEvent, ...]:
        mine = [
            event
            for event in self._t.events
            if (held := self._t.episodes.get(event.episode_id)) and held.alert_id == alert_id
        ]
        return tuple(sorted(mine, key=lambda event: (event.captured_at, event.seq))[-limit:])

    def evidence(self, alert_id: str) -> tuple[EvidenceItem, ...]:
        mine = [
            item
            for item, of_alert in self._t.evidence.values()
            if of_alert == alert_id
            or (
                item.episode_id is not None
                and (held := self._t.episodes.get(item.episode_id))
                and held.alert_id == alert_id
            )
        ]
        return tuple(sorted(mine, key=lambda item: (item.announced_at, item.sha256)))

    def running_dispatches(self, officer: str | None) -> tuple[Dispatch, ...]:
        mine = [d for d in self._t.dispatches.values() if d.ended_at is None and officer in (None, d.officer)]
        return tuple(sorted(mine, key=lambda d: (d.dispatched_at, d.dispatch_id), reverse=True))


def _is_onset(work: Work) -> bool:
    return work.kind == "event" and isinstance(work.body, dict) and work.body.get("phase") == "onset"


def _near(event: RiskEvent, alert: Alert, policy: Policy) -> bool:
    """As the query `alerts_near`: in the box, or by the same camera where one of the two has no place."""
    box = place_box(event, policy)
    west, south, east, north = (box[side] for side in ("west", "south", "east", "north"))
    if alert.place is None or west is None or south is None or east is None or north is None:
        return alert.camera_id == event.camera_id
    return west <= alert.place[0] <= east and south <= alert.place[1] <= north
