"""The desk where reports come in: the report, its case and its entry in the audit log are one transaction.

Decides nothing itself (sighting.py). Reading who called is an entry of the log as well.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from alerts.apply import Performer
from alerts.engine import AlertEngine
from alerts.errors import AlertsError, NotFound
from alerts.ports import AlertTx
from alerts.reporting.sighting import as_event, entry_of, held_by, on_report
from alerts.reporting.values import Caller, Figures, Report, ReportRow
from alerts.values import Actor
from alerts.views import AlertView
from monitor.audit.entries import Entry

#: the list's figures look so far back
FIGURES_OVER: Final = timedelta(days=30)


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a report."""

    report: Report
    view: AlertView
    #: False: the very report was here already
    new: bool
    #: it opened the alert; else it joined one
    opened: bool = False


class KeyUsed(AlertsError):
    """Another report stands under this key already: the new one was not taken, and needs a key of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"the key was used for another report, of alert {number}: nothing was taken; use a key of its own"
        )
        self.number = number


class ReportDesk:
    """See the module. Works through the engine, whose book, city and policy it shares."""

    def __init__(self, engine: AlertEngine) -> None:
        self._engine = engine

    def take(self, report: Report, caller: Caller, now: datetime) -> Taken:
        """Takes a report; the very same under a known key only gives its alert back. KeyUsed if it says something else."""

        def do(tx: AlertTx, performer: Performer) -> Taken:
            tx.lock(f"report:{report.idempotency_key}")
            known = tx.reports.by_key(report.idempotency_key)
            if known is not None:
                view = self._engine.view_in(tx, tx.reports.alert_of(known.report_id))
                if not _says_the_same(report, caller, known, tx.reports.caller(known.report_id)):
                    raise KeyUsed(view.alert.number)
                return Taken(report=known, view=view, new=False)
            alert_id = record(tx, performer, self._engine, report, caller, now)
            view = self._engine.view_in(tx, alert_id)
            opened = view.reports[0].report_id == report.report_id and view.alert.source == "report"
            return Taken(report=report, view=view, new=True, opened=opened)

        return self._engine.transact(do, now)

    def show(self, report_id: str, actor: Actor, now: datetime) -> tuple[ReportRow, Caller]:
        """A report with its caller; that somebody looked is an entry of the log. NotFound."""

        def do(tx: AlertTx, _: Performer) -> tuple[ReportRow, Caller]:
            report = tx.reports.one(report_id) if _is_uuid(report_id) else None
            if report is None:
                raise NotFound(report_id)
            caller = tx.reports.caller(report_id)
            alert = self._engine.view_in(tx, tx.reports.alert_of(report_id)).alert
            if caller:
                tx.audit(Entry(kind="report.caller_seen", subject=report_id, actor=actor.user, at=now,
                               body={"alert_id": alert.alert_id, "role": actor.role}))  # fmt: skip
            row = ReportRow(
                report=report, alert_id=alert.alert_id, number=alert.number, level=alert.level, state=alert.state,
                confirmation=alert.confirmation, closing_reason=alert.closing_reason,
            )  # fmt: skip
            return row, caller

        return self._engine.transact(do, now)

    def list(self, limit: int, now: datetime) -> tuple[tuple[ReportRow, ...], Sequence[Figures]]:
        """The newest reports, and what alerts of the last 30 days turned out to be, by source."""

        def do(tx: AlertTx, _: Performer) -> tuple[tuple[ReportRow, ...], Sequence[Figures]]:
            return tx.reports.newest(limit), tx.reports.figures(now - FIGURES_OVER)

        return self._engine.transact(do, now)


def record(
    tx: AlertTx, performer: Performer, engine: AlertEngine, report: Report, caller: Caller, now: datetime
) -> str:
    """Opens or joins an alert, and writes the report and its entry; returns the alert's id."""
    tx.lock(f"site:{report.site_id}")
    nearby = tx.nearby(as_event(report), engine.policy, now)
    commands = on_report(report, nearby, engine.city, engine.policy, now, engine.new_id())
    performer.perform(commands)
    alert_id = held_by(commands)
    tx.reports.add(report, caller)
    tx.audit(entry_of(report, alert_id, now))
    return alert_id


def _says_the_same(report: Report, caller: Caller, known: Report, known_caller: Caller) -> bool:
    """Whether a report is the known one sent again. A caller who was forgotten meanwhile cannot be compared."""
    if known.fields_sha256 and report.fields_sha256 != known.fields_sha256:
        return False
    forgotten = bool(known.caller_sha256) and not known_caller
    return forgotten or (caller.name, caller.phone) == (known_caller.name, known_caller.phone)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
