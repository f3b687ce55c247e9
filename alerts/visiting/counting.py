"""How often whom was visited why, what was found, and which dispatches were not needed. Pure.

Counted from reasons that were stored when it was decided, never guessed afterwards: a record that a permit covered,
an episode that joined a case to which somebody was sent, a suspicion that the room refuted before anybody left, a
check that another's visit took along, a case that a supervision rule kept from being sent to. Where nobody would have
been sent by itself (levels III and IV wait for a person) the count says so, since then a person might not have sent.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from alerts.visiting.bundling import SAME_VISIT
from monitor.domain.levels import Level
from monitor.domain.risk import Reason, Weights

#: who is not known by a permit or a notice
UNKNOWN: Final = ""
#: in which order they are shown
AVOIDED: Final = ("permit", "joined", "refuted", "same_visit", "rule")


class VisitRow(msgspec.Struct, frozen=True, kw_only=True):
    """One dispatch of the month."""

    dispatch_id: str
    alert_id: str
    number: int
    site_id: str | None
    violation: str | None
    level: Level
    officer: str
    choice: str
    #: reason of the transition that sent
    why: str
    dispatched_at: datetime
    arrived_at: datetime | None = None
    end_reason: str | None = None
    #: how the case was put down: outcome of its resolution or closing; None: not yet
    found: str | None = None
    company: str = UNKNOWN


class AvoidedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One dispatch that was not needed."""

    #: one of AVOIDED
    kind: str
    alert_id: str
    number: int
    site_id: str | None
    at: datetime
    #: the stored reason: a permit's number, why it joined, how it was closed, the visit, the rule
    why: str
    #: somebody would have been sent without a person's word
    by_itself: bool
    company: str = UNKNOWN


class CompanyMonth(msgspec.Struct, frozen=True, kw_only=True):
    """One company's month."""

    company: str
    visits: int
    #: why it was visited -> how often
    why: Mapping[str, int]
    #: what was found -> how often
    found: Mapping[str, int]
    #: visits that its permits made unnecessary
    spared: int
    #: visits where nothing was to be put right
    in_vain: int


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """All of one month of the city's calendar."""

    month: str
    #: somebody was sent on a way of their own
    dispatches: int
    #: … and arrived
    visits: int
    #: further checks that these visits took along, and were begun
    taken_along: int
    why: Mapping[str, int]
    found: Mapping[str, int]
    #: by kind: how many, and how many of them by themselves
    avoided: Mapping[str, tuple[int, int]]
    companies: tuple[CompanyMonth, ...]
    rows: tuple[VisitRow, ...] = ()
    avoided_rows: tuple[AvoidedRow, ...] = ()

    @property
    def avoided_in_all(self) -> int:
        """All kinds together."""
        return sum(count for count, _ in self.avoided.values())


#: there was nothing to put right
_IN_VAIN: Final = frozenset({"false_alarm", "duplicate", "permitted_work", "no_access"})


def month_of(text: str, timezone: str) -> tuple[datetime, datetime]:
    """Begin and end (not within) of a month 'YYYY-MM' of the city's calendar; ValueError with what to write.

    >>> [f"{at:%m-%d %H:%M}" for at in month_of("2026-12", "Asia/Shanghai")]
    ['11-30 16:00', '12-31 16:00']
    """
    try:
        first = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a day of the calendar, not a moment
    except ValueError:
        raise ValueError(f"{text!r} is no month: write it as 2026-11") from None
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    zone = ZoneInfo(timezone)

    def begin(day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)

    return begin(first), begin(after)


def by_itself(level: Level, reasons: Iterable[Reason], weights: Weights, weights_version: str) -> bool:
    """Whether somebody would have been sent without a person's word, had there been no permit.

    The permit's points are taken back; of another version's points nothing is concluded but the level itself.
    """
    if level in (Level.I, Level.II):
        return True
    if weights_version != weights.version:
        return False
    points = sum(reason.points for reason in reasons if not reason.key.startswith("permit"))
    return points >= weights.level_from["II"]


def tally(month: str, visits: Iterable[VisitRow], avoided: Iterable[AvoidedRow]) -> Month:
    """The month's figures."""
    rows, spared = tuple(visits), tuple(avoided)
    own = [row for row in rows if row.choice != SAME_VISIT]
    arrived = [row for row in own if row.arrived_at is not None]
    along = [row for row in rows if row.choice == SAME_VISIT and row.arrived_at is not None]
    by_kind = {
        kind: (
            sum(1 for one in spared if one.kind == kind),
            sum(1 for one in spared if one.kind == kind and one.by_itself),
        )
        for kind in AVOIDED
    }
    names = {row.company for row in arrived} | {one.company for one in spared if one.company}
    return Month(
        month=month, dispatches=len(own), visits=len(arrived), taken_along=len(along),
        why=_counted(row.why for row in arrived), found=_counted(row.found or "open" for row in (*arrived, *along)),
        avoided=by_kind, rows=rows, avoided_rows=spared,
        companies=tuple(
            _company(name, [row for row in arrived if row.company == name],
                     [one for one in spared if one.company == name])
            for name in sorted(names, key=lambda name: (name == UNKNOWN, name))
        ),
    )  # fmt: skip


def _company(name: str, visits: list[VisitRow], spared: list[AvoidedRow]) -> CompanyMonth:
    return CompanyMonth(
        company=name, visits=len(visits), why=_counted(row.why for row in visits),
        found=_counted(row.found or "open" for row in visits), spared=len(spared),
        in_vain=sum(1 for row in visits if row.found in _IN_VAIN),
    )  # fmt: skip


def _counted(words: Iterable[str]) -> dict[str, int]:
    """The most frequent first; equal ones by name."""
    return dict(sorted(Counter(words).items(), key=lambda pair: (-pair[1], pair[0])))
