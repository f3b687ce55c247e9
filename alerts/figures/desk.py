"""Reads the facts and has the figures made of them: for pages, the API and the command line. Decides nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg
from psycopg.rows import dict_row

from alerts.figures.benchmarks import Load, load
from alerts.figures.monthly import Finding, Month, Watched, month
from alerts.figures.times import Row, by_level, by_team
from alerts.figures.values import AlertFact, DispatchFact, Period
from alerts.postgres_rows import value
from monitor.domain.assets import City
from monitor.domain.response import Response
from monitor.store.queries import Queries

QUERIES = Queries("alerts.figures")

#: of one camera and month; more than these are in the coverage ledger
MOST_OFF_SCAN: Final = 40


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a period."""

    period: Period
    #: what stands is as of then
    as_of: datetime
    load: Load
    levels: tuple[Row, ...]
    teams: tuple[Row, ...]


def figures(
    conn: psycopg.Connection[Any], period: Period, city: City, response: Response, positions: int, now: datetime
) -> Figures:  # fmt: skip
    """The figures of a period, counted for so many operator positions."""
    given = {"since": period.since, "until": period.until}
    with conn.cursor(row_factory=dict_row) as cursor:
        alerts = [value(row, AlertFact) for row in cursor.execute(QUERIES["alert_facts"], given)]
        dispatches = [value(row, DispatchFact) for row in cursor.execute(QUERIES["dispatch_facts"], given)]
    return Figures(
        period=period, as_of=min(period.until, now), load=load(alerts, period, positions, now),
        levels=by_level(alerts, period, response), teams=by_team(dispatches, period, city, response),
    )  # fmt: skip


def monthly(
    conn: psycopg.Connection[Any], name: str, period: Period, city: City, now: datetime
) -> Month:  # fmt: skip
    """The list of points of one month."""
    given = {"since": period.since, "until": period.until, "most": MOST_OFF_SCAN, "now": now}
    with conn.cursor(row_factory=dict_row) as cursor:
        watched = [value(row, Watched) for row in cursor.execute(QUERIES["watched"], given)]
        findings = [_finding("off_scan", row) for row in cursor.execute(QUERIES["off_scan"], given)]
        findings += [_finding("false_alarm", row) for row in cursor.execute(QUERIES["false_alarms"], given)]
        findings += [_finding("shelved", row) for row in cursor.execute(QUERIES["shelved"], given)]
        findings += [_finding("inhibited", row) for row in cursor.execute(QUERIES["inhibited"], given)]
        judged = {row["point"]: row["judged"] for row in cursor.execute(QUERIES["judged"], given)}
    return month(name, period.since, period.until, findings, watched, judged, city, now)


def _finding(what: str, row: Mapping[str, Any]) -> Finding:
    return value({**row, "what": what}, Finding)
