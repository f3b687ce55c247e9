"""Reports in memory, within the transaction of tests/doubles/alert_book.py; the same contract as PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from alerts.errors import Conflict
from alerts.lifecycle import AlertKind
from alerts.policy import NO_OFFENCE
from alerts.reporting.values import Caller, Figures, Report, ReportRow
from alerts.values import Confirmation

if TYPE_CHECKING:
    from tests.doubles.alert_book import _Tables


class MemoryReportTx:
    """See ReportTx in alerts/reporting/ports.py."""

    def __init__(self, tables: _Tables) -> None:
        self._t = tables

    def by_key(self, idempotency_key: str) -> Report | None:
        found = (r for r in self._t.reports.values() if r.idempotency_key == idempotency_key)
        return next(found, None)

    def one(self, report_id: str) -> Report | None:
        return self._t.reports.get(report_id)

    def add(self, report: Report, caller: Caller) -> None:
        if self.by_key(report.idempotency_key) or report.report_id in self._t.reports:
            raise Conflict(f"the report {report.idempotency_key} is there already")
        self._t.reports[report.report_id] = report
        if caller:
            self._t.callers[report.report_id] = caller

    def caller(self, report_id: str) -> Caller:
        return self._t.callers.get(report_id, Caller())

    def alert_of(self, report_id: str) -> str:
        return self._t.episodes[report_id].alert_id

    def of_alert(self, alert_id: str) -> tuple[Report, ...]:
        mine = [r for r in self._t.reports.values() if self._t.episodes[r.report_id].alert_id == alert_id]
        return tuple(sorted(mine, key=lambda r: (r.received_at, r.report_id)))

    def newest_of_device(self, device_key: str) -> Report | None:
        mine = [r for r in self._t.reports.values() if r.source == "device" and r.device_key == device_key]
        return max(mine, key=lambda r: (r.received_at, r.report_id), default=None)

    def newest(self, limit: int) -> tuple[ReportRow, ...]:
        mine = [r for r in self._t.reports.values() if r.source == "report"]
        mine.sort(key=lambda r: (r.received_at, r.report_id), reverse=True)
        found = [(r, self._t.alerts[self.alert_of(r.report_id)]) for r in mine[:limit]]
        return tuple(
            ReportRow(report=r, alert_id=a.alert_id, number=a.number, level=a.level, state=a.state,
                      confirmation=a.confirmation, closing_reason=a.closing_reason)
            for r, a in found
        )  # fmt: skip

    def figures(self, since: datetime) -> Sequence[Figures]:
        mine = [a for a in self._t.alerts.values() if a.kind is AlertKind.VIOLATION and a.opened_at >= since]

        def of(source: str) -> Figures:
            alerts = [a for a in mine if a.source == source]
            offences = [a for a in alerts if a.closing_reason not in NO_OFFENCE]
            return Figures(
                source=source, opened=len(alerts),
                confirmed=sum(a.confirmation is Confirmation.CONFIRMED for a in offences),
                false_alarms=sum(
                    a.confirmation is Confirmation.REFUTED or a.closing_reason == "false_alarm" for a in alerts
                ),
                lawful=sum(a.closing_reason in ("permitted_work", "permit_covers") for a in alerts),
                unjudged=sum(a.confirmation is Confirmation.PENDING for a in offences),
            )  # fmt: skip

        return tuple(
            of(source) for source in ("edge", "report", "device") if any(a.source == source for a in mine)
        )
