"""Whether it is day or night: at a site by the sun's height, before a camera also by its infrared state. Pure.

A site has one night, for the rules and for every grade, at the edge and at the centre: what is graded twice is
graded alike. By the clock only where nobody knows where the site is.

The sun's place is that of the Astronomical Almanac's low-precision formulas (section C, 'Low precision
formulas for the Sun'; sidereal time as in Michalsky, Solar Energy 40 (1988) 227): right to 0.01 degrees from
1950 to 2050, which is three seconds of dusk. Refraction is left out: it matters at the horizon only, and
night begins well below it.
"""

from datetime import UTC, datetime
from math import asin, atan2, cos, degrees, radians, sin
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

#: Below it a camera needs lamps or infrared: the end of civil twilight.
NIGHT_BELOW_DEG: Final = -6.0
#: Without a place: local hours [from, to) over midnight.
CLOCK_NIGHT_H: Final = (22, 6)
_J2000: Final = datetime(2000, 1, 1, 12, tzinfo=UTC)

LightReason = Literal["infrared", "sun_down", "sun_up"]


class Light(msgspec.Struct, frozen=True, kw_only=True):
    """Day or night, and what says so."""

    night: bool
    why: LightReason
    #: height of the sun above the horizon
    sun_deg: float


def is_night(at: datetime, lonlat: tuple[float, float] | None, timezone: ZoneInfo) -> bool:
    """Whether it is night at a place (`monitor.domain.places.middle` of a site) at an aware time.

    Args:
        lonlat: degrees WGS84; None if nobody knows: then by the clock of `timezone`.
    """
    if lonlat is not None:
        return sun_elevation_deg(at, lonlat) < NIGHT_BELOW_DEG
    hour = at.astimezone(timezone).hour
    return hour >= CLOCK_NIGHT_H[0] or hour < CLOCK_NIGHT_H[1]


def light(at: datetime, lonlat: tuple[float, float], *, infrared: bool) -> Light:
    """Day or night at a place. A camera that sees by infrared sees a night picture, wherever the sun is."""
    sun_deg = sun_elevation_deg(at, lonlat)
    if infrared:
        return Light(night=True, why="infrared", sun_deg=sun_deg)
    night = sun_deg < NIGHT_BELOW_DEG
    return Light(night=night, why="sun_down" if night else "sun_up", sun_deg=sun_deg)


def sun_elevation_deg(at: datetime, lonlat: tuple[float, float]) -> float:
    """Height of the sun's middle above the horizon, degrees, without refraction.

    Args:
        at: an aware time.
        lonlat: degrees WGS84, east and north positive.

    >>> round(sun_elevation_deg(datetime(2026, 3, 20, 12, 8, tzinfo=UTC), (0.0, 0.0)))
    90
    """
    days = (at - _J2000).total_seconds() / 86_400.0
    anomaly = radians(357.528 + 0.9856003 * days)
    longitude = radians(280.460 + 0.9856474 * days + 1.915 * sin(anomaly) + 0.020 * sin(2.0 * anomaly))
    obliquity = radians(23.439 - 0.0000004 * days)
    ascension = atan2(cos(obliquity) * sin(longitude), cos(longitude))
    declination = asin(sin(obliquity) * sin(longitude))
    utc_h = ((days + 0.5) % 1.0) * 24.0
    sidereal_h = 6.697375 + 0.0657098242 * days + utc_h
    hour_angle = radians(sidereal_h * 15.0 + lonlat[0]) - ascension
    latitude = radians(lonlat[1])
    height = sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hour_angle)
    return degrees(asin(max(-1.0, min(1.0, height))))
