"""The visits' desk: answers to checklists, and what running visits take along; rows, audit entry, messages at once.

Decides nothing itself: checks.py says what may be answered, bundling.py what is taken along. Bundling is no part of
the transaction that sends an officer, so that it never delays one: the desk looks every few seconds, tells the officer
by an update of the dispatch, and hands over what was planned when they are there.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from alerts.engine import AlertEngine
from alerts.messages import dispatch_message
from alerts.news import copies
from alerts.postgres_book import value
from alerts.texts import title
from alerts.values import Actor, Alert, Dispatch, Permit
from alerts.visiting.bundling import ENDS_SOON, NOBODY_AFTER, Check, along
from alerts.visiting.checks import CheckRefused, Line, Tick, TickAsk, items_of, lines_of, on_tick
from alerts.visiting.texts import ALSO, LOOKED, WHY_ALONG
from monitor.audit.entries import Entry
from monitor.audit.log import append
from monitor.domain.assets import City, Text
from monitor.store.pool import Conn, Pool
from monitor.store.queries import Queries

QUERIES = Queries("alerts.visiting")

#: what may be taken along is looked for this often
LOOK_EVERY: Final = timedelta(seconds=3)
#: a permit that was looked at is not looked at again for as long
LOOKED_SINCE: Final = timedelta(days=7)
#: running visits that one look goes through, and open alerts of each of their sites: more than a city ever has
MOST_VISITS: Final = 500
MOST_OF_A_SITE: Final = 30
_OUTGOING, _CHANGE = "hcawatch_outgoing", "hcawatch_change"


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
        self._hcas = {hca.site_id: hca for hca in city.hcas}
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
        self._plan(now)
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

    def _plan(self, now: datetime) -> None:
        with self._pool.connection() as conn:
            visits = conn.execute(QUERIES["running_visits"], {"limit": MOST_VISITS}).fetchall()
            if not visits:
                return
            sites = sorted({visit["site_id"] for visit in visits})
            given = {"sites": sites, "nobody_since": now - NOBODY_AFTER, "limit": MOST_OF_A_SITE}
            alerts = [value(row, Alert) for row in conn.execute(QUERIES["open_at_sites"], given)]
            ending = conn.execute(QUERIES["permits_ending"], {"now": now, "soon": now + ENDS_SOON})
            permits = [value({n: row[n] for n in Permit.__struct_fields__}, Permit) for row in ending]
            rows = conn.execute(QUERIES["known_checks"], {"looked_since": now - LOOKED_SINCE}).fetchall()
            known = {(row["kind"], row["ref"]) for row in rows}
            have = Counter(row["dispatch_id"] for row in rows)
            by_id, of_site = {alert.alert_id: alert for alert in alerts}, _by_site(alerts)
            sent_to = {visit["alert_id"] for visit in visits}
            for row in visits:
                site_id = row.pop("site_id")
                visit = msgspec.convert(row, Dispatch)
                here = of_site.get(site_id, ())
                if not here and not permits:
                    continue
                site, mine = self._hcas.get(site_id), have[visit.dispatch_id]
                checks = along(visit, site, here, sent_to, permits, known, now, mine)
                known |= {(check.kind, check.ref) for check in checks}
                self._add(conn, visit, checks, by_id, now)

    def _add(
        self, conn: Conn, visit: Dispatch, checks: Sequence[Check], alerts: dict[str, Alert], now: datetime
    ) -> None:
        added = []
        for check in checks:
            given = {
                "dispatch_id": visit.dispatch_id,
                "kind": check.kind,
                "ref": check.ref,
                "why": check.why.value,
            }
            if conn.execute(QUERIES["add_check"], {**given, "now": now}).rowcount == 0:
                continue  # another worker was first, and tells
            append(
                conn, Entry(kind="visit.along", subject=visit.alert_id, actor="system", at=now, body=given)
            )
            added.append(check)
        own = _alert(conn, visit.alert_id) if added else None
        if own is None:
            return
        key = "along:" + ",".join(sorted(check.ref for check in added))
        message = dispatch_message(visit, own, "update", key[:200], now)
        message.body["text"] = {
            language: text.format(checks="; ".join(_named(check, alerts, language) for check in added))
            for language, text in ALSO.items()
        }
        message.body["also"] = [
            {"kind": check.kind, "ref": check.ref, "why": check.why.value} for check in added
        ]
        for one in (message, *copies(message, visit, self._city, now)):
            fields = {**msgspec.structs.asdict(one), "body": Jsonb(one.body)}
            conn.execute(QUERIES["add_outgoing"], fields)
        conn.execute(QUERIES["notify"], {"channel": _OUTGOING, "payload": visit.team_id})
        conn.execute(QUERIES["notify"], {"channel": _CHANGE, "payload": f"alert:{visit.alert_id}"})

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


def _by_site(alerts: Sequence[Alert]) -> dict[str | None, list[Alert]]:
    found: dict[str | None, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.site_id, []).append(alert)
    return found


def _named(check: Check, alerts: dict[str, Alert], language: str) -> str:
    why = WHY_ALONG[check.why][language]
    alert = alerts.get(check.ref)
    if alert is None:
        return f"{check.ref} ({why})"
    named: Text = title(alert)
    return f"#{alert.number} {named[language]} ({why})"


def _ticks(conn: Conn, alert_id: str) -> tuple[Tick, ...]:
    rows = conn.execute(QUERIES["ticks"], {"alert_id": alert_id})
    return tuple(msgspec.convert(row, Tick) for row in rows)


def _alert(conn: Conn, alert_id: str) -> Alert | None:
    row = conn.execute(QUERIES["alert_for_check"], {"alert_id": alert_id}).fetchone()
    return None if row is None else value(row, Alert)


def _running(conn: Conn, alert_id: str) -> Dispatch | None:
    row = conn.execute(QUERIES["running_of"], {"alert_id": alert_id}).fetchone()
    return None if row is None else msgspec.convert(row, Dispatch)
