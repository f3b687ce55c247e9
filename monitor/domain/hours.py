"""Named hours of the city's clock (school hours, a market, a night shift), and whether a moment lies in them.

Pure. Hours are those of a wall clock and may run over midnight. Where the clock is changed nothing opens or
shuts twice: hours begin at the first occurrence of their first minute and end at the last one of their last;
a minute that the clock skips is the moment at which it skips.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_OF_DAY: Final = 24 * 60


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """From one minute of some days to another; `to_min` at or before `from_min` is on the day after."""

    days: tuple[Weekday, ...] = WEEK
    #: minutes since midnight of the wall clock
    from_min: int
    to_min: int

    def __post_init__(self) -> None:
        if not 0 <= self.from_min < MINUTES_OF_DAY or not 0 <= self.to_min <= MINUTES_OF_DAY:
            raise ValueError(f"hours are 00:00 to 24:00, got {self.from_min} to {self.to_min} minutes")
        if self.from_min == self.to_min or not self.days:
            raise ValueError("hours need a day, and a beginning that is not their end")


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Hours under a name."""

    schedule_id: str
    hours: tuple[Hours, ...]
    name: dict[str, str] = msgspec.field(default_factory=dict)


def within(schedule: Schedule, at: datetime, timezone: ZoneInfo) -> bool:
    """Whether an aware moment lies in a schedule's hours; they begin with their first minute and end before their last."""
    return any(_inside(hours, at.astimezone(UTC), timezone) for hours in schedule.hours)


def is_whole_week(schedule: Schedule) -> bool:
    """Whether the hours leave no minute of a week out: whoever is outside of them is never."""
    return all(
        any(_covers(hours, day, minute) for hours in schedule.hours)
        for day in range(7)
        for minute in range(MINUTES_OF_DAY)
    )


def clock_min(text: str) -> int:
    """Minutes since midnight of 'HH:MM', up to 24:00; ValueError.

    >>> clock_min("07:30"), clock_min("24:00")
    (450, 1440)
    """
    hour, colon, minute = text.partition(":")
    if not (colon and len(minute) == 2 and 1 <= len(hour) <= 2 and (hour + minute).isascii()):
        raise ValueError(f"a time of day is HH:MM, got {text!r}")
    total = int(hour) * 60 + int(minute) if (hour + minute).isdecimal() else -1
    if not 0 <= total <= MINUTES_OF_DAY or int(minute) > 59:
        raise ValueError(f"a time of day is 00:00 to 24:00, got {text!r}")
    return total


def clock_text(minutes: int) -> str:
    """'HH:MM' of minutes since midnight."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _covers(hours: Hours, day: int, minute: int) -> bool:
    """Whether hours hold in that minute of that day (0: Monday) of a week without a change of the clock."""
    days = {WEEK.index(name) for name in hours.days}
    if hours.to_min > hours.from_min:
        return day in days and hours.from_min <= minute < hours.to_min
    return (day in days and minute >= hours.from_min) or ((day - 1) % 7 in days and minute < hours.to_min)


def _inside(hours: Hours, at: datetime, timezone: ZoneInfo) -> bool:
    today = at.astimezone(timezone).date()
    return any(
        WEEK[day.weekday()] in hours.days and instant(day, hours.from_min, timezone, last=False) <= at
        < instant(day if hours.to_min > hours.from_min else day + timedelta(days=1), hours.to_min, timezone, last=True)
        for day in (today - timedelta(days=1), today)
    )  # fmt: skip


def instant(day: date, minutes: int, timezone: ZoneInfo, *, last: bool) -> datetime:
    """The moment (UTC) at which a wall clock shows that, the first or last time it does."""
    day += timedelta(days=minutes // MINUTES_OF_DAY)
    wall = datetime.combine(day, time(minutes % MINUTES_OF_DAY // 60, minutes % 60), timezone)
    early, late = wall.replace(fold=0).astimezone(UTC), wall.replace(fold=1).astimezone(UTC)
    if early <= late:  # shown once, or twice
        return late if last else early
    # skipped: `late` is before the change and `early` after it
    before, after = late, early
    offset = before.astimezone(timezone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(timezone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
