"""Many onsets in one transaction of PostgreSQL, with few statements however many they are.

A transaction like any other, but what is written about alerts that it opens itself is gathered and written
at the end, one statement per table; and what is asked about them is answered from what was gathered. Whatever
else is asked goes to the database, after what was gathered is written: right for every caller, fast for
onsets at places of their own. Decides nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import psycopg

from alerts.calm.holding import INHIBITING
from alerts.decide import Nearby
from alerts.errors import Conflict
from alerts.joining import place_box
from alerts.policy import Policy
from alerts.postgres_book import PostgresAlertTx
from alerts.postgres_rows import QUERIES, Row, rowset, run
from alerts.reasons import Choice, Health
from alerts.values import Alert, Dispatch, Episode, Escalation, Move, Outgoing, Timer
from monitor.audit.entries import Entry
from monitor.audit.log import append_all
from monitor.domain.events import RiskEvent
from monitor.store.pool import Conn

#: the lock under which officers are chosen, and under which alone NOBODY_TO_DISPATCH is raised and cleared
DISPATCHING = "dispatching"

#: what a touch writes, beside the times
_SEEN = ("lon", "lat", "accuracy_m", "pipeline_id", "chainage_m", "offset_m", "activity", "came_back")


class PostgresTogetherTx(PostgresAlertTx):
    """See the module. `flush` must be called before the commit."""

    def __init__(self, conn: Conn) -> None:
        super().__init__(conn)
        self._held: set[str] = set()
        self._numbers: list[int] = []
        self._expected = 1
        #: by officer, read once under the dispatching lock
        self._running: dict[str, int] = {}
        self._asked_soon: frozenset[str] = frozenset()
        self._nobody: frozenset[str] | None = None
        self._opened: dict[str, Alert] = {}
        self._clear()

    def _clear(self) -> None:
        """Nothing is gathered. What was flushed is the database's, and asked for there."""
        self._opened = {}
        self._moves: list[Move] = []
        self._entries: list[Entry] = []
        self._episodes: list[Episode] = []
        self._timers: list[Timer] = []
        self._dispatches: list[Dispatch] = []
        self._outgoing: list[Outgoing] = []
        self._notices: list[tuple[str, str]] = []
        self._finished: dict[datetime, list[int]] = {}

    def _run(self, query: str, **parameters: Any) -> psycopg.Cursor[Row]:
        self.flush()
        return super()._run(query, **parameters)

    # ------------------------------------------------------------ before anything is decided
    def lock_all(self, names: Sequence[str]) -> None:
        super().lock_all(names)
        self._held.update(names)

    def alone(self, events: Sequence[RiskEvent], policy: Policy, now: datetime) -> tuple[Nearby | None, ...]:
        boxes = [place_box(event, policy) for event in events]
        rows = self._run(
            "surroundings",
            episode_ids=[event.episode_id for event in events], site_ids=[event.site_id for event in events],
            violations=[event.violation for event in events], camera_ids=[event.camera_id for event in events],
            pipeline_ids=[event.pipeline_id for event in events],
            seen_since=[event.captured_at - policy.join_within for event in events],
            repeated_since=now - policy.repeats_within, inhibiting=[state.value for state in INHIBITING],
            **{f"{side}s": [box[side] for box in boxes] for side in ("west", "south", "east", "north")},
        ).fetchall()  # fmt: skip
        found = tuple(
            self._unless_met(event, row, policy, now) for event, row in zip(events, rows, strict=True)
        )
        self._expected = max(1, sum(nearby is not None for nearby in found))
        return found

    def _unless_met(self, event: RiskEvent, row: Row, policy: Policy, now: datetime) -> Nearby | None:
        if row["met"]:
            return None
        return self.nearby(event, policy, now) if row["more"] else Nearby()

    # ------------------------------------------------------------ locks and facts
    def lock(self, name: str) -> None:
        """Once is enough. A health subject's lock waits until something of that subject is found."""
        if name in self._held or self._lies_still(name):
            return
        self._conn.execute(QUERIES["lock"], {"name": name})
        self._held.add(name)

    def _lies_still(self, lock: str) -> bool:
        prefix = f"health:{Health.NOBODY_TO_DISPATCH}:"
        return lock.startswith(prefix) and self._nobody_runs(lock.removeprefix(prefix)) is False

    def _nobody_runs(self, subject: str) -> bool | None:
        """Whether the alert that nobody can be sent runs there; None where that is not for us to say."""
        if DISPATCHING not in self._held:
            return None
        if self._nobody is None:
            rows = self._conn.execute(QUERIES["running_subjects"], {"health": Health.NOBODY_TO_DISPATCH})
            self._nobody = frozenset(row["subject"] for row in rows)
        return subject in self._nobody

    def running_health(self, health: str, subject: str) -> Alert | None:
        for alert in self._opened.values():
            if alert.health == health and alert.subject == subject:
                return alert
        if health == Health.NOBODY_TO_DISPATCH and self._nobody_runs(subject) is False:
            return None
        return super().running_health(health, subject)

    def alert(self, alert_id: str, *, for_update: bool = False) -> Alert | None:
        # nobody else sees it yet, so there is nothing to lock
        return self._opened.get(alert_id) or super().alert(alert_id, for_update=for_update)

    def running_dispatch(self, alert_id: str) -> Dispatch | None:
        if alert_id not in self._opened:
            return super().running_dispatch(alert_id)
        return next((one for one in self._dispatches if one.alert_id == alert_id), None)

    def dispatches(self, alert_id: str) -> tuple[Dispatch, ...]:
        if alert_id not in self._opened:
            return super().dispatches(alert_id)
        return tuple(one for one in self._dispatches if one.alert_id == alert_id)

    def escalations(self, alert_id: str) -> tuple[Escalation, ...]:
        # no clock of an alert that is just opened ran out
        return () if alert_id in self._opened else super().escalations(alert_id)

    def moves(self, alert_id: str) -> tuple[Move, ...]:
        if alert_id not in self._opened:
            return super().moves(alert_id)
        return tuple(one for one in self._moves if one.alert_id == alert_id)

    def will_ask_of(self, officers: Collection[str]) -> None:
        self._asked_soon = frozenset(officers)

    def running_by_officer(self, officers: Collection[str]) -> Mapping[str, int]:
        if DISPATCHING not in self._held:
            return super().running_by_officer(officers)
        if any(officer not in self._running for officer in officers):
            unknown = sorted({*officers, *self._asked_soon}.difference(self._running))
            found = run(self._conn, "running_by_officer", {"officers": unknown})
            self._running |= dict.fromkeys(unknown, 0) | {row["officer"]: row["running"] for row in found}
            for one in self._dispatches:
                if one.officer in unknown and one.choice != Choice.SAME_VISIT:
                    self._running[one.officer] += 1
        return {officer: self._running[officer] for officer in officers if self._running[officer]}

    # ------------------------------------------------------------ what is gathered
    def insert_alert(self, alert: Alert) -> int:
        if not self._numbers:
            rows = self._conn.execute(QUERIES["numbers"], {"count": self._expected})
            self._numbers, self._expected = [row["number"] for row in rows], 1
        number = self._numbers.pop(0)
        self._opened[alert.alert_id] = _with_number(alert, number)
        if alert.health == Health.NOBODY_TO_DISPATCH and self._nobody is not None:
            self._nobody |= {alert.subject}  # read before this one: the next of the site finds it
        return number

    def touch_alert(self, alert: Alert) -> None:
        known = self._opened.get(alert.alert_id)
        if known is None:
            super().touch_alert(alert)
        else:  # as touch_alert of queries.sql does it
            seen = {name: getattr(alert, name) for name in _SEEN}
            seen["onset_at"] = min(known.onset_at, alert.onset_at)
            seen["last_seen_at"] = max(known.last_seen_at, alert.last_seen_at)
            self._opened[alert.alert_id] = msgspec.structs.replace(known, **seen)

    def update_alert(self, alert: Alert, from_version: int) -> None:
        known = self._opened.get(alert.alert_id)
        if known is None:
            super().update_alert(alert, from_version)
        elif known.version != from_version:
            raise Conflict(f"alert {alert.alert_id} is no longer at version {from_version}")
        else:
            self._opened[alert.alert_id] = _with_number(alert, known.number)

    def add_move(self, move: Move) -> None:
        self._moves.append(move)

    def audit(self, entry: Entry) -> None:
        self._entries.append(entry)

    def notify(self, channel: str, payload: str) -> None:
        self._notices.append((channel, payload))

    def hold_episode(self, episode: Episode) -> None:
        if episode.alert_id in self._opened:
            self._episodes.append(episode)
        else:
            super().hold_episode(episode)

    def add_timer(self, timer: Timer, *, once: bool) -> None:
        if timer.alert_id not in self._opened:
            super().add_timer(timer, once=once)
        elif not (once and any(_waits_for(timer, other) for other in self._timers)):
            self._timers.append(timer)

    def add_dispatch(self, dispatch: Dispatch) -> None:
        if dispatch.officer in self._running and dispatch.choice != Choice.SAME_VISIT:
            self._running[dispatch.officer] += 1
        if dispatch.alert_id in self._opened:
            self._dispatches.append(dispatch)
        else:
            super().add_dispatch(dispatch)

    def end_dispatch(self, dispatch_id: str, at: datetime, why: str) -> None:
        self._running.clear()  # whose it was is not known here: ask again
        super().end_dispatch(dispatch_id, at, why)

    def add_outgoing(self, outgoing: Outgoing) -> None:
        self._outgoing.append(outgoing)

    def finish_work(self, work_id: int, now: datetime) -> None:
        self._finished.setdefault(now, []).append(work_id)

    # ------------------------------------------------------------ all at once
    def flush(self) -> None:
        """Writes what is gathered: alerts first, since all else names them."""
        if not (
            self._opened or self._moves or self._entries or self._outgoing or self._notices or self._finished
        ):
            return
        gathered = (
            ("insert_alerts", tuple(self._opened.values())),
            ("add_moves", tuple(self._moves)),
            ("hold_episodes", tuple(self._episodes)),
            ("add_dispatches", tuple(self._dispatches)),
            ("add_timers", tuple(self._timers)),
            ("add_outgoings", tuple(self._outgoing)),
        )
        entries, notices, finished = self._entries, self._notices, self._finished
        self._clear()
        for query, values in gathered:
            if values:
                self._conn.execute(QUERIES[query], {"rows": rowset(values)})
        append_all(self._conn, entries)
        if notices:
            given = {"channels": [c for c, _ in notices], "payloads": [p for _, p in notices]}
            self._conn.execute(QUERIES["notify_all"], given)
        for now, work_ids in finished.items():
            self._conn.execute(QUERIES["finish_work"], {"work_ids": work_ids, "now": now})


def _waits_for(timer: Timer, other: Timer) -> bool:
    """Whether `other` looks at the same, no later."""
    return (other.alert_id, other.what) == (timer.alert_id, timer.what) and other.due_at <= timer.due_at


def _with_number(alert: Alert, number: int) -> Alert:
    return msgspec.structs.replace(alert, number=number)
