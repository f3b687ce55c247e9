"""Where alerts are kept: PostgreSQL or TimescaleDB. All SQL is in queries.sql; nothing is decided here."""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
import psycopg
from psycopg import errors

from alerts.calm.holding import Quiet
from alerts.calm.postgres import CalmRows
from alerts.calm.running import EVERY, Chosen
from alerts.decide import Nearby
from alerts.errors import Conflict, Unusable
from alerts.joining import place_box
from alerts.lifecycle import AlertKind, State
from alerts.permits import MOST_LOOKS, STILL_THERE
from alerts.policy import NO_OFFENCE, Policy
from alerts.ports import AlertTx
from alerts.postgres_rows import QUERIES as QUERIES
from alerts.postgres_rows import parameters
from alerts.postgres_rows import value as value
from alerts.reasons import Health
from alerts.reporting.postgres import PostgresReportTx
from alerts.values import (
    Alert,
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
from monitor.audit.log import append
from monitor.domain.events import RiskEvent
from monitor.domain.supervision import SiteRecord
from monitor.store.pool import Conn, Pool

#: others were first; deciding again sees what they did
_RETRYABLE = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure)

#: faults of the values; the last two (too long for an index, too deep) count as operational errors in psycopg
_UNUSABLE = (
    psycopg.DataError,
    psycopg.IntegrityError,
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
)


