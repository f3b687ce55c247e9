"""Who of a team is on shift at a moment, and until when that answer holds.

Pure. Shifts are weekly hours of the city's wall clock; each begins on a day, and holidays say which of them
begin then. Where the clock is changed nobody goes home early and nobody is counted twice: a shift begins with
the first occurrence of its first minute and ends with the last one of its last (monitor.domain.hours). So
shifts that tile the day leave no hole in the night that has a 02:30 twice, nor in the one that has none.

At the end of a shift its members stay for the hand-over, if the team has one: they are on shift and *leaving*.
"""

import functools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

import msgspec

from monitor.domain.hours import WEEK, Hours, instant

#: a shift that began so many days ago may still run: over midnight, with its hand-over
_BACK_DAYS = 2
#: days looked ahead for the next change: a week of shifts first, then a year of holidays
_AHEAD_DAYS = (8, 400)
LONGEST_HAND_OVER = timedelta(hours=4)


class Holiday(msgspec.Struct, frozen=True, kw_only=True):
    """Days of the city's calendar, the last one included."""

    first: date
    last: date
    name: dict[str, str] = msgspec.field(default_factory=dict)

    def holds(self, day: date) -> bool:
        """Whether the day is one of them."""
        return self.first <= day <= self.last


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """Weekly hours in which some members of a team work."""

    shift_id: str
    hours: Hours
    #: user names; all of the team if empty
    members: tuple[str, ...] = ()
    #: whether it begins on holidays as on other days, not at all, or on holidays only
    holidays: Literal["with", "without", "only"] = "with"


class OnDuty(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is on shift."""

    user: str
    #: the end of the shift, or of the shifts without a gap between them; None: more than a week away, or never
    until: datetime | None = None
    #: the shift is over and this is its hand-over: send others first
    leaving: bool = False


class OnShift(msgspec.Struct, frozen=True, kw_only=True):
    """Who is on shift, and the next moment at which that changes (None: not within the next 400 days)."""

    members: tuple[OnDuty, ...]
    until: datetime | None = None

    def of(self, user: str) -> OnDuty | None:
        """How this user is on shift, if at all."""
        return next((member for member in self.members if member.user == user), None)


class _Named(Protocol):
    @property
    def user(self) -> str: ...


class Rostered(Protocol):
    """What is needed of a team (monitor.domain.assets.Team)."""

    @property
    def members(self) -> tuple[_Named, ...]: ...
    @property
    def shifts(self) -> tuple[Shift, ...]: ...
    @property
    def hand_over(self) -> timedelta: ...


Span = tuple[datetime, datetime]


def on_shift(team: Rostered, at: datetime, timezone: ZoneInfo, holidays: tuple[Holiday, ...] = ()) -> OnShift:
    """Who of the team is on shift at `at` (aware), and until when. A team without shifts always is, as a whole."""
    at = at.astimezone(UTC)
    if not team.shifts:
        return OnShift(members=tuple(OnDuty(user=member.user) for member in team.members))
    # of most teams the next change is within the week; only then a year of days is worth working out
    for ahead in _AHEAD_DAYS:
        spans = _spans_of_members(team, at, ahead, timezone, holidays)
        members = _at(team, spans, at)
        # what is within a day of the horizon may be cut off there
        horizon = at + timedelta(days=ahead - 1)
        times = sorted(t for t in _turning_points(team, spans) if at < t < horizon)
        changes = (t for t in times if _who(_at(team, spans, t)) != _who(members))
        until = next(changes, None)
        if until is not None:
            break
    week = at + timedelta(days=_AHEAD_DAYS[0] - 1)
    known = tuple(
        msgspec.structs.replace(m, until=None) if m.until and m.until > week else m for m in members
    )
    return OnShift(members=known, until=until)


def _who(members: tuple[OnDuty, ...]) -> frozenset[tuple[str, bool]]:
    return frozenset((member.user, member.leaving) for member in members)


def _at(team: Rostered, spans: dict[str, list[Span]], at: datetime) -> tuple[OnDuty, ...]:
    found = []
    for member in team.members:
        for begins, ends in spans[member.user]:
            if begins <= at < ends + team.hand_over and not (
                at >= ends and _within(spans[member.user], at)  # already back on the next shift
            ):
                found.append(OnDuty(user=member.user, until=ends, leaving=at >= ends))
                break
    return tuple(found)


def _within(spans: list[Span], at: datetime) -> bool:
    return any(begins <= at < ends for begins, ends in spans)


def _turning_points(team: Rostered, spans: dict[str, list[Span]]) -> set[datetime]:
    return {
        point for mine in spans.values() for begins, ends in mine for point in (begins, ends, ends + team.hand_over)
    }  # fmt: skip


def _spans_of_members(
    team: Rostered, at: datetime, ahead_days: int, timezone: ZoneInfo, holidays: tuple[Holiday, ...]
) -> dict[str, list[Span]]:
    """When each member works, nominal hours, shifts without a gap joined."""
    today = at.astimezone(timezone).date()
    found: dict[str, list[Span]] = {member.user: [] for member in team.members}
    for n in range(-_BACK_DAYS, ahead_days + 1):
        day = today + timedelta(days=n)
        is_holiday = any(holiday.holds(day) for holiday in holidays)
        for shift in team.shifts:
            if _begins(shift, day, is_holiday):
                span = _span(shift.hours.from_min, shift.hours.to_min, day, timezone)
                for user in shift.members or found:
                    if user in found:
                        found[user].append(span)
    return {user: list(_joined(sorted(spans))) for user, spans in found.items()}


def _begins(shift: Shift, day: date, is_holiday: bool) -> bool:
    if WEEK[day.weekday()] not in shift.hours.days:
        return False
    return shift.holidays == "with" or is_holiday == (shift.holidays == "only")


@functools.lru_cache(maxsize=8192)
def _span(from_min: int, to_min: int, day: date, timezone: ZoneInfo) -> Span:
    """The moments (UTC) between which a shift that begins on that day lasts."""
    last_day = day if to_min > from_min else day + timedelta(days=1)
    begins = instant(day, from_min, timezone, last=False)
    ends = instant(last_day, to_min, timezone, last=True)
    return begins, max(begins, ends)


def _joined(spans: list[Span]) -> Iterator[Span]:
    running: Span | None = None
    for begins, ends in spans:
        if running is not None and begins <= running[1]:
            running = (running[0], max(running[1], ends))
        else:
            if running is not None:
                yield running
            running = (begins, ends)
    if running is not None:
        yield running
