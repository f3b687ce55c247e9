"""What running visits take along: looked for, written down, and told to the officer by an update of the dispatch.

Bundling decides (bundling.py); here is how it is asked of a city in a storm. A look reads and writes no more than a
share of the running visits, by a statement for all of them: visits are sent two hundred a second then, the process
that sends them has other things to do, and a long transaction makes everybody's indexes slow.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from alerts.messages import dispatch_message
from alerts.news import copies
from alerts.postgres_rows import QUERIES as LOOP
from alerts.postgres_rows import rowset, value
from alerts.texts import title
from alerts.values import Alert, Dispatch, Outgoing, Permit
from alerts.visiting.bundling import ENDS_SOON, MOST_ALONG, NOBODY_AFTER, Check, along
from alerts.visiting.texts import ALSO, WHY_ALONG
from monitor.audit.entries import Entry
from monitor.audit.log import append_all
from monitor.domain.assets import City, Text
from monitor.store.pool import Conn
from monitor.store.queries import Queries

QUERIES = Queries("alerts.visiting")

#: a permit that was looked at is not looked at again for as long
LOOKED_SINCE: Final = timedelta(days=7)
#: running visits that are gone through in turn, the newest: more than a city ever has
MOST_VISITS: Final = 500
#: visits that one look goes through; the next look takes the next
SHARE: Final = 60
#: open alerts of a site that a look reads: three visits' worth
MOST_OF_A_SITE: Final = 30
_OUTGOING, _CHANGE = "hcawatch_outgoing", "hcawatch_change"

#: a visit, and what it takes along from now on
_Planned = tuple[Dispatch, tuple[Check, ...]]


class Planning:
    """Looks of one process, each at the share of visits whose turn it is."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._hcas = {hca.site_id: hca for hca in city.hcas}
        self._begin = 0

    def look(self, conn: Conn, now: datetime) -> None:
        """Plans for one share of the running visits that have room; the caller commits."""
        found = conn.execute(QUERIES["running_visits"], {"limit": MOST_VISITS, "most_along": MOST_ALONG})
        visits = self._share(found.fetchall())
        if not visits:
            return
        sites = sorted({visit["site_id"] for visit in visits})
        given = {"sites": sites, "nobody_since": now - NOBODY_AFTER, "limit": MOST_OF_A_SITE}
        conn.execute(QUERIES["first_in_order"])
        alerts = [value(row, Alert) for row in conn.execute(QUERIES["open_at_sites"], given)]
        ending = {"now": now, "soon": now + ENDS_SOON, "looked_since": now - LOOKED_SINCE}
        permits = [value(row, Permit) for row in conn.execute(QUERIES["permits_ending"], ending)]
        planned = self._planned(visits, alerts, permits, now)
        self._write(conn, _added(conn, planned, now), {alert.alert_id: alert for alert in alerts}, now)

    def _share(self, visits: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        begin = self._begin if self._begin < len(visits) else 0
        self._begin = begin + SHARE
        return visits[begin : begin + SHARE]

    def _planned(
        self,
        visits: Iterable[dict[str, Any]],
        alerts: Sequence[Alert],
        permits: Sequence[Permit],
        now: datetime,
    ) -> list[_Planned]:
        of_site: dict[str | None, list[Alert]] = {}
        for alert in alerts:
            of_site.setdefault(alert.site_id, []).append(alert)
        planned, known = [], set[tuple[str, str]]()
        for row in visits:
            site_id, have = row.pop("site_id"), row.pop("have")
            visit, here = msgspec.convert(row, Dispatch), of_site.get(site_id, [])
            checks = along(visit, self._hcas.get(site_id), here, (), permits, known, now, have)
            if checks:
                known |= {(check.kind, check.ref) for check in checks}
                planned.append((visit, checks))
        return planned

    def _write(self, conn: Conn, added: Sequence[_Planned], alerts: dict[str, Alert], now: datetime) -> None:
        """The entries, and the messages to the officers."""
        if not added:
            return
        entries, messages = [], []
        ids = sorted({visit.alert_id for visit, _ in added})
        rows = conn.execute(QUERIES["alerts_for_checks"], {"alert_ids": ids})
        own = {alert.alert_id: alert for alert in (value(row, Alert) for row in rows)}
        for visit, checks in added:
            entries += [
                Entry(
                    kind="visit.along", subject=visit.alert_id, actor="system", at=now, body=_row(visit, one)
                )
                for one in checks
            ]
            message = _message(visit, own[visit.alert_id], checks, alerts, now)
            messages += [message, *copies(message, visit, self._city, now)]
        append_all(conn, entries)
        conn.execute(LOOP["add_outgoings"], {"rows": rowset(messages)})
        notices = [(_OUTGOING, team) for team in sorted({visit.team_id for visit, _ in added})]
        notices += [(_CHANGE, f"alert:{alert_id}") for alert_id in ids]
        given = {"channels": [channel for channel, _ in notices], "payloads": [said for _, said in notices]}
        conn.execute(LOOP["notify_all"], given)


def _added(conn: Conn, planned: Sequence[_Planned], now: datetime) -> list[_Planned]:
    """What was not planned by another worker just before, who then tells of it."""
    if not planned:
        return []
    rows = [_row(visit, check) for visit, checks in planned for check in checks]
    found = conn.execute(QUERIES["add_checks"], {"rows": rowset(rows), "now": now})
    new = {(row["dispatch_id"], row["kind"], row["ref"]) for row in found}
    kept = (
        (visit, tuple(one for one in checks if (visit.dispatch_id, one.kind, one.ref) in new))
        for visit, checks in planned
    )
    return [(visit, checks) for visit, checks in kept if checks]


def _row(visit: Dispatch, check: Check) -> dict[str, str]:
    return {"dispatch_id": visit.dispatch_id, **msgspec.to_builtins(check)}


def _message(
    visit: Dispatch, own: Alert, checks: Sequence[Check], alerts: dict[str, Alert], now: datetime
) -> Outgoing:
    """An update of the dispatch that names what is taken along."""
    key = "along:" + ",".join(sorted(check.ref for check in checks))
    message = dispatch_message(visit, own, "update", key[:200], now)
    message.body["text"] = {
        language: text.format(checks="; ".join(_named(check, alerts, language) for check in checks))
        for language, text in ALSO.items()
    }
    message.body["also"] = [msgspec.to_builtins(check) for check in checks]
    return message


def _named(check: Check, alerts: dict[str, Alert], language: str) -> str:
    why = WHY_ALONG[check.why][language]
    alert = alerts.get(check.ref)
    if alert is None:
        return f"{check.ref} ({why})"
    named: Text = title(alert)
    return f"#{alert.number} {named[language]} ({why})"