class PostgresAlertBook:
    """An AlertBook (ports.py) on a pool of connections with dict rows."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @contextlib.contextmanager
    def begin(self) -> Iterator[AlertTx]:
        """A transaction of its own connection."""
        try:
            with self._pool.connection() as conn:
                yield PostgresAlertTx(conn)
        except _RETRYABLE as exc:
            raise Conflict(str(exc)) from exc
        except _UNUSABLE as exc:
            raise Unusable(str(exc)) from exc

    @contextlib.contextmanager
    def together(self) -> Iterator[AlertTx]:
        """A transaction for many onsets; see postgres_together.py."""
        from alerts.postgres_together import PostgresTogetherTx

        with self.begin() as tx:
            assert isinstance(tx, PostgresAlertTx)
            many = PostgresTogetherTx(tx.conn)
            yield many
            many.flush()


class PostgresAlertTx(CalmRows):
    """An AlertTx (ports.py) on one connection."""

    def __init__(self, conn: Conn) -> None:
        super().__init__(conn)
        self.reports = PostgresReportTx(conn)

    def lock(self, name: str) -> None:
        self._run("lock", name=name)

    def lock_all(self, names: Sequence[str]) -> None:
        if names:
            self._run("lock_all", names=list(names))

    def notify(self, channel: str, payload: str) -> None:
        self._run("notify", channel=channel, payload=payload)

    def audit(self, entry: Entry) -> None:
        append(self._conn, entry)

    # ------------------------------------------------------------ work and timers
    def next_onset(self) -> Work | None:
        return self._one("waiting_onsets", Work, limit=1)

    def next_device_alarm(self) -> Work | None:
        return self._one("next_device_alarm", Work)

    def next_rest(self) -> Work | None:
        return self._one("next_rest", Work)

    def waiting_onsets(self, limit: int) -> tuple[Work, ...]:
        return self._all("waiting_onsets", Work, limit=limit)

    def finish_work(self, work_id: int, now: datetime) -> None:
        self._run("finish_work", work_ids=[work_id], now=now)

    def next_timer(self, now: datetime) -> Timer | None:
        return self._one("next_timer", Timer, now=now)

    def finish_timer(self, timer_id: int, now: datetime) -> None:
        self._run("finish_timer", timer_id=timer_id, now=now)

    def add_timer(self, timer: Timer, *, once: bool) -> None:
        self._run("add_timer", **parameters(timer), once=once)

    # ------------------------------------------------------------ facts
    def nearby(self, event: RiskEvent, policy: Policy, now: datetime) -> Nearby:
        place = {"site_id": event.site_id, "violation": event.violation}
        alerts = self._all("alerts_near", Alert, **place, **place_box(event, policy), camera_id=event.camera_id,
                           episode_id=event.episode_id, seen_since=event.captured_at - policy.join_within)  # fmt: skip
        episodes = self._all("episodes_of_holder", Episode, episode_id=event.episode_id)
        permits: tuple[Permit, ...] = ()
        if event.pipeline_id is not None:
            permits = self._all("permits_near", Permit, violation=event.violation, pipeline_id=event.pipeline_id,
                                chainage_m=event.chainage_m, at=event.captured_at)  # fmt: skip
        looks: tuple[Looks, ...] = ()
        if permits and episodes and _runs(episodes[0].alert_id, alerts):
            looks = self._all("looks_of_holder", Looks, episode_id=event.episode_id, limit=MOST_LOOKS + 1)
        machines: tuple[MachineSeen, ...] = ()
        if any(event.object_class in permit.machine_limits for permit in permits):
            machines = self._all("machines_near", MachineSeen, episode_id=event.episode_id, camera_id=event.camera_id,
                                 pipeline_id=event.pipeline_id, at=event.captured_at, still_there=STILL_THERE)  # fmt: skip
        repeats = self._run(
            "repeats", **place, since=now - policy.repeats_within, no_offence=list(NO_OFFENCE)
        )
        quiet = Quiet(
            shelves=self.shelves_of(event.camera_id, [alert.alert_id for alert in alerts]),
            camera=self.last_word_of_camera(event.camera_id),
        )
        return Nearby(
            quiet=quiet, alerts=alerts, episodes=episodes, permits=permits, looks=looks, machines=machines,
            repeats=tuple(r["alert_id"] for r in repeats),
        )  # fmt: skip

    def alone(self, events: Sequence[RiskEvent], policy: Policy, now: datetime) -> tuple[Nearby | None, ...]:
        found = (self.nearby(event, policy, now) for event in events)
        return tuple(None if nearby.alerts or nearby.episodes else nearby for nearby in found)

    def last_word_of_camera(self, camera_id: str) -> LastWord | None:
        return self._one("last_word_of_camera", LastWord, camera_id=camera_id)

    def last_word_of_edge(self, edge_id: str) -> LastWord | None:
        return self._one("last_word_of_edge", LastWord, edge_id=edge_id)

    def site_record(self, alert: Alert) -> SiteRecord:
        numbers = [reason.detail for reason in alert.reasons if reason.key.startswith("permit")]
        found = self._one("site_record", SiteRecord, alert_id=alert.alert_id, site_id=alert.site_id,
                          pipeline_id=alert.pipeline_id, numbers=numbers, no_offence=list(NO_OFFENCE))  # fmt: skip
        assert found is not None, "the query always has one row"
        return found

    def waiting_evidence(self, alert_id: str) -> tuple[EvidenceItem, ...]:
        return self._all("waiting_evidence", EvidenceItem, alert_id=alert_id)

    def stored_photos(self, alert_id: str, sha256s: Iterable[str]) -> frozenset[str]:
        rows = self._run("stored_photos", alert_id=alert_id, sha256s=list(sha256s))
        return frozenset(row["sha256"] for row in rows)

    # ------------------------------------------------------------ alerts
    def alert(self, alert_id: str, *, for_update: bool = False) -> Alert | None:
        return self._one("alert_for_update" if for_update else "alert", Alert, alert_id=alert_id)

    def running_health(self, health: str, subject: str) -> Alert | None:
        return self._one("running_health", Alert, health=health, subject=subject)

    def insert_alert(self, alert: Alert) -> int:
        row = self._run("insert_alert", **parameters(alert)).fetchone()
        assert row is not None
        return int(row["number"])

    def update_alert(self, alert: Alert, from_version: int) -> None:
        done = self._run("update_alert", **parameters(alert), from_version=from_version)
        if done.rowcount != 1:
            raise Conflict(f"alert {alert.alert_id} is no longer at version {from_version}")

    def touch_alert(self, alert: Alert) -> None:
        self._run("touch_alert", **parameters(alert))

    def add_move(self, move: Move) -> None:
        self._run("add_move", **parameters(move))

    def has_move(self, alert_id: str, idempotency_key: str) -> bool:
        found = self._run("has_move", alert_id=alert_id, idempotency_key=idempotency_key)
        return found.fetchone() is not None

    def hold_episode(self, episode: Episode) -> None:
        self._run("hold_episode", **parameters(episode))

    # ------------------------------------------------------------ dispatches and messages
    def running_dispatch(self, alert_id: str) -> Dispatch | None:
        return self._one("running_dispatch", Dispatch, alert_id=alert_id)

    def dispatches(self, alert_id: str) -> tuple[Dispatch, ...]:
        return self._all("dispatches", Dispatch, alert_id=alert_id)

    def dispatch(self, dispatch_id: str) -> Dispatch | None:
        return next(iter(self._all("dispatch", Dispatch, dispatch_id=dispatch_id)), None)

    def will_ask_of(self, officers: Collection[str]) -> None:
        """Each is asked for when it is needed."""

    def running_by_officer(self, officers: Collection[str]) -> Mapping[str, int]:
        found = self._run("running_by_officer", officers=list(officers))
        return {row["officer"]: row["running"] for row in found}

    def add_dispatch(self, dispatch: Dispatch) -> None:
        self._run("add_dispatch", **parameters(dispatch))

    def accept_dispatch(self, dispatch_id: str, at: datetime) -> None:
        self._run("accept_dispatch", dispatch_id=dispatch_id, at=at)

    def dispatch_moves(
        self, dispatch_id: str, departed_at: datetime | None, arrived_at: datetime | None
    ) -> None:
        self._run("dispatch_moves", dispatch_id=dispatch_id, departed_at=departed_at, arrived_at=arrived_at)

    def end_dispatch(self, dispatch_id: str, at: datetime, why: str) -> None:
        self._run("end_dispatch", dispatch_id=dispatch_id, at=at, why=why)

    def add_outgoing(self, outgoing: Outgoing) -> None:
        self._run("add_outgoing", **parameters(outgoing))

    def take_outgoing(self, now: datetime, limit: int, held: Collection[str] = ()) -> tuple[Outgoing, ...]:
        return self._all("take_outgoing", Outgoing, now=now, limit=limit, held=sorted(held))

    def outgoing_sent(self, outgoing_ids: Sequence[int], at: datetime) -> frozenset[str]:
        rows = self._run("outgoing_sent", outgoing_ids=list(outgoing_ids), at=at, health=Health.UNDELIVERABLE)
        return frozenset(row["subject"] for row in rows)

    def outgoing_failed(self, outgoing_id: int, error: str, next_try_at: datetime) -> None:
        self._run("outgoing_failed", outgoing_id=outgoing_id, error=error, next_try_at=next_try_at)

    def outgoing_postponed(self, outgoing_id: int, reason: str, next_try_at: datetime) -> None:
        self._run("outgoing_postponed", outgoing_id=outgoing_id, error=reason, next_try_at=next_try_at)

    def outgoing_handed(self, outgoing_id: int, error: str, channel: str, at: datetime) -> None:
        self._run("outgoing_handed", outgoing_id=outgoing_id, error=error, channel=channel, at=at)

    # ------------------------------------------------------------ clocks that ran out
    def escalations(self, alert_id: str) -> tuple[Escalation, ...]:
        return self._all("escalations", Escalation, alert_id=alert_id)

    def put_escalation(self, escalation: Escalation) -> None:
        self._run("put_escalation", **parameters(escalation))

    def add_told(self, told: Told) -> bool:
        return self._run("add_told", **parameters(told)).rowcount == 1

    def told(self, alert_id: str) -> tuple[Told, ...]:
        return self._all("told", Told, alert_id=alert_id)

    def next_escalations(self, alert_ids: Sequence[str]) -> Mapping[str, datetime]:
        if not alert_ids:
            return {}
        found = self._run("next_escalations", alert_ids=list(alert_ids))
        return {row["alert_id"]: row["next_at"] for row in found}

    # ------------------------------------------------------------ read models
    def list_alerts(
        self, state: State | None, kind: AlertKind | None, running: bool | None, limit: int
    ) -> tuple[Alert, ...]:
        return self._all("list_alerts", Alert, state=state, kind=kind, running=running, limit=limit)

    def urgent_alerts(
        self, *, held: bool, limit: int, chosen: Chosen = EVERY, after: int = 0
    ) -> tuple[Alert, ...]:
        return self._all("urgent_alerts", Alert, held=held, limit=limit, after=after, **parameters(chosen))

    def moves(self, alert_id: str) -> tuple[Move, ...]:
        return self._all("moves", Move, alert_id=alert_id)

    def events(self, alert_id: str, limit: int) -> tuple[RiskEvent, ...]:
        rows = self._run("events", alert_id=alert_id, limit=limit).fetchall()
        return tuple(msgspec.convert(row["body"], RiskEvent) for row in reversed(rows))

    def evidence(self, alert_id: str) -> tuple[EvidenceItem, ...]:
        return self._all("evidence", EvidenceItem, alert_id=alert_id)

    def running_dispatches(self, officer: str | None) -> tuple[Dispatch, ...]:
        return self._all("running_dispatches", Dispatch, officer=officer)


def _runs(alert_id: str, alerts: tuple[Alert, ...]) -> bool:
    """Whether the case is open: only then it matters how it was seen before."""
    return any(alert.alert_id == alert_id and alert.closed_at is None for alert in alerts)
