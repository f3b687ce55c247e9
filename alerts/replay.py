"""Rebuilds every alert's case from the audit log alone, and compares it with the table; what is kept beside alerts
(shelves, what visits took along, notices) is rebuilt in alerts/rebuilding.

Pure but for `check`. The log proves the table: a state, level or confirmation that no entry explains is
a difference, and so is a gap in an alert's history or a step that the lifecycle's table does not know.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from alerts.lifecycle import TRANSITIONS, AlertKind, State, Step
from alerts.log import CASE_FIELDS, case_fields
from alerts.postgres_rows import QUERIES, value
from alerts.rebuilding.reading import check as check_beside
from alerts.rebuilding.values import Difference
from alerts.values import Alert
from monitor.audit.entries import Entry, read

#: transitions beside the table's steps; they keep the state
_OTHERS = frozenset({"open", "join", "rise", "fall", "note", "escalate", "hold", "ring"})


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as the log tells it: its case, how many transitions, and what is odd about them."""

    alert_id: str
    version: int
    case: dict[str, Any]
    faults: tuple[str, ...] = ()


def replay(entries: Iterable[Entry]) -> dict[str, Rebuilt]:
    """Every alert as its entries tell it, by id. Entries of one alert may come in any order."""
    by_alert: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind.startswith("alert."):
            by_alert.setdefault(entry.subject, []).append(entry)
    return {alert_id: _rebuild(alert_id, mine) for alert_id, mine in by_alert.items()}


def _rebuild(alert_id: str, entries: list[Entry]) -> Rebuilt:
    case: dict[str, Any] = {}
    faults: list[str] = []
    version = 0
    for entry in sorted(entries, key=lambda entry: int(entry.body["n"])):
        body = entry.body
        version += 1
        if body["n"] != version:
            faults.append(f"transition {version} is missing, the next is {body['n']}")
            version = body["n"]
        if body["from_state"] != case.get("state"):
            faults.append(f"transition {version} starts from {body['from_state']}, not {case.get('state')}")
        case.update(body["set"])
        if fault := _unlawful(case, body):
            faults.append(f"transition {version}: {fault}")
    return Rebuilt(alert_id=alert_id, version=version, case=case, faults=tuple(faults))


def _unlawful(case: dict[str, Any], body: Any) -> str | None:
    step, before, after = body["step"], body["from_state"], body["to_state"]
    if case.get("state") != after or case.get("level") != body["level"]:
        return f"says {after}, {body['level']}; its fields say {case.get('state')}, {case.get('level')}"
    if step in _OTHERS:
        return None if before in (None, after) else f"{step} changed the state from {before} to {after}"
    transition = TRANSITIONS.get((AlertKind(case["kind"]), State(before), Step(step)))
    if transition is None or transition.to != after:
        return f"the step {step} does not lead from {before} to {after}"
    return None


def compare(rebuilt: dict[str, Rebuilt], alerts: Iterable[Alert]) -> list[Difference]:
    """All differences between the log and the table, alert by alert."""
    found: list[Difference] = []
    seen: set[str] = set()
    for alert in alerts:
        seen.add(alert.alert_id)
        told = rebuilt.get(alert.alert_id)
        if told is None:
            found.append(Difference(subject=alert.alert_id, what="not in the log", table=alert.number))
            continue
        found += [Difference(subject=alert.alert_id, what=fault) for fault in told.faults]
        table = {**case_fields(alert), "version": alert.version}
        log = {**told.case, "version": told.version}
        found += [
            Difference(subject=alert.alert_id, what=name, log=log.get(name), table=table[name])
            for name in (*CASE_FIELDS, "version")
            if log.get(name) != table[name]
        ]
    found += [Difference(subject=gone, what="not in the table") for gone in rebuilt.keys() - seen]
    return found


def sentence(found: Difference) -> str:
    """A difference in words."""
    said = f"{found.kind} {found.subject}: {found.what}"
    if found.log is None and found.table is None:
        return said
    return f"{said}: the log has {found.log}, the table {found.table}"


def check(conn: psycopg.Connection[Any]) -> list[Difference]:
    """Compares alerts, shelves, visits and notices with the audit log. Empty: all is explained. Safe while they change."""
    entries: list[Entry] = []
    alerts: list[Alert] = []
    with conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(QUERIES["alerts_with_entries"], {}):
            entries += [read(bytes(body)) for body in row.pop("entries")]
            alerts.append(value(row, Alert))
        for row in cursor.execute(QUERIES["entries_without_alert"], {}):
            entries.append(read(bytes(row["body"])))
    return [*compare(replay(entries), alerts), *check_beside(conn)]
