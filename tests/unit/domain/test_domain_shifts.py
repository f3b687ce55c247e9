"""Who is on shift: no hole at night, none where the clock is changed, and an answer that says how long it holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.domain.assets import Member, Team
from monitor.domain.hours import WEEK, Hours
from monitor.domain.shifts import Holiday, Shift, on_shift

BERLIN, SHANGHAI, LORD_HOWE = map(ZoneInfo, ("Europe/Berlin", "Asia/Shanghai", "Australia/Lord_Howe"))
ZONES = (BERLIN, SHANGHAI, LORD_HOWE, ZoneInfo("America/St_Johns"))
USERS = ("an", "bai", "cui")


def team(*shifts: Shift, hand_over_min: int = 0) -> Team:
    members = tuple(Member(user=user, name={}, role="patrol") for user in USERS)
    return Team(
        team_id="t", name={}, members=members, shifts=shifts, hand_over=timedelta(minutes=hand_over_min)
    )


def shift(user: str, from_min: int, to_min: int, **more: object) -> Shift:
    days = more.pop("days", WEEK)
    hours = Hours(from_min=from_min, to_min=to_min, days=days)  # type: ignore[arg-type]
    return Shift(shift_id=f"{user}-{from_min}", hours=hours, members=(user,), **more)  # type: ignore[arg-type]


DAY_AND_NIGHT = team(shift("an", 420, 1140), shift("bai", 1140, 420))

#: moments near changes of the clock and of the year as well as anywhere
moments = st.one_of(
    st.integers(0, 6 * 365 * 24 * 60).map(
        lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.tuples(
        st.integers(-180, 180),
        st.sampled_from(
            [
                "2026-03-29T01:00",
                "2026-10-25T01:00",
                "2026-04-04T15:00",
                "2026-10-03T15:30",
                "2026-12-31T23:00",
            ]
        ),
    ).map(lambda near: datetime.fromisoformat(near[1]).replace(tzinfo=UTC) + timedelta(minutes=near[0])),
)
#: hours that tile the day, each with one member: cuts in minutes since midnight
tilings = st.lists(st.integers(0, 1439), min_size=2, max_size=3, unique=True).map(sorted)


@pytest.mark.parametrize(
    ("zone", "at", "who"),
    [
        (SHANGHAI, "2026-11-30T06:59:00", ["bai"]),
        (SHANGHAI, "2026-11-30T07:00:00", ["an"]),
        (SHANGHAI, "2026-11-30T18:59:59", ["an"]),
        (SHANGHAI, "2026-12-31T23:59:00", ["bai"]),  # the year ends within the shift
        (SHANGHAI, "2027-01-01T00:01:00", ["bai"]),
        (BERLIN, "2026-03-29T03:00:00", ["bai"]),  # 02:00 to 03:00 was left out
        (BERLIN, "2026-10-25T02:30:00", ["bai"]),  # shown twice
    ],
)
def test_day_and_night(zone: ZoneInfo, at: str, who: list[str]) -> None:
    """The first minute belongs to the shift that begins."""
    found = on_shift(DAY_AND_NIGHT, datetime.fromisoformat(at).replace(tzinfo=zone), zone)
    assert [member.user for member in found.members] == who


def test_a_night_of_thirteen_hours_and_one_of_eleven() -> None:
    """The wall clock decides, so the night shift is longer in October and shorter in March."""
    for day, hours in ((date(2026, 10, 24), 13), (date(2026, 3, 28), 11), (date(2026, 11, 24), 12)):
        begins = datetime.combine(day, time(19), BERLIN)
        found = on_shift(DAY_AND_NIGHT, begins, BERLIN)
        assert found.until is not None
        assert (found.until - begins.astimezone(UTC)) == timedelta(hours=hours)


def test_a_shift_that_ends_in_the_hour_that_comes_twice_leaves_no_hole() -> None:
    """Until 02:30 is until the second 02:30; who begins at 02:30 begins at the first."""
    crew = team(shift("an", 1200, 150), shift("bai", 150, 1200))
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    for minutes in (0, 30, 59):
        found = on_shift(crew, first + timedelta(minutes=minutes), BERLIN)
        assert [member.user for member in found.members] == ["an", "bai"]
    found = on_shift(crew, first + timedelta(minutes=60), BERLIN)
    assert [member.user for member in found.members] == ["bai"]


def test_holidays_have_their_own_shifts() -> None:
    """On the holiday only the holiday's shift begins; the night before it ends as ever."""
    crew = team(
        shift("an", 480, 1200, holidays="without"), shift("bai", 1200, 480, holidays="without"),
        shift("cui", 540, 1020, holidays="only"),
    )  # fmt: skip
    days = (Holiday(first=date(2026, 10, 1), last=date(2026, 10, 7)),)

    def who(day: int, hour: int) -> list[str]:
        at = datetime(2026, 10, day, hour, 30, tzinfo=SHANGHAI)
        return [member.user for member in on_shift(crew, at, SHANGHAI, days).members]

    assert who(1, 7) == ["bai"]  # began on 30 September
    assert who(1, 10) == ["cui"]
    assert who(7, 18) == []
    assert who(8, 9) == ["an"]
    nobody = on_shift(crew, datetime(2026, 10, 7, 18, tzinfo=SHANGHAI), SHANGHAI, days)
    assert nobody.until == datetime(2026, 10, 8, 8, tzinfo=SHANGHAI)


