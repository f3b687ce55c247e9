"""Reads the month that counting.py counts. All SQL is in counting.sql; nothing is decided here."""

from datetime import datetime

import msgspec

from alerts.policy import NO_OFFENCE
from alerts.visiting.bundling import SAME_VISIT
from alerts.visiting.counting import AvoidedRow, Month, VisitRow, by_itself, month_of, tally
from monitor.domain.levels import Level
from monitor.domain.risk import Reason, Weights
from monitor.store.pool import Conn
from monitor.store.queries import Queries

QUERIES = Queries("alerts.visiting", "counting.sql")

_BY_ITSELF = (Level.I, Level.II)


class PermitLook(msgspec.Struct, frozen=True, kw_only=True):
    """How a permit's work was found during a visit."""

    permit_number: str
    company: str
    outcome: str
    note: str
    looked_at: datetime
    looked_by: str


def read_month(conn: Conn, month: str, timezone: str, weights: Weights) -> Month:
    """The figures of a month 'YYYY-MM'; ValueError if it is none."""
    since, until = month_of(month, timezone)
    given = {"since": since, "until": until}
    visits = [msgspec.convert(row, VisitRow) for row in conn.execute(QUERIES["visits"], given)]
    avoided: list[AvoidedRow] = []
    for row in conn.execute(QUERIES["supervised"], given):
        level = Level(row["level"])
        reasons = msgspec.convert(row["reasons"], tuple[Reason, ...])
        avoided.append(
            AvoidedRow(
                kind="permit", alert_id=row["alert_id"], number=row["number"], site_id=row["site_id"], at=row["at"],
                why=row["permit_number"] or "", company=row["company"],
                by_itself=by_itself(level, reasons, weights, row["weights_version"]),
            )
        )  # fmt: skip
    for kind, query in (("joined", "joined"), ("refuted", "refuted"), ("rule", "kept_by_rule")):
        for row in conn.execute(QUERIES[query], {**given, "no_offence": list(NO_OFFENCE)}):
            sent_by_itself = kind != "rule" and Level(row["level"]) in _BY_ITSELF
            plain = {name: row[name] for name in ("alert_id", "number", "site_id", "at", "why")}
            avoided.append(AvoidedRow(kind=kind, by_itself=sent_by_itself, **plain))
    avoided += [
        AvoidedRow(kind="same_visit", alert_id=one.alert_id, number=one.number, site_id=one.site_id,
                   at=one.dispatched_at, why=one.why, by_itself=one.level in _BY_ITSELF, company=one.company)
        for one in visits
        if one.choice == SAME_VISIT and one.arrived_at is not None
    ]  # fmt: skip
    return tally(month, visits, avoided)


def read_looks(conn: Conn, month: str, timezone: str) -> tuple[PermitLook, ...]:
    """How permits' work was found during the month's visits."""
    since, until = month_of(month, timezone)
    rows = conn.execute(QUERIES["permit_looks"], {"since": since, "until": until})
    return tuple(msgspec.convert(row, PermitLook) for row in rows)


def read_ratings(conn: Conn, month: str, timezone: str) -> dict[str, tuple[int, float]]:
    """By company: how many ratings came in the month, and their mean of 1 to 5."""
    since, until = month_of(month, timezone)
    rows = conn.execute(QUERIES["ratings"], {"since": since, "until": until})
    return {row["company"]: (row["ratings"], row["mean"]) for row in rows}
