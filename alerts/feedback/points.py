"""Which of a camera's two operating points a step is for: its numbers by day, by night, or both. Pure.

A camera has one set of numbers, and may have others at night (monitor.domain.rulebook). Where false alarms came only by
night, a step at night alone leaves the day as watchful as it was, and the other way round.

What the edge calls night is the sun below -6 degrees or a camera that sees by infrared, which events do not say. So what
was seen in twilight, or even low sun, counts for both: it never speaks for a step at one point alone, and stops it.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from alerts.feedback.replaying import Case
from monitor.domain.assets import LonLat
from monitor.domain.sun import NIGHT_BELOW_DEG, sun_elevation_deg

#: above it a camera is taken to see in colour: it is brighter than what any maker lets infrared come on in
DAY_ABOVE_DEG: Final = 10.0


class Point(StrEnum):
    """When a number holds that a step changes."""

    ALWAYS = "always"
    DAY = "day"
    NIGHT = "night"


def point_of(case: Case, place: LonLat | None) -> Point:
    """By day or by night, if all of it was surely seen then; else ALWAYS: nobody knows, or both."""
    if place is None or not case.looks:
        return Point.ALWAYS
    heights = [sun_elevation_deg(look.at, place) for look in case.looks]
    if max(heights) < NIGHT_BELOW_DEG:
        return Point.NIGHT
    return Point.DAY if min(heights) > DAY_ABOVE_DEG else Point.ALWAYS


def only_at(false: Iterable[Case], place: LonLat | None) -> Point:
    """Where all these false alarms came; ALWAYS if not all at one of the two."""
    found = {point_of(case, place) for case in false}
    return found.pop() if len(found) == 1 else Point.ALWAYS


def touched(cases: Iterable[Case], point: Point, place: LonLat | None) -> list[Case]:
    """What a step at that point may have to do with: all that was not surely seen at the other one."""
    if point is Point.ALWAYS:
        return list(cases)
    return [case for case in cases if point_of(case, place) in (point, Point.ALWAYS)]


def lights(case: Case, point: Point, place: LonLat | None) -> tuple[Point, ...]:
    """By day, at night, or both: whose numbers may have held when it was seen, as far as a step at that point goes."""
    seen = point_of(case, place) if point is Point.ALWAYS else point
    return (Point.DAY, Point.NIGHT) if seen is Point.ALWAYS else (seen,)


# ---------------------------------------------------------------- an entry of the configuration
def with_number(entry: dict[str, Any], number: str, value: float, point: Point, was: float) -> dict[str, Any]:
    """The entry of a row with that number at that point; a step by day leaves the night at what it `was`."""
    night = dict(entry.get("night") or {})
    if point is Point.NIGHT:
        return {**entry, "night": {**night, number: value}}
    if point is Point.DAY and night.get(number) is None:
        return {**entry, number: value, "night": {**night, number: was}}
    return {**entry, number: value}


def number_at(entry: dict[str, Any] | None, number: str, point: Point) -> float | None:
    """The entry's own number at that point; None: it has none."""
    held = entry or {}
    found = (held.get("night") or {}).get(number) if point is Point.NIGHT else held.get(number)
    return None if found is None else float(found)
