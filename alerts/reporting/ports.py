"""What reporting needs of a database, within the loop's transaction (`AlertTx.reports`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from alerts.reporting.values import Caller, Figures, Report, ReportRow


class ReportTx(Protocol):
    """Reports and their callers."""

    def by_key(self, idempotency_key: str) -> Report | None:
        """The report of that key."""
        ...

    def add(self, report: Report, caller: Caller) -> None:
        """A new report; Conflict if the key is taken."""
        ...

    def one(self, report_id: str) -> Report | None:
        """The report of that id."""
        ...

    def caller(self, report_id: str) -> Caller:
        """Who called; empty if nobody said, or the caller was forgotten."""
        ...

    def alert_of(self, report_id: str) -> str:
        """The alert that holds the report."""
        ...

    def of_alert(self, alert_id: str) -> tuple[Report, ...]:
        """The reports that an alert holds, oldest first."""
        ...

    def newest_of_device(self, device_key: str) -> Report | None:
        """The newest report of one condition of one device."""
        ...

    def newest(self, limit: int) -> tuple[ReportRow, ...]:
        """People's reports with how their cases stand, newest first."""
        ...

    def figures(self, since: datetime) -> Sequence[Figures]:
        """Of the alerts opened since then, by source."""
        ...
