"""What the figures are made of: a period, and one frozen fact per alert, dispatch and finding. Decides nothing
but what a period is."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from alerts.errors import AlertsError
from monitor.domain.levels import Level

#: periods by name, as pages offer them
PERIODS: Final[dict[str, timedelta]] = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
LONGEST: Final = timedelta(days=400)


class BadPeriod(AlertsError):
    """What was asked for is no period; `key` names the sentence for people (texts.PROBLEMS)."""

    def __init__(self, key: str, **facts: Any) -> None:
        super().__init__(f"{key}: {facts}" if facts else key)
        self.key, self.facts = key, facts


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """From `since` until before `until`, both aware."""

    since: datetime
    until: datetime

    @property
    def days(self) -> float:
        """Its length in days of 24 hours."""
        return (self.until - self.since) / timedelta(days=1)

    def holds(self, at: datetime | None) -> bool:
        """Whether the moment lies in it."""
        return at is not None and self.since <= at < self.until


def period_of(name: str, begin: str, end: str, zone: ZoneInfo, now: datetime) -> Period:
    """The period of a name ('7d'), or from `begin` to `end` (dates of the city's calendar, the last one whole, or
    times); what is left out is the last seven days, or now. BadPeriod."""
    if begin or end:
        since = _moment(begin, zone, last=False) if begin else None
        until = _moment(end, zone, last=True) if end else now
        try:
            found = Period(since=until - PERIODS["7d"] if since is None else since, until=until)
        except OverflowError as exc:  # seven days before the first day that there is
            raise BadPeriod("figures_bad_time") from exc
    elif name in PERIODS:
        found = Period(since=now - PERIODS[name], until=now)
    else:
        raise BadPeriod("figures_unknown_period", known=", ".join(PERIODS))
    if found.since >= found.until:
        raise BadPeriod("figures_empty_period")
    if found.until - found.since > LONGEST:
        raise BadPeriod("figures_long_period", days=str(LONGEST.days))
    return found


def month_of(text: str, zone: ZoneInfo) -> Period:
    """A calendar month of the city, '2026-11'. BadPeriod."""
    try:
        first = date.fromisoformat(f"{text}-01")
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        return Period(since=_midnight(first, zone), until=_midnight(after, zone))
    except (ValueError, OverflowError) as exc:
        raise BadPeriod("figures_bad_month") from exc


def _moment(text: str, zone: ZoneInfo, *, last: bool) -> datetime:
    try:
        if len(text) == len("2026-11-30"):
            day = date.fromisoformat(text)
            return _midnight(day + timedelta(days=1) if last else day, zone)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise BadPeriod("figures_bad_time") from exc


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


class AlertFact(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as the figures need it."""

    alert_id: str
    number: int
    kind: Literal["violation", "health"]
    level: Level
    #: code of the catalogue, or what is wrong
    what: str
    #: camera that it came from; where there is none the edge, site or address that it is about
    source: str
    opened_at: datetime
    acknowledged_at: datetime | None = None
    dispatched_at: datetime | None = None
    arrived_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    #: False: it asked nobody for anything (lawful work that is only recorded, shelved, inhibited)
    rang: bool = True

    def stands(self, at: datetime) -> bool:
        """Whether it was open at that moment."""
        return self.opened_at <= at and (self.closed_at is None or self.closed_at > at)


class DispatchFact(msgspec.Struct, frozen=True, kw_only=True):
    """One dispatch as the figures need it."""

    team_id: str
    level: Level
    dispatched_at: datetime
    accepted_at: datetime | None = None
    arrived_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
