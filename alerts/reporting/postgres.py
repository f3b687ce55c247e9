"""Reports in PostgreSQL, on the connection of the loop's transaction. All SQL is in queries.sql."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from alerts.policy import NO_OFFENCE
from alerts.reporting.values import Caller, Figures, Report, ReportRow
from monitor.store.pool import Conn
from monitor.store.queries import Queries

QUERIES = Queries("alerts.reporting")


class PostgresReportTx:
    """A ReportTx (ports.py) on one connection."""

    def __init__(self, conn: Conn) -> None:
        self._conn = conn

    def by_key(self, idempotency_key: str) -> Report | None:
        return self._report("by_key", key=idempotency_key)

    def one(self, report_id: str) -> Report | None:
        return self._report("one", report_id=report_id)

    def add(self, report: Report, caller: Caller) -> None:
        body = Jsonb(msgspec.to_builtins(report))
        given = {**msgspec.structs.asdict(report), "source": report.source, "body": body}
        names = ("report_id", "idempotency_key", "source", "device_key", "observed_at", "received_at", "body")
        self._conn.execute(QUERIES["add"], {name: given[name] for name in names})
        if caller:
            who = {"report_id": report.report_id, **msgspec.structs.asdict(caller)}
            self._conn.execute(QUERIES["add_caller"], who)

    def caller(self, report_id: str) -> Caller:
        row = self._conn.execute(QUERIES["caller"], {"report_id": report_id}).fetchone()
        return Caller() if row is None else msgspec.convert(row, Caller)

    def alert_of(self, report_id: str) -> str:
        row = self._conn.execute(QUERIES["alert_of"], {"report_id": report_id}).fetchone()
        assert row is not None, f"report {report_id} is held by no alert"
        return str(row["alert_id"])

    def of_alert(self, alert_id: str) -> tuple[Report, ...]:
        rows = self._conn.execute(QUERIES["of_alert"], {"alert_id": alert_id})
        return tuple(msgspec.convert(row["body"], Report) for row in rows)

    def newest_of_device(self, device_key: str) -> Report | None:
        return self._report("newest_of_device", device_key=device_key)

    def newest(self, limit: int) -> tuple[ReportRow, ...]:
        rows = self._conn.execute(QUERIES["newest"], {"limit": limit})
        return tuple(msgspec.convert({**row, "report": row["body"]}, ReportRow) for row in rows)

    def figures(self, since: datetime) -> Sequence[Figures]:
        rows = self._conn.execute(QUERIES["figures"], {"since": since, "no_offence": list(NO_OFFENCE)})
        return tuple(msgspec.convert(row, Figures) for row in rows)

    def _report(self, query: str, **given: Any) -> Report | None:
        row = self._conn.execute(QUERIES[query], given).fetchone()
        return None if row is None else msgspec.convert(row["body"], Report)