def test_hand_over_keeps_who_goes_home() -> None:
    """For a quarter of an hour both are there, and it says who is leaving."""
    crew = team(shift("an", 420, 1140), shift("bai", 1140, 420), hand_over_min=15)
    found = on_shift(crew, datetime(2026, 11, 30, 19, 10, tzinfo=SHANGHAI), SHANGHAI)
    assert [(m.user, m.leaving) for m in found.members] == [("an", True), ("bai", False)]
    assert found.until == datetime(2026, 11, 30, 19, 15, tzinfo=SHANGHAI)


def test_a_team_without_shifts_always_works() -> None:
    found = on_shift(team(), datetime(2026, 11, 30, tzinfo=UTC), SHANGHAI)
    assert [m.user for m in found.members] == list(USERS)
    assert found.until is None


def test_who_has_all_hours_never_ends() -> None:
    """Two shifts of one person without a gap are one."""
    found = on_shift(
        team(shift("an", 420, 1140), shift("an", 1140, 420)), datetime(2026, 11, 30, tzinfo=UTC), SHANGHAI
    )
    assert (found.until, found.members[0].until) == (None, None)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(at=moments, zone=st.sampled_from(ZONES), cuts=tilings)
def test_shifts_that_tile_the_day_leave_no_hole(at: datetime, zone: ZoneInfo, cuts: list[int]) -> None:
    """Somebody is always on shift, also in the nights of 23 and of 25 hours; and but for an hour shown twice, one."""
    crew = team(*(shift(USERS[n], begin, cuts[(n + 1) % len(cuts)]) for n, begin in enumerate(cuts)))
    found = on_shift(crew, at, zone)
    assert found.members
    wall = at.astimezone(zone)
    near_change = wall.utcoffset() != (at - timedelta(hours=3)).astimezone(zone).utcoffset() or (
        wall.utcoffset() != (at + timedelta(hours=3)).astimezone(zone).utcoffset()
    )
    if not near_change:
        minute = wall.hour * 60 + wall.minute
        now = max((n for n, begin in enumerate(cuts) if begin <= minute), default=len(cuts) - 1)
        assert [member.user for member in found.members] == [USERS[now]]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    at=moments, zone=st.sampled_from(ZONES), cuts=tilings, days=st.sets(st.sampled_from(WEEK), min_size=1),
    share=st.floats(0, 0.99), hand_over_min=st.sampled_from([0, 15, 60]),
)  # fmt: skip
def test_the_answer_holds_until_it_says(
    at: datetime, zone: ZoneInfo, cuts: list[int], days: set[str], share: float, hand_over_min: int
) -> None:
    """Up to `until` the same people work; at `until` it is others, or they are leaving."""
    crew = team(
        *(shift(USERS[n], begin, cuts[(n + 1) % len(cuts)], days=tuple(days)) for n, begin in enumerate(cuts)),
        hand_over_min=hand_over_min,
    )  # fmt: skip

    def who(moment: datetime) -> set[tuple[str, bool]]:
        return {(m.user, m.leaving) for m in on_shift(crew, moment, zone).members}

    until = on_shift(crew, at, zone).until
    assert until is not None
    assert until > at
    assert who(at + (until - at) * share) == who(at)
    assert who(until) != who(at)
