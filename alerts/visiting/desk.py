"""The visits' desk: answers to checklists, and what running visits take along; rows, audit entry, messages at once.

Decides nothing itself: checks.py says what may be answered, bundling.py what is taken along. Bundling is no part of
the transaction that sends an officer, so that it never delays one: the desk looks every few seconds (planning.py), and
hands over what was planned when they are there.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from alerts.engine import AlertEngine
from alerts.postgres_book import value
from alerts.values import Actor, Alert, Dispatch
from alerts.visiting.checks import CheckRefused, Line, Tick, TickAsk, items_of, lines_of, on_tick
from alerts.visiting.planning import Planning
from alerts.visiting.texts import LOOKED
from monitor.audit.entries import Entry
from monitor.audit.log import append
from monitor.domain.assets import City
from monitor.store.pool import Conn, Pool
from monitor.store.queries import Queries

QUERIES = Queries("alerts.visiting")

#: what may be taken along is looked for this often
LOOK_EVERY: Final = timedelta(seconds=3)
_CHANGE = "hcawatch_change"


class AlongView(msgspec.Struct, frozen=True, kw_only=True):
    """One further check of a visit, as pages show it."""

    dispatch_id: str
    kind: str
    ref: str
    why: str
    added_at: datetime
    taken_at: datetime | None = None
    looked_at: datetime | None = None
    looked_by: str | None = None
    outcome: str | None = None
    note: str = ""
    officer: str
    arrived_at: datetime | None = None
    ended_at: datetime | None = None
    number: int | None = None
    level: str | None = None
    state: str | None = None
    violation: str | None = None
    company: str | None = None
    valid_to: datetime | None = None


class VisitDesk:
    """See the module."""

    def __init__(self, pool: Pool, city: City, engine: AlertEngine) -> None:
        self._pool, self._city, self._engine = pool, city, engine
        self._planning = Planning(city)
        self._next_look: datetime | None = None

    # ------------------------------------------------------------ checklists
    def lines(self, alert: Alert) -> tuple[Line, ...]:
        """The alert's checklist and how each item stands."""
        with self._pool.connection() as conn:
            row = conn.execute(QUERIES["begun_anew"], {"alert_id": alert.alert_id}).fetchone()
            since = None if row is None else row["at"]
            return lines_of(items_of(alert, self._city), _ticks(conn, alert.alert_id), since)

    def history(self, alert_id: str) -> tuple[Tick, ...]:
        """All answers, oldest first."""
        with self._pool.connection() as conn:
            return _ticks(conn, alert_id)

    def tick(self, alert_id: str, ask: TickAsk, now: datetime) -> Tick | None:
        """Takes an answer; None if the one of that key was taken before. CheckRefused.

        The alert's row is held meanwhile, so that no answer comes in after the case was put down as put right.
        """
        with self._pool.connection() as conn:
            key = ask.idempotency_key
            if key and conn.execute(QUERIES["has_tick"], {"alert_id": alert_id, "key": key}).fetchone():
                return None
            row = conn.execute(QUERIES["alert_for_check"], {"alert_id": alert_id}).fetchone()
            if row is None:
                raise CheckRefused("check_not_yours")
            alert = value(row, Alert)
            tick = on_tick(ask, alert, items_of(alert, self._city), _running(conn, alert_id), now)
            if conn.execute(QUERIES["add_tick"], msgspec.structs.asdict(tick)).rowcount == 0:
                return None
            body: dict[str, Any] = msgspec.to_builtins(tick)
            append(conn, Entry(kind="checklist.tick", subject=alert_id, actor=tick.who, at=now, body=body))
            conn.execute(QUERIES["notify"], {"channel": _CHANGE, "payload": f"alert:{alert_id}"})
            return tick

    # ------------------------------------------------------------ what a visit takes along
    def run_due(self, now: datetime) -> int:
        """Plans what running visits take along, and hands over what was planned where the officer is there."""
        if self._next_look is not None and now < self._next_look:
            return 0
        self._next_look = now + LOOK_EVERY
        with self._pool.connection() as conn:
            self._planning.look(conn, now)
        self._take(now)
        return 0

    def checks_of(self, alert_id: str) -> tuple[AlongView, ...]:
        """What visits of this alert took or take along."""
        with self._pool.connection() as conn:
            rows = conn.execute(QUERIES["checks_of"], {"alert_id": alert_id}).fetchall()
        return tuple(msgspec.convert(row, AlongView) for row in rows)

    def visit_of(self, alert_id: str) -> tuple[str, int] | None:
        """Id and number of the alert whose running visit takes this one along."""
        with self._pool.connection() as conn:
            row = conn.execute(QUERIES["visit_of"], {"alert_id": alert_id}).fetchone()
        return None if row is None else (row["alert_id"], row["number"])

    def look(
        self, dispatch_id: str, number: str, outcome: str, note: str, actor: Actor, now: datetime
    ) -> str:
        """Writes down how a permit's work was found; returns the alert of the visit. The same again changes nothing."""
        with self._pool.connection() as conn:
            given = {"dispatch_id": dispatch_id, "ref": number}
            row = conn.execute(QUERIES["look_for_update"], given).fetchone()
            if row is None or outcome not in LOOKED:
                raise CheckRefused("no_visit_check")
            if row["officer"] != actor.user:
                raise CheckRefused("check_not_yours")
            if row["looked_at"] is None:
                if row["arrived_at"] is None:
                    raise CheckRefused("visit_not_there")
                if outcome == "not_as_permitted" and not note.strip():
                    raise CheckRefused("permit_look_note")
                body = {
                    "permit_number": number,
                    "outcome": outcome,
                    "note": note.strip(),
                    "dispatch_id": dispatch_id,
                }
                conn.execute(
                    QUERIES["look"],
                    {**given, "now": now, "who": actor.user, "outcome": outcome, "note": note.strip()},
                )
                append(conn, Entry(kind="visit.permit", subject=number, actor=actor.user, at=now, body=body))
                conn.execute(QUERIES["notify"], {"channel": _CHANGE, "payload": f"alert:{row['alert_id']}"})
            return str(row["alert_id"])

    def _take(self, now: datetime) -> None:
        with self._pool.connection() as conn:
            planned = conn.execute(QUERIES["to_be_taken"]).fetchall()
        for row in planned:
            with self._pool.connection() as conn:
                found = conn.execute(QUERIES["dispatch"], {"dispatch_id": row["dispatch_id"]}).fetchone()
            assert found is not None
            taken = self._engine.take_along(row["alert_id"], msgspec.convert(found, Dispatch), now)
            with self._pool.connection() as conn:
                given = {"dispatch_id": row["dispatch_id"], "ref": row["alert_id"], "now": now}
                conn.execute(QUERIES["mark_taken"], {**given, "taken": taken.dispatch_id if taken else None})


def _ticks(conn: Conn, alert_id: str) -> tuple[Tick, ...]:
    rows = conn.execute(QUERIES["ticks"], {"alert_id": alert_id})
    return tuple(msgspec.convert(row, Tick) for row in rows)


def _running(conn: Conn, alert_id: str) -> Dispatch | None:
    row = conn.execute(QUERIES["running_of"], {"alert_id": alert_id}).fetchone()
    return None if row is None else msgspec.convert(row, Dispatch)
