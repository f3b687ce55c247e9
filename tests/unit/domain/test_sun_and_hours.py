"""Day and night by the sun, and named hours of a wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain.hours import Hours, Schedule, clock_min, is_whole_week, within
from monitor.domain.sun import NIGHT_BELOW_DEG, is_night, light, sun_elevation_deg

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
NINGBO = (121.55, 29.87)


@pytest.mark.parametrize(
    ("at", "lonlat", "expected_deg"),
    [
        # NREL's Solar Position Algorithm, worked example (TP-560-34302, table A5.1), zenith 50.11162, whose
        # refraction of 0.016 degrees is left out here
        (datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC), (-105.1786, 39.742476), 90 - 50.11162 - 0.016),
        # sunrise and sunset of Beijing at the solstice, as almanacs print them: the middle at -0.833 degrees
        (datetime(2024, 6, 20, 20, 46, tzinfo=UTC), (116.4, 39.9), -0.833),
        (datetime(2024, 6, 21, 11, 46, tzinfo=UTC), (116.4, 39.9), -0.833),
    ],
)
def test_the_sun_stands_where_others_say(
    at: datetime, lonlat: tuple[float, float], expected_deg: float
) -> None:
    """Against NREL's worked example and almanacs, whose times are whole minutes (0.2 degrees)."""
    assert sun_elevation_deg(at, lonlat) == pytest.approx(expected_deg, abs=0.01 if at.second else 0.12)


def test_night_begins_with_the_end_of_civil_twilight_and_infrared_is_night_at_once() -> None:
    """Ningbo on 30 November: the sun sets before 17 o'clock; a camera on infrared at noon has a night picture."""
    day = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)  # 16:00 there
    minutes = [day + timedelta(minutes=m) for m in range(120)]
    nights = [light(at, NINGBO, infrared=False).night for at in minutes]
    first = minutes[nights.index(True)].astimezone(SHANGHAI)
    assert (first.hour, first.minute) == pytest.approx((17, 20), abs=4)
    assert sun_elevation_deg(minutes[nights.index(True)], NINGBO) == pytest.approx(NIGHT_BELOW_DEG, abs=0.25)
    assert nights == sorted(nights)
    assert light(day, NINGBO, infrared=True).why == "infrared"
    assert light(day, NINGBO, infrared=True).night


def test_a_site_has_one_night_and_by_the_clock_only_where_nobody_knows_the_place() -> None:
    """Each ten minutes of a year's days: the grade's night is the rules' own; without a place from 22 to 6."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for minutes in range(0, 365 * 24 * 60, 610):
        at = start + timedelta(minutes=minutes)
        assert is_night(at, NINGBO, SHANGHAI) is light(at, NINGBO, infrared=False).night
        assert is_night(at, None, SHANGHAI) is (at.astimezone(SHANGHAI).hour in (22, 23, 0, 1, 2, 3, 4, 5))


def schedule(*hours: Hours) -> Schedule:
    return Schedule(schedule_id="s", hours=hours)


SCHOOL = schedule(Hours(days=("mon", "fri"), from_min=clock_min("07:30"), to_min=clock_min("08:15")))


@pytest.mark.parametrize(
    ("local", "inside"),
    [
        ("2026-11-30 07:29:59", False),  # a Monday
        ("2026-11-30 07:30:00", True),
        ("2026-11-30 08:14:59", True),
        ("2026-11-30 08:15:00", False),
        ("2026-12-01 07:45:00", False),
    ],
)
def test_hours_begin_with_their_first_minute_and_end_before_their_last(local: str, inside: bool) -> None:
    """On their own days only, by the city's clock, on both sides of each end."""
    at = datetime.fromisoformat(local).replace(tzinfo=SHANGHAI).astimezone(UTC)
    assert within(SCHOOL, at, SHANGHAI) is inside


@pytest.mark.parametrize(
    ("local", "inside"),
    [("2026-11-30 21:59", False), ("2026-11-30 22:00", True), ("2026-12-01 05:59", True), ("2026-12-01 06:00", False),
     ("2026-12-01 23:00", False)],
)  # fmt: skip
def test_hours_over_midnight_belong_to_the_day_on_which_they_begin(local: str, inside: bool) -> None:
    """Monday's night shift runs into Tuesday morning; Tuesday's own evening has none."""
    night = schedule(Hours(days=("mon",), from_min=clock_min("22:00"), to_min=clock_min("06:00")))
    at = datetime.fromisoformat(local).replace(tzinfo=SHANGHAI)
    assert within(night, at, SHANGHAI) is inside


@pytest.mark.parametrize(
    ("utc", "inside"),
    [
        # 1:00 to 2:30; in spring 2:00 is skipped: they end at that moment
        ("2026-03-08 05:59", False), ("2026-03-08 06:00", True), ("2026-03-08 06:59", True), ("2026-03-08 07:00", False),
        # in autumn 1:00 comes twice: one stretch from the first 1:00 to the only 2:30
        ("2026-11-01 04:59", False), ("2026-11-01 05:00", True), ("2026-11-01 06:10", True), ("2026-11-01 07:29", True),
        ("2026-11-01 07:30", False),
    ],
)  # fmt: skip
def test_a_changed_clock_opens_nothing_twice(utc: str, inside: bool) -> None:
    """Both changes of the clock, where it has them."""
    hours = schedule(Hours(from_min=60, to_min=150))
    assert within(hours, datetime.fromisoformat(utc).replace(tzinfo=UTC), NEW_YORK) is inside


@given(
    minute=st.integers(0, 527_040), begin=st.integers(0, 1439), length=st.integers(1, 1200)
)  # every minute of a year with both changes
def test_hours_are_open_for_about_their_length_each_day(minute: int, begin: int, length: int) -> None:
    """Whatever the hours and the day: inside them the end comes within their length, give or take a change."""
    hours = schedule(Hours(from_min=begin, to_min=(begin + length) % 1440))
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    if within(hours, at, NEW_YORK):
        assert not all(within(hours, at + timedelta(minutes=m), NEW_YORK) for m in range(0, length + 121, 30))


def test_a_whole_week_is_told_from_nearly_one() -> None:
    """What holds outside of it would never hold."""
    assert is_whole_week(schedule(Hours(from_min=0, to_min=1440)))
    assert is_whole_week(schedule(Hours(from_min=480, to_min=1080), Hours(from_min=1080, to_min=480)))
    assert not is_whole_week(schedule(Hours(from_min=0, to_min=1439)))


@pytest.mark.parametrize("text", ["24:01", "7", "7:5", "aa:00", "-1:00", "١٢:00", "12:60"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    """Also digits of other scripts, which int() would take."""
    with pytest.raises(ValueError, match="time of day"):
        clock_min(text)


def test_hours_without_a_minute_are_refused() -> None:
    """An end that is the beginning could mean never or always."""
    with pytest.raises(ValueError, match="beginning"):
        Hours(from_min=60, to_min=60)
